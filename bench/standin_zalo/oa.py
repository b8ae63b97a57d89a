"""openapi.zalo.me: who may call, how often, and which function answers; errors come with HTTP 200."""

import hashlib
import hmac
from collections.abc import Callable

from bench.standin_zalo import messages, reading, uploads
from bench.standin_zalo.calls import Answer, Call
from bench.standin_zalo.errors import MESSAGES, Refused
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.world import Zalo

TEMPLATE = "/v3.0/oa/message/template"
MINUTE = 60

ROUTES: dict[tuple[str, str], Callable[[Zalo, Call], Json | list[Json]]] = {
    ("POST", "/v3.0/oa/message/cs"): messages.consult,
    ("POST", TEMPLATE): messages.template,
    ("POST", "/v3.0/oa/group/message"): messages.group,
    ("POST", "/v2.0/oa/message"): messages.v2_message,
    ("POST", "/v2.0/oa/upload/image"): uploads.image,
    ("POST", "/v2.0/oa/upload/gif"): uploads.gif,
    ("POST", "/v2.0/oa/upload/file"): uploads.document,
    ("GET", "/v2.0/oa/getoa"): reading.about_oa,
    ("GET", "/v3.0/oa/user/detail"): reading.person,
    # Sources disagree on the method.
    ("POST", "/v3.0/oa/quota/message"): reading.quota,
    ("GET", "/v3.0/oa/quota/message"): reading.quota,
    ("GET", "/v2.0/oa/conversation"): reading.conversation,
    ("GET", "/v2.0/oa/listrecentchat"): reading.recent,
    ("GET", "/v3.0/oa/group/getgroupsofoa"): reading.groups,
    ("GET", "/v3.0/oa/group/listmember"): reading.members,
}


def answer(zalo: Zalo, call: Call) -> Answer:
    try:
        _admit(zalo, call)
        data = _route(call)(zalo, call)
    except Refused as refused:
        found = failure(refused.code, refused.message)
    else:
        found = Answer({"data": data, "error": 0, "message": "Success"})
    found.headers = _headers(zalo)
    return found


def failure(code: int, message: str = "") -> Answer:
    return Answer({"error": code, "message": message or MESSAGES.get(code, "Fault")}, code)


def _route(call: Call) -> Callable[[Zalo, Call], Json | list[Json]]:
    found = ROUTES.get((call.method, call.path))
    if found is None:
        raise Refused(-209)
    if call.method == "GET" and call.arguments.keys() - {"data"}:
        raise Refused(-201, "data is invalid!")
    return found


def _admit(zalo: Zalo, call: Call) -> None:
    access = call.headers.get("access_token", "")
    ends = zalo.tokens.access.get(access)
    if ends is None:
        raise Refused(-216)
    if zalo.now() >= ends:
        raise Refused(-220)
    if not zalo.app.active:
        raise Refused(-209)
    _prove(zalo, access, call.headers.get("appsecret_proof"))
    if call.path != TEMPLATE:
        _limit(zalo)


def _prove(zalo: Zalo, access: str, proof: str | None) -> None:
    """A proof that nobody asked for must be right all the same."""
    if proof is None and not zalo.app.proof:
        return
    right = hmac.new(zalo.app.secret.encode(), access.encode(), hashlib.sha256).hexdigest()
    if proof != right:
        raise Refused(-242)


def _limit(zalo: Zalo) -> None:
    minute = int(zalo.now() // MINUTE)
    count = zalo.minute[1] if zalo.minute[0] == minute else 0
    if zalo.app.rate is not None and count >= zalo.app.rate:
        raise Refused(-32)
    zalo.minute = (minute, count + 1)


def _headers(zalo: Zalo) -> dict[str, str]:
    if zalo.app.rate is None:
        return {}
    count = zalo.minute[1] if zalo.minute[0] == int(zalo.now() // MINUTE) else 0
    return {"X-RateLimit-Limit": str(zalo.app.rate), "X-RateLimit-Remain": str(zalo.app.rate - count)}
