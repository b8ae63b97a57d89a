"""What the bot says, before any channel dresses it."""

from dataclasses import dataclass

from bot.core.window import Way

# What a stored voice message ends with.
VOICES = (".ogg", ".mp3", ".m4a", ".webm", ".amr", ".aac")
# A number may mean something else: it must not throw a report away, hide it, remove somebody; in a list of
# reports it is one of them; and while a result is told, how many there were of something.
FINAL = ("cancel", "priv", "rmy", "seen", "resdone", "spots", "spot", "nophoto", "tk", "tkx")


@dataclass(frozen=True, slots=True)
class Button:
    """`action` is what comes back when it is pressed: at most 64 bytes (Telegram's callback_data)."""

    label: str
    action: str

    @property
    def final(self) -> bool:
        """Whether only its words choose it: a bare number may have been meant for something else."""
        return self.action.partition(":")[0] in FINAL


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text and at most five choices; `photo` is the stored key of one picture, or of one recording.

    `name` is its template's; a `numbered` list of choices may be answered with a number: an alert's may not,
    as it could be the wrong one of two, nor one where a number is asked for.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    photo: str | None = None
    place_wanted: bool = False
    name: str = ""
    numbered: bool = True
    way: Way = Way.FREE

    @property
    def voice(self) -> bool:
        """Whether what is stored is to be heard, not seen."""
        return self.photo is not None and self.photo.endswith(VOICES)
