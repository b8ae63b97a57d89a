"""Whatever arrives in whatever state: a decision is made, and keeps what people are promised."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import strategies as st

from bot.core.effects import (
    Announce,
    Broadcast,
    Change,
    Dismiss,
    MakeInvite,
    Say,
)
from bot.core.events import (
    Address,
    Event,
    FileRef,
    Incoming,
    NoticeDue,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    Words,
)
from bot.core.facts import Facts, Me, PhotoFact, Role
from bot.core.report import OUTCOMES, Report
from bot.core.session import Closing, Session
from bot.handlers import Decision, decide, needs
from tests.drawing import (
    ACCOUNTS,
    CODES,
    COMMUNE,
    MANAGING,
    NOTICING,
    START,
    VILLAGES,
    WORLD,
    Town,
    clocked,
    composings,
    drafts,
    now_ms,
    reports,
    sessions,
    towns,
)
from tests.rules import RULES
from tests.talks import Step, facts_for, members, notices, rendered, roles, talks

slow_is_fine = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@settings(slow_is_fine, max_examples=140)
@given(st.data())
def test_every_decision_keeps_the_rules(data: st.DataObject) -> None:
    for step in talks(data, 12):
        for rule in RULES:
            rule(step)


@settings(slow_is_fine, max_examples=100)
@given(st.data(), towns, st.sampled_from([None, "0", COMMUNE.policy_version]), st.booleans())
def test_sending_any_whole_draft_keeps_the_rules(
    data: st.DataObject, town: Town, consent: str | None, typed: bool
) -> None:
    """Every category, private or not, with whoever can hear."""
    category = data.draw(st.sampled_from(sorted(COMMUNE.categories)))
    told: dict[str, Any] = {"category": category, "unit": data.draw(st.sampled_from(VILLAGES))}
    draft = replace(data.draw(drafts(now_ms())), **told, asked="summary")
    draft = replace(draft, skipped=frozenset({"landmark", "photo", "hours"}))
    address, session = Address("paper", ACCOUNTS[0]), Session(draft=draft)
    event = Words("gửi") if typed else Pressed(f"send:{draft.id}")
    incoming = Incoming(1, START, address, ACCOUNTS[0], event)
    facts = data.draw(facts_for(incoming, session, town, consent, START))
    decision = decide(incoming, session, facts, WORLD)
    step = Step(incoming, session, facts, town, decision, rendered(decision))
    assert step.filed is not None
    for rule in RULES:
        rule(step)


@pytest.mark.parametrize("role", [*roles, "nobody"])
@pytest.mark.parametrize("deed", [*OUTCOMES, "take", "done", "good", "bad", "15/QĐ-XPHC", "ảnh"])
@settings(slow_is_fine, max_examples=8)
@given(data=st.data(), town=towns)
def test_dealing_with_any_report_keeps_the_rules(
    data: st.DataObject, town: Town, deed: str, role: str
) -> None:
    """Every status, every role or none, by a press, a number or a photo that was looked at."""
    report, me = data.draw(reports(CODES[0])), Me(f"paper:{ACCOUNTS[0]}")
    if role in roles:
        me = replace(me, roles=(Role(report.desk, role, "Bác Tư"),))
    status = data.draw(st.sampled_from(["sent", "acknowledged", report.status]))
    report = clocked(replace(report, status=status))
    if data.draw(st.booleans()):
        report = replace(report, field="order", category="parking")
    if deed in ("good", "bad") and data.draw(st.booleans()):
        report = replace(report, person=me.person)
    photo: PhotoFact | None = None
    happened: Event = Pressed(f"out:{report.code}:{deed}" if deed in OUTCOMES else f"{deed}:{report.code}")
    if deed == "ảnh":
        photo = PhotoFact(7, "after", report.id)
        happened = PhotoReady(7, data.draw(st.sampled_from([None, None, "broken"])))
    elif deed[0].isdigit():
        happened = Words(deed)
    step = "number" if deed[0].isdigit() else "checking"
    owed = Closing(report.code, ACCOUNTS[0], step, "fined", now_ms())
    session = replace(data.draw(sessions(now_ms(), ACCOUNTS[:1], group=False)), closings=(owed,))
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], happened)
    facts = Facts(START, me, report=report, photo=photo, desks=town.desks)
    decision = decide(incoming, session, facts, WORLD)
    for rule in RULES:
        rule(Step(incoming, session, facts, town, decision, rendered(decision)))


@pytest.mark.parametrize("role", [*roles, "nobody"])
@settings(slow_is_fine, max_examples=60)
@given(data=st.data(), town=towns)
def test_managing_members_keeps_the_rules(data: st.DataObject, town: Town, role: str) -> None:
    """Every role or none, by every press and word that invites, lists or removes."""
    unit = data.draw(st.sampled_from(["thon-05", "ubnd"]))
    me = Me(f"paper:{ACCOUNTS[0]}", None, (Role(unit, role, "Bác Tư"),) if role in roles else ())
    words = ("mời", "moi thon 5", "mời trưởng thôn 5", "thành viên", "5", "uỷ ban xã", "thôi")
    event = data.draw(
        st.builds(Pressed, st.sampled_from(MANAGING)) | st.builds(Words, st.sampled_from(words))
    )
    session = data.draw(sessions(now_ms(), ACCOUNTS[:1], group=False))
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    need = needs(incoming, session, WORLD)
    facts = Facts(START, me, desks=town.desks, members=data.draw(members(need, me)))
    decision = decide(incoming, session, facts, WORLD)
    step = Step(incoming, session, facts, town, decision, rendered(decision))
    for rule in RULES:
        rule(step)
    target(float(any(isinstance(e, MakeInvite | Dismiss) for e in decision.effects)))


@pytest.mark.parametrize("role", [*roles, "nobody"])
@settings(slow_is_fine, max_examples=60)
@given(data=st.data(), town=towns)
def test_notices_keep_the_rules(data: st.DataObject, town: Town, role: str) -> None:
    """Every role or none, by every press and word that writes, lets go, breaks off or asks; and by itself."""
    me = Me(f"paper:{ACCOUNTS[0]}", None, (Role("ubnd", role, "Chị Hà"),) if role in roles else ())
    words = ("thong bao", "xin duyet", "duyet", "khong duyet", "?", "dung gui", "huy", "sửa")
    told = ("tất cả", "3, 5", "trưởng thôn", "Mai mất nước", "d" * 1501, "")
    said = st.builds(Words, st.sampled_from([*words, *told]))
    pressed = st.builds(Pressed, st.sampled_from(NOTICING))
    event = data.draw(st.one_of(pressed, said, st.just(NoticeDue(7, 1))))
    session = Session(notice=data.draw(st.none() | composings(now_ms(), ACCOUNTS[0])))
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    need = needs(incoming, session, WORLD)
    facts = Facts(START, me, desks=town.desks, notices=data.draw(notices(need, me)))
    decision = decide(incoming, session, facts, WORLD)
    step = Step(incoming, session, facts, town, decision, rendered(decision))
    for rule in RULES:
        rule(step)
    target(float(any(isinstance(e, Broadcast | Announce) for e in decision.effects)))


# What a single rule cannot see -----------------------------------------------------------------------


def _one(data: st.DataObject, event: Event, session: Session, report: Report | None, me: Me) -> Decision:
    town = data.draw(towns)
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    return decide(incoming, session, Facts(START, me, report=report, desks=town.desks), WORLD)


@settings(slow_is_fine, max_examples=40)
@given(st.data())
def test_keeping_a_draft_as_it_was_changes_nothing_in_it(data: st.DataObject) -> None:
    """ "Sửa", "Sửa lời", then "Thôi, giữ như cũ"."""
    draft = data.draw(drafts(now_ms()))
    session, me = Session(draft=draft), Me(f"paper:{ACCOUNTS[0]}")
    for action in (f"edit:{draft.id}", f"ed:{draft.id}:words", f"keep:{draft.id}"):
        session = _one(data, Pressed(action), session, None, me).session
    kept = session.draft
    assert kept is not None
    assert replace(kept, asked=draft.asked, touched_at=draft.touched_at, nudged=draft.nudged) == draft


@settings(slow_is_fine, max_examples=40)
@given(st.data(), st.booleans())
def test_the_word_after_not_yet_reopens_the_report(data: st.DataObject, photo: bool) -> None:
    """Whatever else the person is in the middle of."""
    me = Me(f"paper:{ACCOUNTS[0]}")
    found = replace(data.draw(reports(CODES[0], me.person)), status="resolved", closed_at=now_ms() - 60_000)
    texts = ["vẫn còn rác"] if found.field == "sanitation" else []
    text = data.draw(st.sampled_from([*texts, "chưa ai làm gì cả", "nguyên như cũ"]))
    session = replace(data.draw(sessions(now_ms(), ACCOUNTS[:1], group=False)), closings=())
    asked = _one(data, Pressed(f"bad:{found.code}"), session, found, me).session
    assert asked.complaint == found.code
    event = PhotoSent(FileRef("f1"), text) if photo else Words(text)
    incoming = Incoming(2, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    assert needs(incoming, asked, WORLD).code == found.code
    decision = _one(data, event, asked, found, me)
    changes = [e for e in decision.effects if isinstance(e, Change)]
    assert [(e.action, e.note) for e in changes] == [("reopen", text)]
    assert decision.session.draft == session.draft
    assert decision.session.complaint is None


@settings(slow_is_fine, max_examples=40)
@given(st.data())
def test_the_number_of_a_decision_is_never_taken_for_something_else(data: st.DataObject) -> None:
    me = Me(f"paper:{ACCOUNTS[0]}", None, (Role("cong-an", "police", "Anh Dũng"),))
    found = replace(data.draw(reports(CODES[0])), field="order", category="parking", desk="cong-an")
    session = data.draw(sessions(now_ms(), ACCOUNTS[:1], group=False))
    session = replace(session, closings=(Closing(found.code, ACCOUNTS[0], "number", "fined", now_ms()),))
    event = Words("15/QĐ-XPHC")
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    assert needs(incoming, session, WORLD).code == found.code
    decision = _one(data, event, session, found, me)
    changes = [e for e in decision.effects if isinstance(e, Change)]
    assert decision.session.draft == session.draft
    assert [(e.values["outcome"], e.note) for e in changes] == [("fined", event.text)] * found.is_open


@settings(slow_is_fine, max_examples=40)
@given(st.data(), st.sampled_from([10.0, 91.0, -91.0, float("nan"), float("inf"), float("-inf")]))
def test_a_point_that_is_none_is_refused_and_changes_nothing(data: st.DataObject, odd: float) -> None:
    session = data.draw(sessions(now_ms(), ACCOUNTS[:1], group=False))
    event = PlaceSent(*data.draw(st.sampled_from([(odd, 200.0), (odd, float("nan"))])))
    decision = _one(data, event, session, None, Me(f"paper:{ACCOUNTS[0]}"))
    assert decision.session == session
    assert [e.message for e in decision.effects if isinstance(e, Say)] == ["resident/bad_place"]
