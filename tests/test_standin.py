"""The stand-in platform keeps the limits it is asked to keep, and its ledger tells all."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from bench.standin_telegram import Rates


def test_overall_rate_refills() -> None:
    rates = Rates(overall=30)
    assert [rates.wait(str(chat), 0.0) > 0 for chat in range(31)] == [False] * 30 + [True]
    assert rates.wait("x", 0.5) == 0


def test_chat_bursts_then_one_a_second() -> None:
    rates = Rates(chat=1)
    assert [rates.wait("5", 0.0) > 0 for _ in range(4)] == [False, False, False, True]
    assert rates.wait("6", 0.0) == 0
    assert rates.wait("5", 1.0) == 0
    assert rates.wait("5", 1.5) > 0


def test_group_counts_a_sliding_minute() -> None:
    rates = Rates(group=20, chat=1)
    assert [rates.wait("-5", float(second)) for second in range(21)] == [0.0] * 20 + [40.0]
    assert rates.wait("-5", 60.0) == 0
    assert rates.wait("-5", 60.5) == 0.5


async def test_as_its_own_process(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    arguments = ("-m", "bench.standin_telegram", "--port", "0", "--ledger", str(ledger), "--chat", "1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await _visit(session)
    process.terminate()
    await process.wait()
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    sends = [line for line in lines if line["method"] == "sendmessage"]
    assert [line["accepted"] for line in sends] == [True, True, True, False, True]
    assert [line["delivered"] for line in sends] == [True, True, True, True, False]


async def _visit(session: aiohttp.ClientSession) -> None:
    async def ask(path: str, body: object) -> dict[str, Any]:
        async with session.post(path, json=body) as response:
            answer = await response.json()
            assert isinstance(answer, dict)
            return answer

    async with session.get("/control/stream") as stream:
        for text in ("một", "hai", "ba"):
            answer = await ask("/bot1:A/sendMessage", {"chat_id": 5, "text": text})
            assert answer["result"]["text"] == text
            assert json.loads(await stream.content.readline())["text"] == text
    flood = await ask("/bot1:A/sendMessage", {"chat_id": "5", "text": "bốn"})
    assert flood["parameters"] == {"retry_after": 1}
    await ask("/control/clear", {})
    await ask("/control/fault", {"method": "sendmessage", "count": 1, "reset": "after"})
    try:
        await ask("/bot1:A/sendMessage", {"chat_id": 6, "text": "năm"})
    except aiohttp.ClientError:
        pass
    else:
        raise AssertionError("the connection should have been reset")
    assert (await ask("/control/update", {"message": {}}))["result"] == [100_000_001]
    updates = (await ask("/bot1:A/getUpdates", {"timeout": 5}))["result"]
    assert [update["update_id"] for update in updates] == [100_000_001]
    await session.post("/control/file", params={"id": "f", "path": "photos/1.jpg"}, data=b"jpeg")
    known = await ask("/bot1:A/getFile", {"file_id": "f"})
    async with session.get(f"/file/bot1:A/{known['result']['file_path']}") as response:
        assert await response.read() == b"jpeg"
    async with session.get("/control/state") as response:
        state = (await response.json())["result"]
    assert state["counts"]["sendmessage"] == 5
    assert state["counts"]["flood"] == 1
