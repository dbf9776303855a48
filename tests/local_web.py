"""A small web on this machine: good pages, and the tricks of bad ones.

    with local_web() as web:                 # from a test, async or not, or a fixture of any scope
        reader = web.reader()                # knows http://news.example/zh/bridge.html, port 80
        bare = web.url + "/zh/bridge.html"   # the same over http://127.0.0.1:PORT, for what cannot
                                             # be given a resolver: allow_hosts=[web.allow]

``web.reader`` gives the real reader with its real guard. Only two things are ours: ``web.resolve``
in place of DNS, by which names have public addresses, and ``web.network``, which leads public
addresses to the servers here, as a router would. What is sent to an address that is not public
goes there: to ``web.victim``, on port 80 and 443 of 127.0.0.1, which counts who comes.

Any host serves any path; those in quotation marks are meant for it.

=================  ============================================================================
news.example       /zh/bridge.html  望溪大桥: 1286米, 林默言设计, 免费, 27路, 投资十九亿四千万元
                   /zh/tea.html     青川雾茶: 85度, 浸泡四十秒, 特级每斤一千二百元
                   /zh/museum.html  a long page, eight rooms; 青铜厅: 双龙纹方鼎, 重八十三公斤
travel.example     /en/lighthouse.html  Gull Rock: 1871, 41 metres, Ada Thornbury, seven pounds
                   /en/ferry.html       Marigold: 180 passengers, hydrogen, winter timetable
recipes.example    /en/soup.html    a recipe with a prompt injection
slow.example       /never, /drip (a byte a second), /headers (the same), /after/MS (bridge.html)
heavy.example      /huge (3 MB), /bomb (gzip, 40 MB), /bombs (gzip twice), /endless, /fields,
                   /deep, /many (elements)
old.example        /charset/NAME: the bridge in a charset that is stated wrongly: CHARSETS
moved.example      /to?URL, /loop, /chain/N, /refresh?URL (meta)
odd.example        /status/N, /image.png, /app (JavaScript only), /empty, /plain.txt, /data.json,
                   /cookies (counts those sent), /cut (ends early), /zstd, /garbage
                   /asked.txt (ASKED), /paper (a PDF of 3 MB)
private.example    robots.txt: /members/ is forbidden, /slow/ too but /slow/open, Crawl-delay 30
fence.example      robots.txt: 503.   hang.example: never.   sly.example: is on 127.0.0.1
big.example        robots.txt: 5 MB.  named.example: forbids all to us
safe.example       https with a certificate of ``web.tls``; wrong.example is there, too
inside.example     127.0.0.1   mixed.example: a public address and 127.0.0.1
rebind.example     public, then 127.0.0.1, in turns     cloud.example: 169.254.169.254
=================  ============================================================================
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore

from certificates import server_context
from local_web_answers import answer
from mien.mind_settings import SearchSection
from mien.pages.reader import PageReader

PUBLIC = "93.184.216.34"
SILENT = "8.8.8.8"  # a way there that leads nowhere
ADDRESSES = {
    "inside.example": ["127.0.0.1"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "cloud.example": ["169.254.169.254"],
    "nowhere.example": [],
}


@dataclass(frozen=True)
class Request:
    host: str
    path: str
    headers: dict[str, str]


@dataclass
class LocalWeb:
    """requests: all that came, in order. opened, open: connections, ever and now. victim: those
    that reached the loopback ports that no page may reach. resolved: names that were looked up.
    """

    port: int = 0
    tls_port: int = 0
    victim_port: int = 0
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    opened: int = 0
    open: int = 0
    victim: int = 0
    resolved: Counter[str] = field(default_factory=Counter)
    dialled: list[str] = field(default_factory=list)
    _turns: Iterator[str] = field(default_factory=lambda: itertools.cycle([PUBLIC, "127.0.0.1"]))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def allow(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def resolve(self, host: str, port: int) -> list[str]:
        self.resolved[host] += 1
        if host == "rebind.example":
            return [next(self._turns)]
        return ADDRESSES.get(host, [PUBLIC] if host.endswith(".example") else [])

    @property
    def network(self) -> Network:
        return Network(self)

    def reader(self, **settings: Any) -> PageReader:
        """The real reader in this web."""
        return PageReader(
            SearchSection(**settings), resolve=self.resolve, network=self.network, tls=self.tls
        )

    def paths(self, host: str) -> list[str]:
        return [request.path for request in self.requests if request.host == host]


class Network(httpcore.AsyncNetworkBackend):
    """Leads to the servers of a local web; by the address, as in real life."""

    def __init__(self, web: LocalWeb) -> None:
        self._web = web
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self._web.dialled.append(host)
        if host == SILENT:
            raise httpcore.ConnectTimeout
        if host == PUBLIC:
            port = {80: self._web.port, 443: self._web.tls_port}[port]
        elif port in (80, 443):
            port = self._web.victim_port
        return await self._real.connect_tcp("127.0.0.1", port, timeout=timeout)


@contextmanager
def local_web() -> Iterator[LocalWeb]:
    """Serve it from a thread of its own until the block ends."""
    web = LocalWeb()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        web.opened += 1
        web.open += 1
        try:
            while (request := await _request(reader)) is not None:
                web.requests.append(request)
                again = await answer(
                    request.host, request.path, request.headers, writer, reader.at_eof
                )
                if not again:
                    break
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            web.open -= 1
            writer.close()

    async def serve_victim(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        web.victim += 1
        writer.close()

    async def serve(folder: Path) -> None:
        server_tls, web.tls = server_context(folder, host="safe.example")
        plain = await asyncio.start_server(serve_http, "127.0.0.1", 0)
        secure = await asyncio.start_server(serve_http, "127.0.0.1", 0, ssl=server_tls)
        victim = await asyncio.start_server(serve_victim, "127.0.0.1", 0)
        web.port, web.tls_port, web.victim_port = (
            server.sockets[0].getsockname()[1] for server in (plain, secure, victim)
        )
        ready.set()
        await stop.wait()
        for server in (plain, secure, victim):
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    with tempfile.TemporaryDirectory() as folder:
        thread = threading.Thread(target=loop.run_until_complete, args=(serve(Path(folder)),))
        thread.start()
        try:
            assert ready.wait(60)
            yield web
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(60)
            loop.close()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    host = headers.get("host", "").partition(":")[0]
    return Request(host, first.split(" ")[1], headers)
