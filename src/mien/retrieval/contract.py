"""What is searched, and what a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mien.language import Language


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text that can be understood by itself, some 100 to 800 characters.

    title: of the text. heading: the headings it stands under, the outermost first. url: where a
    person can read it; "" for nowhere. place: where in it, for people ("p. 3", "row 12"). asked:
    how people ask for it, as its writer noted; it is found by these, which are never shown.
    """

    text: str
    title: str
    heading: tuple[str, ...] = ()
    url: str = ""
    place: str = ""
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found. score: 0…1, how much of the question it explains. answer: those of
    its sentences that answer the question, to be spoken without a model.
    """

    text: str
    title: str
    score: float
    answer: str
    heading: tuple[str, ...] = ()
    url: str = ""
    place: str = ""


class Retriever(Protocol):
    """A collection of texts that can be asked."""

    async def search(self, question: str, language: Language, limit: int = 4) -> list[Passage]:
        """The passages that answer it, the best first; none when it is out of scope.

        Quick enough for every turn. Never raises: what fails (embeddings, say) is logged and done
        without.
        """
        ...
