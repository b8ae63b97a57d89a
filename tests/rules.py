"""What always holds of a decision, whatever was said before."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.core.commune import LEAD
from bot.core.effects import (
    VOICE,
    Announce,
    AttachPhotos,
    Bind,
    Broadcast,
    Change,
    Consent,
    Dismiss,
    FileReport,
    Heard,
    Join,
    KeepPhoto,
    Lane,
    MakeInvite,
    Say,
    SetNotice,
    ShowPhotos,
)
from bot.core.events import (
    DraftDue,
    Edited,
    Entered,
    Left,
    LinkReady,
    Moved,
    NoticeDue,
    Overlooked,
    PhotoReady,
    Pressed,
    ReportDue,
    Undelivered,
    VoiceSent,
    Words,
)
from bot.core.form import OFFICIAL, next_slot
from bot.core.invite import USUAL
from bot.core.notice import TEXT_MAX
from bot.core.report import NUMBERED, OPEN, OUTCOMES, STATUSES, STEPS
from bot.core.session import DRAFT_LIFE_MS, VOICES_MAX, dump, load
from bot.core.text import clean
from bot.handlers import Decision
from tests.drawing import (
    ACCOUNTS,
    COMMUNE,
    MESSAGES,
    NAMES,
    OTHER_REPORTER,
    SECRET,
    WORLD,
    everybody,
    open_drafts,
)
from tests.talks import Step

# What always holds --------------------------------------------------------------------------------


def is_a_decision_that_survives_a_restart(step: Step) -> None:
    assert isinstance(step.decision, Decision)
    assert load(dump(step.after)) == step.after
    dump(step.after).encode()


def answers_whoever_speaks(step: Step) -> None:
    """In private nobody who says or does something is left without a word."""
    if step.here.group or any(say.to == step.here for say, _ in step.said):
        return
    draft = step.before.draft
    match step.event:
        case Entered() | Left() | Moved() | Undelivered() | Overlooked() | NoticeDue():
            return
        case DraftDue():
            due = step.before.wake_at
            assert due is None or step.facts.now_ms < due
        case LinkReady():
            assert draft is None or draft.lat is not None
        case PhotoReady(photo=photo, problem=problem):
            ours = any(photo in one.photos for one in open_drafts(step.before))
            whose = step.facts.photo if step.facts.report is not None else None
            if whose is None:
                assert problem is None or not ours
            else:
                assert problem is None or whose.purpose == "after"
        case Edited(text):
            # Of a message that belongs to nothing open: there is nothing it could change.
            assert not clean(text).strip() or (draft is None and not _still_adding(step))
        case _:
            raise AssertionError(f"no answer to {step.event}")


def _still_adding(step: Step) -> bool:
    report, session = step.facts.report, step.before
    return (
        report is not None
        and report.code == session.last
        and report.person == step.facts.me.person
        and report.is_open
        and step.facts.now_ms - session.last_at <= 30 * 60_000
    )


def says_what_every_channel_can_show(step: Step) -> None:
    for say, message in step.said:
        assert say.message in NAMES
        assert 1 <= len(message.text) <= 2000, say.message
        assert len(message.buttons) <= 5, say.message
        labels = [button.label for button in message.buttons]
        assert len(set(labels)) == len(labels), labels
        for button in message.buttons:
            assert 1 <= len(button.label) <= 20, button
            assert 1 <= len(button.action.encode()) <= 64, button
        message.text.encode()
    for effect in step.decision.effects:
        if isinstance(effect, ShowPhotos):
            assert MESSAGES.render(effect.message, {**effect.data, "code": effect.code or "AP-26-00001"}).text


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts_of(one)


def keeps_only_clean_text(step: Step) -> None:
    """Nothing invisible, nothing that a database or a screen could choke on."""
    kept: list[str] = []
    for effect in step.decision.effects:
        match effect:
            case Change(values=values, note=note):
                kept += [note, *texts_of(values)]
            case FileReport(draft=draft):
                kept += [draft.words, draft.landmark, draft.hours]
            case Join(name=name):
                kept.append(name)
            case Say(data=data):
                kept += list(texts_of(data))
    assert [text for text in kept if clean(text) != text] == []


def moves_reports_along_the_table(step: Step) -> None:
    changes = [e for e in step.decision.effects if isinstance(e, Change)]
    assert len(changes) <= 1
    for change in changes:
        report = step.known(change.report)
        assert report is not None
        assert (change.version, change.before) == (report.version, report.status)
        assert change.after in STATUSES
        if change.action not in STEPS:
            assert change.after == change.before
            assert "status" not in change.values
            continue
        rule = STEPS[change.action]
        assert change.before in rule.before
        assert change.after == change.values["status"]
        going_on = change.action in ("postpone", "ask_help") and change.before == "in_progress"
        assert change.after == (change.before if going_on else rule.after)
        closed = change.values.get("closed_at", "as it was")
        if change.action in ("close", "reject", "withdraw"):
            assert isinstance(closed, int)
        else:
            assert closed == (None if change.action == "reopen" else "as it was")
        # Only what has nothing left to wait for goes on waiting for nothing.
        waits = change.values["due_at"] is not None or change.after not in OPEN | {"resolved"}
        assert waits or report.due_at is None
    told = [e for e in step.decision.effects if isinstance(e, Heard | AttachPhotos)]
    assert all(not isinstance(e, AttachPhotos) or step.known(e.report) is not None for e in told)


def lets_only_those_change_a_report_who_may(step: Step) -> None:
    me = step.facts.me
    for change in step.decision.effects:
        if not isinstance(change, Change):
            continue
        report = step.known(change.report)
        assert report is not None
        own = change.action.startswith("due_") or change.action == "settle"
        if own:
            assert isinstance(step.event, ReportDue)
            continue
        dealing = change.action in ("propose", "keep_open")
        if dealing or (change.action in STEPS and STEPS[change.action].who in ("desk", "office")):
            office = tuple(
                r for r in me.roles if r.role == LEAD or (r.unit, r.role) == (COMMUNE.office, "office")
            )
            roles = me.of(report.desk) + office
            if report.desk == LEAD:
                roles = tuple(role for role in me.roles if role.role == LEAD)
            assert roles, "somebody without a role dealt with a report"
            if change.action in ("reject", "keep_open"):
                assert any(r.unit == COMMUNE.office or r.role == LEAD for r in roles), (
                    "only the office decides"
                )
            if change.action == "close":
                _closed_properly(step, change, {role.role for role in roles})
        elif change.action == "typed":
            listens = me.of(COMMUNE.office) or (report.desk == COMMUNE.police and me.of(COMMUNE.police))
            leads = any(role.role == "lead" for role in me.roles)
            assert leads if report.desk == "lead" else listens, "somebody typed what they may not hear"
        else:
            assert report.person == me.person, "somebody else's report was judged or added to"
        if change.action == "reopen":
            assert step.before.complaint == report.code


def _closed_properly(step: Step, change: Change, roles: set[str]) -> None:
    outcome = change.values["outcome"]
    if outcome == "photo":
        assert isinstance(step.event, PhotoReady)
        assert step.event.problem is None
        assert step.facts.photo is not None
        assert step.facts.photo.purpose == "after"
        return
    assert OUTCOMES[outcome] & roles, "a result that this role may not record"
    assert outcome not in NUMBERED or any(c.isdigit() for c in change.note)


def never_asks_or_loses_what_was_given(step: Step) -> None:
    before, after = step.before.draft, step.after.draft
    if after is None or step.here.group:
        return
    # A draft that this very event began is another one, whatever number it was drawn with.
    same = before is not None and before.id == after.id != step.incoming.id
    if not same or before is None or before.asked != after.asked:
        opened = {
            "category": ("f", "ed:category"),
            "place": ("us", "ed:place"),
            "photo": ("ed:photo",),
        }
        given = {
            "category": after.category is not None,
            "place": after.placed,
            "landmark": bool(after.landmark) or after.lat is not None,
            "photo": bool(after.photos),
            "hours": bool(after.hours),
        }
        asked = after.asked or ""
        assert not given.get(asked, False) or step.verb in opened.get(asked, ()), f"asked twice: {asked}"
    if not same or before is None:
        return
    if step.verb != "ed:category":
        assert before.category is None or after.category is not None
    if step.verb != "ed:place":
        assert not before.placed or after.placed
        # A mark that was given with another village stood there.
        assert not before.landmark or after.landmark or before.unit not in (None, after.unit)
    if step.verb != "ed:photo":
        broken = {step.event.photo} if isinstance(step.event, PhotoReady) and step.event.problem else set()
        assert set(before.photos) - broken <= set(after.photos)
    if step.verb != "ed:mute":
        broken = {step.event.photo} if isinstance(step.event, PhotoReady) and step.event.problem else set()
        assert set(before.voices) - broken <= set(after.voices)
    if before.asked != "words":
        assert after.words.startswith(before.words.removesuffix("…"))
    if before.hours:
        assert after.hours
    if not step.verb.startswith("ed:"):
        assert before.skipped <= after.skipped


def keeps_a_draft_until_it_is_sent_or_let_go(step: Step) -> None:
    before, after = step.before.draft, step.after.draft
    were, are = {d.id for d in open_drafts(step.before)}, {d.id for d in open_drafts(step.after)}
    assert are - were <= {step.incoming.id}
    gone = were - are
    if before is None or not gone:
        # One that was hardly begun waits behind another that is whole, and is told so.
        behind = any(say.message == "resident/set_behind" for say, _ in step.said)
        same = before is None or (after is not None and after.id == before.id)
        assert same or (behind and before in step.after.later), "an open draft was pushed aside"
        return
    assert len(gone) == 1
    if step.verb == "merge":
        assert isinstance(step.event, Pressed)
        assert step.event.action == f"merge:{gone.pop()}"
        return
    assert gone == {before.id}
    given_up = step.verb == "cancel" or (isinstance(step.event, Words) and _cancels(step.event.text))
    ended = isinstance(step.event, DraftDue) and step.facts.now_ms >= before.touched_at + DRAFT_LIFE_MS
    # Nothing but photos: they go with the judgement of what was closed last.
    attached = any(isinstance(e, AttachPhotos) and e.photos == before.photos for e in step.decision.effects)
    judged = before.bare and attached
    assert given_up or ended or judged or step.verb == "add" or step.filed is not None
    # The one told after it comes up.
    assert (after.id if after is not None else None) == next((d.id for d in step.before.later), None)


def _cancels(text: str) -> bool:
    return WORLD.lexicon.command(clean(text).strip()) == "huy"


def files_only_what_is_whole_and_agreed(step: Step) -> None:
    filed, draft = step.filed, step.before.draft
    if filed is None:
        return
    assert not step.here.group
    if filed.values.get("emergency"):
        # At once, whatever else is being told, and without asking for anything.
        assert filed.draft.category == filed.field == "emergency"
        return
    assert draft is not None
    assert filed.draft == draft
    assert next_slot(draft, COMMUNE) == "summary"
    assert step.verb == "send" or (isinstance(step.event, Words) and draft.asked == "summary")
    agreed = any(
        isinstance(e, Consent) and e.version == COMMUNE.policy_version for e in step.decision.effects
    )
    assert agreed or step.facts.me.consent == COMMUNE.policy_version
    receipts = [say for say, _ in step.said if say.message == "resident/receipt"]
    assert [(say.to, say.fresh) for say in receipts] == [(step.here, True)]
    assert step.facts.now_ms < filed.ack_by
    assert step.facts.now_ms < filed.fix_by


def alerts_whoever_can_hear_of_a_new_report(step: Step) -> None:
    filed = step.filed
    if filed is None or filed.draft.category is None or filed.values.get("emergency"):
        return
    category = COMMUNE.categories[filed.draft.category]
    field = OFFICIAL if filed.draft.official else category.field
    desk = COMMUNE.office if filed.draft.private else COMMUNE.desk_of(category, filed.draft.unit)
    if filed.draft.official:
        desk = LEAD
    # Whoever really hears of it deals with it: the office, where nobody is bound; never of its own officials.
    if desk != LEAD and not step.town.ears(desk) and step.town.ears(COMMUNE.office):
        desk = COMMUNE.office
    assert (filed.desk, filed.field) == (desk, field)
    ears = step.town.ears(desk)
    alerts = [say for say, _ in step.said if say.message == "duty/alert"]
    assert filed.alerted == bool(ears)
    assert sorted(say.to.key for say in alerts) == sorted(ear.key for ear in ears)
    assert all(say.fresh and say.lane == Lane.ALERT for say in alerts)
    if filed.draft.private:
        assert not any(say.to in step.town.village_ears for say, _ in step.said)


def keeps_order_matters_from_the_village(step: Step) -> None:
    """Neighbours know each other's angle and hand: a village hears category and place, nothing more."""
    if any(isinstance(e, Bind) for e in step.decision.effects):
        return  # the room is another unit's from now on
    for say, message in step.said:
        field, secrets, place = _told_about(step, say)
        if say.to in step.town.village_ears and field == "order":
            shown = SECRET.findall(message.text)
            assert not set(shown) & (secrets - place), say.message
            assert say.message != "duty/alert"
    for effect in step.decision.effects:
        if isinstance(effect, ShowPhotos) and effect.to in step.town.village_ears:
            report = step.known(effect.report)
            field = report.field if report is not None else step.filed.field if step.filed else ""
            assert field != "order"


