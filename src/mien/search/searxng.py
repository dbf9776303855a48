"""SearXNG, a search engine of one's own that asks others.

Wire format: https://docs.searxng.org/dev/search_api.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.language import Language
from mien.search.clean import day, host_of, plain, web_address
from mien.search.contract import Freshness, Result, SearchError
from mien.search.json_api import JsonApi
from mien.search.settings import HttpSettings

_LANGUAGES = {"zh": "zh-CN", "en": "en"}


class SearxngSettings(HttpSettings):
    """base_url: where it is. categories, engines: which of its own, comma-separated; None = as it
    is set up. key: for one behind a proxy that asks for a bearer token.
    """

    categories: str = "general"
    engines: str | None = None


class Searxng:
    """See ``SearchProvider``."""

    label = "SearXNG"
    pause_sec = 0.2

    def __init__(self, name: str, settings: SearxngSettings, key: str | None) -> None:
        """``settings.base_url`` must be set."""
        if settings.base_url is None:
            raise ValueError("SearXNG needs a base_url")
        self.name = name
        self.timeout_sec = settings.timeout_sec
        self._settings = settings
        # Its users often give the address of the search page itself.
        self._api = _SearxngApi(
            self.label, settings.base_url.rstrip("/").removesuffix("/search"), key
        )

    async def search(
        self, query: str, limit: int, language: Language, freshness: Freshness | None = None
    ) -> list[Result]:
        """See ``SearchProvider``."""
        asked = {
            "q": query,
            "format": "json",
            "language": _LANGUAGES[language],
            "categories": self._settings.categories,
            "pageno": "1",
        }
        if self._settings.engines:
            asked["engines"] = self._settings.engines
        if freshness:
            asked["time_range"] = freshness
        payload = await self._api.get("/search", asked)
        if not isinstance(payload, dict):
            raise self._api.garbage("no object")
        results = self._api.results(payload.get("results"), "results", _result, limit)
        silent = payload.get("unresponsive_engines")
        if not results and isinstance(silent, list) and silent:
            raise SearchError(
                f"no engine of {self.label} answered: {_named(silent)}",
                f"{self.label} 的搜索引擎均无响应：{_named(silent)}",
            )
        return results

    async def aclose(self) -> None:
        """See ``SearchProvider``."""
        await self._api.aclose()


def _result(item: Mapping[str, Any]) -> Result | None:
    url = web_address(item.get("url"))
    if not url:
        return None
    return Result(
        title=plain(item.get("title")) or host_of(url),
        url=url,
        snippet=plain(item.get("content")),
        site=host_of(url),
        published=day(item.get("publishedDate")),
    )


class _SearxngApi(JsonApi):
    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> SearchError:
        """HTTP 403 is its answer to a format that is switched off."""
        if status == 403:
            return SearchError(
                f"{self.label} does not answer in JSON (HTTP 403): add json to search.formats in "
                "its settings.yml and restart it; most public instances do not allow it",
                f"{self.label} 未开启 JSON（HTTP 403）：请在 settings.yml 的 search.formats "
                "中加入 json 并重启；多数公共实例不开放",
                retryable=False,
            )
        return super().refusal(status, body, headers)


def _named(silent: list[object]) -> str:
    pairs = [[plain(part) for part in pair] for pair in silent if isinstance(pair, list)]
    return ", ".join(": ".join(filter(None, pair)) for pair in pairs)[:200] or "?"
