"""What decisions decided, written in the caller's transaction."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot import notices
from bot.channels.base import Abilities
from bot.core import when
from bot.core.effects import (
    VOICE,
    Announce,
    AttachPhotos,
    Bind,
    Broadcast,
    Burn,
    Change,
    ChangeActivity,
    Come,
    Consent,
    Dismiss,
    Effect,
    Erase,
    FileReport,
    Follow,
    FollowLink,
    Heard,
    Join,
    JoinActivity,
    KeepActivity,
    KeepPhoto,
    Lane,
    LockHouseholds,
    MakeInvite,
    MakePairing,
    MakeTask,
    Note,
    Pair,
    Participate,
    Prove,
    Reach,
    Relocate,
    Remind,
    Say,
    SetCampaign,
    SetNotice,
    SetPlace,
    SetTask,
    Shift,
    ShowEvidence,
    ShowPhotos,
    Stop,
    StopBroadcast,
    Unbind,
    Unheard,
    Unhold,
    Unsubscribe,
)
from bot.core.events import Address, Incoming
from bot.core.invite import LIFE_MS, PAIRING_MS, SYMBOLS, digest, spell
from bot.core.message import Message
from bot.core.task import number_of
from bot.rows import Drawing, as_json, how_to_place, outbox_row, parts
from storage import (
    activities,
    announcements,
    broadcasts,
    campaigns,
    counters,
    erasure,
    offers,
    outbox,
    pairings,
    people,
    photos,
    pictures,
    reports,
    sessions,
    tasks,
)
from storage.tables import OutboxState, PhotoState

FLOOD_MS = 60_000
# What a digest can say instead: other alerts, an emergency above all, always go alone.
DIGESTED = ("duty/alert", "duty/photo", "duty/voice")
# The photos of what a digest told come after it, when the room has had a moment.
PHOTOS_WAIT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A Say with its words: rendered before anything is written, so that a bad template writes nothing."""

    say: Say
    message: Message
    picture: Drawing | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """One event's effects, its Says rendered in order; the `code` it files under.

    `captions` are those of photos, by message and code or purpose; `invite` is the code of the invite that
    it makes; `told` what each broadcast says, by key and village; `activity` the number of the one that it
    records.
    """

    incoming: Incoming
    person: str
    effects: tuple[Effect, ...]
    spoken: tuple[Spoken, ...] = ()
    captions: Mapping[tuple[str, str], Message] = field(default_factory=dict)
    code: str | None = None
    invite: str | None = None
    told: Mapping[str, Mapping[str, Message]] = field(default_factory=dict)
    activity: int | None = None


@dataclass(slots=True)
class _Batch:
    """What many events have in common is written at once."""

    now: int
    flood: int
    abilities: Mapping[str, Abilities]
    promises: list[dict[str, Any]] = field(default_factory=list)
    questions: set[tuple[str, str]] = field(default_factory=set)
    offered: dict[str, str] = field(default_factory=dict)
    new_photos: list[dict[str, Any]] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    shown: dict[tuple[int, str], list[photos.Photo]] = field(default_factory=dict)
    drawings: dict[str, str] = field(default_factory=dict)


async def draw_codes(conn: AsyncConnection, prefix: str, count: int, now: int) -> list[str]:
    """Codes for reports that are filed in this transaction, and for no others."""
    if not count:
        return []
    year = when.local(now).year % 100
    numbers = await counters.draw(conn, f"report/{year:02d}", count)
    return [f"{prefix}-{year:02d}-{number:05d}" for number in numbers]


async def draw_numbers(conn: AsyncConnection, count: int) -> list[int]:
    """Numbers for activities that are recorded in this transaction."""
    return list(await counters.draw(conn, "activity", count)) if count else []


def draw_invite() -> str:
    """A code for an invite. One without a digit could be a word of the talk."""
    symbols = "".join(secrets.choice(SYMBOLS) for _ in range(8))
    return draw_invite() if symbols.isalpha() else spell(symbols)


