"""python -m bench [name …] [--quick]: measure, and print one table."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import alert, big, broadcast, due, durable, idle, kill, photo, picture, report, understand, zalo
from bench.result import Row

Bench = Callable[..., Awaitable[list[Row]]]
BENCHES: dict[str, Bench] = {
    "report": report.run,
    "alert": alert.run,
    "big": big.run,
    "due": due.run,
    "broadcast": broadcast.run,
    "photo": photo.run,
    "picture": picture.run,
    "understand": understand.run,
    "idle": idle.run,
    "durable": durable.run,
    "kill": kill.run,
    "zalo": zalo.run,
}
VERDICTS = {True: "[green]yes[/green]", False: "[red]NO[/red]", None: ""}


def _table(rows: list[Row]) -> Table:
    table = Table(title="An Phú Xanh", show_lines=True)
    for heading in ("name", "ours", "peers", "required", "kept"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row.name, row.ours, row.peers, row.required, VERDICTS[row.good])
    return table


async def _measure(names: list[str], options: argparse.Namespace, out: Console) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        out.print(f"{name} …", style="dim")
        more = {"kills": options.kills} if name in ("kill", "broadcast") else {}
        more |= {"true_pace": options.true_pace} if name == "broadcast" else {}
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rows += await BENCHES[name](Path(folder), quick=options.quick, **more)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=" ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="shorter and smaller, for a first look")
    parser.add_argument("--kills", type=int, help="how often `kill` and `broadcast` kill")
    parser.add_argument(
        "--true-pace", action="store_true", help="`broadcast` at 30 a second, too: 12 minutes"
    )
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    names = options.names or list(BENCHES)
    # A pipe has no width: wide enough there that no figure is folded.
    out = Console() if sys.stdout.isatty() else Console(width=150)
    rows = asyncio.run(_measure(names, options, out))
    out.print(_table(rows))
    return 0 if all(row.good is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
