"""Invite codes: eight symbols that read well aloud; only their hash is kept."""

import hashlib

# Crockford's base 32: no I, L, O, U, which are misread or misheard.
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LIFE_MS = 7 * 24 * 3600 * 1000
# A code that joins two accounts is typed at once, on the other telephone screen.
PAIRING_MS = 15 * 60 * 1000
ROLES = ("monitor", "head", "police", "staff", "office", "lead")
# What somebody of such a unit usually is.
USUAL = {
    "village": "monitor",
    "police": "police",
    "office": "office",
    "school": "staff",
    "department": "staff",
    "association": "staff",
}


def spell(symbols: str) -> str:
    return f"{symbols[:4]}-{symbols[4:]}"


def digest(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").upper().encode()).hexdigest()