async def write(
    conn: AsyncConnection, done: Sequence[Done], now: int, flood: int, abilities: Mapping[str, Abilities]
) -> None:
    """Everything the decisions want, except the sessions. Raises Conflict when one came too late.

    `flood` is how many alerts and photos a chat may be sent in a minute; `abilities` those of each channel.
    """
    batch = _Batch(now, flood, abilities)
    await _file_reports(conn, done, batch)
    for one in done:
        spoken = iter(one.spoken)
        for effect in one.effects:
            if isinstance(effect, Say):
                # In the order decided: an alert is promised before the photos that follow it.
                await _say(conn, one, next(spoken), batch)
            elif not isinstance(effect, FileReport):
                await _perform(conn, one, effect, batch)
    if batch.new_photos:
        await photos.keep(conn, batch.new_photos)
    if batch.questions:
        await outbox.supersede(conn, batch.questions)
    if batch.offered:
        await offers.save(conn, batch.offered)
    if batch.drawings:
        await _want_pictures(conn, batch)
    if batch.promises:
        await _hold_floods(conn, batch)
        await outbox.promise(conn, batch.promises)


async def _want_pictures(conn: AsyncConnection, batch: _Batch) -> None:
    """What shows a picture that is not drawn yet waits for it. Asked in one order: no two wait in a ring."""
    ready = {
        key: await pictures.want(conn, key, spec, batch.now) for key, spec in sorted(batch.drawings.items())
    }
    for row in batch.promises:
        if not ready.get(row.get("photo") or "", True):
            row["state"] = OutboxState.UNDRAWN


async def _hold_floods(conn: AsyncConnection, batch: _Batch) -> None:
    """When a chat would get too much at once, its alerts wait for one digest, and the photos for that.

    Counted in the platform's messages. An emergency always goes alone.
    """
    ears = {(row["channel"], row["chat"]) for row in batch.promises if row["lane"] == Lane.ALERT}
    if not ears:
        return
    first = min(row["due_at"] for row in batch.promises if row["lane"] == Lane.ALERT)
    sent = await outbox.recent(conn, ears, first - FLOOD_MS)
    held: set[tuple[str, str, int]] = set()
    for row in batch.promises:
        ear = (row["channel"], row["chat"])
        if ear not in ears or row["lane"] not in (Lane.ALERT, Lane.PHOTO):
            continue
        alert = row["lane"] == Lane.ALERT
        follows = (*ear, row["report"]) in held
        if row["message"] in DIGESTED and (follows or sent.get(ear, 0) >= batch.flood):
            row["state"] = OutboxState.HELD
            if alert:
                held.add((*ear, row["report"]))
        else:
            sent[ear] = sent.get(ear, 0) + 1


async def _file_reports(conn: AsyncConnection, done: Sequence[Done], batch: _Batch) -> None:
    filing = [(one, e) for one in done for e in one.effects if isinstance(e, FileReport)]
    if not filing:
        return
    batch.ids = await reports.add(conn, [_report_row(one, e, batch.now) for one, e in filing])
    await reports.note(
        conn,
        [
            {
                "report": batch.ids[str(one.code)],
                "at": batch.now,
                "person": one.person,
                "action": "file",
                "after": "sent",
            }
            for one, _ in filing
        ],
    )
    for one, effect in filing:
        if effect.draft.photos:
            await photos.attach(conn, effect.draft.photos, batch.ids[str(one.code)])
        if effect.draft.voices:
            await photos.attach(conn, effect.draft.voices, batch.ids[str(one.code)], VOICE)


def _report_row(one: Done, filed: FileReport, now: int) -> dict[str, Any]:
    draft = filed.draft
    return {
        "code": one.code,
        "category": draft.category,
        "field": filed.field,
        "status": "sent",
        "desk": filed.desk,
        "unit": draft.unit,
        "landmark": draft.landmark,
        "lat": draft.lat,
        "lon": draft.lon,
        "words": draft.words,
        "hours": draft.hours,
        "private": draft.private,
        "person": one.person,
        "channel": one.incoming.address.channel,
        "chat": one.incoming.address.chat,
        "filed_at": now,
        "ack_by": filed.ack_by,
        "fix_by": filed.fix_by,
        "taken_name": "",
        "outcome": "",
        "reopened": 0,
        "alerted_at": now if filed.alerted else None,
        "version": 0,
        **_NEW,
        **filed.values,
    }


