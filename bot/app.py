"""The composition root: builds the parts, starts the loops, stops them in order."""

import asyncio
import contextlib
import fcntl
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web
from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import chatpage, linkpage
from bot.broadcasting import Broadcasting
from bot.channels import maplinks, zalo_bot_read, zalo_oa_read
from bot.channels.base import Channel, Received
from bot.channels.webchat import Seat, Webchat, seats_for
from bot.clock import Clock, SystemClock
from bot.config import ConfigError, load_commune
from bot.conversation import Chore, Conversation
from bot.core.commune import Commune, Point
from bot.core.effects import Lane
from bot.core.words import Lexicon
from bot.delivery import Delivery
from bot.fetching import Cleaner, Fetching
from bot.handlers import World
from bot.inbox import Inbox
from bot.messages import Messages
from bot.painting import Easel
from bot.perform import draw_invite
from bot.photos import Studio
from bot.picturing import Painter, Picturing
from bot.platforms import Platform, platforms_of, signer_of, wants_webchat
from bot.reminders import Reminders
from bot.settings import Settings
from bot.web import Figures, add_hook, application
from storage import inbox, migrate, outbox, people, photos, pictures, uploads
from storage.database import Database
from storage.files import Files

log = structlog.get_logger()

PICTURES = Path(__file__).parent.parent / "templates" / "pictures"
# Alerts and answers that wait longer than this mean that something is stuck.
STUCK_S = 120.0
STOP_S = 5.0


@dataclass(slots=True)
class Parts:
    inbox: Inbox
    conversation: Conversation
    deliveries: dict[str, Delivery]
    fetching: Fetching
    broadcasting: Broadcasting
    picturing: Picturing
    reminders: Reminders


def build(
    db: Database,
    commune: Commune,
    channels: Iterable[Channel],
    *,
    files: Files,
    studio: Cleaner,
    follow: Callable[[str], Awaitable[Point | None]],
    clock: Clock,
    painter: Painter,
    draw_invite: Callable[[], str] = draw_invite,
) -> Parts:
    """Put the parts together. They never call each other: each gets only a bell to ring."""
    by_name = {channel.name: channel for channel in channels}
    deliveries: dict[str, Delivery] = {}

    def deliver() -> None:
        for delivery in deliveries.values():
            delivery.wake()

    def after_commit(chores: Chore) -> None:
        deliver()
        if Chore.FETCH in chores:
            fetching.wake()
        if Chore.SPREAD in chores:
            broadcasting.wake()
        if Chore.DRAW in chores:
            picturing.wake()

    def told() -> None:
        deliver()
        conversation.wake()

    world = World(commune, Lexicon(commune))
    conversation = Conversation(db, world, Messages(), by_name, clock, after_commit, draw_invite)
    for name, channel in by_name.items():
        deliveries[name] = Delivery(db, channel, files, clock, told, by_name)
    fetching = Fetching(db, by_name, files, studio, follow, clock, conversation.wake)
    broadcasting = Broadcasting(db, {name: one.abilities for name, one in by_name.items()}, clock, deliver)
    picturing = Picturing(db, files, painter, clock, deliver)
    reminders = Reminders(db, commune, by_name, clock, conversation.wake)
    box = Inbox(db, clock, conversation.wake)
    return Parts(box, conversation, deliveries, fetching, broadcasting, picturing, reminders)


def open_database(settings: Settings) -> Database:
    if settings.database_url is not None:
        return Database(settings.database_url.get_secret_value())
    try:
        return Database.in_folder(settings.data_dir)
    except OSError as error:
        raise ConfigError(f"DATA_DIR: {settings.data_dir} cannot be used ({error.strerror}).") from None


def open_files(settings: Settings) -> Files:
    try:
        return Files(settings.photos)
    except (OSError, ValueError, BaseError) as error:
        raise ConfigError(f"PHOTO_STORE: cannot be used ({type(error).__name__}).") from None


async def prepare(db: Database) -> None:
    """The schema of this program; a database that does not answer stops the start with a sentence."""
    try:
        await migrate.upgrade(db)
    except (OSError, SQLAlchemyError) as error:
        name = "DATA_DIR" if db.sqlite else "DATABASE_URL"
        raise ConfigError(f"{name}: the database does not answer ({type(error).__name__}).") from None


