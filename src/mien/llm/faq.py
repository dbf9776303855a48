"""Finds the answer to a question among a few dozen written ones, without a model.

BM25 (Robertson and Zaragoza, 2009) over the phrasings of each entry, on tokens made for short
spoken questions: named concepts ("嗓音" and "voice" are the same token), character bigrams for
what is left of Chinese and stems for what is left of English. The score is divided by the score of
a perfect match, so that it says how much of the question was understood, and a threshold on it
tells what is out of scope.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mien.language import Language
from mien.llm.persona import describe_errors
from mien.llm.question_tokens import Tokenizer, Tokens, normal
from mien.retrieval.common_words import STOP_WEIGHT, without_pleasantry

#: How much of a question an entry has to explain. Calibrated on tests/llm_faq_questions.toml: at
#: 0.44 one question in twenty about the world gets an answer about mien, at 0.51 some plain
#: paraphrases are refused.
THRESHOLD = 0.48

# "OBS can't grab you, what now" says little that the FAQ knows, but it is about OBS.
_ANCHORED = 1.8
# A question of nothing but question words, and not one we know to the letter: agreement is chance.
_ONLY_STOP_WORDS = 0.6
_K1, _B = 1.2, 0.2

_NAME = re.compile(r"^小眉|小眉$|^mei\b|\bmei$")


class FAQError(ValueError):
    """A FAQ file cannot be used; the message names the file and the field."""


class Answers(BaseModel):
    """Questions and answers of one entry in one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: tuple[str, ...] = Field(min_length=1)
    answer: str | Annotated[tuple[str, ...], Field(min_length=1)]

    @field_validator("questions")
    @classmethod
    def _no_empty_question(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not q.strip() for q in value):
            raise ValueError("a question is empty")
        return value

    @property
    def answers(self) -> tuple[str, ...]:
        """All answers; several are given in turn."""
        return (self.answer,) if isinstance(self.answer, str) else self.answer


