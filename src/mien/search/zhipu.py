"""Zhipu's web search (智谱网络搜索), with the key of its models.

Wire format: https://docs.bigmodel.cn/api-reference/工具-api/网络搜索; error codes as of its models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from mien.language import Language
from mien.search.clean import SNIPPET_CHARS, day, host_of, plain, web_address
from mien.search.contract import Freshness, Result, SearchError
from mien.search.json_api import JsonApi
from mien.search.settings import HttpSettings

BASE_URL = "https://open.bigmodel.cn/api/paas/v4"
INTERNATIONAL_URL = "https://api.z.ai/api/paas/v4"
OWN_HOSTS = ("open.bigmodel.cn", "api.z.ai")

_RECENCY = {"day": "oneDay", "week": "oneWeek", "month": "oneMonth", "year": "oneYear"}
_MOST_QUERY_CHARS = 70
_MOST_RESULTS = 50
_WRONG_KEY_CODES = frozenset(map(str, range(1000, 1006)))
_FORBIDDEN_CODES = frozenset({"1300", "1301"})  # words that it does not answer
_NO_MONEY_CODES = frozenset({"1112", "1113", "1310"})


class ZhipuSettings(HttpSettings):
    """engine: who searches, see Zhipu's price list; None for the usual one."""

    engine: (
        Literal["search_std", "search_pro", "search_pro_sogou", "search_pro_quark", "search-prime"]
        | None
    ) = None


class Zhipu:
    """See ``SearchProvider``. key: of Zhipu's models, or None for a gateway that adds its own."""

    label = "智谱搜索 (Zhipu)"
    pause_sec = 0.2

    def __init__(self, name: str, settings: ZhipuSettings, key: str | None) -> None:
        self.name = name
        self.timeout_sec = settings.timeout_sec
        base_url = settings.base_url or BASE_URL
        international = host_of(base_url) == host_of(INTERNATIONAL_URL)
        self._engine = settings.engine or ("search-prime" if international else "search_std")
        self._api = _ZhipuApi(self.label, base_url, key)

    async def search(
        self, query: str, limit: int, language: Language, freshness: Freshness | None = None
    ) -> list[Result]:
        """See ``SearchProvider``."""
        body = {
            "search_query": shortened(query, _MOST_QUERY_CHARS),
            "search_engine": self._engine,
            "search_intent": False,
            "count": min(limit, _MOST_RESULTS),
            "search_recency_filter": _RECENCY[freshness] if freshness else "noLimit",
            "content_size": "medium",
        }
        payload = await self._api.post("/web_search", body)
        if not isinstance(payload, dict):
            raise self._api.garbage("no object")
        if isinstance(payload.get("error"), dict):
            raise self._api.error_in(payload["error"])
        return self._api.results(payload.get("search_result"), "search_result", _result, limit)

    async def aclose(self) -> None:
        """See ``SearchProvider``."""
        await self._api.aclose()


def _result(item: Mapping[str, Any]) -> Result | None:
    url = web_address(item.get("link"))
    if not url:
        return None  # its engines also give calendars and rates of exchange
    content = plain(item.get("content"))
    return Result(
        title=plain(item.get("title")) or host_of(url),
        url=url,
        snippet=content[:SNIPPET_CHARS],
        site=plain(item.get("media")) or host_of(url),
        published=day(item.get("publish_date")),
        content=content,
    )


class _ZhipuApi(JsonApi):
    def error_in(self, error: dict[str, Any]) -> SearchError:
        code, said = plain(str(error.get("code", ""))), plain(error.get("message"))[:200]
        if code in _WRONG_KEY_CODES:
            return self.wrong_key(said)
        if code in _NO_MONEY_CODES:
            return self.no_money(said)
        return SearchError(
            f"{self.label} refuses the request: {code} {said}",
            f"{self.label}拒绝了请求：{code} {said}",
            about_query=code in _FORBIDDEN_CODES,
        )

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> SearchError:
        """With HTTP 429 it also says that there is no money left."""
        try:
            error = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            error = None
        code = str(error.get("code", "")) if isinstance(error, dict) else ""
        if code in _WRONG_KEY_CODES | _NO_MONEY_CODES:
            return self.error_in(error)
        return super().refusal(status, body, headers)


def shortened(query: str, most_chars: int) -> str:
    """The beginning of a query, cut between words where it has blanks near the end."""
    cut = query[:most_chars]
    if len(query) <= most_chars or not re.match(r"[A-Za-z0-9]", query[most_chars]):
        return cut
    head, _, last = cut.rpartition(" ")
    return head if head and len(last) < most_chars // 3 else cut
