"""Tavily, a search service for models.

Wire format: https://docs.tavily.com/documentation/api-reference/endpoint/search.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.language import Language
from mien.search.clean import SNIPPET_CHARS, day, host_of, plain, web_address
from mien.search.contract import Freshness, Result, SearchError
from mien.search.json_api import JsonApi
from mien.search.settings import HttpSettings

BASE_URL = "https://api.tavily.com"
OWN_HOSTS = ("api.tavily.com",)
KEY_VARIABLES = ("TAVILY_API_KEY",)

_MOST_RESULTS = 20
_LIMITS_OF_THE_PLAN = (432, 433)


class TavilySettings(HttpSettings):
    """Nothing of its own."""


class Tavily:
    """See ``SearchProvider``."""

    label = "Tavily"
    pause_sec = 0.1

    def __init__(self, name: str, settings: TavilySettings, key: str | None) -> None:
        self.name = name
        self.timeout_sec = settings.timeout_sec
        self._api = _TavilyApi(self.label, settings.base_url or BASE_URL, key)

    async def search(
        self, query: str, limit: int, language: Language, freshness: Freshness | None = None
    ) -> list[Result]:
        """See ``SearchProvider``."""
        body = {
            "query": query,
            "search_depth": "basic",  # "advanced" takes seconds, and its passages we find ourselves
            "topic": "general",
            "max_results": min(limit, _MOST_RESULTS),
            "include_answer": False,
            **({"time_range": freshness} if freshness else {}),
        }
        payload = await self._api.post("/search", body)
        if not isinstance(payload, dict):
            raise self._api.garbage("no object")
        return self._api.results(payload.get("results"), "results", _result, limit)

    async def aclose(self) -> None:
        """See ``SearchProvider``."""
        await self._api.aclose()


def _result(item: Mapping[str, Any]) -> Result | None:
    url = web_address(item.get("url"))
    if not url:
        return None
    content = plain(item.get("content"))
    return Result(
        title=plain(item.get("title")) or host_of(url),
        url=url,
        snippet=content[:SNIPPET_CHARS],
        site=host_of(url),
        published=day(item.get("published_date")),
        content=content,
    )


class _TavilyApi(JsonApi):
    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> SearchError:
        """It has HTTP codes of its own for limits of the plan."""
        if status in _LIMITS_OF_THE_PLAN:
            return self.no_money(self.complaint(body))
        return super().refusal(status, body, headers)
