"""kill -9 at any moment: no acknowledged report is lost or doubled, and the police hear of each."""

from pathlib import Path

from bench.kill import kill_and_check


async def test_killed_again_and_again(tmp_path: Path) -> None:
    verdict = await kill_and_check(tmp_path, kills=6, seed=20260302, residents=12)
    assert verdict.reports > 0
    assert verdict.troubles == []
    assert verdict.lost == []
    assert verdict.extra == []
    assert verdict.no_receipt == []
    assert verdict.alerts_missing == []
    assert verdict.left_over == {"inbox": 0, "outbox": 0}
