"""What a page, or a model that a page has talked into it, may try: nothing reaches the inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from local_web import PUBLIC, LocalWeb, local_web
from mien.mind_settings import SearchSection
from mien.pages.contract import BlockedAddress, PageError
from mien.pages.fetch import Fetcher
from mien.pages.guard import Guard
from mien.pages.reader import PageReader

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Those that lead to 127.0.0.1, so that a guard with a gap would be seen to connect.
LOOPBACK = [
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "http://127.0.0.1:443/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://127.0.0.1./",
    "http://127.0.0.%31/",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://l%6fcalhost/",
    "http://a.localhost/",
    "http://a.localhost./",
    "http://inside.example/",
    "http://mixed.example/",
]
ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://0xA9FEA9FE/latest/meta-data/",
    "http://169.254.43518/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.168.0.1/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://cloud.example/",
    "http://router/",
    "http://printer.local/",
    "http://nas.lan/",
]
NOT_WEB = [
    "http://good.example@127.0.0.1/",
    "http://good.example:80@127.0.0.1/",
    "http://127.0.0.1@news.example/",
    "http://news.example%40127.0.0.1/",
    "http://127.0.0.1\\@news.example/",
    "http://news.example\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:/\\127.0.0.1/",
    "http:127.0.0.1/",
    "http:///127.0.0.1/",
    "http://127.0.0.1\t/",
    "http://127.0.0.1\x00.news.example/",
    "http://news.example\x00@127.0.0.1/",
    "http://news.example/\r\nHost: 127.0.0.1",
    "http://news.example\r\n.127.0.0.1/",
    "http://news.example%0d%0a.127.0.0.1/",
    "http://news.example /",
    "http://news.example:22/",
    "http://news.example:6379/",
    "http://news.example:0/",
    "http://news.example:99999/",
    "http://news.example:80:81/",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://1.2.3.4.5/",
    "http://256.256.256.256/",
    "http://",
    "",
    "news.example",
    "//127.0.0.1/",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://127.0.0.1/",
    "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/",
    "data:text/html,<p>x</p>",
    "javascript:alert(1)",
    "jar:http://127.0.0.1!/",
    "unix:/var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "http://news.example/" + "a" * 5000,
]


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web() as web:
        yield web


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(web: LocalWeb) -> AsyncIterator[PageReader]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            patch.setenv(name, f"http://127.0.0.1:{web.victim_port}")
        reader = web.reader()
        yield reader
    await reader.aclose()


@pytest.mark.parametrize("url", LOOPBACK + ELSEWHERE + NOT_WEB)
async def test_refused_without_a_connection(web: LocalWeb, reader: PageReader, url: str) -> None:
    opened, dialled = web.opened, len(web.dialled)
    with pytest.raises(BlockedAddress) as blocked:
        await reader.read_one(url)
    assert str(blocked.value) and blocked.value.zh
    assert await reader.read([url], 60) == []
    assert (web.opened, len(web.dialled), web.victim) == (opened, dialled, 0)


async def test_a_gap_would_be_seen(web: LocalWeb) -> None:
    """What the test above rests on: these addresses would be connected to if they were let by."""
    allowed = ["127.0.0.1", "localhost", "inside.example", "::1"]
    fetcher = Fetcher(Guard(allowed, web.resolve), httpx.create_ssl_context(), web.network)
    for url in ("http://127.1/", "https://127.0.0.1/", "http://[::1]/", "http://inside.example/"):
        with pytest.raises(PageError) as failed:
            await fetcher.get(url, _nothing)
        assert not isinstance(failed.value, BlockedAddress)
    assert web.victim == 4
    web.victim = 0
    web.dialled.clear()


async def test_refused_without_any_of_our_parts(web: LocalWeb) -> None:
    """The system's resolver and real connections, to a port that really listens here."""
    reader = PageReader(SearchSection())
    opened = web.opened
    for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "localhost."):
        for port in (f":{web.port}", ""):
            with pytest.raises(BlockedAddress):
                await reader.read_one(f"http://{host}{port}/zh/bridge.html")
    assert web.opened == opened
    await reader.aclose()


