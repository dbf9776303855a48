"""One document from the web: every hop guarded, its site asked first, its size limited."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpcore

from mien.pages.cache import Cache
from mien.pages.connection import Connection, Reply, connect
from mien.pages.contract import PageError
from mien.pages.courtesy import Courtesy
from mien.pages.extract import PDF, READABLE
from mien.pages.guard import Guard, Target, join_url
from mien.pages.robots import EVERYTHING, Rules, forbidden, parse_robots

MAX_REDIRECTS = 5
MAX_BYTES = 2_000_000
"""Of a page, unpacked; articles have 0.1 to 0.5 MB."""
MAX_PDF_BYTES = 10_000_000
_PAGES = {kind: MAX_PDF_BYTES if kind in PDF else MAX_BYTES for kind in READABLE}

_ROBOTS_BYTES = 512 * 1024  # RFC 9309 §2.5: at least 500 KiB; the rest is not looked at
_ROBOTS_SEC = 3600.0
_ROBOTS_CACHE_BYTES = 4_000_000
_ROBOTS = {"text/plain": _ROBOTS_BYTES, "": _ROBOTS_BYTES}


@dataclass(frozen=True, slots=True)
class Fetched:
    """url: where it was in the end. charset: as its server states it, "" if not. exempt: whether
    that place is one that is allowed by name, so that it may lead to another such."""

    url: str
    media_type: str
    charset: str
    body: bytes
    exempt: bool = False


class Fetcher:
    """Gets documents; remembers the robots.txt of their sites.

    A robots.txt that is not there (4xx) allows everything; when it cannot be had (5xx, 429, no
    connection) the page is not read, as RFC 9309 §2.3.1 asks.
    """

    def __init__(
        self, guard: Guard, tls: ssl.SSLContext, network: httpcore.AsyncNetworkBackend
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._network = network
        self._courtesy = Courtesy()
        self._rules: Cache[Rules] = Cache(_ROBOTS_SEC, _ROBOTS_CACHE_BYTES)
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(
        self, url: str, meanwhile: Callable[[], Awaitable[None]], *, exempt: bool = True
    ) -> Fetched:
        """Follows redirects. Raises PageError. meanwhile: what else will be needed, begun
        before each connection. exempt: as for `Guard.resolve`."""
        known: set[str] = set()
        for _ in range(MAX_REDIRECTS + 1):
            target = await self._guard.resolve(url, exempt=exempt)
            await meanwhile()
            reply = await self._visit(target, target.host not in known)
            if reply.redirect is None:
                return _fetched(target, reply)
            known.add(target.host)
            url, exempt = join_url(target, reply.redirect), target.exempt
        raise PageError("the page redirects too often", "网页重定向次数过多")

    async def _visit(self, target: Target, new: bool) -> Reply:
        async with (
            self._courtesy.visit(target.host),
            connect(target, self._tls, self._network) as connection,
        ):
            rules = await self._rules_of(target, connection)
            if not rules.allow(target.path):
                raise forbidden(target.host)
            if new:
                await self._courtesy.turn(target.host, rules.delay_sec)
            return await connection.get(target.path, _PAGES)

    async def _rules_of(self, target: Target, connection: Connection) -> Rules:
        lock = self._asking.setdefault(target.origin, asyncio.Lock())
        try:
            async with lock:
                rules = self._rules.get(target.origin)
                if rules is None:
                    rules = await self._ask(target, connection)
                    size = 200 + sum(len(pattern) + 100 for _, pattern in rules.rules)
                    self._rules.put(target.origin, rules, size)
                return rules
        finally:
            if not lock.locked():
                self._asking.pop(target.origin, None)

    async def _ask(self, target: Target, connection: Connection) -> Rules:
        reply = await _robots(connection, "/robots.txt")
        for _ in range(MAX_REDIRECTS):
            if reply.redirect is None:
                break
            elsewhere_url = join_url(target, reply.redirect)
            target = await self._guard.resolve(elsewhere_url, exempt=target.exempt)
            async with connect(target, self._tls, self._network) as elsewhere:
                reply = await _robots(elsewhere, target.path)
        if reply.status >= 500 or reply.status == 429:
            raise PageError(
                f"{target.host} cannot say now what programs may read (robots.txt: {reply.status})",
                f"{target.host} 暂时无法说明程序可以读取哪些网页（robots.txt：{reply.status}）",
            )
        return parse_robots(reply.body.decode("utf-8", "replace")) if reply.body else EVERYTHING


async def _robots(connection: Connection, path: str) -> Reply:
    return await connection.get(path, _ROBOTS, whole=False)


def _fetched(target: Target, reply: Reply) -> Fetched:
    if reply.status != 200:
        raise PageError(
            f"{target.host} answers with error {reply.status}",
            f"{target.host} 返回错误 {reply.status}",
        )
    if reply.media_type not in READABLE:
        raise PageError(
            f"this is no page to read but {reply.media_type[:60]}",
            f"这不是可以阅读的网页，而是 {reply.media_type[:60]}",
        )
    return Fetched(target.url, reply.media_type, reply.charset, reply.body, target.exempt)
