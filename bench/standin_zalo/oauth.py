"""oauth.zaloapp.com: consent, and tokens that rotate and die as the real ones do."""

import hashlib
import re
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

from bench.standin_zalo.calls import Answer, Call
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.world import Grant, Zalo

PERMISSION = "/v4/oa/permission"
ACCESS_TOKEN = "/v4/oa/access_token"
CODE_LIFE = 600.0
VERIFIER = re.compile(r"[A-Za-z0-9_-]{43}")

INACTIVE = -14002
REDIRECT = -14003
USED = -14020
# The sheet knows no code for the other refusals; this one it only half knows.
OTHER = -14012


class Denied(Exception):
    """No token is given: a code, and the reason in words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def answer(zalo: Zalo, call: Call) -> Answer:
    try:
        if (call.method, call.path) == ("GET", PERMISSION):
            return _permission(zalo, call)
        if (call.method, call.path) == ("POST", ACCESS_TOKEN):
            return Answer(_access_token(zalo, call))
        raise Denied(OTHER, "Invalid request")
    except Denied as denied:
        return failure(denied.code, denied.reason)


def failure(code: int, reason: str = "Fault") -> Answer:
    """A failure looks like a success until it is read: HTTP 200."""
    named = {"error_name": reason, "error_reason": reason, "error_description": reason}
    page = {"ref_doc": "https://developers.zalo.me/docs/official-account"}
    return Answer({**named, **page, "error": code}, code)


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _permission(zalo: Zalo, call: Call) -> Answer:
    """The OA's admin has pressed "agree" already."""
    asked = call.arguments
    _check_app(zalo, asked.get("app_id", ""))
    callback = asked.get("redirect_uri", "")
    if not callback or zalo.app.callback not in ("", callback):
        raise Denied(REDIRECT, "Invalid redirect uri")
    code = zalo.next("code-")
    challenge = _challenge(zalo, asked.get("code_challenge", ""))
    zalo.tokens.codes[code] = Grant(zalo.now() + CODE_LIFE, challenge=challenge)
    found = urlencode({"code": code, "oa_id": zalo.oa.id, "state": asked.get("state", "")})
    return Answer({}, status=302, headers={"Location": f"{callback}?{found}"})


def _challenge(zalo: Zalo, asked: str) -> str:
    """A challenge fixed in the console admits no other."""
    fixed = zalo.app.challenge
    if fixed and asked not in ("", fixed):
        raise Denied(REDIRECT, "Invalid code challenge")
    return fixed or asked


def _access_token(zalo: Zalo, call: Call) -> Json:
    form = call.form
    _count(zalo, form.get("refresh_token"))
    _check_app(zalo, form.get("app_id", ""))
    if call.headers.get("secret_key") != zalo.app.secret:
        raise Denied(OTHER, "Invalid secret key")
    match form.get("grant_type"):
        case "authorization_code":
            _spend_code(zalo, form.get("code", ""), form.get("code_verifier", ""))
        case "refresh_token":
            _spend(zalo.tokens.refresh.get(form.get("refresh_token", "")), zalo.now(), "refresh token")
        case _:
            raise Denied(OTHER, "Invalid grant type")
    return _issue(zalo)


def _count(zalo: Zalo, refresh: str | None) -> None:
    if refresh is not None:
        zalo.tokens.refreshes[refresh] += 1


def _check_app(zalo: Zalo, app: str) -> None:
    if app != zalo.app.id:
        raise Denied(OTHER, "Invalid app id")
    if not zalo.app.active:
        raise Denied(INACTIVE, "App is not active")


def _spend_code(zalo: Zalo, code: str, verifier: str) -> None:
    """A code is gone with its first use, right or wrong."""
    grant = _spend(zalo.tokens.codes.get(code), zalo.now(), "authorization code")
    if not grant.challenge:
        return
    if not VERIFIER.fullmatch(verifier) or challenge_of(verifier) != grant.challenge:
        raise Denied(REDIRECT, "Invalid code verifier")


def _spend(grant: Grant | None, now: float, name: str) -> Grant:
    if grant is None:
        raise Denied(OTHER, f"Invalid {name}")
    if grant.used or now >= grant.ends:
        raise Denied(USED, f"Used or expired {name}")
    grant.used = True
    return grant


def _issue(zalo: Zalo) -> Json:
    access, refresh = zalo.next("access-"), zalo.next("refresh-")
    zalo.tokens.add(access, refresh, zalo.now())
    lifetime = str(int(zalo.tokens.lifetime))
    return {"access_token": access, "refresh_token": refresh, "expires_in": lifetime}
