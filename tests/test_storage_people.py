"""People, rooms and invites, on both databases: met once, joined and let go, reached where they write."""

import asyncio

import pytest

from storage import people
from storage.database import Conflict, Database
from storage.tables import people as people_table
from tests.storing import join, met, rows_of


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


async def known(db: Database, account: str) -> people.Known | None:
    async with db.read() as conn:
        return (await people.known(conn, [("t", account)])).get(("t", account))


async def test_somebody_is_met_once(database: Database, second: Database) -> None:
    assert await known(database, "1") is None
    await asyncio.gather(*(met(db, "1", "2") for db in (database, second) * 3))
    found = await known(database, "1")
    assert found == people.Known("t:1", "private", True, None, ())
    assert len(await rows_of(database, people_table)) == 2


async def test_a_first_private_message_makes_reachable(database: Database) -> None:
    await met(database, "1", chat=None)
    await join(database, "t:1", "thon-03", "monitor")
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == []
    await met(database, "1", chat="77")
    await met(database, "1", chat=None)
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == [people.Ear("thon-03", "monitor", "t", "77", None)]
    await database.write(lambda conn: people.reach(conn, "t", "77", False))
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == []


async def test_who_writes_again_can_be_written_to_again(database: Database) -> None:
    await met(database, "1")
    await join(database, "t:1", "thon-03", "monitor")
    await database.write(lambda conn: people.reach(conn, "t", "private", False))
    await met(database, "1", chat=None)
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == []
    await met(database, "1")
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == [
            people.Ear("thon-03", "monitor", "t", "private", None)
        ]


async def test_the_same_role_twice_is_one_until_removed(database: Database) -> None:
    await met(database, "1")
    for _ in range(2):
        await join(database, "t:1", "thon-03", "monitor")
    await join(database, "t:1", "cong-an", "police")
    async with database.read() as conn:
        everybody = await people.all_members(conn)
        (monitor,) = await people.all_members(conn, "thon-03")
    assert [member.unit for member in everybody] == ["cong-an", "thon-03"]
    assert await database.write(lambda conn: people.remove(conn, monitor.id, 2))
    assert not await database.write(lambda conn: people.remove(conn, monitor.id, 3))
    found = await known(database, "1")
    assert found is not None
    assert found.roles == (("cong-an", "police", "Tư"),)
    await join(database, "t:1", "thon-03", "head")
    found = await known(database, "1")
    assert found is not None
    assert found.roles == (("cong-an", "police", "Tư"), ("thon-03", "head", "Tư"))


async def test_a_unit_has_one_room_and_a_room_one_unit(database: Database) -> None:
    async def bind(chat: str, unit: str) -> None:
        await database.write(lambda conn: people.bind(conn, "t", chat, unit, "t:1", 1))

    async def rooms(*units: str) -> list[tuple[str, str, str]]:
        async with database.read() as conn:
            return await people.rooms_of(conn, units)

    await bind("-1", "thon-03")
    await bind("-2", "thon-03")
    assert await rooms("thon-03") == [("thon-03", "t", "-2")]
    await bind("-2", "thon-04")
    assert await rooms("thon-03", "thon-04") == [("thon-04", "t", "-2")]
    await bind("-2", "thon-04")
    await database.write(lambda conn: people.move_room(conn, "t", "-2", "-100"))
    assert await rooms("thon-04") == [("thon-04", "t", "-100")]
    async with database.read() as conn:
        assert await people.unit_of_rooms(conn, ["t:-2", "t:-100"]) == {"t:-100": "thon-04"}
    await database.write(lambda conn: people.unbind(conn, "t:-100"))
    assert await rooms("thon-04") == []


async def test_a_group_that_moves_is_followed_once(database: Database) -> None:
    """The platform and a refused send both tell of it."""
    await met(database, "1")
    await database.write(lambda conn: people.bind(conn, "t", "old", "thon-03", "t:1", 1))
    for _ in range(2):
        await database.write(lambda conn: people.move_room(conn, "t", "old", "new"))
    async with database.read() as conn:
        assert await people.rooms_of(conn, ["thon-03"]) == [("thon-03", "t", "new")]


async def test_an_invite_is_used_once(database: Database, second: Database) -> None:
    await met(database, *(str(n) for n in range(6)))
    await database.write(lambda conn: people.make_invite(conn, "hash", "thon-03", "monitor", 1, 99))
    async with database.read() as conn:
        assert await people.find_invite(conn, "hash") == ("thon-03", "monitor", 99, False)
        assert await people.find_invite(conn, "other") is None

    async def use(db: Database, person: str) -> bool:
        try:
            await db.write(lambda conn: people.use_invite(conn, "hash", person, 5))
        except Conflict:
            return False
        return True

    tries = [use(db, f"t:{n}") for n, db in enumerate((database, second) * 3)]
    assert sum(await asyncio.gather(*tries)) == 1
    async with database.read() as conn:
        assert await people.find_invite(conn, "hash") == ("thon-03", "monitor", 99, True)


async def test_who_is_let_go_has_no_role_in_that_unit(database: Database) -> None:
    await met(database, "1", "2")
    for unit, role in (("thon-03", "head"), ("thon-03", "monitor"), ("cong-an", "police")):
        await join(database, "t:1", unit, role)
    await join(database, "t:2", "thon-03", "monitor")
    async with database.read() as conn:
        rows = await people.all_members(conn, "thon-03")
        assert await people.unit_of_member(conn, rows[0].id) == "thon-03"
        assert await people.unit_of_member(conn, 10**9) is None
        chats = await people.chats_of(conn, ["t:1", "t:2", "t:3"])
    assert chats == {"t:1": [("t", "private")], "t:2": [("t", "private")]}
    await database.write(lambda conn: people.dismiss(conn, "t:1", "thon-03", 5))
    with pytest.raises(Conflict):
        await database.write(lambda conn: people.dismiss(conn, "t:1", "thon-03", 6))
    found = await known(database, "1")
    assert found is not None
    assert found.roles == (("cong-an", "police", "Tư"),)
    async with database.read() as conn:
        assert await people.unit_of_member(conn, rows[0].id) is None
        assert [one.person for one in await people.all_members(conn, "thon-03")] == ["t:2"]


async def test_consent_is_written_down(database: Database) -> None:
    await met(database, "1")
    await database.write(lambda conn: people.consent(conn, "t:1", "3", 7))
    found = await known(database, "1")
    assert found is not None
    assert found.consent == "3"