USUAL = Abilities()
# Every row of one INSERT has the same columns.
_NEW: dict[str, Any] = {
    "mark": "",
    "emergency": False,
    "behalf": False,
    "callback": "",
    "recurs": None,
    "due_at": None,
    "due_step": "",
}


async def _perform(conn: AsyncConnection, one: Done, effect: Effect, batch: _Batch) -> None:
    here = one.incoming.address
    match effect:
        case KeepPhoto():
            batch.new_photos.append(_photo_row(one, effect, batch.now))
        case Change():
            await _change(conn, one, effect, batch.now)
        case ShowEvidence():
            await _show_evidence(conn, one, effect, batch)
        case ShowPhotos():
            await _show_photos(conn, one, effect, batch)
        case AttachPhotos(ids, report, purpose):
            await photos.attach(conn, ids, report, purpose)
        case Prove(ids, report):
            await photos.prove(conn, ids, report)
        case FollowLink(url):
            row = {"id": one.incoming.id, "channel": here.channel, "chat": here.chat}
            await photos.follow(
                conn, [row | {"account": one.incoming.account, "url": url, "due_at": batch.now}]
            )
        case Consent(version):
            await people.consent(conn, one.person, version, batch.now)
        case Join(invite, unit, role, name):
            await people.use_invite(conn, invite, one.person, batch.now)
            await people.join(conn, one.person, unit, role, name, batch.now)
        case MakeInvite(unit, role):
            code, until = digest(str(one.invite)), batch.now + LIFE_MS
            await people.make_invite(conn, code, unit, role, batch.now, until)
        case MakePairing():
            ends = batch.now + PAIRING_MS
            await pairings.make(conn, digest(str(one.invite)), one.person, ends)
        case Pair(code):
            await pairings.pair(conn, code, one.person)
        case Dismiss(person, unit):
            await people.dismiss(conn, person, unit, batch.now)
        case Burn(invite):
            await people.burn_invite(conn, invite, batch.now)
        case Bind(unit, room):
            bound = room or here
            await people.bind(conn, bound.channel, bound.chat, unit, one.person, batch.now)
        case Unbind():
            await people.unbind(conn, here.key)
        case Relocate(chat):
            await _relocate(conn, here, chat)
        case Reach(reachable):
            await people.reach(conn, here.channel, here.chat, reachable)
        case Unsubscribe():
            await broadcasts.unsubscribe(conn, here.channel, here.chat)
        case Stop():
            await broadcasts.refuse_all(conn, one.person, batch.now)
            await broadcasts.unsubscribe(conn, here.channel, here.chat)
        case Broadcast(key, message, _, until, audience, starts):
            texts = {village: _text(told) for village, told in one.told[key].items()}
            await broadcasts.make(
                conn, key, message, texts, batch.now, until, audience=audience, starts=starts
            )
        case StopBroadcast(key):
            found = await broadcasts.find(conn, key)
            if found is not None:
                await broadcasts.stop(conn, found)
        case Announce():
            await announcements.add(conn, _notice_row(one, effect, batch.now))
        case SetNotice(notice, before, after, values):
            await announcements.move(conn, notice, before, after, values)
        case Heard(ids):
            await reports.heard(conn, ids, batch.now)
        case Unheard(report):
            await reports.heard(conn, [report], None)
        case Note(report, action, note):
            await reports.note(conn, [_line(one, report, action, batch.now, note=note)])
        case Follow(report):
            await reports.follow(conn, report, one.person, here.channel, here.chat, batch.now)
        case SetCampaign(campaign, version, values):
            await campaigns.change(conn, campaign, version, values)
        case SetPlace(campaign, unit, place):
            await campaigns.set_place(conn, campaign, unit, place)
        case Participate(campaign, unit, action, values):
            await _participate(conn, campaign, unit, values, _told(one, action, batch.now))
        case KeepActivity(values):
            kept = {**values, "id": one.activity, "at": batch.now}
            await activities.add(conn, kept, _told(one, "tell", batch.now))
        case ChangeActivity(activity, version, action, values, note):
            line = _told(one, action, batch.now) | {"note": note}
            await activities.change(conn, activity, version, values, line)
        case JoinActivity(activity, unit):
            await activities.join(conn, activity, unit, _told(one, "join", batch.now))
        case LockHouseholds(year, totals):
            await activities.lock(conn, year, totals, one.person or None, batch.now)
        case MakeTask():
            await tasks.make(conn, _task_row(one, effect, batch.now))
        case SetTask(task, version, values):
            await tasks.change(conn, task, version, values)
        case Come(campaign, village, coming):
            await campaigns.answer(conn, campaign, one.person, village, coming=coming)
        case Remind(of_village):
            await campaigns.remind(conn, one.person, of_village, batch.now)
        case Erase():
            await erasure.erase(conn, one.person, one.incoming.id)
        case Shift(unit, until):
            await people.shift(conn, one.person, unit, until)
        case Unhold(to):
            later = batch.now + PHOTOS_WAIT_MS
            await outbox.unhold(conn, to.channel, to.chat, later)