class Entry(BaseModel):
    """One thing the brain can talk about.

    Attributes:
        id: Unique; an entry of the user's with the id of one of ours replaces it.
        zh: In Chinese.
        en: In English. One of the two may be missing: the other then answers in its place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    zh: Answers | None = None
    en: Answers | None = None

    @model_validator(mode="after")
    def _some_language(self) -> Entry:
        if self.zh is None and self.en is None:
            raise ValueError("an entry needs zh, en or both")
        return self

    def answers(self, language: Language) -> tuple[str, ...]:
        """The answers in this language, or in the other if there are none."""
        first, second = (self.zh, self.en) if language == "zh" else (self.en, self.zh)
        chosen = first or second
        return chosen.answers if chosen else ()


class FAQFile(BaseModel):
    """A FAQ file.

    Attributes:
        entry: The entries.
        concepts: Words that mean the same to the search.
        anchors: Concepts that belong to the entries' subject and hardly occur elsewhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: tuple[Entry, ...] = ()
    anchors: tuple[str, ...] = ()
    concepts: dict[str, tuple[str, ...]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """The best entry for a question and how well it explains it, 0 to 1."""

    entry: Entry
    score: float


class FAQ:
    """Entries, indexed for search. A search takes well under a millisecond per hundred phrasings.

    Args:
        entries: Of two with the same id, the first counts.
        concepts: Concept name to the words and phrases, in either language, that stand for it.
        anchors: Names of concepts that make an entry likelier, see `FAQFile`.
        own: The ids of the user's entries.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        concepts: Mapping[str, Sequence[str]] | None = None,
        anchors: Iterable[str] = (),
        own: Iterable[str] = (),
    ) -> None:
        self.own = frozenset(own)
        self._anchors = frozenset(f"#{name}" for name in anchors)
        unique: dict[str, Entry] = {}
        for entry in entries:
            unique.setdefault(entry.id, entry)
        self.entries = tuple(unique.values())
        self._tokenizer = Tokenizer(concepts or {})
        self._documents: list[tuple[Entry, Tokens, float]] = []
        self._exact: dict[str, Entry] = {}
        frequency: Counter[str] = Counter()
        self._vocabulary: dict[str, set[str]] = {}
        for entry in self.entries:
            for side in (entry.zh, entry.en):
                for question in side.questions if side else ():
                    tokens = self._tokenizer(question)
                    self._documents.append((entry, tokens, sum(tokens.values())))
                    self._exact.setdefault(normal(question), entry)
                    self._vocabulary.setdefault(entry.id, set()).update(tokens)
        # Counted over entries, not phrasings: a word that is in every phrasing of one entry only
        # is the best sign of it, not a common word.
        for words in self._vocabulary.values():
            frequency.update(words)
        n = len(self._vocabulary)
        self._mean_length = (
            sum(d[2] for d in self._documents) / len(self._documents) if self._documents else 1.0
        )
        self._idf = {t: math.log(1 + (n - f + 0.5) / (f + 0.5)) for t, f in frequency.items()}
        # A word found nowhere in the FAQ counts like one found once: it is a sign of another topic.
        self._unknown_idf = math.log(1 + (n - 0.5) / 1.5) if n else 1.0

    def search(self, question: str) -> Match | None:
        """Return the best entry, however bad; compare its score with `THRESHOLD`."""
        stripped = without_pleasantry(question)
        for text in (question, stripped):
            if exact := self._exact.get(normal(text)) or self._exact.get(_nameless(text)):
                return Match(exact, 1.0)
        query = self._tokenizer(stripped or question)
        perfect = sum(w * self._weigh(t) for t, w in query.items())
        if not perfect:
            return None
        anchors = self._anchors & query.keys()
        only_stop_words = max(query.values()) <= STOP_WEIGHT
        best: Match | None = None
        for entry, document, length in self._documents:
            phrasing = self._bm25(query, document, length)
            if not phrasing:
                continue
            # Half of the score from one phrasing, half from all phrasings of the entry together:
            # a paraphrase takes its words from several.
            words = self._vocabulary[entry.id]
            union = sum(w * self._weigh(t) for t, w in query.items() if t in words)
            heard = sum(w * self._weigh(t) for t, w in document.items() if t in query)
            asked = sum(w * self._weigh(t) for t, w in document.items())
            score = (phrasing + union) / (2 * perfect) * (0.7 + 0.3 * heard / asked)
            if not anchors.isdisjoint(words):
                score *= _ANCHORED
            if only_stop_words:
                score *= _ONLY_STOP_WORDS
            if best is None or score > best.score:
                best = Match(entry, score)
        return best and Match(best.entry, min(best.score, 1.0))

    def _weigh(self, token: str) -> float:
        return self._idf.get(token, self._unknown_idf)

    def _bm25(self, query: Tokens, document: Tokens, length: float) -> float:
        norm = _K1 * (1 - _B + _B * length / self._mean_length)
        return sum(
            # The usual saturation, scaled to 1 for one occurrence in a document of mean length.
            weight * self._weigh(token) * (1 + _K1) / (1 + norm)
            for token, weight in query.items()
            if token in document
        )


def load_faq(paths: Iterable[Path] = ()) -> FAQ:
    """Load mien's own FAQ, and the user's files before it.

    Raises:
        FAQError: If a file cannot be read or is wrong; the file and every wrong field are named.
    """
    stamped: list[tuple[Path, int]] = []
    for path in paths:
        try:
            stamped.append((path, path.stat().st_mtime_ns))
        except OSError as e:
            raise FAQError(f"cannot read the FAQ file {path}: {e}") from e
    return _load(tuple(stamped))


@functools.lru_cache(maxsize=32)
def _load(paths: tuple[tuple[Path, int], ...]) -> FAQ:
    # Cached, because indexing takes about a tenth of a second and every conversation has a brain.
    # Each persona may have one. A FAQ is immutable; the time of the last change is part of the key.
    folder = resources.files("mien") / "assets" / "faq"
    own = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    files = [_read(path) for path in [*(path for path, _ in paths), *own]]
    concepts: dict[str, tuple[str, ...]] = {}
    for file in files:
        for name, words in file.concepts.items():
            concepts[name] = concepts.get(name, ()) + words
    anchors = {name for file in files for name in file.anchors}
    users = {entry.id for file in files[: len(paths)] for entry in file.entry}
    return FAQ((entry for file in files for entry in file.entry), concepts, anchors, users)


def _read(path: Path | Traversable) -> FAQFile:
    try:
        return FAQFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as e:
        raise FAQError(f"cannot read the FAQ file {path}: {e}") from e
    except tomllib.TOMLDecodeError as e:
        raise FAQError(f"the FAQ file {path} is not valid TOML: {e}") from e
    except ValidationError as e:
        raise FAQError(f"the FAQ file {path} is wrong: {describe_errors(e)}") from e


def _nameless(text: str) -> str:
    """The normal form without the default persona's name, with which people begin or end."""
    return _NAME.sub("", normal(text)).strip()
