"""Signed tokens for links: what for, about what, until when; nobody else can make one, and none lasts."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

# Another use of the same SECRET_KEY names another context and gets another key.
CONTEXT: Final = b"an-phu-xanh/signed-links/1"
# 128 bits of HMAC-SHA256: https://www.rfc-editor.org/rfc/rfc2104#section-5 lets it be halved.
MAC_BYTES: Final = 16
NONCE_BYTES: Final = 9
UNTIL_BYTES: Final = 5
LONGEST: Final = 1024

_LETTERS: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_END: Final = b"\0"

Why = Literal["forged", "purpose", "expired"]


class NotSigned(Exception):
    """The token is worth nothing. `why`: forged (not made here), purpose (for another page), expired."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Signed:
    """What a token says; `nonce` tells it from every other, `until` in ms."""

    payload: str
    nonce: str
    until: int


class Signer:
    """`clock` gives ms. The payload can be read by whoever holds the token; only making one needs the key."""

    def __init__(
        self, secret_key: str, clock: Callable[[], int], draw: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._key = hmac.digest(secret_key.encode(), CONTEXT, hashlib.sha256)
        self._clock, self._draw = clock, draw

    def sign(self, purpose: str, payload: str, lasts_s: int) -> str:
        """A token for a web address: letters, digits, - and _."""
        until = self._clock() // 1000 + lasts_s
        head = until.to_bytes(UNTIL_BYTES, "big") + self._draw(NONCE_BYTES)
        body = head + purpose.encode() + _END + payload.encode()
        return _written(body + self._mac(body))

    def read(self, purpose: str, token: str) -> Signed:
        """Raises NotSigned."""
        body = self._proven(token)
        head, (meant, _, payload) = body[: UNTIL_BYTES + NONCE_BYTES], _parts(body)
        if meant != purpose.encode():
            raise NotSigned("purpose")
        until = int.from_bytes(head[:UNTIL_BYTES], "big") * 1000
        if self._clock() >= until:
            raise NotSigned("expired")
        return Signed(payload.decode(), _written(head[UNTIL_BYTES:]), until)

    def _proven(self, token: str) -> bytes:
        if len(token) > LONGEST or len(token) % 4 == 1 or not _LETTERS.fullmatch(token):
            raise NotSigned("forged")
        data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        body, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        # One token has one spelling: the last letter's spare bits are zero.
        if not hmac.compare_digest(mac, self._mac(body)) or _written(data) != token:
            raise NotSigned("forged")
        return body

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:MAC_BYTES]


def _parts(body: bytes) -> tuple[bytes, bytes, bytes]:
    return body[UNTIL_BYTES + NONCE_BYTES :].partition(_END)


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
