"""People, their accounts, their roles, the rooms of units, and invites."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Conflict, insert
from storage.tables import accounts, invites, members, people, rooms


@dataclass(frozen=True, slots=True)
class Known:
    """An account's person and private chat, the consent they gave, and their roles as (unit, role, name)."""

    person: str
    chat: str | None
    reachable: bool
    consent: str | None
    roles: tuple[tuple[str, str, str], ...]
    wrote_at: int | None = None
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    id: int
    person: str
    unit: str
    role: str
    name: str
    joined_at: int
    shift_until: int | None = None


_KNOWN = (
    sa.select(
        accounts.c.channel,
        accounts.c.account,
        accounts.c.person,
        accounts.c.chat,
        accounts.c.reachable,
        accounts.c.wrote_at,
        people.c.consent_version,
        people.c.paired,
        members.c.unit,
        members.c.role,
        members.c.name,
    )
    .select_from(
        accounts.join(people).outerjoin(
            members, sa.and_(members.c.person == people.c.id, members.c.removed_at.is_(None))
        )
    )
    .where(accounts.c.channel == sa.bindparam("channel"))
    .where(accounts.c.account.in_(sa.bindparam("accounts", expanding=True)))
    .order_by(members.c.id)
)


async def known(conn: AsyncConnection, who: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Known]:
    """What is known of each (channel, account)."""
    by_channel: dict[str, set[str]] = {}
    for channel, account in who:
        by_channel.setdefault(channel, set()).add(account)
    found: dict[tuple[str, str], Known] = {}
    for channel, names in by_channel.items():
        for row in await conn.execute(_KNOWN, {"channel": channel, "accounts": list(names)}):
            before = found.get((channel, row.account))
            roles = before.roles if before else ()
            if row.unit is not None:
                roles = (*roles, (row.unit, row.role, row.name))
            found[channel, row.account] = Known(
                row.person, row.chat, row.reachable, row.consent_version, roles, row.wrote_at, row.paired
            )
    return found


async def meet(conn: AsyncConnection, newcomers: Sequence[tuple[str, str, str | None]], now: int) -> None:
    """First contact: a person for each (channel, account, private chat or None)."""
    ids = [{"id": f"{channel}:{account}", "first_seen_at": now} for channel, account, _ in newcomers]
    await conn.execute(insert(conn, people).on_conflict_do_nothing(), ids)
    rows = [
        {"channel": c, "account": a, "person": f"{c}:{a}", "chat": chat, "reachable": True}
        for c, a, chat in newcomers
    ]
    statement = insert(conn, accounts)
    # Somebody first seen in a group becomes reachable with the first private message.
    chat = sa.func.coalesce(statement.excluded.chat, accounts.c.chat)
    # Who writes in private can be written to, whatever was known before.
    reachable = sa.or_(accounts.c.reachable, statement.excluded.chat.is_not(None))
    again = {"chat": chat, "reachable": reachable}
    await conn.execute(
        statement.on_conflict_do_update(index_elements=["channel", "account"], set_=again), rows
    )


# Nobody needs to know it more precisely; so a talk does not write at each line.
WROTE_STEP_MS = 60_000
_WROTE = (
    sa.update(accounts)
    .where(accounts.c.channel == sa.bindparam("of_channel"), accounts.c.account == sa.bindparam("of_account"))
    .where(sa.func.coalesce(accounts.c.wrote_at, 0) < sa.bindparam("at", type_=sa.BigInteger) - WROTE_STEP_MS)
    .values(wrote_at=sa.bindparam("at", type_=sa.BigInteger))
)


async def wrote(conn: AsyncConnection, who: Collection[tuple[str, str, int]]) -> None:
    """(channel, account, moment): people did something in their private chats."""
    rows = [{"of_channel": channel, "of_account": account, "at": at} for channel, account, at in who]
    await conn.execute(_WROTE, rows)


async def wrote_in(conn: AsyncConnection, channel: str, chats: Collection[str]) -> dict[str, int | None]:
    """When each private chat last heard from its person."""
    query = sa.select(accounts.c.chat, accounts.c.wrote_at).where(
        accounts.c.channel == channel, accounts.c.chat.in_(chats)
    )
    return {row.chat: row.wrote_at for row in await conn.execute(query)}