def commune_of(settings: Settings) -> Commune:
    try:
        return load_commune(settings.commune)
    except ConfigError as error:
        raise ConfigError(f"COMMUNE: {error}") from None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """One program on one SQLite file; a second one is refused at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "running.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"DATA_DIR: another bot is running on {folder}.") from None
        yield


async def seat_people(db: Database, seats: Iterable[Seat], clock: Clock) -> None:
    """The people of the local chat are members, and its room is bound, from the first start on."""
    now = clock.ms()

    async def work(conn: AsyncConnection) -> None:
        for seat in seats:
            await people.meet(conn, [("webchat", seat.account, None if seat.group else seat.id)], now)
            person = f"webchat:{seat.account}"
            if seat.unit is None or seat.role is None:
                continue
            await people.join(conn, person, seat.unit, seat.role, seat.name, now)
            if seat.group:
                await people.bind(conn, "webchat", seat.id, seat.unit, person, now)

    await db.write(work)


async def hang_pictures(db: Database, files: Files, channels: Iterable[Channel]) -> None:
    """What channels show beside people's photos is in the store, as this version has it.

    Without it the bot does all the rest: a store that is away stops no start.
    """
    for channel in channels:
        name, key = channel.abilities.place_picture, channel.abilities.place_picture_key
        if name is None or key is None:
            continue
        data = await asyncio.to_thread((PICTURES / name).read_bytes)
        try:
            if await _in_store(files, key) == data:
                continue
            await files.put(key, data)
        except (OSError, BaseError) as error:
            kind = type(error).__name__
            log.error("a picture is not in the store", action="no_picture", channel=channel.name, kind=kind)
            continue
        # The platform's copy is the old one.
        await db.write(partial(uploads.forget, channel=channel.name, stored=key))


async def _in_store(files: Files, key: str) -> bytes | None:
    try:
        return await files.get(key)
    except FileNotFoundError:
        return None


async def recover(db: Database, clock: Clock) -> None:
    """Nobody else runs on this SQLite file: what was being sent or fetched when we died is due again."""
    if db.sqlite:
        await db.write(lambda conn: outbox.release(conn, 2**62))
        await db.write(lambda conn: photos.release(conn, clock.ms()))
        await db.write(lambda conn: pictures.release(conn, clock.ms()))


async def figures(db: Database, parts: Parts, clock: Clock, outside: Iterable[Platform] = ()) -> Figures:
    """One look at everything; raises when the database cannot be written."""
    await db.write(inbox.prove_writable)
    async with db.read() as conn:
        depth = await outbox.depth(conn)
        unknown = await outbox.count_unknown(conn)
        quarantined = await inbox.count_quarantined(conn)
    now = clock.ms()
    lanes = tuple((Lane(n).name.lower(), count, max(0.0, (now - due) / 1000)) for n, count, due in depth)
    problems = [
        f"outbox {lane}: the oldest of {count} waits for {seconds:.0f} s"
        for lane, count, seconds in lanes
        if lane in ("alert", "answer") and seconds > STUCK_S
    ]
    refusals = ((name, delivery.unauthorized) for name, delivery in parts.deliveries.items())
    problems += [f"{name}: credentials refused ({code})" for name, code in refusals if code]
    for platform in outside:
        if platform.trouble is not None and (trouble := await platform.trouble()):
            problems.append(f"{platform.channel.name}: {trouble}")
    return Figures(
        lanes,
        parts.inbox.received,
        parts.inbox.repeated,
        quarantined,
        sum(d.floods for d in parts.deliveries.values()),
        unknown,
        tuple(problems),
    )


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[int]:
    """The whole program from its settings, for as long as the block lasts; yields the port it listens on."""
    clock = clock or SystemClock()
    commune, db, studio = commune_of(settings), open_database(settings), Studio()
    easel = Easel(settings.data_dir / "drawing")
    outside, webchat = platforms_of(settings, db, clock), None
    async with contextlib.AsyncExitStack() as stack:
        if db.sqlite:
            stack.enter_context(only_one(settings.data_dir))
        files = open_files(settings)
        stack.push_async_callback(db.close)
        stack.push_async_callback(studio.stop)
        stack.push_async_callback(easel.stop)
        await prepare(db)
        await recover(db, clock)
        if wants_webchat(settings):
            seats = seats_for(commune)
            webchat = Webchat(db, files, seats, clock.ms)
            await seat_people(db, seats, clock)
        channels: list[Channel] = [platform.channel for platform in outside]
        channels += [webchat] if webchat is not None else []
        await hang_pictures(db, files, channels)
        parts = build(
            db,
            commune,
            channels,
            files=files,
            studio=studio,
            follow=maplinks.follow,
            clock=clock,
            painter=easel,
        )
        app = application(partial(figures, db, parts, clock, outside))
        if webchat is not None:
            _mount_page(app, webchat, parts, commune, settings)
        _mount_links(app, parts, commune, settings, db, files, clock)
        for platform in outside:
            if platform.path is not None:
                add_hook(app, platform.path, platform.channel, parts.inbox)
        # Undone in the opposite order: the door closes, the loops finish what is in the air, channels last.
        await parts.broadcasting.take_back()
        for channel in channels:
            stack.push_async_callback(channel.stop)
        stack.push_async_callback(_stop, _loops(parts))
        port = await _listen(stack, app, settings)
        for channel in channels:
            await channel.start()
        asking = [
            asyncio.create_task(platform.poll(partial(_store_polled, parts.inbox, platform.channel.name)))
            for platform in outside
            if platform.poll is not None
        ]
        if asking:
            stack.push_async_callback(_stop, asking)
        # What lives as long as the program need not be looked at by the collector: it helps the tail.
        gc.collect()
        gc.freeze()
        log.info("ready", action="ready", port=port, channels=[c.name for c in channels])
        yield port
        log.info("stopping", action="stop")


def _mount_page(
    app: web.Application, webchat: Webchat, parts: Parts, commune: Commune, settings: Settings
) -> None:
    async def take(received: Received) -> None:
        await parts.inbox.take("webchat", received)

    chatpage.add_routes(app, channel=webchat, take=take, commune=commune, any_host=settings.webchat_any_host)


# Whose people are sent to our map, and how each platform would have told of the place.
PLACED: dict[str, linkpage.Placed] = {
    zalo_oa_read.NAME: zalo_oa_read.location,
    zalo_bot_read.NAME: zalo_bot_read.location,
}


def _mount_links(
    app: web.Application,
    parts: Parts,
    commune: Commune,
    settings: Settings,
    db: Database,
    files: Files,
    clock: Clock,
) -> None:
    signer = signer_of(settings, clock)
    if signer is None:
        return
    linkpage.add_routes(
        app,
        signer=signer,
        inbox=parts.inbox,
        db=db,
        files=files,
        commune=commune,
        placed={name: how for name, how in PLACED.items() if name in parts.deliveries},
        clock=clock,
    )


async def _store_polled(box: Inbox, name: str, received: list[Received], malformed: list[bytes]) -> None:
    taken = [box.take(name, one) for one in received]
    aside = [box.set_aside_body(name, body, "malformed") for body in malformed]
    await asyncio.gather(*taken, *aside)


def _loops(parts: Parts) -> list["asyncio.Task[None]"]:
    loops = [parts.conversation.run(), parts.fetching.run(), parts.broadcasting.run(), parts.reminders.run()]
    loops.append(parts.picturing.run())
    loops += [delivery.run() for delivery in parts.deliveries.values()]
    return [asyncio.create_task(loop) for loop in loops]


async def _stop(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=STOP_S)


async def _listen(stack: contextlib.AsyncExitStack, app: web.Application, settings: Settings) -> int:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, handler_cancellation=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.http_host, settings.http_port, backlog=512)
    try:
        await site.start()
    except OSError as error:
        where = f"{settings.http_host}:{settings.http_port}"
        raise ConfigError(f"HTTP_HOST, HTTP_PORT: {where} cannot be opened ({error.strerror}).") from None
    return int(runner.addresses[0][1])


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with running(settings):
        await stop.wait()
