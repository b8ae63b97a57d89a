"""The stand-in as its own process: `python -m bench.standin_zalo --port 0 --ledger FILE`."""

import argparse
import asyncio
import contextlib
import signal
import sys

from bench.standin_zalo import control
from bench.standin_zalo.ledger import Ledger
from bench.standin_zalo.server import serve
from bench.standin_zalo.world import App, Zalo

FLUSH_EVERY = 0.05


async def _run(zalo: Zalo, port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = await serve(zalo, port)
    sys.stdout.write(f"{serving.port}\n")
    sys.stdout.flush()
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FLUSH_EVERY)
        zalo.ledger.flush()
    await serving.close()


def _options() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=control.__doc__, formatter_class=raw)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", help="file to append to")
    parser.add_argument("--access", help="an access token that is good from the start")
    parser.add_argument("--refresh", default="refresh-1", help="the refresh token that goes with it")
    parser.add_argument("--rate", type=int, default=4000, help="calls a minute, 0 for no limit")
    parser.add_argument("--keep", action="store_true", help="keep files and sends, for /control/sent")
    return parser.parse_args()


def main() -> None:
    options = _options()
    with contextlib.ExitStack() as stack:
        ledger = Ledger(keep=options.keep)
        if options.ledger:
            ledger.file = stack.enter_context(open(options.ledger, "a", encoding="utf-8", errors="replace"))
        zalo = Zalo(App(rate=options.rate or None), ledger=ledger, keep_files=options.keep)
        if options.access:
            zalo.token(options.access, options.refresh)
        asyncio.run(_run(zalo, options.port))


if __name__ == "__main__":
    main()
