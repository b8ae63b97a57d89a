"""Choices written out in the text, for platforms whose buttons may be missing: each with its number."""

import re
from collections.abc import Callable

from bot.core.message import Button, Message

# What stands in an alert, so that an answer in words names the right one.
_CODE = re.compile(r"[A-Z]{2,4}-\d\d-\d{5}")
Words = Callable[..., str]


def written(message: Message, words: Words) -> str:
    """The message's text with its choices below it.

    `words` renders `channel/choices` with numbered, spoken (labels that only their own words choose), code.
    """
    if not message.buttons:
        return message.text
    numbered = [
        (number, button.label)
        for number, button in enumerate(message.buttons, 1)
        if message.numbered and not button.final
    ]
    chosen = {label for _, label in numbered}
    told = {
        "numbered": numbered,
        "spoken": [button.label for button in message.buttons if button.label not in chosen],
        "code": _code(message),
    }
    return f"{message.text}\n{words(**told)}".strip()


def _code(message: Message) -> str:
    found = _CODE.search(message.text)
    return found[0] if found and not message.numbered and not _form(message.buttons) else ""


def _form(buttons: tuple[Button, ...]) -> bool:
    """Whether the choices carry no report's code: then their words alone choose them."""
    return not any(_CODE.search(button.action) for button in buttons)
