"""The process that draws: a spec (JSON) in, a PNG out, nothing else.

Run by path (`python -I worker.py MEMORY SECONDS`). Each spec in: u32 length, bytes. Each answer out:
`ANSWER`, then the PNG; none when it cannot be drawn. It ends when stdin does.
"""

import gc
import json
import math
import resource
import struct
import sys
import warnings
from pathlib import Path

LENGTH = struct.Struct("!I")
ANSWER = struct.Struct("!?I")
READY = b"\x01"

RETIRE_AFTER = 100
RETIRE_ABOVE = 192 * 1024 * 1024
# For pages of the libraries that are first touched later.
SLACK = 48 * 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]


def limit(memory: int) -> None:
    """No more than `memory` bytes beyond what is mapped already, and no picture of a crash."""
    mapped, used = usage()
    room = mapped + max(SLACK, memory - used)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def usage() -> tuple[int, int]:
    """Bytes mapped and bytes in use."""
    mapped, used = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    return int(mapped) * resource.getpagesize(), int(used) * resource.getpagesize()


def allow_time(seconds: float) -> None:
    """CPU seconds from now; the kernel ends the process should the parent be gone and a drawing spin."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(spent.ru_utime + spent.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def drawn(spec: bytes) -> bytes:
    """The PNG; empty, and a line on stderr, when it cannot be drawn."""
    from bot.drawings.gallery import draw

    try:
        return draw(json.loads(spec))
    except Exception as error:
        sys.stderr.write(f"drawing worker: {type(error).__name__}\n")
        return b""


def serve(memory: int, seconds: float) -> None:
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    warnings.simplefilter("ignore")
    # Isolated, it finds the libraries only; the libraries come first all the same.
    sys.path.append(str(ROOT))
    from bot.drawings.gallery import warm_up

    warm_up()
    limit(memory)
    sink.write(READY)
    sink.flush()
    served = 0
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        allow_time(seconds)
        png = drawn(source.read(LENGTH.unpack(head)[0]))
        served += 1
        # A figure holds itself in a ring.
        gc.collect()
        last = served >= RETIRE_AFTER or usage()[1] > RETIRE_ABOVE
        sink.write(ANSWER.pack(last, len(png)) + png)
        sink.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
