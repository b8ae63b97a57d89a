"""Calls to the stand-in for Zalo without any network, and a small commune to call about."""

import json
from typing import Any
from urllib.parse import quote

from bench.standin_zalo import Group, Template, User, Zalo, oa
from bench.standin_zalo.calls import Call

Json = dict[str, Any]

NOW = 1_790_000_000.0
WHO = "2512523625412515"
ROOM = "7770001"
JSON = {"access_token": "access-1", "Content-Type": "application/json"}
JPEG, PNG, GIF = b"\xff\xd8\xff\xe0jpeg", b"\x89PNG\r\n\x1a\npng", b"GIF89agif"
CS, TEMPLATE, GROUP = "/v3.0/oa/message/cs", "/v3.0/oa/message/template", "/v3.0/oa/group/message"
REACTION = "/v2.0/oa/message"
DETAIL, QUOTA = "/v3.0/oa/user/detail", "/v3.0/oa/quota/message"
PAGE = {"offset": 0, "count": 10}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def commune(clock: Clock) -> Zalo:
    zalo = Zalo(now=clock)
    zalo.token()
    zalo.add(User(WHO, last_interaction=NOW), Group(ROOM, members=[WHO]))
    zalo.add(Template("T1", {"code": 30, "status": 10}))
    return zalo


def post(zalo: Zalo, path: str, body: object, **headers: str) -> Json:
    return oa.answer(zalo, Call("POST", path, "", JSON | headers, json.dumps(body).encode())).body


def get(zalo: Zalo, path: str, data: object = None) -> Any:
    query = "" if data is None else f"data={quote(json.dumps(data))}"
    return oa.answer(zalo, Call("GET", path, query, JSON)).body


def say(zalo: Zalo, message: object, to: object = WHO) -> Json:
    return post(zalo, CS, {"recipient": {"user_id": to}, "message": message})


def upload(zalo: Zalo, kind: str, data: bytes, name: str = "a.jpg", field: str = "file") -> Json:
    part = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
    body = b"--B\r\n" + part + data + b"\r\n--B--\r\n"
    headers = JSON | {"Content-Type": "multipart/form-data; boundary=B"}
    return oa.answer(zalo, Call("POST", f"/v2.0/oa/upload/{kind}", "", headers, body)).body


def button(**change: object) -> Json:
    return {"title": "Rác thải", "type": "oa.query.show", "payload": "#cat:waste", **change}


def with_buttons(*buttons: Json, text: str = "Chọn:", **payload: object) -> Json:
    attachment = {"type": "template", "payload": {"buttons": [*buttons], **payload}}
    return {"text": text, "attachment": attachment}


def media(payload: Json | None = None, **element: object) -> Json:
    elements = [{"media_type": "image", **element}]
    shown = {"template_type": "media", "elements": elements, **(payload or {})}
    return {"text": "Ảnh", "attachment": {"type": "template", "payload": shown}}


def card(**change: object) -> Json:
    element = {"title": "UBND", "subtitle": "Xin số", "image_url": "https://a.vn/1.jpg", **change}
    payload = {"template_type": "request_user_info", "elements": [element]}
    return {"attachment": {"type": "template", "payload": payload}}


def opening(kind: str, **payload: str) -> Json:
    return button(type=f"oa.open.{kind}", payload=payload)
