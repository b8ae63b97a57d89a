"""A month with restarts, a broken channel and a clock that jumps: what must be true after it."""

import asyncio
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.config import load_commune
from bot.core import when
from bot.core.report import OPEN, RESOLVED, STEPS, TAKEN, WAITING
from storage.database import Database
from storage.tables import InboxState, OutboxState, PhotoState
from tests.conftest import sqlite_url
from tests.month import KINDS, MARK, MEMBERS, ROOMS, TELLINGS, Month, played, table

Row = sa.Row[Any]
COMMUNE = load_commune(Path(__file__).parent.parent / "commune.toml")
# The looks of this month are half an hour apart, and once the clock was set forward by three hours.
SLACK_MS = 4 * 3_600_000
VILLAGERS = {who for who, (unit, _) in MEMBERS.items() if unit.startswith("thon-")} | set(ROOMS)
OFFICE_CHATS = {who for who, (_, role) in MEMBERS.items() if role == "office"}
NEW_CLOCKS: dict[str, tuple[str, ...]] = {"ack": ("file", "reopen", "forward")}
NEW_CLOCKS["fix"] = (*NEW_CLOCKS["ack"], "postpone", "ask_help")
# A code that is not theirs, said back to nobody; a code as an example.
NAMES_NO_REPORT = ("duty/unknown_code", "duty/help")
# What answers the promise of a receipt.
ANSWERS = ("take", "start", "postpone", "ask_help", "forward", "close", "reject", "withdraw")


@pytest.fixture(scope="module")
def month(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Month:
    folder = tmp_path_factory.mktemp("month")
    shutil.copyfile(sqlite_template, folder / sqlite_template.name)

    async def play() -> Month:
        db = Database(sqlite_url(folder))
        try:
            return await played(db, folder)
        finally:
            await db.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, play()).result()


def told(month: Month) -> dict[int, list[Row]]:
    """The history of each report, in order."""
    lines: dict[int, list[Row]] = defaultdict(list)
    for line in month.rows["history"]:
        lines[line.report].append(line)
    return lines


# The checks: each yields what is wrong ---------------------------------------------------------------


def deadlines_acted_on_twice(month: Month) -> Iterator[str]:
    """Proves: between two starts of a clock each of its moments is acted on at most once."""
    codes = {report.id: report.code for report in month.rows["reports"]}
    for report, lines in told(month).items():
        for clock, starts in NEW_CLOCKS.items():
            acted: Counter[str] = Counter()
            for line in lines:
                if line.action in starts:
                    acted.clear()
                elif line.action in (f"due_{clock}", f"due_{clock}2"):
                    acted[line.action] += 1
                    if acted[line.action] == 2:
                        story = " ".join(one.action for one in lines)
                        yield f"{codes[report]}: {line.action} a second time ({story})"


def deadlines_missed(month: Month) -> Iterator[str]:
    """Proves: nothing that came due was passed over, counted anew from the history alone."""
    for report in month.rows["reports"]:
        if report.due_at is not None and report.due_at <= month.now:
            yield f"{report.code}: {report.due_step} is due since {when.local(report.due_at)}"
    lines = told(month)
    for report in month.rows["reports"]:
        field = COMMUNE.field(report.field)
        story = lines[report.id]
        for clock, start, end in spans(story, month.now):
            at = when.local(start.at)
            if clock == "fix" and start.action in ("postpone", "ask_help"):
                continue
            once = when.ack_by(at, field) if clock == "ack" else when.fix_by(at, field, COMMUNE)
            twice = when.ack_by(once, field) if clock == "ack" else when.fix_by(once, field, COMMUNE)
            inside = [line for line in story if start.id <= line.id and line.at < end]
            wanted = WAITING if clock == "ack" else WAITING | TAKEN
            for moment, action in ((once, f"due_{clock}"), (twice, f"due_{clock}2")):
                due = when.ms(moment)
                status = [line.after for line in inside if line.at <= due + SLACK_MS]
                if due + SLACK_MS >= end or not set(status) <= wanted:
                    continue
                if action not in [line.action for line in inside]:
                    yield f"{report.code}: no {action} at {moment}"


def spans(story: list[Row], now: int) -> Iterator[tuple[str, Row, int]]:
    """Each run of each clock: what started it, and when the next start or the end of the month ended it."""
    for clock, starts in NEW_CLOCKS.items():
        begun = [line for line in story if line.action in starts]
        ends = [line.at for line in begun[1:]] + [now]
        for start, end in zip(begun, ends, strict=True):
            yield clock, start, end


