"""The APIs of search services on 127.0.0.1, answering well, or badly on purpose.

    async with SearchServer(tavily) as server:
        settings = {"base_url": server.base_url, "key": KEY}
        server.pages = PAGES_ZH
        server.fault = "http_429"

The forms of requests and answers are those of the services' own documentation; a request that is
not as it says is answered with 400, so a test notices. SearXNG answers an unknown format with 403.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-test-0123456789"


@dataclass(frozen=True)
class Known:
    """A page that a service knows. published: as ISO 8601 has a day."""

    title: str
    url: str
    text: str
    site: str = ""
    published: str = ""


PAGES_ZH = [
    Known(
        "<b>北京</b>今日天气&amp;预报",
        "https://tianqi.example.cn/beijing",
        "北京今天<em>晴</em>，最高\u200b气温八度。",
        "示例天气",
        "2026-11-23",
    ),
    Known(
        "北京天气一周", "https://news.example.cn/week?utm_source=x", "本周多云转晴。", "示例新闻网"
    ),
]
PAGES_EN = [
    Known(
        "Weather in Paris", "https://weather.example.com/paris", "It is 8 °C and cloudy in Paris."
    ),
    Known("Paris this week", "https://news.example.com/paris", "Rain is expected on Friday."),
]

FAULTS = {
    "http_401": "status 401, as the service says it",
    "http_403": "status 403",
    "http_404": "status 404 with a page",
    "http_429": "status 429 with Retry-After: 40",
    "http_500": "status 500 with a page",
    "redirect": "status 302 to another host",
    "silent": "no answer",
    "close": "the connection ends without an answer",
    "empty": "a correct answer without results",
    "nothing": "status 200 without a body",
    "page": "an HTML page with status 200",
    "list": "JSON of another form",
    "strange": "results that are no objects, or have no addresses",
    "huge": "5 MB of JSON",
    "deep": "JSON of a hundred thousand lists, one in the other",
}


@dataclass(frozen=True)
class Request:
    """body: of JSON, or the query's fields."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Dialect:
    """A service's API. right: whether a request is as documented. answer: what it says of pages.

    empty: its answer when there are none. error: its body for an error, by its status.
    """

    name: str
    path: str
    right: Callable[[Request], bool]
    answer: Callable[[list[Known], str], Any]
    error: Callable[[int], Any]
    strange: Any


@dataclass
class SearchServer:
    """fault: how the next answers go wrong, see FAULTS; None: they do not. error: instead of the
    dialect's body of an error. requests: all so far. asked: set with the first.
    """

    dialect: Dialect
    fault: str | None = None
    pages: list[Known] = field(default_factory=lambda: PAGES_ZH)
    error: Any = None
    requests: list[Request] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        return self.url + self.dialect.path.rpartition("/")[0]

    async def __aenter__(self) -> SearchServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while request := await _request(reader):
                self.requests.append(request)
                self.asked.set()
                if self.fault == "silent":
                    await reader.read()
                if self.fault in ("silent", "close"):
                    break
                status, body, headers = self._answer(request)
                writer.write(_response(status, body, headers))
                await writer.drain()
        writer.close()

    def _answer(self, request: Request) -> tuple[int, bytes, dict[str, str]]:
        dialect, fault = self.dialect, self.fault
        page = b"<html><body>Bad gateway</body></html>"
        if fault in ("http_404", "http_500"):
            return int(fault[5:]), page, {}
        if fault and fault.startswith("http_"):
            status = int(fault[5:])
            told = self.error if self.error is not None else dialect.error(status)
            return status, json.dumps(told).encode(), {"Retry-After": "40"} if status == 429 else {}
        if fault == "redirect":
            return 302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}
        if request.path != dialect.path or not dialect.right(request):
            return 400, json.dumps({"message": "the request is not as documented"}).encode(), {}
        if fault in ("nothing", "page"):
            return 200, page if fault == "page" else b"", {}
        if fault == "list":
            return 200, b'[{"a": 1}]', {}
        if fault == "huge":
            return 200, json.dumps({"results": ["x" * 5_000_000]}).encode(), {}
        if fault == "deep":
            return 200, b"[" * 100_000, {}
        if fault == "strange":
            return 200, json.dumps(dialect.strange).encode(), {}
        if fault == "error_in_200":
            return 200, json.dumps(self.error).encode(), {}
        known = [] if fault == "empty" else self.pages
        query = str(request.body.get("q") or request.body.get("query") or "")
        return 200, json.dumps(dialect.answer(known, query), ensure_ascii=False).encode(), {}