def _told_about(step: Step, say: Say) -> tuple[str, set[str], set[str]]:
    """The field of the report a message is about, the marks of its words and hours, and of its place."""
    report = step.known(say.report)
    if say.fresh and step.filed is not None:
        draft = step.filed.draft
        return (
            step.filed.field,
            set(SECRET.findall(draft.words + draft.hours)),
            set(SECRET.findall(draft.landmark)),
        )
    if report is None:
        return str(say.data.get("field", "")), set(), set()
    typed = step.event.text if isinstance(step.event, Words | Edited) else ""
    secrets = SECRET.findall(f"{report.words} {report.hours} {typed}")
    return report.field, set(secrets), set(SECRET.findall(report.landmark))


def lets_only_the_office_and_the_police_listen(step: Step) -> None:
    """And of what is about officials, those who lead alone."""
    if any(isinstance(e, Bind | Join) for e in step.decision.effects):
        return  # the chat is another unit's from now on
    listening = {ear for u in (COMMUNE.office, COMMUNE.police) for ear in everybody(step.town.desks[u])}
    for effect in step.decision.effects:
        if not isinstance(effect, ShowPhotos) or effect.purpose != VOICE:
            continue
        report = step.known(effect.report)
        desk = report.desk if report is not None else step.filed.desk if step.filed else ""
        assert effect.to in listening or (effect.to == step.here and step.facts.me.roles)
        assert effect.to not in step.town.village_ears or effect.to == step.here
        assert desk != "lead" or any(role.role == "lead" for role in step.facts.me.roles)
        assert (
            not effect.to.group
            or effect.to in step.town.desks[COMMUNE.office].rooms + step.town.desks[COMMUNE.police].rooms
        )


