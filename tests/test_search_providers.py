"""Each search service behind HTTP: what it is sent, what of its answers is taken, how it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mien.config import LlmSection
from mien.mind_settings import SearchSection
from mien.search.contract import Result, SearchError, SearchProvider
from mien.search.registry import set_up
from search_servers import DIALECTS, KEY, PAGES_EN, Dialect, Known, SearchServer


@asynccontextmanager
async def provider(server: SearchServer, **more: Any) -> AsyncIterator[SearchProvider]:
    name = server.dialect.name
    key = {} if name == "searxng" else {"key": KEY}
    section = SearchSection(
        providers=[name], services={name: {"base_url": server.base_url, **key, **more}}
    )
    (made,) = set_up(section, LlmSection(), {})
    try:
        yield made
    finally:
        await made.aclose()
        await made.aclose()


each = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


@each
async def test_what_is_found_in_chinese(dialect: Dialect) -> None:
    async with SearchServer(dialect) as server, provider(server) as service:
        first, second = await service.search("北京天气", 5, "zh", "week")
    assert (first.title, first.url) == ("北京今日天气&预报", "https://tianqi.example.cn/beijing")
    assert first.published == "2026-11-23"
    assert second.published == ""
    named = dialect.name in ("zhipu", "bocha")  # the others do not say whose page it is
    assert first.site == ("示例天气" if named else "tianqi.example.cn")
    assert "晴，最高气温八度。" in (first.content or first.snippet)
    assert "<" not in first.snippet


@each
async def test_what_is_found_in_english_and_limits(dialect: Dialect) -> None:
    async with SearchServer(dialect, pages=PAGES_EN) as server, provider(server) as service:
        assert len(await service.search("weather in Paris", 5, "en")) == 2
        (only,) = await service.search("weather in Paris", 1, "en")
        again = await service.search("weather in Paris", 1, "en")
    assert again == [only]
    assert only.title == "Weather in Paris"
    assert server.requests[0].headers.get("authorization") == (
        None if dialect.name == "searxng" else f"Bearer {KEY}"
    )


@each
@pytest.mark.parametrize(
    ("fault", "retryable", "said"),
    [
        ("http_429", True, "often"),
        ("http_500", True, "500"),
        ("http_404", False, "base_url"),
        ("redirect", False, "base_url"),
        ("close", True, "network"),
        ("nothing", True, "understood"),
        ("page", True, "understood"),
        ("list", True, "understood"),
        ("strange", True, "understood"),
        ("huge", True, "4 MB"),
    ],
)
async def test_failures_say_what_to_do(
    dialect: Dialect, fault: str, retryable: bool, said: str
) -> None:
    async with SearchServer(dialect, fault) as server, provider(server) as service:
        with pytest.raises(SearchError, match=said) as failed:
            await service.search("weather", 5, "en")
        server.fault = None
        assert await service.search("weather", 5, "en"), "a failure leaves nothing behind"
    assert failed.value.retryable is retryable
    assert failed.value.rest_sec == (40 if fault == "http_429" else None)
    assert KEY not in str(failed.value) + failed.value.zh
    assert any("\u4e00" <= c <= "\u9fff" for c in failed.value.zh)


@each
async def test_nothing_found_is_an_answer(dialect: Dialect) -> None:
    async with SearchServer(dialect, "empty") as server, provider(server) as service:
        assert await service.search("qwzx", 5, "en") == []


@each
async def test_a_search_that_is_given_up_hurts_nobody(dialect: Dialect) -> None:
    async with SearchServer(dialect, "silent") as server, provider(server) as service:
        search = asyncio.create_task(service.search("weather", 5, "en"))
        async with asyncio.timeout(60):
            await server.asked.wait()
        search.cancel()
        await asyncio.wait([search])
        assert search.cancelled()
        server.fault = None
        assert await service.search("weather", 5, "en")


@pytest.mark.parametrize("name", ["zhipu", "bocha", "tavily"])
async def test_a_wrong_key_is_told_without_it(name: str) -> None:
    async with SearchServer(DIALECTS[name], "http_401") as server, provider(server) as service:
        server.error = {"message": f"wrong key {KEY}"}
        with pytest.raises(SearchError, match="key") as failed:
            await service.search("weather", 5, "en")
        assert not failed.value.retryable
        assert KEY not in str(failed.value) + failed.value.zh


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("zhipu", 429, {"error": {"code": "1113", "message": "您的账户已欠费，请充值后重试。"}}),
        ("bocha", 403, {"code": "403", "message": "You do not have enough money", "log_id": "c6"}),
        ("tavily", 432, {"detail": {"error": "This request exceeds your plan's set usage limit."}}),
        ("tavily", 433, {"detail": {"error": "This request exceeds the pay-as-you-go limit."}}),
    ],
)
async def test_an_empty_account_rests_long(name: str, status: int, error: Any) -> None:
    async with SearchServer(DIALECTS[name], f"http_{status}", error=error) as server:
        async with provider(server) as service:
            with pytest.raises(SearchError, match=r"used up.*(充值|money|limit)") as failed:
                await service.search("weather", 5, "en")
    assert failed.value.retryable
    assert failed.value.rest_sec == 600


@pytest.mark.parametrize(
    ("name", "error", "retryable"),
    [
        ("bocha", {"code": 403, "message": "You do not have enough money"}, True),
        ("bocha", {"code": "401", "msg": "Invalid API KEY"}, False),
        ("bocha", {"code": "oops", "msg": "?"}, True),
        ("zhipu", {"error": {"code": "1002", "message": "Token 非法"}}, False),
        ("zhipu", {"error": {"code": 1701, "message": "并发已达上限"}}, True),
    ],
)
async def test_errors_with_status_200(name: str, error: Any, retryable: bool) -> None:
    async with SearchServer(DIALECTS[name], "error_in_200", error=error) as server:
        async with provider(server) as service:
            with pytest.raises(SearchError) as failed:
                await service.search("weather", 5, "en")
    assert failed.value.retryable is retryable


async def test_searxng_says_how_json_is_allowed() -> None:
    async with SearchServer(DIALECTS["searxng"], "http_403") as server, provider(server) as service:
        with pytest.raises(SearchError, match=r"search\.formats") as failed:
            await service.search("weather", 5, "en")
    assert not failed.value.retryable
    assert "search.formats" in failed.value.zh


async def test_searxng_without_engines_is_no_answer() -> None:
    dialect = DIALECTS["searxng"]
    async with SearchServer(dialect, "error_in_200") as server, provider(server) as service:
        silent = [["google", "Suspended: CAPTCHA"], ["bing", "timeout"]]
        server.error = {"results": [], "unresponsive_engines": silent}
        with pytest.raises(SearchError, match="google: Suspended: CAPTCHA, bing"):
            await service.search("weather", 5, "en")


async def test_zhipu_takes_seventy_characters() -> None:
    async with SearchServer(DIALECTS["zhipu"]) as server, provider(server) as service:
        await service.search("很" * 90, 5, "zh")
        await service.search("supercalifragilistic " * 5, 5, "en")
        asked = [str(request.body["search_query"]) for request in server.requests]
    assert asked == ["很" * 70, "supercalifragilistic supercalifragilistic supercalifragilistic"]


async def test_an_odd_date_does_not_cost_the_other_results() -> None:
    never = "1 Jan 99999999999999999999 00:00:00 GMT"
    pages = [Known("A", "https://example.com/a", "one", published=never), *PAGES_EN]
    async with SearchServer(DIALECTS["zhipu"], pages=pages) as server:
        async with provider(server) as service:
            found = await service.search("weather", 5, "en")
    assert [result.published for result in found] == [never, "", ""]


async def test_the_same_page_is_found_once() -> None:
    twice = [
        Known("A", "https://www.example.com/a/?utm_source=x", "one"),
        Known("A", "http://example.com/a#part", "two"),
        Known("B", "https://example.com/a?page=2", "three"),
    ]
    async with SearchServer(DIALECTS["tavily"], pages=twice) as server:
        async with provider(server) as service:
            found = await service.search("weather", 5, "en")
    assert [result.title for result in found] == ["A", "B"]
    assert found[0].url == "https://www.example.com/a/?utm_source=x", "addresses stay as they are"
    assert all(isinstance(result, Result) for result in found)