def deadlines_nobody_heard(month: Month) -> Iterator[str]:
    """Proves: whatever was acted on reached somebody: the desk, the office, or at least the reporter."""
    said = {(row.report, row.made_at, row.message) for row in month.rows["outbox"]}
    for line in month.rows["history"]:
        if not line.action.startswith("due_"):
            continue
        wanted = ("office/overdue",) if line.action.endswith("2") else ("duty/reminder", "resident/late")
        if not any((line.report, line.at, message) in said for message in wanted):
            yield f"report {line.report}: {line.action} was told to nobody"


def reminders_doubled(month: Month) -> Iterator[str]:
    """Proves: no ear was reminded twice of the same moment of the same deadline."""
    keys = [row.key for row in month.rows["outbox"] if row.key and row.key.startswith("deadline/")]
    yield from (f"{key} twice" for key, count in Counter(keys).items() if count > 1)
    starts: dict[int, list[int]] = defaultdict(list)
    for line in month.rows["history"]:
        if line.action in NEW_CLOCKS["fix"]:
            starts[line.report].append(line.at)
    late: Counter[tuple[Any, ...]] = Counter()
    for row in month.rows["outbox"]:
        if row.message in ("resident/late", "duty/reminder", "office/overdue"):
            clock = sum(at <= row.made_at for at in starts[row.report])
            step = row.key.split("/")[2] if row.key else row.text
            late[row.report, clock, row.chat, row.message, step] += 1
    yield from (f"{what} said {count} times" for what, count in late.items() if count > 1)


def steps_off_the_table(month: Month) -> Iterator[str]:
    """Proves: every report went along the status table, line by line, to the status that it has."""
    lines = told(month)
    for report in month.rows["reports"]:
        story = lines[report.id]
        if (story[0].action, story[0].after) != ("file", "sent"):
            yield f"{report.code}: begins with {story[0].action}"
        moves = [line for line in story if line.after]
        for before, line in pairwise(moves):
            step = STEPS.get(line.action)
            allowed = line.after == line.before
            if step is not None:
                # Who puts off what is under way leaves it under way.
                keeps = line.action in ("postpone", "ask_help") and line.before == "in_progress" == line.after
                allowed = line.before in step.before and (line.after == step.after or keeps)
            if line.before != before.after or not allowed:
                yield f"{report.code}: {line.action} from {line.before} to {line.after}"
        if moves[-1].after != report.status:
            yield f"{report.code}: {report.status}, but its history ends with {moves[-1].after}"
        if (report.closed_at is None) != (report.status in OPEN):
            yield f"{report.code}: {report.status} and closed_at {report.closed_at}"


def promises_broken(month: Month) -> Iterator[str]:
    """Proves: by the moment that a receipt named somebody had answered, or the reporter was told that not."""
    lines = told(month)
    late = {(row.report, row.chat): [] for row in month.rows["outbox"]}  # type: dict[tuple[int, str], list[int]]
    for row in month.rows["outbox"]:
        if row.message == "resident/late":
            late[row.report, row.chat].append(row.made_at)
    for report in month.rows["reports"]:
        story = lines[report.id]
        for clock, start, end in spans(story, month.now):
            if clock != "ack":
                continue
            by = when.ms(when.ack_by(when.local(start.at), COMMUNE.field(report.field)))
            after = [line for line in story if line.id > start.id]
            kept = any(line.action in ANSWERS and line.at <= by + SLACK_MS for line in after)
            excused = any(by <= at <= by + SLACK_MS for at in late.get((report.id, report.chat), ()))
            if not kept and not excused and by + SLACK_MS < max(end, month.now):
                yield f"{report.code}: promised by {when.local(by)}, neither kept nor excused"
            answered = min((line.at for line in after if line.action in ANSWERS), default=month.now)
            if answered > by + SLACK_MS and not excused and by + SLACK_MS < month.now:
                yield f"{report.code}: answered too late, and no excuse"


