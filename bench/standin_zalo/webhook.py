"""The bodies that Zalo posts to an OA's webhook, and their signature; pure, for tests and load generators.

`body, headers = signed(user_text(Origin(user="111", at=1717061839659), "Xin chào"), secret)`
"""

import hashlib
import json
from dataclasses import dataclass

from bench.standin_zalo.shapes import Json
from bench.standin_zalo.world import App, OfficialAccount


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says it, when (in ms) and to whom; `message` is made of these when it is not given."""

    user: str
    at: int
    app: str = App.id
    oa: str = OfficialAccount.id
    message: str = ""

    @property
    def message_id(self) -> str:
        return self.message or hashlib.sha256(f"{self.user}/{self.at}".encode()).hexdigest()[:20]


def raw(event: Json) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def signature(body: bytes, app: str, timestamp: str, secret: str) -> str:
    """Plain SHA-256, no HMAC; the secret is the OA's, not the app's."""
    return hashlib.sha256(app.encode() + body + timestamp.encode() + secret.encode()).hexdigest()


def signed(event: Json, secret: str = OfficialAccount.secret, retry: int = 0) -> tuple[bytes, dict[str, str]]:
    body = raw(event)
    mac = signature(body, event["app_id"], event["timestamp"], secret)
    headers = {"Content-Type": "application/json", "X-ZEvent-Signature": f"mac={mac}"}
    return body, headers | ({"num_retry": str(retry)} if retry else {})


# A message from a person ----------------------------------------------------------------------------


def user_text(origin: Origin, text: str, quotes: str = "") -> Json:
    """Pressing a button sends one too: the text is its payload."""
    return _said(origin, "user_send_text", text, quotes=quotes)


def user_image(origin: Origin, *urls: str, caption: str = "") -> Json:
    return _said(origin, "user_send_image", caption, *(_picture("image", url) for url in urls))


def user_gif(origin: Origin, url: str) -> Json:
    return _said(origin, "user_send_gif", "", _picture("gif", url))


def user_link(origin: Origin, url: str, description: str = "", text: str = "") -> Json:
    payload = {"thumbnail": f"{url}/thumbnail", "description": description, "url": url}
    return _said(origin, "user_send_link", text, attachment("link", **payload))


def user_audio(origin: Origin, url: str) -> Json:
    return _said(origin, "user_send_audio", "", attachment("audio", url=url))


def user_video(origin: Origin, url: str, description: str = "") -> Json:
    payload = {"url": url, "thumbnail": f"{url}/thumbnail", "description": description}
    return _said(origin, "user_send_video", "", attachment("video", **payload))


def user_sticker(origin: Origin, url: str, sticker: str = "bfe458bf64fa8da4d4eb") -> Json:
    return _said(origin, "user_send_sticker", "", attachment("sticker", url=url, id=sticker))


def user_location(origin: Origin, lat: float | str, lon: float | str, place: str = "") -> Json:
    coordinates = {"latitude": str(lat), "longitude": str(lon)}
    return _said(origin, "user_send_location", place, attachment("location", coordinates=coordinates))


def user_business_card(origin: Origin, phone: str) -> Json:
    card = json.dumps({"phone": phone, "qrCodeUrl": "https://qr-talk.zdn.vn/1.jpg"})
    payload = {
        "thumbnail": "https://s120-ava-talk.zadn.vn/1.jpg",
        "description": card,
        "url": "https://zaloapp.com/1",
    }
    return _said(origin, "user_send_business_card", "", attachment("link", **payload))


def user_file(origin: Origin, url: str, name: str, size: int, kind: str = "pdf") -> Json:
    checksum = hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()
    payload = {"size": str(size), "name": name, "checksum": checksum, "type": kind, "url": url}
    return _said(origin, "user_send_file", "", attachment("file", **payload))


def attachment(kind: str, **payload: object) -> Json:
    return {"type": kind, "payload": payload}


def _picture(kind: str, url: str) -> Json:
    return attachment(kind, thumbnail=f"{url}/thumbnail", url=url)


def _said(origin: Origin, event: str, text: str, *attachments: Json, quotes: str = "") -> Json:
    told = {**({"attachments": [*attachments]} if attachments else {}), **({"text": text} if text else {})}
    more = {"quote_msg_id": quotes} if quotes else {}
    message = {**told, "msg_id": origin.message_id, **more}
    return between(origin, event, message=message)


def between(origin: Origin, event: str, **more: object) -> Json:
    """From a person to the OA."""
    sides = {"sender": {"id": origin.user}, "recipient": {"id": origin.oa}}
    return {"app_id": origin.app, **sides, **tail(origin, event), **more}


def tail(origin: Origin, event: str) -> Json:
    by_app = {"user_id_by_app": f"9{origin.user}"}
    return {**by_app, "event_name": event, "timestamp": str(origin.at)}


# What a person does otherwise -----------------------------------------------------------------------


def follow(origin: Origin, source: str = "oa_profile") -> Json:
    return _following(origin, "follow", source)


def unfollow(origin: Origin, source: str = "oa_profile") -> Json:
    return _following(origin, "unfollow", source)


def _following(origin: Origin, event: str, source: str) -> Json:
    named = {"oa_id": origin.oa, "follower": {"id": origin.user}, "source": source}
    return {**named, **tail(origin, event), "app_id": origin.app}


def submit_info(origin: Origin, name: str, phone: str, city: str, ward: str, address: str) -> Json:
    place = {"user_city": city, "user_ward": ward, "user_address": address}
    info = {"name": name, "phone": phone, "user_dob": "30/10/1999", "gender": "Nam", "full_address": place}
    return between(origin, "user_submit_info", info=info)


def submit_info_old(origin: Origin, **info: str) -> Json:
    """name, phone, address, city, district, ward: flat, as older programs get it."""
    return between(origin, "user_submit_info", info=info)


def received(origin: Origin, message: str) -> Json:
    return between(origin, "user_received_message", message={"msg_id": message})


def seen(origin: Origin, *messages: str) -> Json:
    return between(origin, "user_seen_message", message={"msg_ids": [*messages]})


def user_reacted(origin: Origin, message: str, icon: str = "/-strong") -> Json:
    return between(origin, "user_reacted_message", message={"msg_id": message, "react_icon": icon})


def click_chatnow(origin: Origin) -> Json:
    return about(origin, "user_click_chatnow")


def withdraw(origin: Origin) -> Json:
    """The person asks that everything about them be deleted."""
    return about(origin, "user_withdraw")


def about(origin: Origin, event: str, **more: object) -> Json:
    """Something about a person that is no message."""
    named = {"app_id": origin.app, "oa_id": origin.oa, "user_id": origin.user}
    return {**named, **tail(origin, event), **more}
