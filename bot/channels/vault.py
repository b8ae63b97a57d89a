"""Seals what must not lie readable in the database, with a key that only the settings know."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# SECRET_KEY also signs links: each use has a key of its own, and this name is part of this one for ever.
CONTEXT = b"an-phu-xanh tokens 1"
KEY_BYTES = 32


class WrongKey(Exception):
    """SECRET_KEY is not the one that this was sealed with: put the old one back, or log in again."""


class Vault:
    """Its repr shows nothing, as it has no fields but the cipher."""

    __slots__ = ("_cipher",)

    def __init__(self, secret: str) -> None:
        # SECRET_KEY is long and drawn at random (settings see to its length): no salt, no slow hash needed.
        key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=CONTEXT).derive(secret.encode())
        self._cipher = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, text: str) -> str:
        return self._cipher.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        try:
            return self._cipher.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise WrongKey(WrongKey.__doc__) from None
