"""bot-api.zaloplatforms.com: the Bot platform's methods, one update at a time and nothing like a button."""

import asyncio
import contextlib
from collections.abc import Callable

from bench.standin_zalo.calls import Answer, Call
from bench.standin_zalo.errors import Refused
from bench.standin_zalo.ledger import Sent
from bench.standin_zalo.shapes import TEXT_LONGEST, Json, units
from bench.standin_zalo.world import Zalo

PREFIX = "/bot"
SECRET_SHORTEST, SECRET_LONGEST = 8, 256
# The table of errors: what is wrong with a request is 404, with its path 400.
BAD_NAME, UNAUTHORIZED, BAD_REQUEST, TIMEOUT = 400, 401, 404, 408
LONGEST_POLL = 60.0


class Unwell(Exception):
    """The Bot platform's own refusal."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def answer(zalo: Zalo, call: Call) -> Answer:
    try:
        token, _, name = call.path.removeprefix(PREFIX).partition("/")
        if token != zalo.bot.token:
            raise Unwell(UNAUTHORIZED, "Unauthorized")
        method = METHODS.get(name)
        if method is None:
            raise Unwell(BAD_NAME, "Bad Request: no such API name")
        return Answer({"ok": True, **_result(method(zalo, call, _given(call)))})
    except Unwell as unwell:
        return failure(zalo, unwell.code, unwell.description)


def failure(zalo: Zalo, code: int, description: str = "Fault") -> Answer:
    status = code if zalo.bot.http_errors else 200
    return Answer({"ok": False, "error_code": code, "description": description}, code, status)


async def arrival(zalo: Zalo, call: Call) -> None:
    """Waits for an update as long as the caller asked to."""
    with contextlib.suppress(Refused, TimeoutError, ValueError):
        if zalo.bot.updates or zalo.bot.webhook.get("url"):
            return
        seconds = min(float(call.anyhow.get("timeout", 30)), LONGEST_POLL)
        if seconds > 0:
            zalo.bot.waiting.clear()
            await asyncio.wait_for(zalo.bot.waiting.wait(), seconds)


def _given(call: Call) -> Json:
    try:
        return call.anyhow
    except (Refused, ValueError):
        raise Unwell(BAD_REQUEST, "Invalid request") from None


def _result(found: Json | None) -> Json:
    return {} if found is None else {"result": found}


def _only(given: Json, *allowed: str) -> None:
    for name in given:
        if name not in allowed:
            raise Unwell(BAD_REQUEST, f"Invalid request: {name}")


def _text(given: Json, field: str, longest: int = TEXT_LONGEST) -> str:
    found = given.get(field)
    if not isinstance(found, str) or not found.strip() or units(found) > longest:
        raise Unwell(BAD_REQUEST, f"Invalid request: {field}")
    return found


def _chat(zalo: Zalo, given: Json) -> str:
    """Only who wrote first can be written to."""
    chat = _text(given, "chat_id")
    if chat not in zalo.bot.chats:
        raise Unwell(BAD_REQUEST, "Invalid request: chat_id")
    return chat


def _url(given: Json, field: str, schemes: tuple[str, ...] = ("http://", "https://")) -> str:
    found = _text(given, field)
    if not found.startswith(schemes):
        raise Unwell(BAD_REQUEST, f"Invalid request: {field}")
    return found


def _sent(zalo: Zalo, call: Call, sent: Sent) -> Json:
    call.sent = zalo.ledger.accept(sent)
    return {"message_id": sent.message_id, "date": zalo.ms}


def _get_me(zalo: Zalo, call: Call, given: Json) -> Json:
    named = {"id": zalo.bot.id, "account_name": zalo.bot.name}
    return {**named, "account_type": "BASIC", "can_join_groups": False}


def _get_updates(zalo: Zalo, call: Call, given: Json) -> Json:
    _only(given, "timeout")
    if zalo.bot.webhook.get("url"):
        raise Unwell(BAD_REQUEST, "Invalid request: a webhook is set")
    if not zalo.bot.updates:
        raise Unwell(TIMEOUT, "Request timeout")
    return zalo.bot.updates.popleft()


def _set_webhook(zalo: Zalo, call: Call, given: Json) -> Json:
    _only(given, "url", "secret_token")
    url, secret = _url(given, "url", ("https://",)), _text(given, "secret_token", SECRET_LONGEST)
    if len(secret) < SECRET_SHORTEST:
        raise Unwell(BAD_REQUEST, "Invalid request: secret_token")
    zalo.bot.secret = secret
    return _webhook(zalo, url)


def _delete_webhook(zalo: Zalo, call: Call, given: Json) -> Json:
    return _webhook(zalo, "")


def _webhook(zalo: Zalo, url: str) -> Json:
    zalo.bot.webhook = {"url": url, "updated_at": zalo.ms}
    return zalo.bot.webhook


def _get_webhook_info(zalo: Zalo, call: Call, given: Json) -> Json:
    return zalo.bot.webhook or {"url": "", "updated_at": 0}


def _send_message(zalo: Zalo, call: Call, given: Json) -> Json:
    _only(given, "chat_id", "text", "parse_mode", "text_styles")
    if given.get("parse_mode", "html") not in ("markdown", "html"):
        raise Unwell(BAD_REQUEST, "Invalid request: parse_mode")
    text, chat = _text(given, "text"), _chat(zalo, given)
    return _sent(zalo, call, Sent("sendMessage", "text", chat, zalo.next(), text))


def _send_photo(zalo: Zalo, call: Call, given: Json) -> Json:
    _only(given, "chat_id", "photo", "caption")
    photo, chat = _url(given, "photo"), _chat(zalo, given)
    caption = _text(given, "caption") if "caption" in given else ""
    sent = Sent("sendPhoto", "image", chat, zalo.next(), caption, image=photo)
    return _sent(zalo, call, sent)


def _send_voice(zalo: Zalo, call: Call, given: Json) -> Json:
    _only(given, "chat_id", "voice_url")
    voice, chat = _url(given, "voice_url"), _chat(zalo, given)
    if not voice.partition("?")[0].endswith(".aac"):
        raise Unwell(BAD_REQUEST, "Invalid request: voice_url")
    return _sent(zalo, call, Sent("sendVoice", "voice", chat, zalo.next(), image=voice))


def _send_chat_action(zalo: Zalo, call: Call, given: Json) -> None:
    """Not counted among what was sent: nobody reads it."""
    _only(given, "chat_id", "action")
    _chat(zalo, given)
    if given.get("action") != "typing":
        raise Unwell(BAD_REQUEST, "Invalid request: action")


METHODS: dict[str, Callable[[Zalo, Call, Json], Json | None]] = {
    "getMe": _get_me,
    "getUpdates": _get_updates,
    "setWebhook": _set_webhook,
    "deleteWebhook": _delete_webhook,
    "getWebhookInfo": _get_webhook_info,
    "sendMessage": _send_message,
    "sendPhoto": _send_photo,
    "sendVoice": _send_voice,
    "sendChatAction": _send_chat_action,
}
