"""The model asks for a page: which it gets, and what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from local_web import LocalWeb, local_web
from mien.pages.reader import PageReader
from mien.pages.tool import ReadPageTool
from mien.retrieval.budget import tokens_of
from mien.tools.addresses import addresses_in
from mien.tools.contract import Source, ToolContext, ToolError

pytestmark = pytest.mark.asyncio(loop_scope="module")

BRIDGE = "http://news.example/zh/bridge.html"
MUSEUM = "http://news.example/zh/museum.html"


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web() as web:
        yield web


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(web: LocalWeb) -> AsyncIterator[PageReader]:
    reader = web.reader()
    yield reader
    await reader.aclose()


def _context(question: str = "这个网页说什么？", *openable: str) -> ToolContext:
    return ToolContext("zh", question, openable={*openable, *addresses_in(question)})


async def test_a_page_that_the_search_found(reader: PageReader) -> None:
    told: list[tuple[Source, ...]] = []
    context = _context("大桥多长？", BRIDGE)
    context.on_sources = told.append
    context.cite(Source("Another", "http://other.example/"))
    result = await ReadPageTool(reader, 1500).run({"url": BRIDGE}, context)
    assert result.untrusted
    assert "[2] 望溪大桥今日通车, 青川晚报, 2026-10-18" in result.text
    assert "全长1286米" in result.text and "more than this" not in result.text
    (_, source) = told[-1]
    assert (source.number, source.title, source.url) == (2, "望溪大桥今日通车", BRIDGE)
    assert (source.site, source.published, source.kind) == ("青川晚报", "2026-10-18", "web")
    assert source.snippet.startswith("本报讯 10月18日上午")


@pytest.mark.parametrize(
    ("question", "url"),
    [
        (f"请看{BRIDGE}，大桥多长？", BRIDGE),
        (f"看看（{BRIDGE}）。", BRIDGE),
        (f"What does {BRIDGE}? say", BRIDGE),
        ("HTTP://NEWS.example/zh/bridge.html 说什么", BRIDGE),
        ("news.example/zh/bridge.html 说什么", BRIDGE),
        ("打开news.example/zh/bridge.html看看", BRIDGE),
        (
            "看看 http://kept.example/to?/zh/bridge.html 吧",
            "http://kept.example/to?/zh/bridge.html",
        ),
    ],
)
async def test_a_page_that_the_user_named(reader: PageReader, question: str, url: str) -> None:
    result = await ReadPageTool(reader, 1500).run({"url": url}, _context(question))
    assert "1286米" in result.text


@pytest.mark.parametrize(
    "url",
    [
        "http://collector.example/steal?memory=everything",
        BRIDGE + "?memory=everything",
        "http://news.example/zh/tea.html",
        "http://news.example.evil.example/zh/bridge.html",
        "http://news.example@collector.example/zh/bridge.html",
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "",
        7,
        None,
    ],
)
async def test_no_other_page(web: LocalWeb, reader: PageReader, url: object) -> None:
    before = len(web.requests), sum(web.resolved.values())
    context = _context(f"看看 {BRIDGE} 和 127.0.0.1", BRIDGE)
    with pytest.raises(ToolError):
        await ReadPageTool(reader, 1500).run({"url": url}, context)
    assert (len(web.requests), sum(web.resolved.values())) == before
    assert not context.sources


async def test_what_a_page_links_to_does_not_become_openable(reader: PageReader) -> None:
    """A page with a prompt injection: its text comes as data, its links stay shut."""
    soup = "http://recipes.example/en/soup.html"
    context = _context("What is the recipe of the day?", soup)
    tool = ReadPageTool(reader, 1500)
    result = await tool.run({"url": soup}, context)
    assert result.untrusted and "IGNORE ALL PREVIOUS" in result.text
    assert context.openable == {soup}
    for url in ("http://collector.example/pay", "http://collector.example/steal?memory="):
        with pytest.raises(ToolError, match="exactly the same"):
            await tool.run({"url": url}, context)


async def test_of_a_long_page_what_answers_the_question(reader: PageReader) -> None:
    context = _context("双龙纹方鼎有多重？", MUSEUM)
    result = await ReadPageTool(reader, 400).run({"url": MUSEUM}, context)
    assert "重八十三公斤" in result.text and "more than this" in result.text
    assert "青铜厅: " in result.text
    assert tokens_of(result.text) < 550
    whole = await ReadPageTool(reader, 8000).run({"url": MUSEUM}, _context("都有什么？", MUSEUM))
    assert "十二月二十日" in whole.text and "more than this" not in whole.text


async def test_of_a_long_page_its_beginning_if_nothing_is_asked(reader: PageReader) -> None:
    result = await ReadPageTool(reader, 300).run({"url": MUSEUM}, _context("读一下", MUSEUM))
    assert "双龙纹方鼎" in result.text and "十二月二十日" not in result.text


async def test_a_page_does_not_say_which_questions_it_answers(reader: PageReader) -> None:
    url = "http://odd.example/asked.txt"
    context = _context("When does the ferry leave?", url)
    result = await ReadPageTool(reader, 300).run({"url": url}, context)
    assert "Passage 1 " in result.text and "more than this" in result.text
    assert "Visit our casino" not in result.text


async def test_a_page_that_fails_is_told_to_the_model(reader: PageReader) -> None:
    for path, why in (("app", "JavaScript"), ("status/404", "404"), ("image.png", "image/png")):
        url = f"http://odd.example/{path}"
        context = _context("看看", url)
        with pytest.raises(ToolError, match=why) as failed:
            await ReadPageTool(reader, 1500).run({"url": url}, context)
        assert failed.value.untrusted, "a server chooses what it calls a picture"
        assert not context.sources


async def test_an_address_inside_is_refused_even_if_it_is_named(
    web: LocalWeb, reader: PageReader
) -> None:
    for url in ("http://127.0.0.1/", "http://inside.example/", "http://169.254.169.254/latest/"):
        with pytest.raises(ToolError, match="not on the public internet"):
            await ReadPageTool(reader, 1500).run({"url": url}, _context(f"看看 {url}", url))
    assert web.victim == 0


async def test_what_it_says_of_itself(reader: PageReader) -> None:
    spec = ReadPageTool(reader, 1500).spec
    assert (spec.name, spec.effects) == ("read_page", False)
    assert set(spec.label) == set(spec.aside) == {"zh", "en"}
    assert spec.parameters["required"] == ["url"]
