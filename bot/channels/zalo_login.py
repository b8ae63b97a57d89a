"""The consent of an Official Account's administrator: the link to it, and the code that it gives."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

# zalo.md 2.1; with /oa/, or it is the login of a person.
PATH = "/v4/oa/permission"
# 32 bytes in base64 are the 43 characters that Zalo wants of a verifier.
DRAWN_BYTES = 32


class WrongAddress(Exception):
    """The pasted address is not the answer to our link. `why`: state or code."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What a link was made with, needed again for its answer."""

    state: str
    verifier: str | None


def draw() -> str:
    """43 characters of A-Z a-z 0-9 - _, for a verifier or a state."""
    return secrets.token_urlsafe(DRAWN_BYTES)


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def consent_link(oauth_url: str, app_id: str, callback: str, asked: Asked) -> str:
    proof = {} if asked.verifier is None else {"code_challenge": challenge(asked.verifier)}
    query = {"app_id": app_id, "redirect_uri": callback, **proof, "state": asked.state}
    return f"{oauth_url}{PATH}?{urlencode(query)}"


def code_in(address: str, asked: Asked) -> str:
    """The code in the address that the browser ended at. Raises WrongAddress.

    Another state would mean that somebody handed us a link of their own, and their account.
    """
    try:
        query = parse_qs(urlsplit(address.strip()).query)
    except ValueError:
        raise WrongAddress("code") from None
    code, state = (query.get(name, [""])[0] for name in ("code", "state"))
    if not code:
        raise WrongAddress("code")
    if not hmac.compare_digest(state.encode(), asked.state.encode()):
        raise WrongAddress("state")
    return code
