"""What tests and load generators may change from another process: `/control/...`.

POST /control/user      one or a list: id, name, follower, refuses (a code), and ago: seconds since they wrote
POST /control/group     one or a list: id, name, members, joined, disabled
POST /control/template  one or a list: id, params, refuses
POST /control/app       active, proof, rate …          POST /control/oa  tier, money, zca, uploads_left …
POST /control/token     access, refresh: a pair, as pasted in by hand
POST /control/expire    every access token has expired
POST /control/heard     one event or a list, as sent to the OA's webhook: windows open, talks grow
POST /control/update    one event or a list for the Bot's getUpdates
POST /control/chat      a list of chat ids that the Bot may write to
POST /control/file?path=/a.jpg[&kind=…&delay=…&drip=…&location=…]  the body is the file, see files.Served
POST /control/fault     one or a list, see faults.Fault; POST /control/clear forgets them
GET  /control/state     counters
GET  /control/sent      every accepted send, if they are kept
GET  /control/stream    every accepted send as one JSON line, while the connection lasts
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import Any

from bench.standin_zalo.calls import Call
from bench.standin_zalo.faults import Fault
from bench.standin_zalo.files import Served
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.world import App, Group, OfficialAccount, Template, User, Zalo


def answer(zalo: Zalo, call: Call) -> Any:
    """None when there is no such path; an error of Python's own when the body does not fit."""
    do = PATHS.get(call.path.removeprefix("/control/"))
    return None if do is None else do(zalo, call)


def _each(call: Call) -> Iterator[Any]:
    given = json.loads(call.body)
    yield from given if isinstance(given, list) else [given]


def _user(zalo: Zalo, call: Call) -> bool:
    for given in _each(call):
        ago = given.pop("ago", None)
        user = zalo.users.setdefault(given["id"], User(given["id"]))
        _change(user, given)
        if ago is not None:
            user.last_interaction = zalo.now() - float(ago)
    return True


def _add(kind: type[Group] | type[Template]) -> Callable[[Zalo, Call], bool]:
    def add(zalo: Zalo, call: Call) -> bool:
        zalo.add(*(kind(**given) for given in _each(call)))
        return True

    return add


def _change(what: App | OfficialAccount | User, given: Json) -> bool:
    known = {each.name for each in fields(what)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"no such field: {name}")
        setattr(what, name, value)
    return True


def _expire(zalo: Zalo, call: Call) -> bool:
    zalo.tokens.expire(zalo.now())
    return True


def _heard(zalo: Zalo, call: Call) -> bool:
    for event in _each(call):
        zalo.heard(event)
    return True


def _update(zalo: Zalo, call: Call) -> bool:
    for event in _each(call):
        zalo.bot.heard(event)
    return True


def _chat(zalo: Zalo, call: Call) -> bool:
    zalo.bot.meet(*_each(call))
    return True


def _file(zalo: Zalo, call: Call) -> str:
    given: Json = dict(call.arguments)
    path = given.pop("path")
    for name, number in (("delay", float), ("drip", float), *((n, int) for n in NUMBERS)):
        if name in given:
            given[name] = number(given[name])
    return zalo.files.put(path, Served(call.body, **given))


def _fault(zalo: Zalo, call: Call) -> bool:
    zalo.faults += [Fault(**given) for given in _each(call)]
    return True


def _clear(zalo: Zalo, call: Call) -> bool:
    zalo.faults.clear()
    return True


def _state(zalo: Zalo, call: Call) -> Json:
    zalo.ledger.flush()
    counters = {"counts": zalo.counts, "errors": zalo.errors, "refreshes": zalo.tokens.refreshes}
    return {
        **counters,
        "sent": len(zalo.sent),
        "fetched": len(zalo.files.fetched),
        "webhook": zalo.bot.webhook,
    }


NUMBERS = ("status", "chunk", "times", "claims")
PATHS: dict[str, Callable[[Zalo, Call], Any]] = {
    "user": _user,
    "group": _add(Group),
    "template": _add(Template),
    "app": lambda zalo, call: _change(zalo.app, json.loads(call.body)),
    "oa": lambda zalo, call: _change(zalo.oa, json.loads(call.body)),
    "token": lambda zalo, call: zalo.token(**json.loads(call.body)),
    "expire": _expire,
    "heard": _heard,
    "update": _update,
    "chat": _chat,
    "file": _file,
    "fault": _fault,
    "clear": _clear,
    "state": _state,
    "sent": lambda zalo, call: [asdict(sent) for sent in zalo.sent],
}