@pytest.mark.parametrize("way", ["to", "refresh"])
async def test_redirects_go_through_the_guard(web: LocalWeb, reader: PageReader, way: str) -> None:
    """Each from a host of its own, so that none has to wait for another."""
    targets = LOOPBACK + ELSEWHERE + ["http://good.example@127.0.0.1/", "file:///etc/passwd"]
    targets = targets if way == "to" else targets[::6]
    places = [f"http://{way}{n}.example/{way}?{quote(url)}" for n, url in enumerate(targets)]
    results = await asyncio.gather(*map(reader.read_one, places), return_exceptions=True)
    assert [type(result) for result in results] == [BlockedAddress] * len(targets)
    for n in range(len(targets)):
        assert web.paths(f"{way}{n}.example")[0] == "/robots.txt"
        assert len(web.paths(f"{way}{n}.example")) == 2
    assert web.victim == 0
    assert set(web.dialled) <= {PUBLIC}


@pytest.mark.parametrize("way", ["to", "refresh"])
async def test_what_is_allowed_is_for_those_who_are_asked_for_it(web: LocalWeb, way: str) -> None:
    """A public page must not have us ask something of the intranet, and tell what it says."""
    reader = web.reader(allow_hosts=["inside.example", "wiki.example", "127.0.0.0/8"])
    for n, inside in enumerate(("http://inside.example/any?x=1", "http://127.0.0.1/any")):
        with pytest.raises(BlockedAddress):
            await reader.read_one(f"http://public{n}{way}.example/{way}?{quote(inside)}")
    with pytest.raises(BlockedAddress):  # its robots.txt is on 127.0.0.1
        await reader.read_one("http://slyer.example/zh/bridge.html")
    assert web.victim == 0
    # Named by the user, and where what is allowed leads.
    for url in ("http://inside.example/", f"http://wiki.example/{way}?http://inside.example/"):
        with pytest.raises(PageError) as failed:
            await reader.read_one(url)
        assert not isinstance(failed.value, BlockedAddress)
    assert web.victim == 2
    web.victim = 0
    web.dialled.clear()
    await reader.aclose()


async def test_a_redirect_of_robots_txt_is_guarded_too(web: LocalWeb, reader: PageReader) -> None:
    with pytest.raises(BlockedAddress):
        await reader.read_one("http://sly.example/zh/bridge.html")
    assert web.paths("sly.example") == ["/robots.txt"]
    assert web.victim == 0


async def test_a_name_is_looked_up_once_for_each_visit(web: LocalWeb, reader: PageReader) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    dialled = len(web.dialled)
    page = await reader.read_one("http://rebind.example/zh/bridge.html")  # public this time
    assert "1286米" in page.text
    assert web.resolved["rebind.example"] == 1
    assert web.dialled[dialled:] == [PUBLIC]
    with pytest.raises(BlockedAddress):  # and now 127.0.0.1
        await reader.read_one("http://rebind.example/zh/tea.html")
    assert web.resolved["rebind.example"] == 2
    assert web.dialled[dialled:] == [PUBLIC]
    assert web.victim == 0


async def test_the_certificate_must_be_of_the_name(web: LocalWeb, reader: PageReader) -> None:
    """Connected to by address, but checked by name."""
    page = await reader.read_one("https://safe.example/en/ferry.html")
    assert "hydrogen" in page.text
    with pytest.raises(PageError, match="certificate"):
        await reader.read_one("https://wrong.example/en/ferry.html")
    assert web.paths("wrong.example") == []


async def test_a_self_signed_certificate_is_refused(web: LocalWeb) -> None:
    fetcher = Fetcher(Guard(resolve=web.resolve), httpx.create_ssl_context(), web.network)
    with pytest.raises(PageError, match="certificate"):
        await fetcher.get("https://safe.example/en/lighthouse.html", _nothing)
    assert "/en/lighthouse.html" not in web.paths("safe.example")


async def test_proxies_of_the_environment_are_not_used(web: LocalWeb, reader: PageReader) -> None:
    assert (await reader.read_one("http://direct.example/zh/tea.html")).language == "zh"
    assert web.victim == 0


async def _nothing() -> None:
    pass
