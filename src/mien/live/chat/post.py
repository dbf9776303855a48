"""Hands messages to a running mien over its HTTP API."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
from loguru import logger

from mien.live.chat.connector import ChatError, ChatMessage

TIMEOUT_SEC = 10.0


class Poster:
    """A client of one session of the mien at ``url``."""

    def __init__(self, url: str, session: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session = session
        self._url = url
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_SEC)
        self._path = f"/api/v1/sessions/{quote(session, safe='')}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def check(self) -> None:
        """Raises ChatError when there is no such mien or no such session."""
        try:
            response = await self._client.get(self._path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ChatError(
                f"mien does not answer at {self._url} ({error or type(error).__name__}). "
                "Start it there: mien run --publish … --script …, or say where: --to URL",
                f"{self._url} 上的 mien 没有响应。请先启动 mien run，或用 --to 指定地址",
                retryable=False,
            ) from None
        if response.status_code != 200:
            raise ChatError(
                f"{self._url} has no session {self._session!r} for us: {_why(response, 'en')}",
                f"{self._url} 上无法使用会话 {self._session!r}：{_why(response, 'zh')}",
                retryable=False,
            )

    async def deliver(self, message: ChatMessage) -> None:
        """Post it; a mien that is away for a moment loses it, as an audience would be."""
        body: dict[str, object] = {"from": message.author[:200], "text": message.text[:4000]}
        if message.priority is not None:
            body["priority"] = message.priority
        if message.id:
            body["id"] = message.id[:200]
        try:
            response = await self._client.post(f"{self._path}/messages", json=body)
        except httpx.HTTPError as error:
            logger.warning(f"a message was lost: {error or type(error).__name__}")
            return
        if response.status_code != 202:
            logger.warning(f"a message was refused: {_why(response, 'en')}")


def _why(response: httpx.Response, language: str) -> str:
    try:
        return str(response.json()["error"]["message"][language])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"
