"""The secret that a platform repeats in a header of each webhook, by which it is known."""

import hmac

from bot.channels.base import Headers


def carries_secret(headers: Headers, name: str, secret: str) -> bool:
    """Is our secret in that header, once? In constant time; never when we have none."""
    told = headers.getall(name, ())
    given = told[0].encode("utf-8", "surrogateescape") if len(told) == 1 else b""
    return bool(secret) and hmac.compare_digest(given, secret.encode())
