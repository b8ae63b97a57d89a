"""The stand-in for Zalo's Bot platform knows no more than its documentation."""

import json

import pytest

from bench.standin_zalo import Zalo, webhook_bot, zbot
from bench.standin_zalo.calls import Call
from tests.zalo_calls import JSON, NOW, Clock, Json, commune

CHAT = webhook_bot.Chat("6ede9afa66b88fe6d6a9", int(NOW * 1000))


@pytest.fixture
def zalo() -> Zalo:
    return commune(Clock())


def ask(zalo: Zalo, method: str, given: Json | None = None, token: str = "12345689:abc-xyz") -> Json:
    zalo.bot.meet(CHAT.id)
    return zbot.answer(
        zalo, Call("POST", f"/bot{token}/{method}", "", JSON, json.dumps(given or {}).encode())
    ).body


def to_chat(**more: object) -> Json:
    return {"chat_id": CHAT.id, **more}


HOOK = {"url": "https://bot.vn/zalo", "secret_token": "12345678"}
BOT_CALLS: list[tuple[str, Json, int]] = [
    ("getMe", {}, 0),
    ("getme", {}, 400),
    ("editMessageText", {}, 400),
    ("sendMessage", to_chat(text="a" * 2000, parse_mode="markdown"), 0),
    ("sendMessage", to_chat(text="a" * 2001), 404),
    ("sendMessage", to_chat(text=""), 404),
    ("sendMessage", to_chat(text="a", reply_markup={"inline_keyboard": []}), 404),
    ("sendMessage", to_chat(text="a", buttons=[]), 404),
    ("sendMessage", {"chat_id": "unknown", "text": "a"}, 404),
    ("sendPhoto", to_chat(photo="https://a.vn/1.jpg", caption="a" * 2000), 0),
    ("sendPhoto", to_chat(photo="https://a.vn/1.jpg", caption="a" * 2001), 404),
    ("sendPhoto", to_chat(photo="https://a.vn/1.jpg", caption=""), 404),
    ("sendPhoto", to_chat(photo="AgACAgUAAx"), 404),
    ("sendVoice", to_chat(voice_url="https://a.vn/1.aac"), 0),
    ("sendVoice", to_chat(voice_url="https://a.vn/1.ogg"), 404),
    ("sendChatAction", to_chat(action="typing"), 0),
    ("sendChatAction", to_chat(action="dancing"), 404),
    ("setWebhook", HOOK, 0),
    ("setWebhook", HOOK | {"url": "http://bot.vn"}, 404),
    ("setWebhook", HOOK | {"secret_token": "1234567"}, 404),
    ("getWebhookInfo", {}, 0),
    ("deleteWebhook", {}, 0),
    ("getUpdates", {}, 408),
]


@pytest.mark.parametrize(("method", "given", "code"), BOT_CALLS)
def test_a_bot_does_what_is_documented_only(zalo: Zalo, method: str, given: Json, code: int) -> None:
    answer = ask(zalo, method, given)
    assert answer["ok"] == (code == 0)
    assert answer.get("error_code", 0) == code


def test_a_bot_has_its_token(zalo: Zalo) -> None:
    assert ask(zalo, "getMe", token="1:x")["error_code"] == 401


def test_updates_come_one_by_one_and_never_beside_a_webhook(zalo: Zalo) -> None:
    for text in ("một", "hai"):
        zalo.bot.heard(webhook_bot.bot_text(CHAT, text))
    assert ask(zalo, "getUpdates")["result"]["message"]["text"] == "một"
    ask(zalo, "setWebhook", HOOK)
    assert ask(zalo, "getUpdates")["error_code"] == 404
    ask(zalo, "deleteWebhook")
    assert ask(zalo, "getUpdates")["result"]["message"]["text"] == "hai"
