"""From a model's call to numbered passages, over the pages of a local web."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
import pytest_asyncio

from local_web import LocalWeb, local_web
from mien.config import LlmSection
from mien.mind_settings import SearchSection
from mien.pages.reader import PageReader
from mien.retrieval.budget import tokens_of
from mien.search.tool import WebSearchTool
from mien.search.web_search import WebSearch
from mien.tools.contract import ToolContext, ToolError
from search_servers import KEY, Known, SearchServer, zhipu

BRIDGE = "http://news.example/zh/bridge.html"
PAGES = [
    Known("望溪大桥通车", BRIDGE, "望溪大桥今日通车。", "青川晚报"),
    Known("青川雾茶", "http://news.example/zh/tea.html", "青川雾茶上市。", "青川晚报"),
    Known("青川博物馆", "http://news.example/zh/museum.html", "新馆开放。", "青川晚报"),
    Known("望溪大桥的设计师", "http://slow.example/never", "望溪大桥设计师林默言接受采访。"),
    Known("内部", "http://inside.example/", "望溪大桥内部文件：造价。"),
]
SOUP = Known("Soup", "http://recipes.example/en/soup.html", "A soup with beans.", "Recipes")


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(web: LocalWeb) -> AsyncIterator[PageReader]:
    reading = web.reader()
    yield reading
    await reading.aclose()


@asynccontextmanager
async def tool_over(
    reader: PageReader, pages: Sequence[Known], fault: str | None = None, tokens: int = 1500
) -> AsyncIterator[WebSearchTool]:
    async with SearchServer(zhipu, fault, pages=list(pages)) as server:
        section = SearchSection(
            providers=["zhipu"],
            services={"zhipu": {"base_url": server.base_url, "key": KEY, "timeout_sec": 60}},
            deadline_sec=30,
            tokens=tokens,
        )
        search = WebSearch(section, LlmSection(), {})
        try:
            yield WebSearchTool(search, reader, section, now=lambda: datetime(2026, 11, 23, 9, 30))
        finally:
            await search.aclose()


async def test_pages_are_searched_read_ranked_and_cited(web: LocalWeb, reader: PageReader) -> None:
    shown: list[int] = []
    context = ToolContext(
        "zh", "望溪大桥有多长？是谁设计的？", lambda sources: shown.append(len(sources))
    )
    async with tool_over(reader, PAGES) as tool:
        result = await tool.run({"query": "望溪大桥 长度 设计师", "freshness": "year"}, context)
        again = await tool.run({"query": "望溪大桥 长度 设计师", "freshness": "year"}, context)
    assert result.untrusted
    assert "Monday, 2026-11-23" in result.note
    bridge = next(source for source in context.sources if source.url == BRIDGE)
    assert (bridge.title, bridge.site, bridge.kind) == ("望溪大桥通车", "青川晚报", "web")
    assert bridge.published.startswith("2026-10-18"), "as the page says it"
    assert "全长1286米" in result.text
    assert "广告" not in result.text
    assert "钱币厅" not in result.text, "what has nothing to do with the question"
    # A page that never comes, and one that may not be read, count with what was found of them.
    assert "林默言接受采访" in result.text
    assert "内部文件" in result.text
    assert web.victim == 0
    numbers = {source.number: source.title for source in context.sources}
    assert list(numbers) == list(range(1, len(numbers) + 1))
    for number, title in numbers.items():
        assert f"\n[{number}] {title}" in "\n" + result.text
    assert shown == list(numbers), "each source is shown when it is found"
    assert {page.url for page in PAGES} <= context.openable
    assert tokens_of(result.text) < 1500 + 300
    assert again.text == result.text, "the same sources keep their numbers"


async def test_what_pages_demand_is_data(reader: PageReader) -> None:
    context = ToolContext("en", "How do I make the soup?")
    async with tool_over(reader, [SOUP], tokens=200) as tool:
        result = await tool.run({"query": "bean soup recipe", "freshness": "yesterday"}, context)
    assert result.untrusted
    assert "[1]" in result.note
    assert "leek" not in result.note
    assert len(context.sources) == 1
    assert tokens_of(result.text) < 260


async def test_another_language_than_the_question_still_gives_passages(reader: PageReader) -> None:
    context = ToolContext("en", "Ποιος;")
    async with tool_over(reader, PAGES[:1]) as tool:
        result = await tool.run({"query": "γέφυρα"}, context)
    assert "望溪大桥" in result.text
    assert len(context.sources) == 1


async def test_a_title_without_end_is_cut(reader: PageReader) -> None:
    endless = Known(
        "桥" * 50_000, "http://inside.example/", "望溪大桥内部文件：造价。", "晚报" * 999
    )
    context = ToolContext("zh", "造价？")
    async with tool_over(reader, [endless]) as tool:
        result = await tool.run({"query": "造价"}, context)
    assert "造价" in result.text and len(result.text) < 1000
    assert len(context.sources[0].title) <= 200


async def test_failures_are_told_to_the_model(reader: PageReader) -> None:
    context = ToolContext("en", "What is the weather?")
    async with tool_over(reader, PAGES, "http_401") as tool:
        with pytest.raises(ToolError, match="cannot look it up"):
            await tool.run({"query": "weather"}, context)
        for wrong in ({}, {"query": " "}, {"query": 7}):
            with pytest.raises(ToolError, match="query"):
                await tool.run(wrong, context)
    async with tool_over(reader, PAGES, "empty") as tool:
        result = await tool.run({"query": "weather"}, context)
    assert "Nothing was found" in result.text
    assert not result.untrusted
    assert context.sources == []
    assert context.openable == set()


async def test_its_time_limit_leaves_time_to_search_and_read(reader: PageReader) -> None:
    section = SearchSection(deadline_sec=7)
    tool = WebSearchTool(WebSearch(section, LlmSection(), {}), reader, section)
    assert tool.spec.timeout_sec > 12 + 7
    assert tool.spec.name == "web_search"
    assert not tool.spec.effects
    assert tool.spec.aside["zh"]
    assert tool.spec.aside["en"]
