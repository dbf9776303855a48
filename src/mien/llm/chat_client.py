"""One HTTP exchange with a chat-completions endpoint: deadlines, hanging up, errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

import httpx
from loguru import logger

from mien.connections import Connections
from mien.llm.chunk_parser import ChunkParser, Delta
from mien.llm.failure import FailureCode, LLMFailure, failure_from
from mien.llm.presets import Endpoint

_CONNECT_TIMEOUT_SECS = 8.0
_KEEP_CONNECTIONS = 2
# A complete answer may be followed by usage and [DONE]. Servers that send neither and keep the
# connection open would otherwise delay the end of every answer by the idle timeout.
_AFTER_FINISH_SECS = 0.3
# The body ends with [DONE] or a packet behind it. Whoever keeps it open costs this, each turn.
_AFTER_DONE_SECS = 0.05
_ERROR_BODY_TIMEOUT_SECS = 3.0

#: Finish reason of an answer whose end the server did not declare.
ENDED_UNSAID: Final = "mien:ended-unsaid"


class ChatClient:
    """Streams answers from one endpoint, keeping the connection between turns.

    Args:
        endpoint: Where to connect and how long to wait for a first sign.
        idle_timeout_secs: Longest pause within an answer. Comments that only keep the connection
            alive do not count as a sign of life, here and before the first token.
    """

    def __init__(self, endpoint: Endpoint, *, idle_timeout_secs: float = 15.0) -> None:
        self._endpoint = endpoint
        self._idle_timeout_secs = idle_timeout_secs
        self._connections = Connections(
            endpoint.base_url, connect_sec=_CONNECT_TIMEOUT_SECS, keep=_KEEP_CONNECTIONS
        )

    async def aclose(self) -> None:
        """Close the connections. May be called at any time, and the client be used again."""
        await self._connections.aclose()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer, watching the clock. Close the generator to hang up.

        If the server ends the answer with neither a finish reason nor ``[DONE]``, a last delta
        says so with the finish reason `ENDED_UNSAID`.

        Raises:
            LLMFailure: If the answer does not begin or breaks off.
        """
        loop = asyncio.get_running_loop()
        first_token_secs = self._endpoint.first_token_timeout_secs
        deadline = loop.time() + first_token_secs
        parser = ChunkParser(self._endpoint.preset.reasoning_fields)
        begun = finished = False
        async with (
            self._connections.client() as client,
            # Closing an answer that is not read to its end drops the connection: the server
            # stops generating, and nothing of the turn survives.
            aclosing(await self._open(client, body, deadline)) as response,
            aclosing(cast(AsyncGenerator[bytes, None], response.aiter_bytes())) as chunks,
        ):
            while not parser.done:
                try:
                    async with asyncio.timeout_at(deadline):
                        data = await anext(chunks, None)
                except TimeoutError:
                    if finished:
                        self._connections.discard(client)
                        break
                    what = "a pause within the answer" if begun else "no first token"
                    secs = self._idle_timeout_secs if begun else first_token_secs
                    raise LLMFailure(FailureCode.TIMEOUT, f"{what} after {secs:g} s") from None
                except httpx.HTTPError as e:
                    if finished:
                        break
                    raise LLMFailure(FailureCode.CUT_OFF, _describe(e)) from e
                for delta in parser.feed(data) if data is not None else parser.close():
                    finished |= delta.finish_reason is not None
                    if delta.progress:
                        begun = True
                        deadline = loop.time() + self._idle_timeout_secs
                    yield delta
                if finished:
                    deadline = min(deadline, loop.time() + _AFTER_FINISH_SECS)
                if data is None:
                    break
            if parser.done:
                await self._read_to_end(chunks, client)
            if parser.broken_chunks:
                label = self._endpoint.preset.label
                logger.warning(f"{label}: {parser.broken_chunks} broken chunks were skipped")
            if not finished and not parser.done:
                yield Delta(finish_reason=ENDED_UNSAID)

    async def _read_to_end(
        self, chunks: AsyncGenerator[bytes, None], client: httpx.AsyncClient
    ) -> None:
        """Only a connection whose answer was read whole serves the next turn, which then need not
        make one anew (to a distant provider that takes 0.1 s and more)."""
        try:
            async with asyncio.timeout(_AFTER_DONE_SECS):
                async for _ in chunks:
                    pass
        except TimeoutError:
            self._connections.discard(client)
        except httpx.HTTPError:
            pass

    async def _open(
        self, client: httpx.AsyncClient, body: Mapping[str, Any], deadline: float
    ) -> httpx.Response:
        """Send the request and return the open response of a request that was accepted."""
        url = f"{self._endpoint.base_url}/chat/completions"
        headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
        if self._endpoint.api_key:
            headers["Authorization"] = f"Bearer {self._endpoint.api_key}"
        content = json.dumps(body, ensure_ascii=False).encode()
        for attempt in (1, 2):
            request = client.build_request("POST", url, headers=headers, content=content)
            try:
                async with asyncio.timeout_at(deadline):
                    response = await client.send(request, stream=True)
                break
            except TimeoutError:
                secs = self._endpoint.first_token_timeout_secs
                raise LLMFailure(FailureCode.TIMEOUT, f"no answer after {secs:g} s") from None
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as e:
                # Typically a kept-alive connection that the server closed just now.
                if attempt == 2 or client.is_closed:
                    raise LLMFailure(FailureCode.CONNECTION, _describe(e)) from e
            except httpx.HTTPError as e:
                raise LLMFailure(FailureCode.CONNECTION, _describe(e)) from e
        if response.is_success:
            return response
        try:
            async with asyncio.timeout(_ERROR_BODY_TIMEOUT_SECS):
                text = (await response.aread())[:65536].decode("utf-8", "replace")
        except (TimeoutError, httpx.HTTPError):
            text = ""
        finally:
            await response.aclose()
        try:
            payload = json.loads(text)
        except ValueError:
            payload = None
        if isinstance(payload, list) and payload:  # Google wraps its errors in a list
            payload = payload[0]
        raise failure_from(response.status_code, payload, text)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