def _told(one: Done, action: str, now: int) -> dict[str, Any]:
    """Whose doing it was, for a line of history."""
    return {"at": now, "person": one.person or None, "action": action}


def _notice_row(one: Done, asked: Announce, now: int) -> dict[str, Any]:
    return {
        "id": one.incoming.id,
        "text": asked.text,
        "audience": asked.audience,
        "state": "waiting",
        "made_at": now,
        "author": one.person,
        "author_name": asked.name,
        "author_ear": notices.ear_json(one.incoming.address),
    }


async def _participate(
    conn: AsyncConnection, id: str, unit: str, values: Mapping[str, Any], told: Mapping[str, Any]
) -> None:
    task = number_of(id)
    if task is None:
        await campaigns.tell(conn, id, unit, values, told)
    else:
        await tasks.tell(conn, task, unit, values, told)


def _task_row(one: Done, made: MakeTask, now: int) -> dict[str, Any]:
    task = made.task
    row = {"number": task.number, "text": task.text, "day": task.day.isoformat()}
    row |= {"units": " ".join(task.units), "made_at": now, "person": one.person or None}
    return row | {"made_by": task.made_by, "version": task.version, **made.values}


def _photo_row(one: Done, kept: KeepPhoto, now: int) -> dict[str, Any]:
    return {
        "id": one.incoming.id,
        "channel": one.incoming.address.channel,
        "chat": one.incoming.address.chat,
        "account": one.incoming.account,
        "grouped": one.incoming.address.group,
        "file": kept.file.id,
        "as_file": kept.file.as_file,
        "size": kept.file.size,
        "kind": kept.kind,
        "purpose": kept.purpose,
        "report": kept.report,
        "state": PhotoState.WAITING,
        "received_at": now,
        "tries": 0,
        "due_at": now,
    }


async def _change(conn: AsyncConnection, one: Done, change: Change, now: int) -> None:
    await reports.change(conn, change.report, change.version, change.values, now)
    line = _line(one, change.report, change.action, now, change.before, change.after, change.note)
    await reports.note(conn, [line])


def _line(
    one: Done, report: int, action: str, now: int, before: str = "", after: str = "", note: str = ""
) -> dict[str, Any]:
    """A line of history; what happens by itself is nobody's doing."""
    line = {"report": report, "at": now, "person": one.person or None, "action": action}
    return line | {"before": before, "after": after, "note": note}


