"""Reading pages: what comes out of good ones, and how bad ones end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import psutil
import pytest
import pytest_asyncio

from local_web import PUBLIC, SILENT, LocalWeb, local_web
from mien import __version__
from mien.mind_settings import SearchSection
from mien.pages.contract import PageError
from mien.pages.fetch import Fetcher
from mien.pages.guard import Guard
from mien.pages.reader import PageReader

pytestmark = pytest.mark.asyncio(loop_scope="module")

BRIDGE = "http://news.example/zh/bridge.html"


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web() as web:
        yield web


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(web: LocalWeb) -> AsyncIterator[PageReader]:
    reader = web.reader()
    yield reader
    await reader.aclose()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it comes true in another thread
            await asyncio.sleep(0.01)


async def _until_closed(web: LocalWeb) -> None:
    await _until(lambda: web.open == 0)


async def test_a_chinese_page(reader: PageReader) -> None:
    page = await reader.read_one(BRIDGE)
    assert (page.url, page.title, page.site) == (BRIDGE, "望溪大桥今日通车", "青川晚报")
    assert (page.published, page.language) == ("2026-10-18", "zh")
    assert page.text.startswith("# 望溪大桥今日通车\n\n本报讯 10月18日上午")
    assert "\n\n## 通行规则\n\n望溪大桥对所有小型客车免费通行" in page.text
    assert "全长1286米，双向六车道" in page.text  # no space where the source has a line break
    for clutter in ("首页", "登录", "广告", "相关阅读", "版权所有", "tracker"):
        assert clutter not in page.text


async def test_an_english_page(reader: PageReader) -> None:
    page = await reader.read_one("http://travel.example/en/lighthouse.html#hours")
    assert page.url == "http://travel.example/en/lighthouse.html"
    assert (page.title, page.site) == ("The lighthouse on Gull Rock", "Coastal Notes")
    assert (page.published, page.language) == ("2026-09-02", "en")
    assert "## Opening hours\n\nVisitors may climb the tower" in page.text
    for clutter in ("cookies", "Deals", "newsletter", "Ten beaches"):
        assert clutter not in page.text


async def test_texts_that_are_no_html(reader: PageReader) -> None:
    plain = await reader.read_one("http://odd1.example/plain.txt")
    assert (plain.title, plain.text) == ("odd1.example", "青川市图书馆周一闭馆。")
    json = await reader.read_one("http://odd2.example/data.json")
    assert '"closed": "Monday"' in json.text


async def test_a_packed_page(web: LocalWeb, reader: PageReader) -> None:
    assert "1286米" in (await reader.read_one("http://zip.example/zipped")).text
    assert web.requests[-1].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://h1.example/huge", "too large"),
        ("http://h2.example/bomb", "too large"),
        ("http://h3.example/bombs", "packed"),
        ("http://h4.example/zstd", "packed"),
        ("http://h5.example/endless", "too large"),
        ("http://h6.example/fields", "web server"),
        ("http://h7.example/image.png", "image/png"),
        ("http://h8.example/lie.html", "not a text"),
        ("http://h9.example/app", "JavaScript"),
        ("http://h10.example/empty", "no text"),
        ("http://h11.example/deep", "no text"),
        ("http://h12.example/status/404", "404"),
        ("http://h13.example/status/500", "500"),
        ("http://h14.example/cut", "web server"),
        ("http://h15.example/garbage", "web server"),
        ("http://h16.example/loop", "too often"),
        ("http://nowhere.example/", "no site"),
        ("http://private.example/members/list", "robots"),
        ("http://fence.example/zh/tea.html", "503"),
        ("http://named.example/zh/tea.html", "robots"),
    ],
)
async def test_pages_that_cannot_be_read(reader: PageReader, url: str, why: str) -> None:
    with pytest.raises(PageError, match=why) as failed:
        await reader.read_one(url)
    assert any("\u4e00" <= character <= "\u9fff" for character in failed.value.zh)


async def test_a_page_of_a_hundred_thousand_elements_is_read_plainly(reader: PageReader) -> None:
    page = await reader.read_one("http://many.example/many")
    assert page.text.startswith("Some words of a sentence.")
    assert len(page.text) <= 200_000


async def test_five_redirects_are_followed_and_no_more(web: LocalWeb, reader: PageReader) -> None:
    page = await reader.read_one("http://chain.example/chain/4")
    assert page.url == "http://chain.example/zh/bridge.html"
    with pytest.raises(PageError, match="too often"):
        await reader.read_one("http://chains.example/chain/5")


async def test_a_meta_refresh_is_a_redirect(reader: PageReader) -> None:
    page = await reader.read_one("http://meta.example/refresh?/zh/tea.html")
    assert page.url == "http://meta.example/zh/tea.html"
    assert "八十五度" in page.text


async def test_who_asks_is_said_and_nothing_else(web: LocalWeb, reader: PageReader) -> None:
    for path in ("cookies", "cookies?again"):
        page = await reader.read_one(f"http://shop.example/{path}")
        assert page.text == "none none"  # neither cookies nor where we come from
    headers = web.requests[-1].headers
    assert headers["user-agent"] == f"mien/{__version__}"
    assert headers["host"] == "shop.example"
    assert web.paths("shop.example") == ["/robots.txt", "/cookies", "/cookies?again"]


async def test_what_is_there_at_the_deadline_counts(web: LocalWeb, reader: PageReader) -> None:
    await _until_closed(web)
    slow = [f"http://slow{n}.example/{way}" for n, way in enumerate(("never", "drip", "headers"))]
    hanging = "http://hang.example/zh/tea.html"
    pages: list[str] = []
    before = asyncio.all_tasks()
    for _ in range(5):  # a busy machine may need more than one try for the good one
        read = await reader.read(
            [slow[0], BRIDGE, slow[1], hanging, "http://x.example/status/404", slow[2]], 1.0
        )
        pages = [page.url for page in read]
        if pages:
            break
    assert pages == [BRIDGE]
    assert asyncio.all_tasks() == before
    await _until_closed(web)


async def test_pages_come_in_the_order_asked_for(reader: PageReader) -> None:
    slow, quick = "http://o1.example/after/300", "http://o2.example/zh/tea.html"
    pages = await reader.read([slow, quick, slow], 60)
    assert [page.url for page in pages] == [slow, quick]


async def test_a_page_is_kept(web: LocalWeb, reader: PageReader) -> None:
    url = "http://kept.example/to?/zh/tea.html"
    first = await reader.read_one(url)
    again = await reader.read([url, first.url], 60)
    assert again == [first, first]
    assert len(web.paths("kept.example")) == 3  # robots.txt, the redirect, the page


async def test_nothing_is_kept_if_so_set_nor_left_behind(web: LocalWeb) -> None:
    reader = web.reader(cache_sec=0)
    for _ in range(2):
        await reader.read_one("http://fresh.example/en/ferry.html")
    assert web.paths("fresh.example").count("/en/ferry.html") == 2
    assert web.paths("fresh.example").count("/robots.txt") == 1

    # Cancelled, it gives up its connection; closed, the worker that it has by now.
    task = asyncio.create_task(reader.read(["http://c.example/never"], 60))
    await _until(lambda: "/never" in web.paths("c.example"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until_closed(web)
    workers = len(psutil.Process().children())
    await reader.aclose()
    assert len(psutil.Process().children()) == workers - 1
    await reader.aclose()


async def test_robots_txt(web: LocalWeb, reader: PageReader) -> None:
    with pytest.raises(PageError, match="404"):  # allowed, but there is none
        await reader.read_one("http://private.example/slow/open")
    with pytest.raises(PageError, match="30 s between"):
        await reader.read_one("http://private.example/zh/tea.html")
    assert "/members/list" not in web.paths("private.example")
    with pytest.raises(PageError, match="robots"):
        await reader.read_one("http://big.example/first")
    assert "八十五度" in (await reader.read_one("http://big.example/zh/tea.html")).text


async def test_two_connections_to_a_host_at_most(web: LocalWeb, reader: PageReader) -> None:
    await _until_closed(web)
    urls = [f"http://busy.example/after/{n}" for n in range(300, 304)]
    most = 0
    task = asyncio.create_task(reader.read(urls, 60))
    while not task.done():
        most = max(most, web.open)
        await asyncio.sleep(0.005)
    assert len(task.result()) == len(urls)
    assert most == 2


async def test_of_several_addresses_the_next_is_tried(web: LocalWeb) -> None:
    async def two(host: str, port: int) -> list[str]:
        return [SILENT, *await web.resolve(host, port)]

    async def nothing() -> None:
        pass

    assert web.tls is not None
    fetched = await Fetcher(Guard(resolve=two), web.tls, web.network).get(
        "http://two.example/zh/tea.html", nothing
    )
    assert "青川雾茶" in fetched.body.decode()
    assert web.dialled[-2:] == [SILENT, PUBLIC]


async def test_how_long_a_document_may_be_depends_on_what_it_is(web: LocalWeb) -> None:
    async def nothing() -> None:
        pass

    assert web.tls is not None
    fetcher = Fetcher(Guard(resolve=web.resolve), web.tls, web.network)
    paper = await fetcher.get("http://paper.example/paper", nothing)  # and not on its name
    assert len(paper.body) > 3_000_000
    with pytest.raises(PageError, match="too large"):
        await fetcher.get("http://paper2.example/huge", nothing)


async def test_an_intranet_page_that_is_allowed(web: LocalWeb) -> None:
    """Without any of our parts in it."""
    reader = PageReader(SearchSection(allow_hosts=[web.allow]))
    page = await reader.read_one(web.url + "/zh/bridge.html")
    assert "林默言" in page.text
    await reader.aclose()
