"""The stories that the README shows are the recorded ones."""

import re
from pathlib import Path

from tests.script import STORIES

README = Path(__file__).parent.parent / "README.md"
SHOWN = re.compile(r"<!-- story: (?P<name>\S+) -->\n(?:.*?\n)?<!-- end -->", re.DOTALL)


def filled(text: str) -> str:
    """The README with each story between its marks, as it is recorded now."""

    def story(found: re.Match[str]) -> str:
        told = (STORIES / f"{found['name']}.md").read_text(encoding="utf-8")
        body = told.partition("\n\n")[2].strip()
        return f"<!-- story: {found['name']} -->\n```text\n{body}\n```\n<!-- end -->"

    return SHOWN.sub(story, text)


def fill() -> None:
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
