"""Connections to one server that outlive clauses, and never an interrupted one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from mien.tts.http import failure

_CONNECT_SEC = 3.0
# httpx forgets a connection after 5 s; turns of a conversation lie further apart.
_KEEP_SEC = 120.0
_KEEP = 4


class Connections:
    """httpx clients of one connection each; one serves a request at a time.

    One client with many connections would be simpler. But when a task is cancelled just while
    httpcore 1.0 hands it a connection, or just when a body ends, the pool counts that connection
    as in use for ever: 3 of 100 interruptions, and after 100 of those nothing is sent any more.
    Here a client whose request did not come to its end is closed with all it has.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[httpx.AsyncClient] = []
        self._busy: set[httpx.AsyncClient] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None
        self.closed = False

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        """For one request; kept for the next one unless the block ends with an exception.

        Raises:
            VoiceError: when they are closed.
        """
        if self.closed:
            raise failure.closed()
        client = self._idle.pop() if self._idle else self._new()
        self._busy.add(client)
        whole = False
        try:
            yield client
            whole = True
        finally:
            self._busy.discard(client)
            if whole and not self.closed and len(self._idle) < _KEEP:
                self._idle.append(client)
            else:
                await self._end(client)

    async def aclose(self) -> None:
        """Close all, also those in use. Works before first use and twice."""
        self.closed = True
        clients = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(self._end(client) for client in clients))
        await asyncio.gather(*self._closing)

    async def _end(self, client: httpx.AsyncClient) -> None:
        # A task of its own: whoever is cancelled while waiting for it does not stop it.
        task = asyncio.create_task(client.aclose(), name="close connection")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        await asyncio.shield(task)

    def _new(self) -> httpx.AsyncClient:
        url = httpx.URL(self._url)
        if url.scheme == "https" and self._tls is None:
            self._tls = httpx.create_ssl_context()  # takes 30 ms: once
        return httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=_CONNECT_SEC),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEEP_SEC),
            # A company's HTTP proxy cannot reach this machine.
            trust_env=url.host not in ("localhost", "127.0.0.1", "::1"),
            verify=self._tls or False,  # without TLS there is nothing to verify
        )
