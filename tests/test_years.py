"""Five years of clean-up days in one run: every reminder of every unit exactly once, whatever happens."""

from bot.core.campaign import of_years
from bot.core.schedule import UNITS, Step
from tests.years import FIRST, LAST, PARTNERS, START, opened, simulate


async def test_every_reminder_of_every_unit_exactly_once() -> None:
    async with opened() as (db, folder):
        years = await simulate(db, folder)
    campaigns = [campaign for campaign in of_years(FIRST, LAST) if campaign.day >= START.date()]
    assert len(campaigns) == 25
    assert set(years.told.values()) == {1}
    assert years.jumps
    assert years.restarts
    assert years.off
    for campaign in campaigns:
        assert years.done[campaign.id] == {str(step) for step in Step}, campaign.id
        for step in UNITS:
            told = sum(years.told[campaign.id, step, unit] for unit in PARTNERS)
            # A day switched off lets go of what is of no use any more; all units are told, or none.
            assert told in ((0, len(PARTNERS)) if (campaign.id, step) in years.off else (len(PARTNERS),))
        assert years.summaries[campaign.id] == 1
