"""Zalo's OAuth door: a code or a refresh token goes in, a new pair of tokens comes out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

import structlog

from bot.channels.zalo_wire import MaybeSent, NotSent, OpenSession, error_code, exchange, whole

# zalo.md 2.2: POST, the App Secret in a header of its own, errors in a 200.
PATH = "/v4/oa/access_token"
# zalo.md 2.2: 25 hours; when the answer does not say, less.
UNTOLD_S = 3_600
LONGEST_S = 30 * 86_400
# It becomes a header: nothing that could end one.
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")

UNREACHABLE: Final = "unreachable"
REFUSED: Final = "refused"

log = structlog.get_logger()


class NoToken(Exception):
    """There is no token to be had now.

    `problem`: login (nobody logged in yet), key (SECRET_KEY is another one), unreachable (Zalo's door does
    not answer), unsaved (the database does not take the new pair), refused:-14020 (what Zalo said).
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True, repr=False)
class Granted:
    """No repr: it would end up in somebody's log."""

    access: str
    refresh: str
    life_ms: int


class OAuth:
    """`open_session` is called for each request, twice a day, and the session closed after it."""

    def __init__(self, url: str, app_id: str, app_secret: str, open_session: OpenSession) -> None:
        self._url = url + PATH
        self._app_id = app_id
        self._app_secret = app_secret
        self._open_session = open_session

    async def ask(self, grant: Mapping[str, str]) -> Granted:
        """Raises NoToken: refused when Zalo says no, unreachable when nobody knows."""
        async with self._open_session() as session:
            form = {"app_id": self._app_id, **grant}
            headers = {"secret_key": self._app_secret}
            reply = await exchange(session, "POST", self._url, data=form, headers=headers)
        if isinstance(reply, NotSent | MaybeSent):
            raise _none(UNREACHABLE, reply.problem)
        answer = reply.answer or {}
        if "error" in answer and error_code(answer) != 0:
            raise _none(f"{REFUSED}:{error_code(answer)}", f"status {reply.status}")
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not _is_token(access) or not _is_token(refresh):
            # A page of some gateway: what became of the request is as unknown as after a timeout.
            raise _none(UNREACHABLE, f"status {reply.status}")
        return Granted(access, refresh, _life_ms(answer.get("expires_in")))


def _none(problem: str, detail: str) -> NoToken:
    log.error("No new token", action="renew", channel="zalo_oa", code=problem, detail=detail)
    return NoToken(problem)


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _life_ms(expires_in: object) -> int:
    """In a string; whatever it says, the pair is kept."""
    told = whole(expires_in)
    return (min(told, LONGEST_S) if told and told > 0 else UNTOLD_S) * 1000
