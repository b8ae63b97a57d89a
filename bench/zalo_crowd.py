"""The load generator of bench `zalo`: signed events at a rate that waits for nobody; a process of its own.

    python -m bench.zalo_crowd --hook PORT --standin PORT --rate 100 --seconds 30 --photos 8

A latency begins at the moment that an event should have been posted, whenever it was. Prints one JSON object.
"""

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.scene import PLACES, Json, found
from bench.standin_zalo import webhook
from bench.standin_zalo.webhook import Origin
from bench.wire import Caller, Listener, head_of
from bench.zalo_people import FIRST_RESIDENT, numbers
from bot.channels.zalo_oa_read import PREFIX

PATH = "/zalo/oa"
PATIENCE = 30.0
# After the last event: answers that still come are counted, the others are not.
AFTERMATH = 5.0
WARM_CONNECTIONS = 16
# Of so many events one comes from somebody who was just answered, when there is one.
PRESSING = 0.5
KINDS = {"text": 0.6, "image": 0.25, "location": 0.15}
REPORTS = (
    "Rác đổ bừa bãi cổng chợ thôn {}, bốc mùi lắm",
    "Ô tô đỗ chắn hết vỉa hè trước trường học thôn {}",
    "Đèn đường ở ngõ nhà văn hoá thôn {} hỏng mấy hôm nay",
    "thon {} co nguoi do rac thai xay dung ra bo muong",
)
# What people press, the most pressing first.
WANTED = ("send:*", "no:*", "c:*:litter", "f:*:sanitation")


@dataclass(slots=True)
class Seen:
    """Milliseconds, of every event; `ids` were answered 200."""

    acks: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    # How late we were ourselves: no fault of the bot, and in its figures all the same.
    late: list[float] = field(default_factory=list)
    others_sent: int = 0


class Crowd:
    def __init__(self, hook: int, photos: Sequence[str], residents: Sequence[str]) -> None:
        self._hook, self._photos = hook, photos
        self._new = iter(residents)
        self._callers: list[Caller] = []
        self._waiting: dict[str, float] = {}
        self._ready: deque[tuple[str, str]] = deque()
        self._rng = random.Random(7)
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self.seen = Seen()

    async def connect(self) -> None:
        self._callers = [await Caller.to(self._hook) for _ in range(WARM_CONNECTIONS)]

    def heard(self, entry: Json) -> None:
        """The first send to somebody who waits is their answer."""
        due = self._waiting.pop(str(entry["chat"]), None)
        if due is None:
            self.seen.others_sent += 1
            return
        self.seen.answers.append((entry["t"] - due) * 1000)
        offered = [action.removeprefix(PREFIX) for action in entry["actions"]]
        action = next((hit for what in WANTED if (hit := found(what, offered))), None)
        if action is not None:
            self._ready.append((str(entry["chat"]), f"{PREFIX}{action}"))

    async def arrive(self, rate: float, seconds: float) -> None:
        began = due = time.monotonic()
        while (due := due + self._rng.expovariate(rate)) < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._post(due, self._event()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*self._tasks)
        await asyncio.sleep(AFTERMATH)

    def _event(self) -> Json:
        self._count += 1
        kind = "press"
        if self._ready and self._rng.random() < PRESSING:
            user, words = self._ready.popleft()
        else:
            user, words = next(self._new), ""
            kind = self._rng.choices(list(KINDS), list(KINDS.values()))[0]
        self.seen.kinds[kind] += 1
        origin = Origin(user, int(time.time() * 1000), message=f"{self._count:020x}")
        told = self._rng.choice(REPORTS).format(self._rng.randint(1, 20))
        match kind:
            case "press":
                return webhook.user_text(origin, words)
            case "image":
                return webhook.user_image(origin, self._rng.choice(self._photos), caption=told)
            case "location":
                return webhook.user_location(origin, *self._rng.choice(PLACES))
        return webhook.user_text(origin, told)

    async def _post(self, due: float, event: Json) -> None:
        body, headers = webhook.signed(event)
        self._waiting[event["sender"]["id"]] = due
        caller = self._callers.pop() if self._callers else await Caller.to(self._hook)
        self.seen.late.append((time.monotonic() - due) * 1000)
        try:
            async with asyncio.timeout(PATIENCE):
                status = str(await caller.post(body, head_of(PATH, headers)))
            self._callers.append(caller)
        except (TimeoutError, ConnectionError) as error:
            caller.close()
            status = type(error).__name__
        self.seen.acks.append((time.monotonic() - due) * 1000)
        self.seen.statuses[status] += 1
        if status == "200":
            self.seen.ids.append(event["message"]["msg_id"])


async def _run(options: argparse.Namespace) -> Seen:
    photos = [f"http://127.0.0.1:{options.standin}/photo/{n}.jpg" for n in range(options.photos)]
    residents = numbers(FIRST_RESIDENT, options.residents)
    crowd = Crowd(options.hook, photos, residents)
    await Listener.to(options.standin, crowd.heard)
    await crowd.connect()
    gc.freeze()
    await crowd.arrive(options.rate, options.seconds)
    return crowd.seen


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--hook", type=int, required=True, help="port of the bot's webhook")
    parser.add_argument("--standin", type=int, required=True, help="port of the stand-in")
    parser.add_argument("--rate", type=float, default=100.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--photos", type=int, default=8, help="how many different ones are served")
    parser.add_argument("--residents", type=int, default=10_000)
    options = parser.parse_args()
    began = time.process_time()
    seen = asyncio.run(_run(options))
    values = {name: getattr(seen, name) for name in Seen.__dataclass_fields__}
    json.dump(values | {"cpu": time.process_time() - began}, sys.stdout)


if __name__ == "__main__":
    main()