async def _show_photos(conn: AsyncConnection, one: Done, show: ShowPhotos, batch: _Batch) -> None:
    """One row a photo, those that are clean; one that is not yet is shown when it is (PhotoReady)."""
    if show.to.group and not batch.abilities.get(show.to.channel, USUAL).rooms_act:
        # The room's members are shown it one by one.
        return
    report = show.report if show.report is not None else batch.ids[str(one.code)]
    kept = batch.shown.get((report, show.purpose))
    if kept is None:
        kept = batch.shown[report, show.purpose] = await photos.of_report(conn, report, show.purpose)
    ready = [photo for photo in kept if photo.state == PhotoState.READY and show.only in (None, photo.id)]
    clean = [photo.id for photo in kept if photo.state == PhotoState.READY]
    if show.only in clean and clean.index(show.only) >= show.limit:
        # All are kept; the desk is sent the first few.
        return
    # The newest after photo is the one that matters, and the first the reporter sent.
    shown = ready[-show.limit :] if show.purpose == "after" else ready[: show.limit]
    for photo in shown:
        row = outbox_row(show.to, show.message, one.captions[show.message, show.code], batch.now)
        key = f"{show.message}/{photo.id}/{show.to.key}/{show.round}"
        batch.promises.append(
            row
            | {
                "lane": int(Lane.PHOTO),
                "photo": photo.stored,
                "report": report,
                "key": key,
                "due_at": batch.now + show.wait_ms,
            }
        )


async def _show_evidence(conn: AsyncConnection, one: Done, show: ShowEvidence, batch: _Batch) -> None:
    """Those that are clean now; asked for again, they are shown again."""
    if show.to.group and not batch.abilities.get(show.to.channel, USUAL).rooms_act:
        return
    kept = await photos.of_result(conn, (show.purpose,))
    ready = [photo for photo in kept if photo.state == PhotoState.READY]
    for photo in ready[: show.limit]:
        row = outbox_row(show.to, show.message, one.captions[show.message, show.purpose], batch.now)
        key = f"{show.message}/{photo.id}/{show.to.key}/{one.incoming.id}"
        batch.promises.append(row | {"lane": int(Lane.PHOTO), "photo": photo.stored, "key": key})


async def _say(conn: AsyncConnection, one: Done, spoken: Spoken, batch: _Batch) -> None:
    if spoken.say.edits is None:
        _speak(one, spoken, batch)
        return
    if not batch.abilities.get(spoken.say.to.channel, USUAL).edits:
        return
    row = await outbox.by_key(conn, spoken.say.edits)
    if row is not None:
        await outbox.give_way(conn, row)
        told = outbox_row(spoken.say.to, spoken.say.message, spoken.message, batch.now)
        batch.promises.append(told | {"lane": int(spoken.say.lane), "edits": row})


def _speak(one: Done, spoken: Spoken, batch: _Batch) -> None:
    say = spoken.say
    if say.question:
        batch.questions.add((say.to.channel, say.to.chat))
    row = outbox_row(say.to, say.message, spoken.message, batch.now)
    if spoken.message.buttons and say.lane != Lane.ALERT:
        # Alerts are answered by code or by reply: "1" must never take the wrong one of two.
        batch.offered[say.to.key] = row["buttons"]
    row |= {
        "lane": int(say.lane),
        "report": batch.ids.get(str(one.code)) if say.fresh else say.report,
        "key": say.key,
        "question": say.question,
        "due_at": batch.now + say.wait_ms,
        "silent": say.silent,
    }
    able = batch.abilities.get(say.to.channel, USUAL)
    if spoken.picture is not None:
        if say.to.group and not able.rooms_act:
            # No pictures there; the words that it goes with were said.
            return
        batch.drawings[spoken.picture.key] = spoken.picture.spec
        row["photo"] = spoken.picture.key
    if spoken.message.place_wanted and able.place_picture_key is not None and not say.to.group:
        batch.promises.append(how_to_place(row, able.place_picture_key, batch.now))
    batch.promises += parts(row, able)


def _text(message: Message) -> broadcasts.Text:
    return broadcasts.Text(message.text, as_json(message.buttons), message.place_wanted)


async def _relocate(conn: AsyncConnection, here: Address, chat: str) -> None:
    await people.move_room(conn, here.channel, here.chat, chat)
    await photos.move_chat(conn, here.channel, here.chat, chat)
    await sessions.move(conn, here.key, f"{here.channel}:{chat}")
    await outbox.move_chat(conn, here.channel, here.chat, chat)
