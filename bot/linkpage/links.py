"""The links themselves: what each is for, how long it lasts, and what it says."""

from typing import Final

from bot.channels.base import Links
from bot.core.events import Address
from bot.signed import Signer

PLACE: Final = "place"
VOICE: Final = "voice"
PHOTO: Final = "photo"
PLACE_PATH: Final = "cho"
VOICE_PATH: Final = "nghe"
PHOTO_PATH: Final = "anh"
DAY_S: Final = 24 * 3600
PLACE_LASTS_S: Final = DAY_S
VOICE_LASTS_S: Final = 7 * DAY_S
# The platform fetches it at once, and shows its own copy.
PHOTO_LASTS_S: Final = DAY_S


def links(signer: Signer, public_url: str) -> Links:
    """What a channel puts into its messages. ValueError for a group: nobody could tell who pointed."""

    def place(to: Address) -> str:
        if to.group:
            raise ValueError("a link to the map is for one person")
        return f"{public_url}/{PLACE_PATH}/{signer.sign(PLACE, to.key, PLACE_LASTS_S)}"

    def voice(stored: str) -> str:
        return f"{public_url}/{VOICE_PATH}/{signer.sign(VOICE, stored, VOICE_LASTS_S)}"

    def photo(stored: str) -> str:
        return f"{public_url}/{PHOTO_PATH}/{signer.sign(PHOTO, stored, PHOTO_LASTS_S)}"

    return Links(place, voice, photo)


def event_of(nonce: str) -> str:
    """The event id of what a link sent: there can be only one."""
    return f"map/{nonce}"
