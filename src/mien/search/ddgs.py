"""Search engines without a key, read as a browser would (the ddgs library, https://pypi.org/project/ddgs/).

The last resort: engines refuse machines that ask often, and several cannot be reached from
mainland China.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mien.language import Language
from mien.search.clean import distinct, host_of, plain, web_address
from mien.search.contract import Freshness, Result, SearchError
from mien.search.settings import ProviderSettings

_REGIONS = {"zh": "cn-zh", "en": "us-en"}
_TIME_LIMITS = {"day": "d", "week": "w", "month": "m", "year": "y"}
# The library asks two at a time, then one by one until it has enough.
_ENGINES = "duckduckgo, brave, mojeek, yahoo"
_ENGINE_TIMEOUT_SEC = 4
_THREADS = 2
_REFUSED_REST_SEC = 30.0


class DdgsSettings(ProviderSettings):
    """engines: those of the library that are asked, comma-separated, or "auto" for all. proxy: an
    address (http, https, socks5). ca_file: certificates to trust, where a proxy reads along.
    """

    timeout_sec: float = Field(default=9, ge=0.5, le=60)
    engines: str = _ENGINES
    proxy: Annotated[str, Field(pattern=r"^(https?|socks5h?)://\S+$")] | None = Field(
        default=None, repr=False
    )
    ca_file: Path | None = None


def installed() -> bool:
    """Whether the library is there; does not load it."""
    return find_spec("ddgs") is not None


class Ddgs:
    """See ``SearchProvider``."""

    label = "ddgs"
    pause_sec = 2.0  # faster, and the engines take us for what we are

    def __init__(self, name: str, settings: DdgsSettings) -> None:
        self.name = name
        self.timeout_sec = settings.timeout_sec
        self._settings = settings
        # Of its own: the loop's threads are not to wait for engines that nobody waits for any more.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ddgs")

    async def search(
        self, query: str, limit: int, language: Language, freshness: Freshness | None = None
    ) -> list[Result]:
        """See ``SearchProvider``."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, self._ask, query, limit, language, freshness
        )
        results = []
        for item in found:
            if url := web_address(item.get("href")):
                results.append(
                    Result(
                        title=plain(item.get("title")) or host_of(url),
                        url=url,
                        snippet=plain(item.get("body")),
                        site=host_of(url),
                    )
                )
        if not results:
            raise _unsaid()
        return distinct(results, limit)

    async def aclose(self) -> None:
        """See ``SearchProvider``. Does not wait for engines that are still being asked."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(
        self, query: str, limit: int, language: Language, freshness: Freshness | None
    ) -> list[dict[str, Any]]:
        try:
            from ddgs import DDGS
            from ddgs.exceptions import DDGSException, TimeoutException
        except ImportError as error:
            raise SearchError(
                'searching without a key needs: pip install "mien[mind]"',
                '免密钥搜索需要安装：pip install "mien[mind]"',
                retryable=False,
            ) from error
        settings = self._settings
        verify = str(settings.ca_file) if settings.ca_file else True
        try:
            engines = DDGS(proxy=settings.proxy, timeout=_ENGINE_TIMEOUT_SEC, verify=verify)
            return engines.text(
                query,
                region=_REGIONS[language],
                timelimit=_TIME_LIMITS[freshness] if freshness else None,
                max_results=limit,
                backend=settings.engines,
            )
        except TimeoutException as error:
            raise SearchError(
                "the search engines do not answer; check the network, or set up a service that "
                "has a key",
                "搜索引擎无响应，请检查网络，或配置带密钥的搜索服务",
            ) from error
        except DDGSException as error:
            if "No results" in str(error):
                raise _unsaid() from error
            # Only the first word: the rest has the query in it.
            raise _unread(str(error).partition(":")[0][:40]) from error
        except Exception as error:  # it parses what strangers send
            raise _unread(type(error).__name__) from error


def _unread(kind: str) -> SearchError:
    return SearchError(
        f"the search engines cannot be read ({kind}); check the network, or set up a service that "
        "has a key",
        f"无法读取搜索引擎（{kind}），请检查网络，或配置带密钥的搜索服务",
    )


def _unsaid() -> SearchError:
    """The library says the same of a refusal as of nothing found; the former is more likely."""
    return SearchError(
        "the search engines gave no results; they may refuse to be asked by machines: set up a "
        "service with a key",
        "搜索引擎没有返回结果，可能拒绝了自动访问，请配置带密钥的搜索服务",
        rest_sec=_REFUSED_REST_SEC,
    )
