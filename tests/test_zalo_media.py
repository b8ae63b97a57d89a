"""Files that Zalo names by address: from its own hosts only, never too much, never for too long."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.standin_zalo import Served
from bot.channels import media
from bot.channels.base import FileTrouble
from bot.channels.media import Media, allowed
from bot.core.events import FileRef
from storage.database import Database
from tests.zalo_stage import OaStage, opened


@pytest_asyncio.fixture
async def oa(sqlite_database: Database) -> AsyncIterator[OaStage]:
    async with opened(sqlite_database) as stage:
        yield stage


HOSTS = ("zdn.vn", "zadn.vn", "zaloapp.com")
FETCHED = (
    "http://f6.photo.talk.zdn.vn/a.jpg",
    "https://zdn.vn/a.jpg",
    "https://F1.ZDN.VN/a.jpg",
    "http://f1.zdn.vn:80/a.jpg",
    "https://f1.zdn.vn:443/a.jpg",
    "https://s120-ava-talk.zadn.vn/1.jpg?x=1",
)
REFUSED = (
    "http://127.0.0.1",
    "http://127.0.0.1:8080/a.jpg",
    "http://localhost/a.jpg",
    "http://[::1]/a.jpg",
    "http://2130706433/a.jpg",
    "http://0x7f000001/a.jpg",
    "http://0177.0.0.1/a.jpg",
    "http://169.254.169.254/latest/meta-data",
    "http://zdn.vn.evil.example/a.jpg",
    "http://evil.example/zdn.vn",
    "http://evil.example/?.zdn.vn",
    "http://evil.example#.zdn.vn",
    "http://evilzdn.vn/a.jpg",
    "http://zdn.vn@evil.example/a.jpg",
    "http://me@f1.zdn.vn/a.jpg",
    "http://me:word@f1.zdn.vn/a.jpg",
    "http://:word@f1.zdn.vn/a.jpg",
    "http://@f1.zdn.vn/a.jpg",
    "http://evil.example\\@f1.zdn.vn/a.jpg",
    "http://evil.example%2f.zdn.vn/a.jpg",
    "http://evil.example%00.zdn.vn/a.jpg",
    "http://evil.example\\.zdn.vn/a.jpg",
    "http://f1.zdn.vn:22/a.jpg",
    "http://f1.zdn.vn:8080/a.jpg",
    "http://f1.zdn.vn:99999/a.jpg",
    "http://f1.zdn.vn:x/a.jpg",
    "http://f1.zdn.vn./a.jpg",
    "http://.zdn.vn/a.jpg",
    "http://ｅvil.zdn.vn/a.jpg",
    "ftp://f1.zdn.vn/a.jpg",
    "file:///etc/passwd",
    "//f1.zdn.vn/a.jpg",
    "f1.zdn.vn/a.jpg",
    "javascript:alert(1)",
    "http://[f1.zdn.vn/a.jpg",
    "",
)


@pytest.mark.parametrize("url", FETCHED)
def test_zalos_own_hosts_may_be_asked(url: str) -> None:
    assert allowed(url, HOSTS)


@pytest.mark.parametrize("url", REFUSED)
async def test_nobody_else_is_asked(oa: OaStage, url: str) -> None:
    assert not allowed(url, HOSTS)
    with pytest.raises(FileTrouble) as trouble:
        await oa.another(media=Media(HOSTS)).download(FileRef(url), 1000)
    assert trouble.value.final


async def test_a_file(oa: OaStage) -> None:
    url = f"{oa.url}{oa.zalo.files.put('/a.jpg', b'picture')}"
    assert await oa.channel.download(FileRef(url), 7) == b"picture"
    assert await oa.channel.download(FileRef(url, 7), 7) == b"picture"


BAD: dict[str, tuple[Served, str, bool]] = {
    "too big": (Served(b"x" * 101), "too_big", True),
    "endless": (Served(b"x" * 100, times=50, claims=-1), "too_big", True),
    "claims too much": (Served(b"x", claims=5000), "too_big", True),
    "claims more than comes": (Served(b"x", claims=50), "missing", False),
    "gone": (Served(b"x", status=404), "missing", True),
    "forbidden": (Served(b"x", status=403), "missing", True),
    "partly": (Served(b"x", status=206), "missing", True),
    "broken": (Served(b"x", status=500), "missing", False),
    "too many": (Served(b"x", status=429), "missing", False),
    "elsewhere": (Served(location="/b.jpg"), "missing", True),
    "inside": (Served(location="http://127.0.0.1:1/", status=307), "missing", True),
    "drips": (Served(b"x" * 90, chunk=1, drip=0.05, claims=-1), "missing", False),
    "silent": (Served(b"x", delay=5), "missing", False),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file(oa: OaStage, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(media, "SECONDS", 0.2)
    served, problem, final = BAD[name]
    oa.zalo.files.put("/b.jpg", b"should not be read")
    url = f"{oa.url}{oa.zalo.files.put('/a.jpg', served)}"
    with pytest.raises(FileTrouble) as trouble:
        await oa.channel.download(FileRef(url), 100)
    assert (trouble.value.problem, trouble.value.final) == (problem, final)
    assert [path for _, path in oa.zalo.files.fetched] == ["/a.jpg"]


async def test_what_says_it_is_too_big_is_not_asked_for(oa: OaStage) -> None:
    with pytest.raises(FileTrouble, match="too_big"):
        await oa.channel.download(FileRef(f"{oa.url}/a.jpg", 101), 100)
    assert oa.zalo.files.fetched == []


async def test_nobody_there_may_come_back(oa: OaStage) -> None:
    fetcher = Media({"127.0.0.1:1"})
    with pytest.raises(FileTrouble) as trouble:
        await fetcher.fetch("http://127.0.0.1:1/a.jpg", 100)
    assert not trouble.value.final
    await fetcher.stop()