@contextmanager
def search_server_thread(dialect: Dialect, **given: Any) -> Iterator[SearchServer]:
    """A server beside a test that has no event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = SearchServer(dialect, **given)

    def wait(work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    wait(server.__aenter__())
    try:
        yield server
    finally:
        wait(server.__aexit__())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, target, _ = line.split()
    headers: dict[str, str] = {}
    while head := (await reader.readline()).decode().strip():
        name, _, value = head.partition(":")
        headers[name.lower()] = value.strip()
    sent = await reader.readexactly(int(headers.get("content-length", 0)))
    parts = urlsplit(target)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return Request(method, parts.path, headers, json.loads(sent) if sent else asked)


def _response(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} -\r\n{lines}\r\n".encode() + body


# -- the services --------------------------------------------------------------------------


def _bearer(request: Request) -> bool:
    return request.method == "POST" and request.headers.get("authorization") == f"Bearer {KEY}"


_ZHIPU_ENGINES = ("search_std", "search_pro", "search_pro_sogou", "search_pro_quark")
_RECENCIES = ("oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit")

zhipu = Dialect(
    "zhipu",
    "/api/paas/v4/web_search",
    lambda r: (
        _bearer(r)
        and 0 < len(r.body["search_query"]) <= 70
        and r.body["search_engine"] in _ZHIPU_ENGINES
        and 1 <= r.body["count"] <= 50
        and r.body["search_recency_filter"] in _RECENCIES
        and r.body["content_size"] in ("medium", "high")
    ),
    lambda pages, query: {
        "id": "20261123083000abc",
        "created": 1_795_422_600,
        "request_id": "8817346",
        "search_intent": [{"query": query, "intent": "SEARCH_ALWAYS", "keywords": query}],
        "search_result": [
            {
                "title": page.title,
                "content": page.text,
                "link": page.url,
                "media": page.site,
                "icon": "https://icon.example/i.png",
                "refer": f"ref_{at}",
                "publish_date": page.published,
            }
            for at, page in enumerate(pages, 1)
        ],
    },
    lambda status: {
        "error": {
            "code": {401: "1000", 429: "1302"}.get(status, "1220"),
            "message": {401: "身份验证失败。"}.get(status, "您的账户已达到速率限制"),
        }
    },
    {"search_result": [{"title": "日历"}, 7]},
)  # fmt: skip

searxng = Dialect(
    "searxng",
    "/search",
    lambda r: (
        r.method == "GET"
        and bool(r.body["q"])
        and r.body["format"] == "json"
        and r.body["language"] in ("zh-CN", "en")
        and r.body.get("time_range", "day") in ("day", "week", "month", "year")
    ),
    lambda pages, query: {
        "query": query,
        "number_of_results": len(pages),
        "results": [
            {
                "url": page.url,
                "title": page.title,
                "content": page.text,
                "publishedDate": page.published + "T08:00:00" if page.published else None,
                "engine": "bing",
                "parsed_url": ["https", "example", "/", "", "", ""],
                "template": "default.html",
                "engines": ["bing"],
                "positions": [1],
                "score": 1.0,
                "category": "general",
            }
            for page in pages
        ],
        "answers": [],
        "corrections": [],
        "infoboxes": [],
        "suggestions": [],
        "unresponsive_engines": [],
    },
    lambda status: {"error": "No query"},
    {"results": ["https://a.example", {"url": "javascript:alert(1)"}]},
)

bocha = Dialect(
    "bocha",
    "/v1/web-search",
    lambda r: (
        _bearer(r)
        and bool(r.body["query"])
        and r.body["freshness"] in _RECENCIES
        and r.body["summary"] is True
        and 1 <= r.body["count"] <= 50
    ),
    lambda pages, query: {
        "code": 200,
        "log_id": "d71841ae83eb0017",
        "msg": None,
        "data": {
            "_type": "SearchResponse",
            "queryContext": {"originalQuery": query},
            "webPages": {
                "webSearchUrl": "https://bochaai.com/search?q=x",
                "totalEstimatedMatches": len(pages),
                "value": [
                    {
                        "id": f"https://api.bochaai.com/v1/#WebPages.{at}",
                        "name": page.title,
                        "url": page.url,
                        "displayUrl": page.url,
                        "snippet": page.text[:40],
                        "summary": page.text,
                        "siteName": page.site,
                        "datePublished": f"{page.published}T08:00:00+08:00"
                        if page.published
                        else None,
                        "language": None,
                    }
                    for at, page in enumerate(pages)
                ],
                "someResultsRemoved": True,
            },
            "images": None,
            "videos": None,
        },
    },
    lambda status: {
        "code": str(status),
        "message": {401: "Invalid API KEY", 403: "You do not have enough money"}.get(
            status, "You have reached the request limit"
        ),
        "log_id": "c66aac17eaab1d22",
    },
    {"code": 200, "data": {"webPages": {"value": [1, {"name": "x"}]}}},
)

tavily = Dialect(
    "tavily",
    "/search",
    lambda r: (
        _bearer(r)
        and 0 < len(r.body["query"]) <= 400
        and r.body["search_depth"] in ("basic", "advanced")
        and r.body["topic"] in ("general", "news")
        and 0 <= r.body["max_results"] <= 20
        and r.body.get("time_range", "day") in ("day", "week", "month", "year")
    ),
    lambda pages, query: {
        "query": query,
        "answer": None,
        "follow_up_questions": None,
        "images": [],
        "results": [
            {
                "url": page.url,
                "title": page.title,
                "content": page.text,
                "score": 0.9,
                "raw_content": None,
                **({"published_date": "Mon, 23 Nov 2026 08:00:00 GMT"} if page.published else {}),
            }
            for page in pages
        ],
        "response_time": 0.8,
        "request_id": "123e4567",
    },
    lambda status: {"detail": {"error": {
        401: "Unauthorized: missing or invalid API key.",
        432: "This request exceeds your plan's set usage limit.",
    }.get(status, "Your request has been blocked due to excessive requests.")}},
    {"results": [None, {"title": "x", "url": 5}]},
)  # fmt: skip

DIALECTS = {dialect.name: dialect for dialect in (zhipu, searxng, bocha, tavily)}
