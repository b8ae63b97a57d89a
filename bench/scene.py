"""What generator, bots and peers agree on: tokens, chats, the stories people tell, and their updates."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Json = dict[str, Any]

TOKEN = "1000:TESTTOKENTESTTOKENTESTTOKENTESTTOKEN12"
SECRET = "bench-secret"
PATH = "/telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"

FIRST_POLICE = 9_000_001
POLICE_CHATS = 50
FIRST_MONITOR = 8_000_001
MONITOR_CHATS = 20
FIRST_RESIDENT = 100_000_001
# 2026-03-02 08:00 in Hải Phòng; the bots do not look at it.
DATE = 1_772_413_200


@dataclass(frozen=True, slots=True)
class Step:
    """What the person does next: press the button that matches `what`, send a place, or write `what`."""

    kind: str
    what: str = ""


# The middle of each village: a village is the desk of its litter, so alerts spread over twenty monitors.
PLACES = (
    (21.00437, 106.36814),
    (21.00390, 106.37765),
    (20.98139, 106.38851),
    (21.00303, 106.39981),
    (20.99288, 106.40474),
    (20.99254, 106.39427),
    (20.99293, 106.38333),
    (20.99236, 106.37209),
    (20.98110, 106.36867),
    (20.98288, 106.37831),
    (21.00350, 106.38889),
    (20.98219, 106.39963),
    (20.97084, 106.40476),
    (20.97033, 106.39438),
    (20.97020, 106.38313),
    (20.97122, 106.37316),
    (20.96160, 106.36822),
    (20.95978, 106.37890),
    (20.95956, 106.38888),
    (20.96004, 106.39964),
)
# The peers hold the same talk with the same button data.
LITTER = (
    Step("place"),
    Step("press", "f:*:sanitation"),
    Step("press", "c:*:litter"),
    Step("press", "no:*:photo"),
    Step("press", "send:*"),
)
ORDER = (
    Step("press", "new"),
    Step("words", "Ô tô đỗ sai trên vỉa hè cổng chợ thôn 3"),
    Step("press", "no:*:photo"),
    Step("press", "no:*:hours"),
    Step("press", "send:*"),
)
STORIES = {"litter": LITTER, "order": ORDER}


def found(what: str, actions: Sequence[str]) -> str | None:
    """The offered action that the person looks for; None when it is not there."""
    return next((action for action in actions if fnmatchcase(action, what)), None)


def _user(account: int) -> Json:
    return {"id": account, "is_bot": False, "first_name": f"Người {account}"}


def _chat(chat: int) -> Json:
    return {"id": chat, "type": "private", "first_name": "N"}


def words(update: int, chat: int, text: str) -> bytes:
    return _message(update, chat, {"text": text})


def place(update: int, chat: int, number: int) -> bytes:
    lat, lon = PLACES[number % len(PLACES)]
    return _message(update, chat, {"location": {"latitude": lat, "longitude": lon}})


def _message(update: int, chat: int, content: Json) -> bytes:
    message = {"message_id": update, "date": DATE, "chat": _chat(chat), "from": _user(chat), **content}
    return json.dumps({"update_id": update, "message": message}).encode()


def press(update: int, chat: int, action: str) -> bytes:
    carrier = {"message_id": 1, "date": DATE, "chat": _chat(chat)}
    query = {"id": str(update), "from": _user(chat), "chat_instance": "1", "data": action}
    return json.dumps({"update_id": update, "callback_query": query | {"message": carrier}}).encode()


def update_for(step: Step, update: int, chat: int, offered: Sequence[str]) -> bytes:
    """The update of a step; LookupError when the bot did not offer the button."""
    match step.kind:
        case "place":
            return place(update, chat, chat)
        case "words":
            return words(update, chat, step.what)
    action = step.what if step.what == "new" else found(step.what, offered)
    if action is None:
        raise LookupError(f"no button {step.what} among {list(offered)}")
    return press(update, chat, action)