def asks_again_after_a_voice(step: Step) -> None:
    """It answers nothing: neither what it is nor where."""
    before, after = step.before.draft, step.after.draft
    if not isinstance(step.event, VoiceSent) or step.event.caption or after is None:
        return
    assert len(after.voices) <= VOICES_MAX
    if before is not None:
        assert (before.category, before.unit, before.landmark) == (
            after.category,
            after.unit,
            after.landmark,
        )
        assert before.words == after.words


def never_names_the_reporter_to_a_desk(step: Step) -> None:
    names = {*ACCOUNTS, OTHER_REPORTER}
    if step.incoming.name and not step.facts.me.roles:
        names.add(step.incoming.name)
    for say, message in step.said:
        if say.to in step.town.officers:
            shown = message.text + json.dumps([[b.label, b.action] for b in message.buttons])
            assert not [name for name in names if name in shown], say.message


def takes_no_reports_in_a_group(step: Step) -> None:
    if not step.here.group:
        return
    assert step.after.draft is None
    before_photos = [e for e in step.decision.effects if isinstance(e, KeepPhoto) and e.purpose == "before"]
    assert before_photos == []
    if isinstance(step.event, Pressed) and step.verb in ("take", "done", "out", "bind"):
        assert any(say.to == step.here for say, _ in step.said)


