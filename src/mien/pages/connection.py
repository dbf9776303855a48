"""One connection to a checked address, for one or a few requests."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpcore

from mien import __version__
from mien.pages.contract import PageError
from mien.pages.guard import Target
from mien.pages.unpacking import ACCEPTED, TooLarge, Unpacker

USER_AGENT = f"mien/{__version__}"
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.I)
_SKIPPED_BYTES = 1 << 16
_ADDRESS_SEC = 1.0
"""For one of several addresses before the next is tried. A network without a way there says
nothing; half the internet answers within a tenth of this."""


@dataclass(frozen=True, slots=True)
class Reply:
    """status: the HTTP status. headers: by lower-case name. body: unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        match = _CHARSET.search(self.headers.get("content-type", ""))
        return match[1] if match else ""

    @property
    def redirect(self) -> str | None:
        """Where to; None when this is not a redirect."""
        if self.status in (301, 302, 303, 307, 308):
            return self.headers.get("location")
        return None


class Connection:
    """To one target's server; its requests may only differ in their path."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, target: Target) -> None:
        self._pool = pool
        self._target = target

    async def get(self, path: str, media: Mapping[str, int], *, whole: bool = True) -> Reply:
        """GET. The body is read only for status 200 and one of the `media` types, up to so many
        bytes of it, unpacked. Raises PageError for a longer one (it is cut if it need not be
        whole), and when the network or the server fails.
        """
        target = self._target
        request = httpcore.Request(
            "GET",
            httpcore.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=path.encode(),
            ),
            headers=[
                ("Host", target.authority),
                ("User-Agent", USER_AGENT),
                ("Accept", ", ".join(sorted(filter(None, media))) + ", */*;q=0.1"),
                ("Accept-Encoding", ACCEPTED),
            ],
        )
        try:
            response = await self._pool.handle_async_request(request)
            try:
                return await _reply(response, media, whole)
            finally:
                await response.aclose()
        except httpcore.ConnectError as error:
            raise _not_reached(target, error) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, OSError) as error:
            raise PageError(
                f"the connection to {target.host} broke", f"与 {target.host} 的连接中断"
            ) from error
        except httpcore.ProtocolError as error:
            raise PageError(
                f"{target.host} does not answer as a web server does",
                f"{target.host} 的回应不是网站的回应",
            ) from error


@asynccontextmanager
async def connect(
    target: Target, tls: ssl.SSLContext, network: httpcore.AsyncNetworkBackend
) -> AsyncIterator[Connection]:
    """Requests to one checked target. Connects at the first; closed when the block ends, whatever
    ends it. Proxies of the environment are not used: what they may reach is not ours to check.
    """
    pinned = _Pinned(target.addresses, network)
    pool = httpcore.AsyncConnectionPool(ssl_context=tls, max_connections=1, network_backend=pinned)
    async with pool:
        yield Connection(pool, target)


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were checked, whatever host it is asked for.

    The name is still what TLS checks the certificate against, and what the Host header says.
    """

    def __init__(self, addresses: tuple[str, ...], network: httpcore.AsyncNetworkBackend) -> None:
        self._addresses = addresses
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = self._addresses
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, _ADDRESS_SEC)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout)


async def _reply(response: httpcore.Response, media: Mapping[str, int], whole: bool) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers[name.decode("latin-1").lower()] = _text(value)
    reply = Reply(response.status, headers)
    if reply.status != 200 or reply.media_type not in media:
        await _skip(response)
        return reply
    unpacker = Unpacker(headers.get("content-encoding", ""), media[reply.media_type])
    try:
        async for piece in response.aiter_stream():
            unpacker.feed(piece)
        return replace(reply, body=unpacker.end())
    except TooLarge:
        if whole:
            raise
        return replace(reply, body=bytes(unpacker.body))


async def _skip(response: httpcore.Response) -> None:
    """Read to the end of a short body, so that the connection can be used for the next request:
    most robots.txt are a page that says they are not there."""
    left = _SKIPPED_BYTES
    async for piece in response.aiter_stream():
        left -= len(piece)
        if left < 0:
            break


def _text(value: bytes) -> str:
    """Headers are ASCII by the letter; redirects of Chinese sites often are UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _not_reached(target: Target, error: Exception) -> PageError:
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return PageError(
            f"{target.host} cannot prove that it is who it says (its certificate is not valid)",
            f"{target.host} 的安全证书无效",
        )
    return PageError(f"{target.host} cannot be reached", f"无法连接 {target.host}")
