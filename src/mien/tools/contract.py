"""The seam for whatever a model can call: what it is, what it is given, what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mien.language import Language
from mien.retrieval.contract import Passage
from mien.tools.untrusted import visible

SourceKind = Literal["web", "document"]


@dataclass(frozen=True, slots=True)
class Source:
    """What an answer rests on, as a card shows it. Texts are plain; published: as the source says.

    number: what the model cites it by, from 1 in each turn; 0 until it has one.
    """

    title: str
    url: str = ""
    site: str = ""
    snippet: str = ""
    published: str = ""
    kind: SourceKind = "web"
    number: int = 0

    @property
    def key(self) -> str:
        """Two sources with the same key are the same."""
        return self.url or f"{self.title}\n{self.snippet}"


@dataclass(slots=True)
class ToolContext:
    """What a call knows of the turn it serves. One per turn, shared by its calls.

    question: the user's words. on_sources: called with all sources so far, whenever one is added.
    openable: addresses that pages may be read from: those that the user named and that searches
    found, in this conversation. A page must not be able to send the model, and with it what it
    knows, to an address of its choice.
    """

    language: Language
    question: str
    on_sources: Callable[[tuple[Source, ...]], None] = lambda sources: None
    sources: list[Source] = field(default_factory=list)
    openable: set[str] = field(default_factory=set)

    def cite(self, source: Source) -> int:
        """The number of this source in the turn; a new one is shown to the user."""
        shown = _shown(source, len(self.sources) + 1)
        for known in self.sources:
            if known.key == shown.key:
                return known.number
        self.sources.append(shown)
        self.on_sources(tuple(self.sources))
        return len(self.sources)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """name: ``[a-z0-9_]``, as the model calls it. description: for the model, in English.
    parameters: JSON schema of an object. timeout_sec: after which the model is told that it failed.

    effects: it changes or sends something, so it is not called for words that may not have been
    said, nor once something untrusted was read in this turn. label: what the page shows while it
    works. aside: said at once when the model calls it and has not spoken yet; one of them.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    label: Mapping[Language, str]
    timeout_sec: float = 10.0
    effects: bool = False
    aside: Mapping[Language, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model wants this done. id: unique in the answer. arguments: as they came, JSON at best."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """text: for the model. untrusted: it comes from somebody who may wish us ill (a web page); the
    model is told that it is data, and may use only tools without effects for the rest of the turn.
    note: what the tool itself tells the model about the text; never a word of somebody else.
    """

    text: str
    untrusted: bool = False
    note: str = ""


class ToolError(Exception):
    """A tool could not do it. The message is for the model, in English: what, and what to try.

    untrusted: the message has words of somebody else in it, see ``ToolResult``.
    """

    def __init__(self, message: str, *, untrusted: bool = False) -> None:
        super().__init__(message)
        self.untrusted = untrusted


class Tool(Protocol):
    """Shared by conversations or not, as its maker likes; several calls may run at once."""

    @property
    def spec(self) -> ToolSpec: ...

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """arguments: a JSON object, not yet checked against the schema beyond being one.

        Cancelled on barge-in and at its time limit. Raises ToolError.
        """
        ...


# Of what cards show; a page may call itself anything.
_MOST_SHOWN = 300


def _shown(source: Source, number: int) -> Source:
    texts = (source.title, source.site, source.snippet, source.published)
    title, site, snippet, published = (" ".join(visible(t).split())[:_MOST_SHOWN] for t in texts)
    return Source(title, source.url, site, snippet, published, source.kind, number)


def passage_source(passage: Passage) -> Source:
    """The card of a passage of the user's documents."""
    where = " › ".join(filter(None, (*passage.heading, passage.place)))
    return Source(passage.title, passage.url, where, passage.text[:200], kind="document")
