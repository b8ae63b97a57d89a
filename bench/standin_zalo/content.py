"""Reads the `message` of a send, and refuses what the documentation does not show."""

import unicodedata
from dataclasses import dataclass

from bench.standin_zalo.errors import Refused, invalid
from bench.standin_zalo.shapes import (
    TEXT_LONGEST,
    Json,
    address,
    listing,
    mapping,
    number,
    only,
    string,
    units,
)
from bench.standin_zalo.world import ASSET_LIFE, Zalo

BUTTONS_MOST = 5
# Sources say 20, 35 and 100: the least of them is safe.
TITLE_LONGEST = 20
PAYLOAD_LONGEST = 1000
CARD_TITLE_LONGEST = 100
CARD_SUBTITLE_LONGEST = 500
QUERIES = ("oa.query.show", "oa.query.hide")


@dataclass(frozen=True, slots=True)
class Content:
    kind: str
    text: str = ""
    buttons: tuple[Json, ...] = ()
    image: str = ""
    quotes: str = ""


def read(zalo: Zalo, given: object) -> Content:
    message = mapping(given, "message")
    only(message, ("text", "attachment", "quote_message_id"))
    said = text_of(message["text"]) if "text" in message else ""
    if "attachment" in message:
        only(message, ("text", "attachment"))
        return _attached(zalo, said, mapping(message["attachment"], "attachment"))
    if "quote_message_id" in message:
        return Content("text", text_of(said), quotes=string(message["quote_message_id"], "quote_message_id"))
    return Content("text", text_of(said))


def text_of(given: object) -> str:
    """Decomposed Vietnamese is longer than it looks: it is refused at any length."""
    text = string(given, "text")
    if units(text) > TEXT_LONGEST or not unicodedata.is_normalized("NFC", text):
        raise Refused(-210)
    return text


def _attached(zalo: Zalo, said: str, attachment: Json) -> Content:
    only(attachment, ("type", "payload"))
    payload = mapping(attachment.get("payload"), "payload")
    match attachment.get("type"):
        case "file":
            only(payload, ("token",))
            return Content("file", said, image=_asset(zalo, payload.get("token"), "token", "file"))
        case "template":
            return _template(zalo, said, payload)
    raise invalid("type")


def _template(zalo: Zalo, said: str, payload: Json) -> Content:
    match payload.get("template_type"):
        case "media":
            return _media(zalo, said, payload)
        case "request_user_info":
            return _request(payload)
        case None if "buttons" in payload:
            only(payload, ("buttons",))
            return Content("buttons", text_of(said), buttons_of(payload["buttons"]))
    if "buttons" in payload:
        raise Refused(-201, "Missing template_type params")
    # "list" among them: no page documents it for v3.
    raise Refused(-233)


def buttons_of(given: object) -> tuple[Json, ...]:
    buttons = listing(given, "buttons")
    if len(buttons) > BUTTONS_MOST:
        raise invalid("buttons")
    return tuple(_button(mapping(each, "buttons")) for each in buttons)


def _button(button: Json) -> Json:
    only(button, ("title", "type", "payload"))
    string(button.get("title"), "title", TITLE_LONGEST)
    kind, payload = button.get("type"), button.get("payload")
    if kind in QUERIES:
        string(payload, "payload", PAYLOAD_LONGEST)
    else:
        _outward(kind, mapping(payload, "payload"))
    return button


def _outward(kind: object, payload: Json) -> None:
    match kind:
        case "oa.open.url":
            only(payload, ("url",))
            address(payload.get("url"), "url")
        case "oa.open.phone":
            only(payload, ("phone_code",))
            string(payload.get("phone_code"), "phone_code")
        case "oa.open.sms":
            only(payload, ("content", "phone_code"))
            string(payload.get("content"), "content")
            string(payload.get("phone_code"), "phone_code")
        case _:
            raise invalid("type")


def _media(zalo: Zalo, said: str, payload: Json) -> Content:
    only(payload, ("template_type", "elements", *(("buttons",) if zalo.oa.media_buttons else ())))
    buttons = buttons_of(payload["buttons"]) if "buttons" in payload else ()
    element = _single(payload)
    only(element, ("media_type", "url", "attachment_id", "width", "height"))
    kind = str(element.get("media_type"))
    if kind not in ("image", "gif", "sticker"):
        raise invalid("media_type")
    if kind == "gif":
        for side in ("width", "height"):
            number(element.get(side), side, 10_000)
    return Content(kind, said, buttons, _picture(zalo, element, kind))


def _picture(zalo: Zalo, element: Json, kind: str) -> str:
    if ("url" in element) == ("attachment_id" in element):
        raise invalid("attachment_id")
    if kind == "sticker":
        return string(element.get("attachment_id"), "attachment_id")
    if "url" in element:
        return address(element["url"], "url")
    return _asset(zalo, element["attachment_id"], "attachment_id", kind)


def _asset(zalo: Zalo, given: object, field: str, kind: str) -> str:
    found = string(given, field)
    asset = zalo.assets.get(found)
    if asset is None or asset.kind != kind:
        raise invalid(field)
    if zalo.now() >= asset.at + ASSET_LIFE:
        raise Refused(-100)
    return found


def _request(payload: Json) -> Content:
    only(payload, ("template_type", "elements"))
    card = _single(payload)
    only(card, ("title", "subtitle", "image_url"))
    title = string(card.get("title"), "title", CARD_TITLE_LONGEST)
    subtitle = string(card.get("subtitle"), "subtitle", CARD_SUBTITLE_LONGEST)
    image = address(card.get("image_url"), "image_url", ("https://",))
    return Content("request_user_info", f"{title}\n{subtitle}", image=image)


def _single(payload: Json) -> Json:
    elements = listing(payload.get("elements"), "elements")
    if len(elements) != 1:
        raise invalid("elements")
    return mapping(elements[0], "elements")
