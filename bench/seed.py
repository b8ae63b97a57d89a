"""A commune with years behind it: people, reports, history and messages, straight into SQLite."""

import os
import sqlite3
from pathlib import Path

from storage import grid, migrate
from storage.database import Database

PEOPLE = 50_000
DAY_MS = 24 * 3600 * 1000
NOW_MS = 1_764_000_000_000
# One report in so many is still open.
OPEN_ONE_IN = 200
# A report a minute: more than ten communes have.
EVERY_MS = 60_000
# So many landmarks has a village.
MARKS = 150
# What is open wants attention far in the future: a bench of other things is not disturbed.
NEVER_MS = NOW_MS + 3650 * DAY_MS
# Middle of the commune, and how far its corners are, in degrees.
LAT, LON, REACH = 20.982, 106.386, 0.026

# `n` counts from 1. Multiplying by primes scatters what belongs to n over people, places and days.
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
_PEOPLE = f"""{_NUMBERS}
INSERT INTO people (id, first_seen_at, consent_version, consent_at)
SELECT 'telegram:' || (300000000 + n), :now - n * 1000, '1', :now - n * 1000 FROM numbers"""
_ACCOUNTS = f"""{_NUMBERS}
INSERT INTO accounts (channel, account, person, chat, reachable)
SELECT 'telegram', 300000000 + n, 'telegram:' || (300000000 + n), 300000000 + n, 1 FROM numbers"""
_SESSIONS = f"""{_NUMBERS}
INSERT INTO sessions (chat, channel, state, wake_at)
SELECT 'telegram:' || (300000000 + n), 'telegram', '{{"last":"AP-26-00001","last_at":1}}', NULL
FROM numbers"""
_AT_LAT = ":lat + :reach * ((n * 7919 % 20011) / 10005.5 - 1)"
_AT_LON = ":lon + :reach * ((n * 104729 % 20021) / 10010.5 - 1)"
_REPORTS = f"""{_NUMBERS}
INSERT INTO reports (id, code, category, field, status, desk, unit, landmark, lat, lon, words, hours, private,
  person, channel, chat, filed_at, ack_by, fix_by, taken_by, taken_name, closed_at, outcome, reopened,
  alerted_at, mark, due_at, due_step, cell, taken_at, version)
SELECT n, printf('AP-%02d-%05d', 10 + n / 100000, n), 'litter', 'sanitation',
  CASE WHEN n % :open = 0 THEN 'sent' ELSE 'confirmed' END,
  printf('thon-%02d', 1 + n % 20), printf('thon-%02d', 1 + n % 20),
  'sau nhà văn hoá, ngõ ' || (n / 20 % :marks),
  {_AT_LAT}, {_AT_LON},
  'Rác đổ đầy đường, đã ba ngày chưa ai dọn, bốc mùi lắm.', '', 0,
  'telegram:' || (300000001 + n * 7907 % :people), 'telegram', 300000001 + n * 7907 % :people,
  :now - (:count - n) * :every, :now - (:count - n) * :every + 86400000,
  :now - (:count - n) * :every + 259200000,
  NULL, '', CASE WHEN n % :open = 0 THEN NULL ELSE :now - (:count - n) * :every + 86400000 END, '', 0,
  :now - (:count - n) * :every, 'nha van hoa ngo ' || (n / 20 % :marks),
  CASE WHEN n % :open = 0 THEN :never END, CASE WHEN n % :open = 0 THEN 'fix' ELSE '' END,
  cell({_AT_LAT}, {_AT_LON}),
  CASE WHEN n % :open > 0 THEN :now - (:count - n) * :every + 60000 * (n * 7919 % 1400) END,
  CASE WHEN n % :open = 0 THEN 0 ELSE 3 END
FROM numbers"""
_HISTORY = f"""{_NUMBERS}
INSERT INTO history (report, at, person, action, before, after, note)
SELECT 1 + (n - 1) / 3, :now - n * 1000, 'telegram:' || (300000000 + n % 5000),
  CASE n % 3 WHEN 1 THEN 'file' WHEN 2 THEN 'take' ELSE 'close' END, 'sent', 'acknowledged', ''
FROM numbers"""
_OUTBOX = f"""{_NUMBERS}
INSERT INTO outbox (lane, channel, chat, grouped, message, text, buttons, wants_place, report, question,
  made_at, due_at, state, tries, sent_at, platform_id)
SELECT n % 2, 'telegram', CASE WHEN n % 2 THEN 300000001 + n * 7907 % :people ELSE 8000001 + n % 20 END, 0,
  CASE WHEN n % 2 THEN 'resident/receipt' ELSE 'duty/alert' END,
  'Đã nhận, cảm ơn bà con! Mã AP-26-00001. Nhóm giám sát Thôn 2 trả lời trước 2 giờ 35 chiều mai.', '[]', 0,
  1 + (n - 1) / 2, 0, :now - n * 1000, :now - n * 1000, 2, 1, :now - n * 1000, n
FROM numbers"""
_INBOX = f"""{_NUMBERS}
INSERT INTO inbox (channel, event, chat, raw, received_at, state, tries)
SELECT 'telegram', 500000000 + n, 'telegram:' || (300000001 + n * 7907 % :people),
  '{{"update_id":' || (500000000 + n) || ',"message":{{"message_id":1,"date":1,'
  || '"chat":{{"id":1,"type":"private"}},"from":{{"id":1,"is_bot":false,"first_name":"N"}},'
  || '"text":"rac do o cong cho thon 3"}}}}',
  :now - n * 1000, 1, 0
FROM numbers"""
_COUNTER = """INSERT INTO counters (name, value) VALUES ('report/26', 2000000)
ON CONFLICT (name) DO UPDATE SET value = 2000000"""


async def seed(data: Path, reports: int, every: int = EVERY_MS) -> None:
    """A migrated database with so many reports in the folder, one `every` ms; nobody else has it open."""
    db = Database.in_folder(data)
    try:
        await migrate.upgrade(db)
    finally:
        await db.close()
    fill(data / "anphuxanh.db", reports, every)


def fill(path: Path, reports: int, every: int = EVERY_MS) -> None:
    people = min(PEOPLE, max(1, reports // 20))
    common = {"now": NOW_MS, "people": people, "open": OPEN_ONE_IN, "lat": LAT, "lon": LON, "reach": REACH}
    common |= {"marks": MARKS, "never": NEVER_MS, "every": every}
    steps = (
        (_PEOPLE, people),
        (_ACCOUNTS, people),
        (_SESSIONS, people),
        (_REPORTS, reports),
        (_HISTORY, reports * 3),
        (_OUTBOX, reports * 2),
        # What arrived is kept for a while only; a month of it is there.
        (_INBOX, reports // 2),
    )
    db = sqlite3.connect(path, isolation_level=None)
    db.create_function("cell", 2, grid.cell, deterministic=True)
    try:
        # A seed that is lost is simply made again.
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        for statement, count in steps:
            wanted = {name: value for name, value in common.items() if f":{name}" in statement}
            db.execute(statement, wanted | {"count": count})
        db.execute(_COUNTER)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
    # Or the first sync of whoever opens it would pay for a gigabyte.
    with path.open("rb+") as file:
        os.fsync(file.fileno())
