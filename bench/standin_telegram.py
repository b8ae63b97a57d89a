"""A stand-in Bot API server as its own process: `python -m bench.standin_telegram --port 0 --ledger FILE`.

It speaks HTTP by hand, as it must outrun what it measures. Bots call `/bot<token>/<method>`; tests and
load generators call `/control/...`:

    POST /control/update   one update or a list of them, for getUpdates; ids are given where missing
    POST /control/file?id=FILE_ID&path=photos/1.jpg[&size=N]   the body is the file
    POST /control/fault    a fault, or a list: method, chat, count, probability, status, body, headers,
                           delay (before anything), hold (accepted at once, answered within so many
                           seconds), reset ("before" or "after" accepting), accept, silent
    POST /control/clear    forget all faults and any flood
    GET  /control/state    counters, offsets, webhook
    GET  /control/stream   every accepted send as one JSON line, while the connection lasts
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any, TextIO
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]

BOT: Json = {"id": 7000000001, "is_bot": True, "first_name": "Stand-in", "username": "StandinBot"}
GROUP_WINDOW = 60.0
CHAT_BURST = 3
FLUSH_EVERY = 0.05
# https://core.telegram.org/bots/api#sendmessage, #sendphoto, #sendvoice, #inlinekeyboardbutton
TEXT_LONGEST = 4096
CAPTION_LONGEST = 1024
ACTION_LONGEST = 64
SENDS = ("sendmessage", "sendphoto", "sendvoice", "sendaudio")


@dataclass
class Rates:
    """The published limits as a real server would count them; None: not enforced."""

    overall: float | None = None
    chat: float | None = None
    group: int | None = None
    spent: dict[str, tuple[float, float]] = field(default_factory=dict)
    windows: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, chat: str, now: float) -> float:
        """Seconds that are missing, 0 when the send is allowed (and counted)."""
        group = chat.startswith("-")
        waits = [0.0]
        if self.overall:
            waits.append(self._peek("", self.overall, self.overall, now))
        if self.chat and not group:
            waits.append(self._peek(chat, self.chat, CHAT_BURST, now))
        if self.group and group:
            waits.append(self._window(chat, self.group, now))
        missing = max(waits)
        if missing == 0:
            self._count(chat, group, now)
        return missing

    def _peek(self, key: str, rate: float, burst: float, now: float) -> float:
        left, since = self.spent.get(key, (burst, now))
        left = min(burst, left + (now - since) * rate)
        self.spent[key] = (left, now)
        return 0.0 if left >= 1 else (1 - left) / rate

    def _window(self, chat: str, most: int, now: float) -> float:
        times = self.windows.setdefault(chat, deque())
        while times and times[0] <= now - GROUP_WINDOW:
            times.popleft()
        return 0.0 if len(times) < most else times[0] + GROUP_WINDOW - now

    def _count(self, chat: str, group: bool, now: float) -> None:
        for key in ("", chat):
            if key in self.spent:
                left, since = self.spent[key]
                self.spent[key] = (left - 1, since)
        if self.group and group:
            self.windows[chat].append(now)


@dataclass
class Fault:
    method: str | None = None
    chat: str | None = None
    count: int | None = None
    probability: float = 1.0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hold: float = 0.0
    reset: str | None = None
    accept: bool = False
    silent: bool = False

    def hits(self, method: str, chat: str) -> bool:
        if self.count == 0 or (self.method or method) != method or (self.chat or chat) != chat:
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        if self.count is not None:
            self.count -= 1
        return True


def _reply(body: bytes, status: int = 200, headers: str = "", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def _ok(result: object) -> bytes:
    return _reply(json.dumps({"ok": True, "result": result}).encode())


def _no(code: int, description: str, **parameters: Any) -> bytes:
    answer: Json = {"ok": False, "error_code": code, "description": description}
    if parameters:
        answer["parameters"] = parameters
    return _reply(json.dumps(answer).encode(), code)


class Platform:
    """What the platform knows, and its methods."""

    def __init__(self, ledger: TextIO | None, rates: Rates, token: str | None = None) -> None:
        self.ledger = ledger
        self.rates = rates
        self.token = token
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.updates: deque[Json] = deque()
        self.next_update = 100_000_001
        self.next_message = 0
        self.edited: dict[int, str] = {}
        self.offsets: list[int] = []
        self.files: dict[str, tuple[str, bytes, int]] = {}
        self.webhook: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        self.flood_until = 0.0
        self.poll: asyncio.Future[bool] | None = None
        self.streams: set[asyncio.Transport] = set()
        self.lines: list[str] = []
        self.methods: dict[str, Callable[[Json], bytes]] = {
            "getme": lambda _: _ok(BOT),
            "sendmessage": self.send_message,
            "sendphoto": self.send_photo,
            "sendvoice": lambda arguments: self.send_sound("voice", arguments),
            "sendaudio": lambda arguments: self.send_sound("audio", arguments),
            "answercallbackquery": lambda _: _ok(True),
            "editmessagetext": self.edit_text,
            "editmessagereplymarkup": lambda _: _ok(True),
            "getfile": self.get_file,
            "setwebhook": self.set_webhook,
            "deletewebhook": self.delete_webhook,
            "getwebhookinfo": lambda _: _ok(self.webhook),
        }

    def send_message(self, arguments: Json) -> bytes:
        text = str(arguments.get("text") or "")
        if not text.strip():
            return _no(400, "Bad Request: message text is empty")
        if _units(text) > TEXT_LONGEST:
            return _no(400, "Bad Request: message is too long")
        return self._sent(arguments, {"text": text})

    def send_photo(self, arguments: Json) -> bytes:
        caption = str(arguments.get("caption") or "")
        if not arguments.get("photo"):
            return _no(400, "Bad Request: there is no photo in the request")
        if _units(caption) > CAPTION_LONGEST:
            return _no(400, "Bad Request: message caption is too long")
        photo = {"file_id": "sent", "file_unique_id": "sent", "width": 90, "height": 90, "file_size": 1}
        return self._sent(arguments, {"caption": caption, "photo": [photo]})

    def send_sound(self, kind: str, arguments: Json) -> bytes:
        caption = str(arguments.get("caption") or "")
        if not arguments.get(kind):
            return _no(400, f"Bad Request: there is no {kind} in the request")
        if _units(caption) > CAPTION_LONGEST:
            return _no(400, "Bad Request: message caption is too long")
        sound = {"file_id": "sent", "file_unique_id": "sent", "duration": 1, "file_size": 1}
        return self._sent(arguments, {"caption": caption, kind: sound})

    def edit_text(self, arguments: Json) -> bytes:
        """https://core.telegram.org/bots/api#editmessagetext: of a sent message, to something else."""
        text, number = str(arguments.get("text") or ""), int(arguments.get("message_id") or 0)
        if not text.strip():
            return _no(400, "Bad Request: message text is empty")
        if not 0 < number <= self.next_message:
            return _no(400, "Bad Request: message to edit not found")
        reads = json.dumps([text, arguments.get("reply_markup")], sort_keys=True)
        if self.edited.get(number) == reads:
            return _no(400, "Bad Request: message is not modified")
        self.edited[number] = reads
        return _ok({"message_id": number, "chat": {"id": arguments.get("chat_id")}, "text": text})

    def _sent(self, arguments: Json, content: Json) -> bytes:
        chat = arguments.get("chat_id")
        try:
            number = int(str(chat))
        except ValueError:
            return _no(400, "Bad Request: chat not found")
        markup = arguments.get("reply_markup")
        if isinstance(markup, str):
            arguments["reply_markup"] = markup = json.loads(markup)
        if any(len(action.encode()) > ACTION_LONGEST for action in _actions(markup)):
            return _no(400, "Bad Request: BUTTON_DATA_INVALID")
        self.next_message += 1
        kind = {"type": "supergroup", "title": "G"} if number < 0 else {"type": "private", "first_name": "P"}
        result: Json = {
            "message_id": self.next_message,
            "from": BOT,
            "chat": {"id": number, **kind},
            "date": int(time.time()),
            **content,
        }
        if isinstance(markup, dict) and "inline_keyboard" in markup:
            result["reply_markup"] = markup
        return _ok(result)

    def get_file(self, arguments: Json) -> bytes:
        known = self.files.get(str(arguments.get("file_id")))
        if known is None:
            return _no(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        path, _, size = known
        if size > 20 << 20:
            return _no(400, "Bad Request: file is too big")
        handle = str(arguments["file_id"])
        return _ok({"file_id": handle, "file_unique_id": handle, "file_size": size, "file_path": path})

    def set_webhook(self, arguments: Json) -> bytes:
        arguments.pop("secret_token", None)
        self.webhook = {**self.webhook, "pending_update_count": len(self.updates), **arguments}
        return _ok(True)

    def delete_webhook(self, _: Json) -> bytes:
        self.webhook["url"] = ""
        return _ok(True)

    async def get_updates(self, arguments: Json) -> bytes:
        if self.webhook.get("url"):
            return _no(409, "Conflict: can't use getUpdates method while webhook is active")
        if self.poll is not None and not self.poll.done():
            self.poll.set_result(False)
        offset = int(arguments.get("offset") or 0)
        self.offsets.append(offset)
        while self.updates and self.updates[0]["update_id"] < offset:
            self.updates.popleft()
        if not self.updates and not await self._wait(float(arguments.get("timeout") or 0)):
            return _no(409, "Conflict: terminated by other getUpdates request; only one bot instance may run")
        return _ok([*self.updates][: int(arguments.get("limit") or 100)])

    async def _wait(self, seconds: float) -> bool:
        self.poll = poll = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(poll, seconds)
        return True

    def flooded(self, method: str, chat: str, now: float) -> bytes | None:
        """While a flood lasts every call of the bot is refused: https://core.telegram.org/bots/faq"""
        if now < self.flood_until:
            self.counts["early"] += 1
        elif method in SENDS or method == "editmessagetext":
            missing = self.rates.wait(chat, now)
            if missing:
                self.flood_until = now + ceil(missing)
        if now >= self.flood_until:
            return None
        self.counts["flood"] += 1
        wait = ceil(self.flood_until - now)
        return _no(429, f"Too Many Requests: retry after {wait}", retry_after=wait)

    def note(self, method: str, arguments: Json, answer: int, accepted: bool, delivered: bool | None) -> None:
        """One line for the ledger; for an accepted send, one for whoever listens. None: answer under way."""
        if not method.startswith("send") and self.ledger is None:
            return
        entry = {
            "t": time.monotonic(),
            "method": method,
            "chat": arguments.get("chat_id"),
            "text": arguments.get("text", arguments.get("caption")),
            "actions": _actions(arguments.get("reply_markup")),
            "answer": answer,
            "accepted": accepted,
            "delivered": delivered,
        }
        if method == "getupdates":
            entry["offset"] = arguments.get("offset")
        line = json.dumps(entry, ensure_ascii=False)
        if self.ledger is not None:
            self.lines.append(line)
        if accepted and method.startswith("send") and self.streams:
            data = line.encode("utf-8", "replace") + b"\n"
            chunk = b"%x\r\n%b\r\n" % (len(data), data)
            for stream in self.streams:
                # One that hung up is only taken off the list in the loop's next turn.
                if not stream.is_closing():
                    stream.write(chunk)

    def flush(self) -> None:
        lines, self.lines = self.lines, []
        if self.ledger is not None and lines:
            self.ledger.write("\n".join(lines) + "\n")
            self.ledger.flush()

    def inject(self, updates: list[Json]) -> list[int]:
        for update in updates:
            self.next_update = max(self.next_update, int(update.get("update_id", 0)))
            self.updates.append({"update_id": self.next_update, **update})
            self.next_update += 1
        if self.poll is not None and not self.poll.done():
            self.poll.set_result(True)
        return [update["update_id"] for update in [*self.updates][-len(updates) :]] if updates else []

    def control(self, path: str, query: Json, body: bytes) -> bytes:
        match path:
            case "/control/update":
                given = json.loads(body)
                return _ok(self.inject(given if isinstance(given, list) else [given]))
            case "/control/file":
                self.files[query["id"]] = (query.get("path", ""), body, int(query.get("size", len(body))))
                return _ok(True)
            case "/control/fault":
                given = json.loads(body)
                self.faults += [Fault(**each) for each in (given if isinstance(given, list) else [given])]
                return _ok(True)
            case "/control/clear":
                self.faults.clear()
                self.flood_until = 0.0
                return _ok(True)
            case "/control/state":
                self.flush()
                state = {"counts": self.counts, "offsets": self.offsets, "webhook": self.webhook}
                return _ok({**state, "pending": len(self.updates)})
        return _no(404, "Not Found")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _actions(markup: Any) -> list[str]:
    if isinstance(markup, str):
        markup = json.loads(markup)
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    return [str(button.get("callback_data", "")) for row in rows or () for button in row]


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time, bodies by Content-Length only."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.buffer = bytearray()
        self.busy: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.platform.streams.discard(self.transport)
        if self.busy is not None:
            self.busy.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.busy is None:
            self._next()

    def _next(self) -> None:
        while self.busy is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).decode("latin-1")
            headers = _headers(head)
            length = int(headers.get("content-length", 0))
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            try:
                self._request(head.split(" ", 2)[1], headers.get("content-type", ""), body)
            except (ValueError, KeyError, TypeError) as error:
                self.transport.write(_no(400, f"Bad Request: {type(error).__name__}"))

    def _request(self, target: str, kind: str, body: bytes) -> None:
        if target.startswith("/bot"):
            self._api(target, kind, body)
        elif target.startswith("/file/bot"):
            self.transport.write(self._file(target))
        elif target == "/control/stream":
            self.platform.streams.add(self.transport)
            self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            parts = urlsplit(target)
            self.transport.write(self.platform.control(parts.path, dict(parse_qsl(parts.query)), body))

    def _file(self, target: str) -> bytes:
        path = target.split("/", 3)[3]
        for known, content, _ in self.platform.files.values():
            if known == path:
                return _reply(content, kind="application/octet-stream")
        return _no(404, "Not Found")

    def _api(self, target: str, kind: str, body: bytes) -> None:
        path, _, query = target.partition("?")
        _, credentials, name = path.split("/", 2)
        method = name.lower()
        platform = self.platform
        platform.counts[method] += 1
        arguments = {**dict(parse_qsl(query)), **_arguments(kind, body)}
        chat = str(arguments.get("chat_id", ""))
        if platform.token is not None and credentials != f"bot{platform.token}":
            self._finish(method, arguments, _no(401, "Unauthorized"))
            return
        fault = next((f for f in platform.faults if f.hits(method, chat)), None)
        if fault is not None:
            self._later(self._faulty(fault, method, arguments, chat))
        elif method == "getupdates":
            self._later(self._polled(arguments))
        else:
            self._finish(method, arguments, self._answer(method, arguments, chat))

    def _answer(self, method: str, arguments: Json, chat: str) -> bytes:
        flood = self.platform.flooded(method, chat, time.monotonic())
        if flood is not None:
            return flood
        do = self.platform.methods.get(method)
        return do(arguments) if do else _no(404, "Not Found")

    def _finish(self, method: str, arguments: Json, answer: bytes) -> None:
        status = int(answer[9:12])
        self.platform.note(method, arguments, status, status == 200, not self.transport.is_closing())
        self.transport.write(answer)

    async def _polled(self, arguments: Json) -> None:
        self._finish("getupdates", arguments, await self.platform.get_updates(arguments))

    async def _faulty(self, fault: Fault, method: str, arguments: Json, chat: str) -> None:
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.silent:
            await asyncio.Event().wait()
        if fault.hold:
            await self._held(fault, method, arguments, chat)
            return
        accept = fault.accept or fault.reset == "after"
        alters = fault.status is not None or fault.body is not None or fault.reset is not None
        if not alters and method == "getupdates":
            await self._polled(arguments)
        elif not alters:
            self._finish(method, arguments, self._answer(method, arguments, chat))
        else:
            status = int(self._answer(method, arguments, chat)[9:12]) if accept else 0
            answered = 0 if fault.reset else fault.status or 200
            self.platform.note(method, arguments, answered, status == 200, not fault.reset)
            self.transport.abort() if fault.reset else self.transport.write(_told(fault))

    async def _held(self, fault: Fault, method: str, arguments: Json, chat: str) -> None:
        answer = self._answer(method, arguments, chat)
        status = int(answer[9:12])
        self.platform.note(method, arguments, status, status == 200, None)
        await asyncio.sleep(random.uniform(0, fault.hold))
        self.transport.write(answer)

    def _later(self, work: Awaitable[None]) -> None:
        self.busy = asyncio.ensure_future(self._then_next(work))

    async def _then_next(self, work: Awaitable[None]) -> None:
        await work
        self.busy = None
        self._next()


