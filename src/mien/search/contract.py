"""The seam for services that search the web: what is asked, what is found, what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mien.language import Language

Freshness = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Result:
    """A page that was found. Texts are plain, without markup.

    snippet: what the service shows of it, "" where it shows nothing. site: its name, or its host.
    published: a day (``2026-11-23``), or as the service says it; "" where it does not say.
    content: a longer part of the page's text, from services that give one.
    """

    title: str
    url: str
    snippet: str = ""
    site: str = ""
    published: str = ""
    content: str = ""


class SearchError(Exception):
    """A service did not answer, or not as it should.

    The message says what is wrong and what to do, zh the same in Chinese; neither holds a key.
    retryable: False when it will not work before the settings are changed.
    rest_sec: how long the service wants to be left alone; None = it does not say. about_query: it
    refuses these words only, a forbidden one say; others may be asked at once.
    """

    def __init__(
        self,
        message: str,
        zh: str,
        retryable: bool = True,
        rest_sec: float | None = None,
        about_query: bool = False,
    ) -> None:
        super().__init__(message)
        self.zh = zh
        self.retryable = retryable
        self.rest_sec = rest_sec
        self.about_query = about_query


class SearchProvider(Protocol):
    """A service that searches the web, shared by all conversations.

    name: as in the settings. label: as people call it. timeout_sec: for one request.
    pause_sec: at least so long between the beginnings of two requests.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def timeout_sec(self) -> float: ...
    @property
    def pause_sec(self) -> float: ...

    async def search(
        self, query: str, limit: int, language: Language, freshness: Freshness | None = None
    ) -> list[Result]:
        """At most ``limit`` pages, the best first; none when there are none.

        freshness: only pages not older than that, where the service can tell.
        Raises SearchError. May be cancelled; the caller watches the clock.
        """
        ...

    async def aclose(self) -> None:
        """Close connections. Works before the first search and twice."""
        ...
