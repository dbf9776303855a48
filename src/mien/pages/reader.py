"""Reads web pages that nobody vouches for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress

import httpcore
import httpx
from loguru import logger

from mien.mind_settings import SearchSection
from mien.pages.cache import Cache
from mien.pages.contract import BlockedAddress, Page, PageError
from mien.pages.extractor import Extractor
from mien.pages.fetch import Fetcher
from mien.pages.guard import Guard, Resolve, join_url, parse_url

_PAGE_SEC = 8.0
"""For one page that was asked for by itself: less than the time limit of the tool."""
_CACHE_BYTES = 32_000_000
_AT_ONCE = 16
_MAX_REFRESHES = 2


class PageReader:
    """Shared by all conversations. Closed with `aclose`, which also ends its worker process.

    resolve, network, tls: in place of DNS, of TCP connections, and of the certificates that are
    trusted. The guard stands before them.
    """

    def __init__(
        self,
        section: SearchSection,
        *,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = Guard(section.allow_hosts, resolve)
        self._network = network or httpcore.AnyIOBackend()
        self._tls = tls
        self._fetcher: Fetcher | None = None
        self._extractor = Extractor()
        self._cache: Cache[Page] = Cache(section.cache_sec, _CACHE_BYTES)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def aclose(self) -> None:
        await self._extractor.aclose()
        self._guard.close()

    async def warm(self) -> None:
        """Begin what takes half a second, so that the first page need not wait for it."""
        with suppress(PageError):  # told when a page is read
            await self._extractor.start()
        await self._trusted()

    async def read(self, urls: Sequence[str], deadline_sec: float) -> list[Page]:
        """Read them all at once. What is there at the deadline counts, in the order of `urls`; the
        rest is given up, and nothing of it goes on. Those that fail are logged and left out.
        """
        pages: dict[str, Page] = {}
        late = dict.fromkeys(urls)

        async def one(url: str) -> None:
            try:
                pages[url] = await self._page(url)
            except BlockedAddress as error:
                logger.warning(f"Page not read: {_site(url)}: {error}")
            except PageError as error:
                logger.info(f"Page not read: {_site(url)}: {error}")
            except Exception:
                logger.exception(f"Page not read: {_site(url)}")
            del late[url]

        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_sec), asyncio.TaskGroup() as group:
                for url in dict.fromkeys(urls):
                    group.create_task(one(url))
        for url in late:
            logger.info(f"Page not read: {_site(url)}: not within {deadline_sec:g} s")
        return [pages[url] for url in dict.fromkeys(urls) if url in pages]

    async def read_one(self, url: str) -> Page:
        """Raises PageError, also after eight seconds."""
        try:
            async with asyncio.timeout(_PAGE_SEC):
                return await self._page(url)
        except TimeoutError:
            raise PageError(f"{_site(url)} takes too long", f"{_site(url)} 响应太慢") from None

    async def _page(self, url: str) -> Page:
        asked = parse_url(url).url
        page = self._cache.get(asked)
        if page is None:
            async with self._room:
                page = await self._fetch(asked)
            size = 2 * len(page.text) + 1000
            self._cache.put(asked, page, size)
            self._cache.put(page.url, page, size)
        return page

    async def _fetch(self, url: str) -> Page:
        tls = await self._trusted()
        if self._fetcher is None:
            self._fetcher = Fetcher(self._guard, tls, self._network)
        exempt = True  # whoever gave us the address meant it
        for _ in range(_MAX_REFRESHES + 1):
            # The worker finds its libraries while we wait for the network.
            fetched = await self._fetcher.get(url, self._extractor.start, exempt=exempt)
            found = await self._extractor.extract(
                fetched.body, fetched.media_type, fetched.charset, fetched.url
            )
            if not found.refresh:
                return Page(
                    fetched.url,
                    found.title or _site(fetched.url),
                    found.text,
                    found.site,
                    found.published,
                    found.language,
                )
            url, exempt = join_url(parse_url(fetched.url), found.refresh), fetched.exempt
        raise PageError("the page redirects too often", "网页重定向次数过多")

    async def _trusted(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        return self._tls


def _site(url: str) -> str:
    """For logs: what was searched for may be in the rest of a URL."""
    try:
        return parse_url(url).host
    except BlockedAddress:
        return "(no site)"
