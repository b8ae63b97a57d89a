"""A commune's figures as they might be, for pictures to be looked at and measured."""

import json
import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bot.core.campaign import FEASTS, usual
from bot.core.effects import Picture, Say
from bot.core.events import Address, Incoming, Words
from bot.core.facts import Facts, Me
from bot.core.figures import (
    BOARD,
    NOW,
    TARGETS,
    VILLAGES,
    WEEK_MS,
    WEEKS_SHOWN,
    Figures,
    Open,
    Scope,
    Waits,
)
from bot.core.indicators import Standing
from bot.core.session import EMPTY
from bot.core.when import ZONE, ms
from bot.drawings.gallery import draw
from bot.handlers import Talk, stats
from bot.rows import Drawing, drawing
from tests.drawing import COMMUNE, MESSAGES, WORLD

AT = datetime(2026, 9, 10, 14, 5, tzinfo=ZONE)
MONDAY = datetime(2026, 9, 7, tzinfo=ZONE)
HOUR_MS = 3600 * 1000
HERE = Address("paper", "office")
STANDINGS = (
    Standing("trees", "Cây trồng", 3200, 10_000, "cây", 450),
    Standing("campaigns", "Đợt tổng vệ sinh", 4, 5, "đợt"),
    Standing("lighting", "Đèn đường được thay mới", 62.5, 100, "%"),
    Standing("sorting", "Hộ phân loại rác tại nguồn", 41, 100, "%", 12),
    Standing("model", "Điểm mẫu phân loại, xử lý rác", 15, 15, "điểm"),
    Standing("roads", "Tuyến đường tự quản", 9, 24, "tuyến", 3),
    Standing("talks", "Buổi tuyên truyền", 21, 64, "buổi"),
    Standing("sundays", "Ngày Chủ nhật xanh", 17, None, "buổi", 2),
)


def talk(figures: Figures) -> Talk:
    incoming = Incoming(1, AT, HERE, "office", Words("thong ke"))
    return Talk(incoming, EMPTY, Facts(AT, Me("paper:office"), figures=figures), WORLD)


def _waits(rng: random.Random, most: int) -> Waits:
    filed = rng.randint(0, most)
    if filed < 2:
        return Waits(filed)
    answer, solve = rng.randint(1, 20) * HOUR_MS // 2, rng.randint(8, 60) * HOUR_MS
    late = rng.uniform(1.5, 4.0)
    return Waits(filed, filed, (answer, int(answer * late)), filed - 1, (solve, int(solve * late)))


def figures() -> Iterator[tuple[str, Figures]]:
    """By the name of the view."""
    rng, whole = random.Random(4), Scope(all=True)
    first = ms(MONDAY) - (WEEKS_SHOWN - 1) * WEEK_MS
    weeks = tuple((first + n * WEEK_MS, _waits(rng, 40)) for n in range(WEEKS_SHOWN))
    yield NOW, Figures(NOW, whole, weeks=weeks)
    villages: dict[str | None, Waits] = {unit.id: _waits(rng, 14) for unit in COMMUNE.villages}
    yield VILLAGES, Figures(VILLAGES, whole, villages=villages, open=(Open("thon-03", 4, 1),))
    campaigns = tuple(sorted((usual(feast, 2026) for feast in FEASTS), key=lambda c: c.day))
    told = {
        (campaign.id, unit.id): rng.choice(["reported", "reported", "reported", "accepted"])
        for campaign in campaigns[:4]
        for unit in COMMUNE.units.values()
        if rng.random() < 0.85
    }
    told |= {(campaigns[4].id, f"thon-{n:02}"): "accepted" for n in (1, 4)}
    yield BOARD, Figures(BOARD, whole, campaigns=campaigns, told=told)
    yield TARGETS, Figures(TARGETS, whole)


def pictures() -> dict[str, Drawing]:
    """Every kind of picture as the office would be sent it, by a name for its file."""
    found: dict[str, Drawing] = {}
    for view, known in figures():
        says = [effect for effect in stats.show(talk(known)).effects if isinstance(effect, Say)]
        shown = [say.picture for say in says if say.picture is not None]
        for number, picture in enumerate(shown, 1):
            found[f"{view}-{number}" if len(shown) > 1 else view] = drawn(picture)
    # Nobody has reported as much yet.
    found[TARGETS] = drawn(stats.targets(talk(Figures(TARGETS, Scope(all=True))), STANDINGS))
    return found


def drawn(picture: Picture) -> Drawing:
    return drawing(picture, MESSAGES.render(picture.words, picture.figures).text)


FOLDER = Path(__file__).parent / "pictures"


def main() -> None:
    """Draw them again: to be looked at, each at the width of a phone, before they are committed."""
    FOLDER.mkdir(exist_ok=True)
    for name, one in pictures().items():
        (FOLDER / f"{name}.png").write_bytes(draw(json.loads(one.spec)))
        print(f"drawn  {name}.png")


if __name__ == "__main__":
    main()