def heard_by_others(month: Month) -> Iterator[str]:
    """Proves: no village reads words of order, of officials, or kept from it; the office of no official."""
    kept = {report.id: report for report in month.rows["reports"]}
    secret: dict[str, Row] = {}
    for report in kept.values():
        for mark in MARK.findall(f"{report.words} {report.landmark} {report.hours}"):
            if report.field in ("order", "official") or report.private:
                secret[mark] = report
    official = {report.code for report in kept.values() if report.field == "official"}
    for row in month.rows["outbox"]:
        if row.chat in VILLAGERS:
            for mark in MARK.findall(row.text):
                if mark in secret:
                    yield f"{row.chat} read the words of {secret[mark].code} in {row.message}"
            about = kept.get(row.report)
            if row.photo is not None and about is not None and about.field in ("order", "official"):
                yield f"{row.chat} got a photo of {about.code}"
        about = kept.get(row.report)
        theirs = any(code in row.text for code in official) or (about and about.field == "official")
        if row.chat in OFFICE_CHATS | VILLAGERS and theirs and row.message not in NAMES_NO_REPORT:
            handed_on = about is not None and about.desk != "lead"
            if not handed_on:
                yield f"{row.chat} heard of an official's matter in {row.message}"
        if about is not None and row.chat != about.chat and about.chat in row.text:
            yield f"{row.chat} read who told {about.code}"


def left_lying(month: Month) -> Iterator[str]:
    """Proves: nothing that arrived was dropped, nothing that was promised is unsent without a reason."""
    for row in month.rows["inbox"]:
        if row.state != InboxState.DONE:
            yield f"event {row.event}: {row.state} {row.problem}"
    ended = (OutboxState.SENT, OutboxState.SUPERSEDED, OutboxState.REFUSED)
    for row in month.rows["outbox"]:
        if row.state not in ended and not (row.state == OutboxState.DUE and row.due_at > month.now):
            yield f"message {row.message} to {row.chat}: {row.state}, due {when.local(row.due_at)}"
    for row in month.rows["photos"]:
        if row.state == PhotoState.WAITING:
            yield f"photo {row.id} was never fetched"


def receipts_missing(month: Month) -> Iterator[str]:
    """Proves: every report has one receipt, in the chat it came from, and codes without a gap."""
    receipts = Counter(
        (row.report, row.chat)
        for row in month.rows["outbox"]
        if row.message in ("resident/receipt", "resident/emergency")
    )
    for report in month.rows["reports"]:
        if receipts[report.id, report.chat] != 1:
            yield f"{report.code}: {receipts[report.id, report.chat]} receipts"
    numbers = sorted(int(report.code[-5:]) for report in month.rows["reports"])
    if numbers != list(range(1, len(numbers) + 1)):
        yield "a code was given twice, or to nothing"


def mornings_wrong(month: Month) -> Iterator[str]:
    """Proves: one digest a morning and chat, after seven, and on Mondays one briefing to those who lead."""
    got: Counter[tuple[str, str, str]] = Counter()
    for row in month.rows["outbox"]:
        if row.message in ("duty/digest", "office/briefing"):
            at: datetime = when.local(row.made_at)
            got[row.message, row.key.split("/")[2] + row.chat, str(at.date())] += 1
            if not timedelta(hours=7) <= timedelta(hours=at.hour, minutes=at.minute) < timedelta(hours=12):
                yield f"{row.message} at {at}"
            if row.message == "office/briefing" and at.weekday() != 0:
                yield f"a briefing on {at}"
    yield from (f"{what} {count} times" for what, count in got.items() if count > 1)


CHECKS = (
    deadlines_acted_on_twice,
    deadlines_missed,
    deadlines_nobody_heard,
    reminders_doubled,
    steps_off_the_table,
    promises_broken,
    heard_by_others,
    left_lying,
    receipts_missing,
    mornings_wrong,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_after_a_month(month: Month, check: Any) -> None:
    assert list(check(month)) == []


def test_the_month_had_everything_in_it(month: Month) -> None:
    """A month in which nothing happens proves nothing."""
    assert month.told == TELLINGS
    assert {report.field for report in month.rows["reports"]} == set(KINDS)
    actions = Counter(line.action for line in month.rows["history"])
    due = {"due_ack", "due_ack2", "due_fix", "due_fix2"}
    missing = (set(STEPS) | due | {"follow", "propose", "keep_open"}) - set(actions)
    assert missing == set()
    messages = Counter(row.message for row in month.rows["outbox"])
    for name in ("resident/late", "office/overdue", "duty/digest", "office/briefing", "duty/flood"):
        assert messages[name], f"no {name} in the whole month"
    assert RESOLVED in {report.status for report in month.rows["reports"]}
    assert len(list(table(month))) > len(KINDS)
