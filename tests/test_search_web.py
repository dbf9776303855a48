"""Searching with several services: who is asked, and when again; what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from loguru import logger

from mien.config import LlmSection
from mien.mind_settings import SearchSection
from mien.search.cache import TtlCache
from mien.search.circuit import LONGEST_REST_SEC, Circuit, Pace
from mien.search.contract import SearchError
from mien.search.web_search import Found, WebSearch
from search_servers import DIALECTS, KEY, PAGES_EN, PAGES_ZH, SearchServer

ORDER = ("zhipu", "searxng", "bocha", "tavily")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Web:
    """A search over servers that can be told to fail."""

    search: WebSearch
    servers: dict[str, SearchServer]
    clock: Clock = field(default_factory=Clock)

    def fail(self, **faults: str | None) -> None:
        for name, fault in faults.items():
            self.servers[name].fault = fault

    @property
    def asked(self) -> dict[str, int]:
        return {name: len(server.requests) for name, server in self.servers.items()}

    async def find(self, query: str = "weather") -> Found:
        self.clock.now += 1  # nobody is asked too often
        return await self.search.search(query, "en")


@asynccontextmanager
async def web(names: Sequence[str] = ORDER, cache_sec: float = 0) -> AsyncIterator[Web]:
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(SearchServer(DIALECTS[name], pages=PAGES_EN))
            for name in names
        }
        clock = Clock()
        section = SearchSection(
            providers=list(names),
            services={
                name: {
                    "base_url": server.base_url,
                    "timeout_sec": 30,
                    **({} if name == "searxng" else {"key": KEY}),
                }
                for name, server in servers.items()
            },
            cache_sec=cache_sec,
        )
        search = WebSearch(section, LlmSection(), {}, clock=clock)
        stack.push_async_callback(search.aclose)
        yield Web(search, servers, clock)


async def test_the_first_one_that_works_answers_each_time() -> None:
    async with web() as there:
        down: dict[str, str] = {}
        for name in ORDER:
            there.clock.now += 2 * LONGEST_REST_SEC
            found = await there.find()
            assert found.provider == name
            assert [result.title for result in found.results] == [page.title for page in PAGES_EN]
            assert list(found.failures) == list(down)
            assert all(found.failures.values())
            down[name] = "http_500"
            there.fail(**down)
        there.clock.now += 2 * LONGEST_REST_SEC
        with pytest.raises(SearchError, match="no search service answers") as failed:
            await there.find()
        assert all(label in str(failed.value) for label in ("Zhipu", "SearXNG", "Bocha", "Tavily"))
        assert "搜索服务均无响应" in failed.value.zh


async def test_a_failed_service_is_left_alone_longer_each_time() -> None:
    async with web(("bocha", "tavily")) as there:
        there.fail(bocha="http_500")
        tried_at = []
        while len(tried_at) < 4:
            before = there.asked["bocha"]
            found = await there.find()
            assert found.provider == "tavily"
            assert "500" in str(found.failures["bocha"])
            if there.asked["bocha"] > before:
                tried_at.append(there.clock.now - tried_at[0] if tried_at else there.clock.now)
        assert tried_at[1:] == [5, 15, 35]
        there.fail(bocha=None)
        there.clock.now += 40
        assert (await there.find()).provider == "bocha"
        assert there.search.providers == ("bocha", "tavily")


async def test_a_refused_key_is_tried_and_told_once() -> None:
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    try:
        async with web(("zhipu", "tavily")) as there:
            there.fail(zhipu="http_401")
            for _ in range(4):
                assert (await there.find()).provider == "tavily"
                there.clock.now += 2 * LONGEST_REST_SEC
            assert there.asked["zhipu"] == 1
    finally:
        logger.remove(sink)
    assert [line for line in said if "zhipu" in line] == said
    assert len(said) == 1
    assert KEY not in said[0]


async def test_a_service_that_asks_for_rest_gets_it() -> None:
    async with web(("tavily",)) as there:
        there.fail(tavily="http_429")
        with pytest.raises(SearchError, match="often"):
            await there.find()
        there.fail(tavily=None)
        there.clock.now += 30
        with pytest.raises(SearchError, match="often"):
            await there.find()
        assert there.asked["tavily"] == 1
        there.clock.now += 10
        assert (await there.find()).results


async def test_a_silent_service_costs_its_time_limit_only() -> None:
    async with SearchServer(DIALECTS["bocha"], "silent") as silent, web(("tavily",)) as there:
        tables = {
            "bocha": {"base_url": silent.base_url, "key": KEY, "timeout_sec": 0.5},
            "tavily": {"base_url": there.servers["tavily"].base_url, "key": KEY},
        }
        section = SearchSection(providers=["bocha", "tavily"], services=tables)
        search = WebSearch(section, LlmSection(), {})
        found = await search.search("weather", "en")
        await search.aclose()
    assert found.provider == "tavily"
    assert "0.5 s" in str(found.failures["bocha"])


async def test_nothing_found_asks_the_next_and_is_an_answer_in_the_end() -> None:
    async with web(("bocha", "tavily")) as there:
        there.fail(bocha="empty")
        found = await there.find()
        assert (found.provider, dict(found.failures)) == ("tavily", {"bocha": None})
        there.fail(tavily="empty")
        assert (await there.find()).results == ()
        there.fail(tavily="http_500")
        found = await there.find()
        assert (found.results, found.provider) == ((), "bocha")
        assert "500" in str(found.failures["tavily"])


async def test_what_was_found_is_kept_for_a_while() -> None:
    async with web(("tavily",), cache_sec=100) as there:
        first = await there.find("Weather  in Paris ")
        again = await there.find("weather in paris")
        assert (first.cached, again.cached) == (False, True)
        assert again.results == first.results
        assert there.asked["tavily"] == 1
        await there.search.search("weather in paris", "en", "day")
        await there.search.search("weather in paris", "zh")
        assert there.asked["tavily"] == 3
        there.clock.now += 100
        assert not (await there.find("weather in paris")).cached
        there.fail(tavily="empty")
        await there.find("nothing of it")
        there.fail(tavily=None)
        assert (await there.find("nothing of it")).results, "nothing is not kept"


async def test_too_many_at_once_go_to_the_next_service() -> None:
    async with web(("bocha", "tavily")) as there:
        found = await asyncio.gather(*(there.search.search(f"query {n}", "en") for n in range(4)))
        assert [one.provider for one in found] == ["bocha"] * 3 + ["tavily"]  # soon free, soon, not
        assert "busy" in str(found[3].failures["bocha"])


async def test_one_that_is_busy_is_waited_for_if_no_other_can_be_asked() -> None:
    async with web(("bocha", "tavily")) as there:
        there.fail(tavily="http_500", bocha="empty")
        await there.find()
        there.fail(bocha=None)
        found = await asyncio.gather(*(there.search.search(f"query {n}", "en") for n in range(5)))
        assert [one.provider for one in found] == ["bocha"] * 5
        assert there.asked["tavily"] == 1


async def test_what_cannot_be_read_at_all_is_a_failure_like_others() -> None:
    async with web(("bocha", "tavily")) as there:
        there.fail(bocha="deep")
        found = await there.find()
        assert found.provider == "tavily"
        assert "RecursionError" in str(found.failures["bocha"])
        there.fail(tavily="deep")
        with pytest.raises(SearchError, match="no search service answers"):
            await there.find()


@pytest.mark.parametrize(
    ("name", "fault", "error"),
    [
        ("tavily", "http_400", {"detail": {"error": "Query is invalid."}}),
        ("zhipu", "http_400", {"error": {"code": "1301", "message": "敏感内容"}}),
        ("zhipu", "error_in_200", {"error": {"code": "1301", "message": "敏感内容"}}),
    ],
)
async def test_words_that_are_refused_rest_nobody(name: str, fault: str, error: object) -> None:
    async with web((name, "bocha")) as there:
        there.servers[name].error = error
        there.fail(**{name: fault})
        found = await there.find("forbidden")
        assert found.provider == "bocha" and "refuses" in str(found.failures[name])
        there.fail(**{name: None})
        assert (await there.find()).provider == name


async def test_nothing_is_set_up_or_asked() -> None:
    search = WebSearch(SearchSection(providers=[]), LlmSection(), {})
    with pytest.raises(SearchError, match=r"docs/web-search\.md"):
        await search.search("weather", "en")
    with pytest.raises(SearchError, match="nothing to search"):
        await search.search("  \n", "en")
    await search.aclose()


async def test_long_and_broken_queries_are_cut_to_one_line() -> None:
    async with web(("tavily",)) as there:
        there.servers["tavily"].pages = PAGES_ZH
        await there.find("a\nb\t" + "很" * 600)
        (request,) = there.servers["tavily"].requests
    assert request.body["query"] == "a b " + "很" * 396


def test_a_circuit_rests_twice_as_long_each_time_up_to_five_minutes() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    error = SearchError("down", "停机")
    rests = []
    for _ in range(8):
        circuit.failed(error)
        began = clock.now
        while not circuit.closed:
            clock.now += 1
        rests.append(clock.now - began)
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300]
    circuit.succeeded()
    assert circuit.error is None
    circuit.failed(SearchError("key", "密钥", retryable=False))
    clock.now += 1e9
    assert not circuit.closed


def test_requests_keep_their_distance() -> None:
    clock = Clock()
    pace = Pace(2.0, clock)
    assert [pace.reserve(3) for _ in range(3)] == [0, 2, None]
    clock.now += 3.5
    assert pace.reserve(3) == 0.5
    clock.now += 60
    assert pace.reserve(0) == 0


def test_a_cache_forgets_what_is_old_and_what_is_not_asked_for() -> None:
    clock = Clock()
    cache: TtlCache[int] = TtlCache(10, 2, clock)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    clock.now += 10
    assert cache.get("a") is None
    assert len(cache) == 1
