"""What Zalo knows: the app, the OA, its people and rooms, tokens and assets, and what was said."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from bench.standin_zalo.faults import Fault
from bench.standin_zalo.files import Files
from bench.standin_zalo.ledger import Ledger, Sent
from bench.standin_zalo.shapes import Json

HOUR = 3600.0
DAY = 24 * HOUR
FREE_WINDOW = 48 * HOUR
WINDOW = 7 * DAY
ASSET_LIFE = 7 * DAY
KEPT_LINES = 200
INTERACTIONS = frozenset({"follow", "user_click_chatnow", "user_call_oa"})
# What conversation calls what the webhook calls otherwise; the rest bear one name.
KINDS = {"image": "photo", "audio": "voice"}

Tier = Literal["free", "text", "full"]


@dataclass
class App:
    """`challenge`: a PKCE challenge fixed in the console; `rate`: calls a minute, None for no limit."""

    id: str = "360846524940903967"
    secret: str = "app-secret"
    callback: str = ""
    challenge: str = ""
    active: bool = True
    proof: bool = False
    rate: int | None = 4000


@dataclass
class OfficialAccount:
    """On tier "free" nothing can be sent, on "text" only plain text."""

    id: str = "388613280878808645"
    name: str = "UBND"
    secret: str = "oa-secret"
    kind: int = 4
    verified: bool = True
    tier: Tier = "full"
    zca: str = "zca-1"
    money: bool = True
    uploads_left: int = 5000
    # One production code base sends buttons under a picture; no documentation has it.
    media_buttons: bool = False
    assets: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """One message of a talk between a person and the OA."""

    id: str
    at: int
    from_user: bool
    kind: str
    text: str = ""
    url: str = ""
    place: Json | None = None


@dataclass
class User:
    """`refuses`: the code that every send to them gets, 0 for none."""

    id: str
    name: str = "Zalo User"
    last_interaction: float | None = None
    follower: bool = True
    sensitive: bool = False
    refuses: int = 0
    talk: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


@dataclass
class Group:
    id: str
    name: str = "GMF"
    members: list[str] = field(default_factory=list)
    joined: bool = True
    disabled: bool = False


@dataclass
class Template:
    """`params`: each required name with its greatest length; `refuses`: -131, -146, -249 …"""

    id: str
    params: dict[str, int] = field(default_factory=dict)
    refuses: int = 0


@dataclass(slots=True)
class Asset:
    kind: str
    at: float
    data: bytes


@dataclass
class Grant:
    """A consent code or a refresh token: good once, until it ends."""

    ends: float
    used: bool = False
    challenge: str = ""


@dataclass
class Tokens:
    access: dict[str, float] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)
    # How often each refresh token was posted, refused or not.
    refreshes: Counter[str] = field(default_factory=Counter)
    lifetime: float = 25 * HOUR

    def add(self, access: str, refresh: str, now: float) -> None:
        """The access tokens of before die at once."""
        self.access = {old: min(ends, now) for old, ends in self.access.items()}
        self.access[access] = now + self.lifetime
        self.refresh[refresh] = Grant(now + 90 * DAY)

    def expire(self, now: float) -> None:
        self.access = dict.fromkeys(self.access, now)


@dataclass
class Bot:
    """`http_errors`: answer a failure with its own HTTP status; nobody wrote down which it is."""

    token: str = "12345689:abc-xyz"
    id: str = "1459232241454765289"
    name: str = "bot.VDKyGxQvc"
    chats: set[str] = field(default_factory=set)
    updates: deque[Json] = field(default_factory=deque)
    webhook: Json = field(default_factory=dict)
    secret: str = ""
    http_errors: bool = False
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, event: Json) -> None:
        """As polling gets it; the chat may be written to from now on."""
        self.updates.append(event)
        self.meet(event["message"]["chat"]["id"])
        self.waiting.set()

    def meet(self, *chats: str) -> None:
        self.chats.update(chats)


@dataclass
class Zalo:
    app: App = field(default_factory=App)
    oa: OfficialAccount = field(default_factory=OfficialAccount)
    bot: Bot = field(default_factory=Bot)
    now: Callable[[], float] = time.time
    ledger: Ledger = field(default_factory=Ledger)
    keep_files: bool = True
    tokens: Tokens = field(default_factory=Tokens)
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    reactions: Counter[str] = field(default_factory=Counter)
    files: Files = field(default_factory=Files)
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    # Who wrote last comes last.
    recent: dict[str, None] = field(default_factory=dict)
    minute: tuple[int, int] = (0, 0)
    numbers: int = 0

    @property
    def sent(self) -> list[Sent]:
        return self.ledger.sent

    @property
    def ms(self) -> int:
        return int(self.now() * 1000)

    def token(self, access: str = "access-1", refresh: str = "refresh-1") -> str:
        """What an operator pastes in once: a pair, without any consent."""
        self.tokens.add(access, refresh, self.now())
        return access

    def next(self, prefix: str = "") -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers:020x}"

    def meet(self, *ids: str) -> list[User]:
        """These people have just written."""
        found = [self.users.setdefault(each, User(each)) for each in ids]
        for user in found:
            user.last_interaction = self.now()
        return found

    def add(self, *known: User | Group | Template) -> None:
        for each in known:
            match each:
                case User():
                    self.users[each.id] = each
                case Group():
                    self.groups[each.id] = each
                case Template():
                    self.templates[each.id] = each

    def heard(self, event: Json) -> None:
        """What a webhook told the bot happened here too: windows open, talks grow."""
        name = event["event_name"]
        written = name.startswith("user_send_") and not name.startswith("user_send_group_")
        if not written and name not in INTERACTIONS | {"unfollow"}:
            return
        user = self.users.setdefault(_person(event), User(_person(event), follower=False))
        if name in ("follow", "unfollow"):
            user.follower = name == "follow"
        if name != "unfollow":
            at = int(event["timestamp"]) / 1000
            user.last_interaction = max(at, user.last_interaction or 0)
        if written:
            self.say(user, *_lines(event))

    def say(self, user: User, *lines: Line) -> None:
        user.talk.extend(lines)
        self.recent.pop(user.id, None)
        self.recent[user.id] = None


def _person(event: Json) -> str:
    return str((event.get("sender") or event.get("follower") or {"id": event.get("user_id")})["id"])


def _lines(event: Json) -> Iterable[Line]:
    message, at = event["message"], int(event["timestamp"])
    text = message.get("text", "")
    attachments = message.get("attachments") or [{"type": "text", "payload": {}}]
    for attached in attachments:
        kind, payload = attached["type"], attached["payload"]
        url, place = payload.get("url", ""), payload.get("coordinates")
        yield Line(message["msg_id"], at, True, KINDS.get(kind, kind), text, url, place)
