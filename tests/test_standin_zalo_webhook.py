"""The stand-in for Zalo tells every event in its documented shape, signed."""

import hashlib

import pytest

from bench.standin_zalo import Zalo, webhook, webhook_bot, webhook_more
from bench.standin_zalo.webhook import Origin
from tests.zalo_calls import NOW, WHO, Clock, Json, commune

CHAT = webhook_bot.Chat("6ede9afa66b88fe6d6a9", int(NOW * 1000))
ORIGIN = Origin(WHO, int(NOW * 1000))
PHOTO = "http://f6.photo.talk.zdn.vn/1.jpg"


@pytest.fixture
def zalo() -> Zalo:
    return commune(Clock())


def test_the_signature_is_the_documented_one() -> None:
    body = (
        '{"event_name":"user_send_text","app_id":"1234567890","sender":{"id":"111"},"recipient":{"id":"222"},'
        '"message":{"text":"Xin chào","msg_id":"abc"},"timestamp":"1717061839659"}'
    ).encode()
    found = webhook.signature(body, "1234567890", "1717061839659", "oa-secret-for-tests")
    assert found == "a6e49326b722032628bcf1b4aca07446766fc363cb43fd0215fc92874ed9348b"


EVENTS: list[Json] = [
    webhook.user_text(ORIGIN, "Xin chào", quotes="m1"),
    webhook.user_image(ORIGIN, PHOTO, PHOTO, caption="rác"),
    webhook.user_gif(ORIGIN, PHOTO),
    webhook.user_link(ORIGIN, "https://maps.app.goo.gl/1"),
    webhook.user_audio(ORIGIN, "http://f6.zdn.vn/1.amr"),
    webhook.user_video(ORIGIN, "http://f6.zdn.vn/1.mp4"),
    webhook.user_sticker(ORIGIN, "http://f6.zdn.vn/1.png"),
    webhook.user_location(ORIGIN, 10.7923119, 106.7820651, "Cơm Coffee New Sky"),
    webhook.user_business_card(ORIGIN, "84912345678"),
    webhook.user_file(ORIGIN, "http://f6.zdn.vn/1.pdf", "1.pdf", 9),
    webhook.follow(ORIGIN),
    webhook.unfollow(ORIGIN),
    webhook.submit_info(ORIGIN, "A", "84912345678", "TP HCM", "Phường 1", "1 A"),
    webhook.submit_info_old(ORIGIN, name="A", phone="84912345678"),
    webhook.received(ORIGIN, "m1"),
    webhook.seen(ORIGIN, "m1", "m2"),
    webhook.user_reacted(ORIGIN, "m1"),
    webhook.click_chatnow(ORIGIN),
    webhook.withdraw(ORIGIN),
    webhook_more.oa_reacted(ORIGIN, "m1"),
    webhook_more.tag_added(ORIGIN, "rác"),
    webhook_more.tag_taken(ORIGIN, "rác"),
    webhook_more.tag_removed(ORIGIN, "rác"),
    webhook_more.update_user_info(ORIGIN),
    webhook_more.template_received(ORIGIN, "84912345678", "m1"),
    webhook_more.template_status(ORIGIN, "T1", "PENDING_REVIEW", "ENABLE"),
    webhook_more.daily_quota(ORIGIN, 500, 5000),
    *(webhook_more.oa_sent(ORIGIN, kind, "a", "admin") for kind in webhook_more.ECHO_KINDS),
    *(webhook_more.anonymous(ORIGIN, "c1", kind, "a") for kind in webhook_more.STRANGER_KINDS),
    *(webhook_more.oa_anonymous(ORIGIN, "c1", kind, "a") for kind in webhook_more.STRANGER_KINDS),
    *(webhook_more.group_said(ORIGIN, "7", kind, "a") for kind in webhook_more.GROUP_KINDS),
    *(webhook_more.oa_group_said(ORIGIN, "7", kind, "a") for kind in webhook_more.GROUP_KINDS),
    *(webhook_more.group_event(ORIGIN, event, "7", WHO) for event in webhook_more.GROUP_EVENTS),
    *(webhook_more.named_only(ORIGIN, event) for event in webhook_more.NAMED_ONLY),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event_name"])
def test_every_event_is_signed_and_understood(zalo: Zalo, event: Json) -> None:
    body, headers = webhook.signed(event, "oa-secret")
    text = event["app_id"] + body.decode() + event["timestamp"] + "oa-secret"
    assert headers["X-ZEvent-Signature"] == f"mac={hashlib.sha256(text.encode()).hexdigest()}"
    zalo.heard(event)
    assert zalo.users.keys() == {WHO}


def test_a_place_is_told_as_it_really_came() -> None:
    message = webhook.user_location(ORIGIN, "10.7923119", "106.7820651", "Cơm Coffee New Sky")["message"]
    coordinates = {"latitude": "10.7923119", "longitude": "106.7820651"}
    assert message["attachments"] == [{"type": "location", "payload": {"coordinates": coordinates}}]
    assert message["text"] == "Cơm Coffee New Sky"


def test_bot_events_are_flat_or_wrapped() -> None:
    live, documented = (webhook_bot.bot_image(CHAT, PHOTO, "rác", field) for field in ("photo_url", "photo"))
    assert (live["message"]["photo_url"], documented["message"]["photo"]) == (PHOTO, PHOTO)
    assert webhook_bot.wrapped(live) == {"ok": True, "result": live}
    assert webhook_bot.bot_unsupported(CHAT)["event_name"] == "message.unsupported.received"
    assert webhook_bot.bot_voice(CHAT, "https://a.vn/1.aac")["message"]["from"]["id"] == CHAT.id
    assert webhook_bot.bot_sticker(CHAT, PHOTO)["message"]["url"] == PHOTO
