"""Bocha's web search (博查), made for models. Wire format: https://open.bochaai.com (接口文档)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mien.language import Language
from mien.search.clean import day, host_of, plain, web_address
from mien.search.contract import Freshness, Result, SearchError
from mien.search.json_api import JsonApi
from mien.search.settings import HttpSettings

BASE_URL = "https://api.bochaai.com/v1"
OWN_HOSTS = ("api.bochaai.com", "api.bocha.cn")
KEY_VARIABLES = ("BOCHA_API_KEY", "BOCHAAI_API_KEY")

_FRESHNESS = {"day": "oneDay", "week": "oneWeek", "month": "oneMonth", "year": "oneYear"}
_MOST_RESULTS = 50


class BochaSettings(HttpSettings):
    """Nothing of its own."""


class Bocha:
    """See ``SearchProvider``."""

    label = "博查 (Bocha)"
    pause_sec = 0.25  # new accounts are allowed few requests a second

    def __init__(self, name: str, settings: BochaSettings, key: str | None) -> None:
        self.name = name
        self.timeout_sec = settings.timeout_sec
        self._api = _BochaApi(self.label, settings.base_url or BASE_URL, key)

    async def search(
        self, query: str, limit: int, language: Language, freshness: Freshness | None = None
    ) -> list[Result]:
        """See ``SearchProvider``."""
        body = {
            "query": query,
            "freshness": _FRESHNESS[freshness] if freshness else "noLimit",
            "summary": True,
            "count": min(limit, _MOST_RESULTS),
        }
        payload = await self._api.post("/web-search", body)
        if not isinstance(payload, dict):
            raise self._api.garbage("no object")
        if error := self._api.error_in(payload):
            raise error
        data = payload.get("data")
        if not isinstance(data, dict):
            raise self._api.garbage("no data")
        pages = data.get("webPages")
        if pages is None:  # as for Bing, whose format it is: nothing was found
            return []
        found = pages.get("value") if isinstance(pages, dict) else None
        return self._api.results(found, "webPages.value", _result, limit)

    async def aclose(self) -> None:
        """See ``SearchProvider``."""
        await self._api.aclose()


def _result(page: Mapping[str, Any]) -> Result | None:
    url = web_address(page.get("url"))
    if not url:
        return None
    return Result(
        title=plain(page.get("name")) or host_of(url),
        url=url,
        snippet=plain(page.get("snippet")),
        site=plain(page.get("siteName")) or host_of(url),
        published=day(page.get("datePublished")),
        content=plain(page.get("summary")),
    )


class _BochaApi(JsonApi):
    def error_in(self, payload: dict[str, Any]) -> SearchError | None:
        """An error with HTTP 200: its code is that of HTTP, as a number or a string."""
        code = str(payload.get("code", 200))
        if code == "200":
            return None
        status = int(code) if code.isdigit() and len(code) == 3 else 400
        return self.refusal(status, json.dumps(payload).encode(), {})

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> SearchError:
        """HTTP 403 means a key that is right, of an account without money."""
        if status == 403:
            return self.no_money(self.complaint(body))
        return super().refusal(status, body, headers)