def lets_only_heads_and_the_office_manage_members(step: Step) -> None:
    """An invite or a removal is the doing of the unit's head or of the office, in private."""
    done = [e for e in step.decision.effects if isinstance(e, MakeInvite | Dismiss)]
    if not done:
        return
    assert len(done) == 1
    assert not step.here.group
    office = any(role.role == "office" for role in step.facts.me.of(COMMUNE.office))
    heads = any(role.role == "head" for role in step.facts.me.of(done[0].unit))
    assert office or heads
    if isinstance(done[0], MakeInvite):
        unit, role = COMMUNE.units[done[0].unit], done[0].role
        assert role == USUAL[unit.kind] or office
        assert role in (USUAL[unit.kind], "head") or (role == "lead" and unit.id == COMMUNE.office)
        assert [say.message for say, _ in step.said if say.fresh] == ["join/invited", "join/invitation"]
        assert all(say.to == step.here for say, _ in step.said if say.fresh)
    else:
        assert step.verb == "rmy"
        assert any((m.person, m.unit) == (done[0].person, done[0].unit) for m in step.facts.members)


def shows_figures_to_those_whom_they_concern(step: Step) -> None:
    """Boards of the whole commune are the office's and theirs who lead; in a room it is the room's own."""
    for say, _ in step.said:
        roles = {(role.unit, role.role) for role in step.facts.me.roles}
        if say.message in ("duty/figures", "duty/figures_week", "duty/figures_villages"):
            assert say.to == step.here
            assert roles
        if say.message in ("duty/figures_board", "duty/figures_targets"):
            assert say.to == step.here
            assert (COMMUNE.office, "office") in roles or any(role == LEAD for _, role in roles)
            assert not step.here.group or step.facts.room == COMMUNE.office
        if say.picture is not None:
            first = next(other for other, _ in step.said if other.to == say.to)
            assert first.picture is None, "a picture without words before it"


