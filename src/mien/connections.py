"""HTTP connections to one server that outlive requests, and never an interrupted one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

# httpx forgets a connection after 5 s. Turns of a conversation lie further apart, and a new TLS
# handshake costs a tenth of a second or several.
_KEEP_SEC = 120.0


class Connections:
    """httpx clients of one connection each; one serves a request at a time.

    One client with many connections would be simpler. But when a task is cancelled, also by a time
    limit, just while httpcore 1.0 hands it a connection, or just when a body ends, the pool counts
    that connection as in use for ever: 2 to 3 of 100 interruptions, and after 100 of those nothing
    is sent any more. Here a client whose request was interrupted is closed with all it has.
    """

    def __init__(self, url: str, *, connect_sec: float, keep: int) -> None:
        """keep: how many that are not in use stay open. The clients limit no time but connect."""
        self._url = url
        self._connect_sec = connect_sec
        self._keep = keep
        self._idle: list[httpx.AsyncClient] = []
        self._busy: set[httpx.AsyncClient] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        """For one request; kept for the next one unless the block ends with an exception."""
        client = self._idle.pop() if self._idle else self._new()
        self._busy.add(client)
        whole = False
        try:
            yield client
            whole = True
        finally:
            whole = whole and client in self._busy
            self._busy.discard(client)
            if whole and len(self._idle) < self._keep:
                self._idle.append(client)
            else:
                await self._end(client)

    def discard(self, client: httpx.AsyncClient) -> None:
        """Do not keep a client whose request was interrupted though its block goes on."""
        self._busy.discard(client)

    async def aclose(self) -> None:
        """Close all, also those in use. Works before first use and twice; more can be made."""
        clients = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
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
            timeout=httpx.Timeout(None, connect=self._connect_sec),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEEP_SEC),
            # A company's HTTP proxy cannot reach this machine.
            trust_env=url.host not in ("localhost", "127.0.0.1", "::1"),
            verify=self._tls or False,  # without TLS there is nothing to verify
        )
