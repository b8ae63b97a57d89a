"""What runs often goes by its index, however many rows there are."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import (
    announcements,
    broadcasts,
    inbox,
    outbox,
    people,
    photos,
    pictures,
    reports,
    sessions,
    statistics,
)
from storage.database import Database
from storage.tables import metadata


async def same_place(conn: AsyncConnection, mark: str, point: tuple[float, float] | None) -> Any:
    return await reports.same_place(conn, "order", "thon-03", mark, point, 60, 1, 20)


FILED = "COVERING INDEX ix_reports_filed (filed_at>? AND filed_at<?)"
EVERYTHING = statistics.Within(all=True, without="lead")
OF_A_VILLAGE = statistics.Within(villages=frozenset({"thon-03"}), place="thon-03", without="lead")
STALE = broadcasts.Stale(1, broadcasts.STOPPED, over=False)
BY_POINT = "COVERING INDEX ix_reports_place (cell=? AND field=? AND filed_at>?)"
INDEXED: dict[str, tuple[str, Callable[[AsyncConnection], Awaitable[Any]]]] = {
    "waiting": ("ix_inbox_waiting", lambda c: inbox.waiting(c, 64)),
    "count_waiting": ("ix_inbox_waiting", inbox.count_waiting),
    "count_quarantined": ("ix_inbox_quarantined", inbox.count_quarantined),
    "claim": ("ix_outbox_due", lambda c: outbox.claim(c, "t", 1, 2, 64)),
    "claim, resting": ("ix_outbox_due", lambda c: outbox.claim(c, "t", 1, 2, 64, resting=["a", "b"])),
    "claim, earlier": ("ix_outbox_chat_open", lambda c: outbox.claim(c, "t", 1, 2, 64)),
    "supersede": ("ix_outbox_chat_open", lambda c: outbox.supersede(c, [("t", "a")])),
    "release": ("ix_outbox_sending", lambda c: outbox.release(c, 9)),
    "next_due": ("ix_outbox_due", lambda c: outbox.next_due(c, "t", 0)),
    "depth": ("ix_outbox_", outbox.depth),
    "count_unknown": ("ix_outbox_unknown", outbox.count_unknown),
    "by_message": ("ix_outbox_answered", lambda c: reports.by_message(c, "t", "a", "m")),
    "name_of": ("ix_outbox_answered", lambda c: outbox.name_of(c, "t", "a", "m")),
    "move_chat": ("ix_outbox_", lambda c: outbox.move_chat(c, "t", "a", "b")),
    "broadcasts that go on": ("ix_broadcasts_open", lambda c: broadcasts.is_going(c, 1)),
    "the next to tell": ("sqlite_autoindex_people_1 (id>?)", lambda c: broadcasts.listeners(c, "t", 9, "t")),
    "everybody to tell": (
        "sqlite_autoindex_people_1 (id>?)",
        lambda c: broadcasts.listeners(c, "t", 9, "t", "all"),
    ),
    "members to tell": (
        "sqlite_autoindex_people_1 (id=?)",
        lambda c: broadcasts.listeners(c, "t", 9, "t", "roles:head"),
    ),
    "notices under way": ("ix_announcements_open", announcements.running),
    "what is changed": ("ix_outbox_edits", lambda c: outbox.give_way(c, 1)),
    "their chats": ("ix_accounts_person", lambda c: broadcasts.listeners(c, "t", 9, "t")),
    "to take back": ("ix_outbox_broadcast", lambda c: broadcasts.take_back(c, STALE, 9)),
    "what became of them": ("COVERING INDEX ix_outbox_broadcast", lambda c: broadcasts.ledger(c, 1)),
    "unsubscribe": ("ix_accounts_chat", lambda c: broadcasts.unsubscribe(c, "t", "a")),
    "open_at": ("ix_reports_open", lambda c: reports.open_at(c, ["thon-03"], 6)),
    "unheard": ("ix_reports_unheard", lambda c: reports.unheard(c, 20)),
    "of_person": ("ix_reports_person", lambda c: reports.of_person(c, "t:1", 5)),
    "near": ("COVERING INDEX ix_reports_place (cell=?)", lambda c: reports.near(c, 20.9, 106.3, 60, 9)),
    "due": ("ix_reports_due", lambda c: reports.due(c, 9, 500)),
    "same place, by mark": ("ix_reports_mark", lambda c: same_place(c, "cong cho", None)),
    "same place, by point": (BY_POINT, lambda c: same_place(c, "", (20.9, 106.3))),
    "same place, by both": (BY_POINT, lambda c: same_place(c, "cong cho", (20.9, 106.3))),
    "open in a village": ("ix_reports_open_unit", lambda c: reports.open_in(c, "order", "thon-03", 1, 20)),
    "open for a digest": ("ix_reports_open", lambda c: reports.open_for(c, "thon-03", (), 9, 15)),
    "desks with open": ("ix_reports_open", reports.desks_with_open),
    "figures": ("ix_reports_closed", lambda c: reports.counts(c, 9, 1)),
    "figures of a time": (FILED, lambda c: statistics.by_period(c, OF_A_VILLAGE, 1, 9, 3)),
    "figures of villages": (FILED, lambda c: statistics.by_village(c, EVERYTHING, 1, 9)),
    "how many were filed": (FILED, lambda c: statistics.tallies(c, EVERYTHING, [(1, 9), (5, 9)])),
    "how many were closed": ("ix_reports_closed", lambda c: statistics.tallies(c, EVERYTHING, [(1, 9)])),
    "what is open by village": ("ix_reports_open", lambda c: statistics.standings(c, EVERYTHING, 9)),
    "pictures to draw": ("ix_pictures_waiting", lambda c: pictures.waiting(c, 1, 2, 4)),
    "pictures of old": ("ix_pictures_asked", lambda c: pictures.old(c, 1, 4)),
    "what waits for a picture": ("ix_outbox_undrawn", lambda c: outbox.drawn(c, "pictures/a.png")),
    "filed since": ("ix_reports_person", lambda c: reports.filed_since(c, "t:1", 1, 2)),
    "held chats": ("ix_outbox_held", lambda c: outbox.held_chats(c, 9)),
    "held for": ("ix_outbox_held", lambda c: reports.held_for(c, "t", "a", 40)),
    "recent": ("ix_outbox_flood", lambda c: outbox.recent(c, [("t", "a"), ("t", "b")], 1)),
    "followers": ("followers", lambda c: reports.followers_of(c, [1, 2])),
    "followed by": ("ix_followers_person", lambda c: reports.followed_by(c, "t:1", 5)),
    "to_wake": ("ix_sessions_wake_at", lambda c: sessions.to_wake(c, 1, 9)),
    "photos to fetch": ("ix_photos_waiting", lambda c: photos.waiting(c, 1, 2, 4)),
    "photos next": ("ix_photos_waiting", photos.next_due),
    "photos of a report": ("ix_photos_report", lambda c: photos.of_report(c, 1, "before")),
    "files of reports": ("ix_photos_report", lambda c: photos.counts_of(c, [1, 2])),
    "ears": ("ix_members_unit", lambda c: people.ears_of(c, ["thon-03"])),
    "rooms": ("ix_rooms_unit", lambda c: people.rooms_of(c, ["thon-03"])),
    "known": ("ix_members_person", lambda c: people.known(c, [("t", "1")])),
}


@pytest.mark.parametrize("name", INDEXED)
async def test_what_runs_often_goes_by_its_index(sqlite_database: Database, name: str) -> None:
    """F14: two million reports change nothing, as long as no table is walked through."""
    index, query = INDEXED[name]
    statements: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    engine = sqlite_database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        await sqlite_database.write(query)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    plans = [plan for one in statements for plan in _plan(sqlite_database, *one)]
    assert any(index in plan for plan in plans), plans
    scans = [plan.split() for plan in plans if plan.startswith("SCAN") and "INDEX" not in plan]
    # `links` holds only what is being followed now.
    assert [words[1] for words in scans if words[1] in {*metadata.tables, "earlier"} - {"links"}] == []


def _plan(db: Database, statement: str, parameters: Any) -> list[str]:
    if statement.startswith(("BEGIN", "PRAGMA")):
        return []
    given = parameters[0] if isinstance(parameters, list) else parameters
    conn = sqlite3.connect(str(db.url.database))
    try:
        return [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
    finally:
        conn.close()