async def other_chats(conn: AsyncConnection, channel: str, chat: str) -> list[tuple[str, str]]:
    """The same person's private chats elsewhere, as (channel, chat), the one they wrote in last first."""
    same = accounts.alias("same")
    query = (
        sa.select(same.c.channel, same.c.chat)
        .join(accounts, accounts.c.person == same.c.person)
        .where(accounts.c.channel == channel, accounts.c.chat == chat)
        .where(same.c.channel != channel, same.c.reachable, same.c.chat.is_not(None))
        .order_by(sa.func.coalesce(same.c.wrote_at, 0).desc())
    )
    return [(row.channel, row.chat) for row in await conn.execute(query)]


async def reach(conn: AsyncConnection, channel: str, chat: str, reachable: bool) -> None:
    own = sa.and_(accounts.c.channel == channel, accounts.c.chat == chat)
    await conn.execute(sa.update(accounts).where(own).values(reachable=reachable))


async def consent(conn: AsyncConnection, person: str, version: str, now: int) -> None:
    values = {"consent_version": version, "consent_at": now}
    await conn.execute(sa.update(people).where(people.c.id == person).values(**values))


async def rooms_of(conn: AsyncConnection, units: Collection[str]) -> list[tuple[str, str, str]]:
    """(unit, channel, chat) of each room of the units."""
    query = sa.select(rooms.c.unit, rooms.c.channel, rooms.c.address).where(rooms.c.unit.in_(units))
    return [(row.unit, row.channel, row.address) for row in await conn.execute(query)]


@dataclass(frozen=True, slots=True)
class Ear:
    """A member's private chat that can be written to."""

    unit: str
    role: str
    channel: str
    chat: str
    shift_until: int | None


async def ears_of(conn: AsyncConnection, units: Collection[str], roles: Collection[str] = ()) -> list[Ear]:
    """The members of these units, and those with one of these roles in any; oldest member first."""
    theirs: sa.ColumnElement[bool] = members.c.unit.in_(units)
    if roles:
        theirs = sa.or_(theirs, members.c.role.in_(roles))
    query = (
        sa.select(members.c.unit, members.c.role, accounts.c.channel, accounts.c.chat, members.c.shift_until)
        .join(accounts, accounts.c.person == members.c.person)
        .where(theirs, members.c.removed_at.is_(None))
        .where(accounts.c.reachable, accounts.c.chat.is_not(None))
        .order_by(members.c.id)
    )
    return [Ear(*row) for row in await conn.execute(query)]


async def units_with_members(conn: AsyncConnection, units: Collection[str]) -> set[str]:
    """Those of these units to which somebody belongs, whether they can be written to or not."""
    query = sa.select(members.c.unit).where(members.c.unit.in_(units), members.c.removed_at.is_(None))
    return set((await conn.execute(query.distinct())).scalars())


async def shift(conn: AsyncConnection, person: str, unit: str, until: int | None) -> None:
    """On duty for the unit until then; None: not any more."""
    own = sa.and_(members.c.person == person, members.c.unit == unit, members.c.removed_at.is_(None))
    await conn.execute(sa.update(members).where(own).values(shift_until=until))


async def unit_of_rooms(conn: AsyncConnection, chats: Collection[str]) -> dict[str, str]:
    query = sa.select(rooms.c.chat, rooms.c.unit).where(rooms.c.chat.in_(chats))
    return {row.chat: row.unit for row in await conn.execute(query)}


async def bind(conn: AsyncConnection, channel: str, chat: str, unit: str, person: str, now: int) -> None:
    """This chat is the unit's room on its channel; an earlier one is let go."""
    await conn.execute(sa.delete(rooms).where(rooms.c.unit == unit, rooms.c.channel == channel))
    await unbind(conn, f"{channel}:{chat}")
    row = {"chat": f"{channel}:{chat}", "channel": channel, "address": chat, "unit": unit}
    await conn.execute(sa.insert(rooms), row | {"bound_by": person, "bound_at": now})


async def unbind(conn: AsyncConnection, chat: str) -> None:
    await conn.execute(sa.delete(rooms).where(rooms.c.chat == chat))


