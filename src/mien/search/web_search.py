"""Searching the web with whichever service answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from loguru import logger

from mien.config import LlmSection
from mien.language import Language
from mien.mind_settings import SearchSection
from mien.search.cache import TtlCache
from mien.search.circuit import Circuit, Pace
from mien.search.contract import Freshness, Result, SearchError, SearchProvider
from mien.search.registry import set_up

# For all services together: somebody is waiting for an answer.
TOTAL_SEC = 12.0
# A service that is busy is waited for so long if there is no other, and if there is one.
_PATIENCE_SEC, _IMPATIENCE_SEC = 4.0, 0.5
_CACHED_SEARCHES = 256
_MOST_QUERY_CHARS = 400  # Tavily's limit; the others take as much


@dataclass(frozen=True, slots=True)
class Found:
    """Pages, the best first; none when no service knows any.

    provider: the name of the service that found them. cached: found earlier. failures: what kept
    the services that would have been asked before from answering, by name; None = found nothing.
    """

    results: tuple[Result, ...]
    provider: str
    cached: bool = False
    failures: Mapping[str, SearchError | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Line:
    provider: SearchProvider
    circuit: Circuit
    pace: Pace


class WebSearch:
    """The services that are set up, asked in turn; shared by all conversations.

    A service that failed is left out for a while that grows, one that refuses its key until the
    end. What was found is kept for ``section.cache_sec``.
    """

    def __init__(
        self,
        section: SearchSection,
        llm_section: LlmSection,
        environ: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """environ: where keys are looked for, ours if None. clock: seconds, monotonic.

        Raises ConfigError, see ``registry.set_up``.
        """
        chosen = set_up(section, llm_section, os.environ if environ is None else environ)
        self._section = section
        self._lines = [_Line(one, Circuit(clock), Pace(one.pause_sec, clock)) for one in chosen]
        self._cache: TtlCache[Found] = TtlCache(section.cache_sec, _CACHED_SEARCHES, clock)

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the services that are set up, in the order in which they are asked."""
        return tuple(line.provider.name for line in self._lines)

    async def search(
        self,
        query: str,
        language: Language,
        freshness: Freshness | None = None,
        limit: int | None = None,
    ) -> Found:
        """What the first service finds that finds something. limit: None = ``section.results``.

        Raises SearchError, with everybody's reason, when none has answered.
        """
        asked = " ".join(query.split())[:_MOST_QUERY_CHARS]
        if not asked:
            raise SearchError("there is nothing to search for", "没有要搜索的内容")
        limit = limit or self._section.results
        key = (asked.casefold(), language, freshness, limit)
        if found := self._cache.get(key):
            return replace(found, cached=True)
        found = await self._first(asked, language, freshness, limit)
        if found.results:
            self._cache.put(key, found)
        return found

    async def aclose(self) -> None:
        """Close all connections. Works before the first search and twice."""
        await asyncio.gather(*(line.provider.aclose() for line in self._lines))

    async def _first(
        self, query: str, language: Language, freshness: Freshness | None, limit: int
    ) -> Found:
        loop = asyncio.get_running_loop()
        end = loop.time() + TOTAL_SEC
        failures: dict[str, SearchError | None] = {}
        answered = ""
        for at, line in enumerate(self._lines):
            name = line.provider.name
            if not line.circuit.closed:
                failures[name] = line.circuit.error
                continue
            another = answered or any(later.circuit.closed for later in self._lines[at + 1 :])
            wait_sec = line.pace.reserve(_IMPATIENCE_SEC if another else _PATIENCE_SEC)
            if wait_sec is None or loop.time() + wait_sec >= end:
                failures[name] = _busy(line.provider)
                continue
            await asyncio.sleep(wait_sec)
            try:
                results = await self._ask(line, query, language, freshness, limit, end)
            except SearchError as error:
                failures[name] = error
                continue
            if results:
                return Found(tuple(results), name, failures=failures)
            failures[name], answered = None, answered or name
        if answered:
            return Found((), answered, failures=failures)
        raise _nobody({name: error for name, error in failures.items() if error})

    async def _ask(
        self,
        line: _Line,
        query: str,
        language: Language,
        freshness: Freshness | None,
        limit: int,
        end: float,
    ) -> list[Result]:
        provider = line.provider
        limit_sec = min(provider.timeout_sec, end - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(limit_sec):
                results = await provider.search(query, limit, language, freshness)
        except TimeoutError:
            error = SearchError(
                f"{provider.label} did not answer within {limit_sec:.1f} s",
                f"{provider.label}在 {limit_sec:.1f} 秒内没有响应",
            )
            self._note(line, error)
            raise error from None
        except SearchError as error:
            if error.about_query:
                logger.info(f"web search: {error}")
            else:
                self._note(line, error)
            raise
        except Exception as bug:  # ours, or what a service's answer makes a library stumble over
            logger.opt(exception=True).warning(f"web search: {provider.name}")
            kind = type(bug).__name__
            unread = SearchError(
                f"{provider.label} gave an answer that cannot be understood ({kind})",
                f"{provider.label}返回了无法识别的内容（{kind}）",
            )
            self._note(line, unread)
            raise unread from bug
        line.circuit.succeeded()
        return results

    def _note(self, line: _Line, error: SearchError) -> None:
        line.circuit.failed(error)
        if error.retryable:
            logger.info(f"web search: {error}")
        else:  # it is not asked again, so this is said once
            logger.warning(f"web search goes on without {line.provider.name}: {error}")


def _busy(provider: SearchProvider) -> SearchError:
    return SearchError(
        f"{provider.label} is busy with other searches; try again",
        f"{provider.label}正忙于其他搜索，请稍后再试",
    )


def _nobody(failures: Mapping[str, SearchError]) -> SearchError:
    if not failures:
        return SearchError(
            "no search service is set up: see docs/web-search.md",
            "尚未配置搜索服务，请参阅 docs/web-search.md",
            retryable=False,
        )
    return SearchError(
        "no search service answers: " + "; ".join(map(str, failures.values())),
        "搜索服务均无响应：" + "；".join(error.zh for error in failures.values()),
        retryable=any(error.retryable for error in failures.values()),
    )
