"""A model that searches, a search service and a web, all on a loopback port, that note when."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mien.language import Language

# How long a model writes the arguments of a call, between their first and last fragment.
ARGUMENTS_SEC = 0.4
# Pages take so long that the aside has been said when they come: else the answer would wait for
# its end, and that would be measured.
PAGE_SEC = 2.0
PAGES = 2

QUESTIONS: tuple[tuple[Language, str], ...] = (
    ("zh", "今天有什么新消息？"),
    ("en", "What is new today?"),
)
_ANSWERS: dict[Language, str] = {
    "zh": "新的灯塔今天开放了[1]，门票是七元[2]。",
    "en": "The new lighthouse opened today [1], and a ticket is seven pounds [2].",
}
_PARAGRAPH: dict[Language, str] = {
    "zh": "新的灯塔今天开放，游客可以登上塔顶，门票七元，儿童免费，每周二休息。",
    "en": "The new lighthouse opened today. Visitors may climb the tower for seven pounds. ",
}


@dataclass
class World:
    """``time.monotonic()`` of what happened last. called: the first fragment of a call was sent.
    pages: the last page was. told: the request with the results came.

    Attributes:
        url: where all of it is.
        turn: makes every search and page a new one: nothing is to come from a cache.
    """

    url: str = ""
    turn: int = 0
    language: Language = "zh"
    called: float = 0.0
    pages: float = 0.0
    told: float = 0.0
    _left: int = field(default=0)

    @property
    def settings(self) -> dict[str, Any]:
        """Of a server that lives in it."""
        return {
            "llm": {
                "name": "openai",
                "base_url": f"{self.url}/v1",
                "model": "bench",
                "api_key": "-",
            },
            "search": {
                "providers": ["searxng"],
                "services": {"searxng": {"base_url": self.url}},
                "allow_hosts": [self.url.removeprefix("http://")],
                "results": PAGES,
            },
            "knowledge": {"bases": []},
            "memory": {"enabled": False},
        }

    def begin(self, turn: int) -> str:
        """The question of a turn."""
        self.turn, self._left = turn, PAGES
        self.language, question = QUESTIONS[turn % len(QUESTIONS)]
        self.called = self.pages = self.told = 0.0
        return question

    async def complete(self, request: Request) -> Response:
        """The chat-completions API."""
        messages = (await request.json())["messages"]
        if messages[-1]["role"] == "tool":
            self.told = time.monotonic()
            return _stream(self._answer())
        return _stream(self._call())

    async def _call(self) -> AsyncIterator[dict[str, Any]]:
        self.called = time.monotonic()
        function = {"name": "web_search", "arguments": ""}
        yield {"tool_calls": [{"index": 0, "id": f"call_{self.turn}", "function": function}]}
        written = json.dumps({"query": f"news {self.turn}"})
        for character in written:
            await asyncio.sleep(ARGUMENTS_SEC / len(written))
            yield {"tool_calls": [{"index": 0, "function": {"arguments": character}}]}

    async def _answer(self) -> AsyncIterator[dict[str, Any]]:
        for character in _ANSWERS[self.language]:
            yield {"content": character}

    async def search(self, request: Request) -> Response:
        """SearXNG's API."""
        results = [
            {
                "title": f"News {self.turn}.{number}",
                "url": f"{self.url}/page/{self.turn}/{number}",
                "content": _PARAGRAPH[self.language],
            }
            for number in range(PAGES)
        ]
        return JSONResponse({"query": request.query_params["q"], "results": results})

    async def page(self, request: Request) -> Response:
        """A page of a newspaper."""
        await asyncio.sleep(PAGE_SEC)
        self._left -= 1
        if not self._left:
            self.pages = time.monotonic()
        text = "".join(f"<p>{_PARAGRAPH[self.language] * 4}</p>" for _ in range(20))
        title = f"News {request.path_params['turn']}"
        return HTMLResponse(
            f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>{text}"
            "</article></body></html>"
        )


def _stream(deltas: AsyncIterator[dict[str, Any]]) -> Response:
    async def events() -> AsyncIterator[str]:
        async for delta in deltas:
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """Serve it while the context lasts."""
    made = World()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", made.complete, methods=["POST"]),
            Route("/search", made.search),
            Route("/page/{turn}/{number}", made.page),
        ]
    )
    config = uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(), name="world")
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - no event to await
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        made.url = f"http://127.0.0.1:{port}"
        yield made
    finally:
        server.should_exit = True
        await serving