async def move_room(conn: AsyncConnection, channel: str, old: str, new: str) -> None:
    values = {"chat": f"{channel}:{new}", "address": new}
    found = await conn.execute(sa.select(rooms.c.chat).where(rooms.c.chat == f"{channel}:{old}"))
    if found.first() is None:
        # The platform tells of a move more than once: it was followed before.
        return
    await unbind(conn, f"{channel}:{new}")
    await conn.execute(sa.update(rooms).where(rooms.c.chat == f"{channel}:{old}").values(**values))


async def join(conn: AsyncConnection, person: str, unit: str, role: str, name: str, now: int) -> None:
    """A member from now on; the same role twice stays one."""
    same = sa.and_(members.c.person == person, members.c.unit == unit, members.c.role == role)
    present = await conn.execute(sa.select(members.c.id).where(same, members.c.removed_at.is_(None)))
    if present.first() is None:
        row = {"person": person, "unit": unit, "role": role, "name": name, "joined_at": now}
        await conn.execute(sa.insert(members), row)


async def remove(conn: AsyncConnection, member: int, now: int) -> bool:
    query = sa.update(members).where(members.c.id == member, members.c.removed_at.is_(None))
    return (await conn.execute(query.values(removed_at=now))).rowcount == 1


async def all_members(conn: AsyncConnection, unit: str | None = None) -> list[Member]:
    query = sa.select(
        members.c.id,
        members.c.person,
        members.c.unit,
        members.c.role,
        members.c.name,
        members.c.joined_at,
        members.c.shift_until,
    ).where(members.c.removed_at.is_(None))
    if unit is not None:
        query = query.where(members.c.unit == unit)
    return [Member(*row) for row in await conn.execute(query.order_by(members.c.unit, members.c.id))]


async def dismiss(conn: AsyncConnection, person: str, unit: str, now: int) -> None:
    """No role in this unit any more. Raises Conflict when there was none."""
    theirs = sa.and_(members.c.person == person, members.c.unit == unit, members.c.removed_at.is_(None))
    if not (await conn.execute(sa.update(members).where(theirs).values(removed_at=now))).rowcount:
        raise Conflict("member")


async def unit_of_member(conn: AsyncConnection, member: int) -> str | None:
    """The unit of a member by their number; None once they are removed."""
    query = sa.select(members.c.unit).where(members.c.id == member, members.c.removed_at.is_(None))
    return (await conn.execute(query)).scalar()


async def chats_of(conn: AsyncConnection, persons: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """The private chats, as (channel, chat), where these people can be written to."""
    query = sa.select(accounts.c.person, accounts.c.channel, accounts.c.chat).where(
        accounts.c.person.in_(persons), accounts.c.reachable, accounts.c.chat.is_not(None)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await conn.execute(query.order_by(accounts.c.channel, accounts.c.account)):
        found.setdefault(row.person, []).append((row.channel, row.chat))
    return found


async def make_invite(
    conn: AsyncConnection, digest: str, unit: str, role: str, now: int, expires: int
) -> None:
    row = {"hash": digest, "unit": unit, "role": role, "made_at": now, "expires_at": expires}
    await conn.execute(sa.insert(invites), row)


async def find_invite(conn: AsyncConnection, digest: str) -> tuple[str, str, int, bool] | None:
    """(unit, role, end in ms, used) of an invite by the hash of its code."""
    query = sa.select(invites.c.unit, invites.c.role, invites.c.expires_at, invites.c.used_at)
    row = (await conn.execute(query.where(invites.c.hash == digest))).first()
    return None if row is None else (row.unit, row.role, row.expires_at, row.used_at is not None)


async def use_invite(conn: AsyncConnection, digest: str, person: str, now: int) -> None:
    """Raises Conflict when somebody used it first."""
    query = sa.update(invites).where(invites.c.hash == digest, invites.c.used_at.is_(None))
    if (await conn.execute(query.values(used_at=now, used_by=person))).rowcount != 1:
        raise Conflict("invite")


async def burn_invite(conn: AsyncConnection, digest: str, now: int) -> None:
    """Used up by nobody."""
    query = sa.update(invites).where(invites.c.hash == digest, invites.c.used_at.is_(None))
    await conn.execute(query.values(used_at=now))