def tells_for_another_only_as_a_member(step: Step) -> None:
    if step.filed is not None and step.filed.values.get("behalf"):
        assert step.facts.me.roles
        assert step.filed.draft.behalf


def lets_only_another_let_a_notice_go(step: Step) -> None:
    """Only the office writes one; and whoever lets it go, or not, is not who wrote it."""
    me, known = step.facts.me, step.facts.notices
    office = any((role.unit, role.role) == (COMMUNE.office, "office") for role in me.roles)
    for effect in step.decision.effects:
        if isinstance(effect, Announce):
            assert office
            assert 0 < len(effect.text) <= TEXT_MAX
        if isinstance(effect, SetNotice) and effect.after in ("running", "refused", "over"):
            assert known is not None
            every = (*known.recent, *((known.one,) if known.one is not None else ()))
            one = next(one for one in every if one.id == effect.notice and one.state == effect.before)
            if effect.before == "waiting":
                assert me.person
                assert one.author not in (None, me.person)
                assert me.person in {decider.person for decider in known.deciders}
    sent = [e for e in step.decision.effects if isinstance(e, Broadcast) and e.message == "resident/notice"]
    approved = [e for e in step.decision.effects if isinstance(e, SetNotice) and e.before == "waiting"]
    assert len(sent) == sum(e.after == "running" for e in approved) <= 1


RULES: tuple[Callable[[Step], None], ...] = (
    is_a_decision_that_survives_a_restart,
    answers_whoever_speaks,
    says_what_every_channel_can_show,
    keeps_only_clean_text,
    moves_reports_along_the_table,
    lets_only_those_change_a_report_who_may,
    never_asks_or_loses_what_was_given,
    keeps_a_draft_until_it_is_sent_or_let_go,
    files_only_what_is_whole_and_agreed,
    alerts_whoever_can_hear_of_a_new_report,
    keeps_order_matters_from_the_village,
    lets_only_the_office_and_the_police_listen,
    asks_again_after_a_voice,
    never_names_the_reporter_to_a_desk,
    takes_no_reports_in_a_group,
    lets_only_heads_and_the_office_manage_members,
    shows_figures_to_those_whom_they_concern,
    tells_for_another_only_as_a_member,
    lets_only_another_let_a_notice_go,
)