def _told(fault: Fault) -> bytes:
    body = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    headers = "".join(f"{name}: {value}\r\n" for name, value in fault.headers.items())
    return _reply(body.encode() if fault.body is not None else b"", fault.status or 200, headers)


def _headers(head: str) -> dict[str, str]:
    lines = head.split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _arguments(kind: str, body: bytes) -> Json:
    if not body:
        return {}
    if kind.startswith("application/json"):
        given = json.loads(body)
        return given if isinstance(given, dict) else {}
    if kind.startswith("multipart/form-data"):
        return _multipart(kind.partition("boundary=")[2].strip('"'), body)
    return dict(parse_qsl(body.decode()))


def _multipart(boundary: str, body: bytes) -> Json:
    """Fields as text; a file as its number of bytes."""
    found: Json = {}
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name = text.partition('name="')[2].partition('"')[0]
        found[name] = len(content) if "filename=" in text else content.decode("utf-8", "replace")
    return found


async def serve(platform: Platform, port: int) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(platform), "127.0.0.1", port, backlog=4096)


async def _run(platform: Platform, port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await serve(platform, port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FLUSH_EVERY)
        platform.flush()


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", help="file to append to")
    parser.add_argument("--token", help="refuse any other with 401")
    parser.add_argument("--overall", type=float, help="messages a second over all chats")
    parser.add_argument("--chat", type=float, help="messages a second to one private chat")
    parser.add_argument("--group", type=int, help="messages a minute to one group")
    options = parser.parse_args()
    rates = Rates(options.overall, options.chat, options.group)
    with contextlib.ExitStack() as stack:
        ledger = None
        if options.ledger:
            ledger = stack.enter_context(open(options.ledger, "a", encoding="utf-8", errors="replace"))
        asyncio.run(_run(Platform(ledger, rates, options.token), options.port))


if __name__ == "__main__":
    main()
