"""What Zalo answers to a send, and what becomes of the message: the table of its error codes. zalo.md 8."""

from collections.abc import Callable

from bot.channels.base import Failed, Flood, Outcome, Refused, Sent, Unauthorized
from bot.channels.zalo_http import DEAD, Answer, ApiError, Ok
from bot.channels.zalo_wire import MaybeSent, NotSent
from bot.core.window import Way

CLOSED = frozenset({-213, -218, -227, -230, -232, -234, -305, -311})
BLOCKED = frozenset({-217, -244})
GROUP_GONE = frozenset({-237, -238, -241, -403})
# A token that a renewal did not help belongs here, too.
SETUP = frozenset({-204, -205, -209, -211, -212, -219, -221, -223, -224, -235, -240, -242, -248, *DEAD})
# No money or quota for what costs something: what is free still goes.
MONEY = frozenset({-211, -320, -321})
# A package without pictures, or a month's uploads used up: words still go.
NO_PICTURES = frozenset({-211, -224})
FAILED, LIMIT, UPLOAD_EXPIRED = -200, -32, -100
# What is wrong with the account itself is looked at again this often, with one message.
SETUP_REST_S = 900.0
# A second and a bit into the next minute: the limit is counted by theirs, not by ours.
MINUTE_S, AFTER_S = 60.0, 1.0


class Outcomes:
    """`wall` gives seconds. Remembers which messages failed once, as Zalo has no key for a repeated one."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._failed_once: set[int] = set()

    def of(self, answer: Answer, key: int, way: Way = Way.FREE, *, picture: bool = False) -> Outcome:
        match answer:
            case Ok(data):
                self._failed_once.discard(key)
                message = data.get("message_id") if isinstance(data, dict) else None
                return Sent(None if message is None else str(message))
            case NotSent(problem, seconds):
                return Flood(seconds) if seconds else Failed(problem, delivered_maybe=False)
            case MaybeSent(problem):
                return Failed(problem, delivered_maybe=True)
            case ApiError(code, _) if picture and code in NO_PICTURES:
                return Refused("rejected", str(code))
            case ApiError(code, _):
                return self._refusal(code, key, way)

    def _refusal(self, code: int, key: int, way: Way) -> Outcome:
        problem = str(code)
        if code == LIMIT:
            return Flood(MINUTE_S + AFTER_S - self._wall() % MINUTE_S)
        if code in BLOCKED:
            return Refused("blocked", problem)
        if code in CLOSED or (code in MONEY and way != Way.FREE):
            return Refused("window", problem)
        if code == FAILED and key not in self._failed_once:
            self._failed_once.add(key)
            return Failed(problem, delivered_maybe=False)
        self._failed_once.discard(key)
        return _final(code, way)


def _final(code: int, way: Way) -> Outcome:
    problem = str(code)
    if way == Way.TEMPLATE and code not in DEAD:
        # Whatever is wrong with an approved text: there is no other way to this person here.
        return Refused("window", problem)
    if code in GROUP_GONE:
        return Refused("gone", problem)
    if code in SETUP or code in MONEY:
        return Unauthorized(problem, SETUP_REST_S)
    return Refused("rejected", problem)
