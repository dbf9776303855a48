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
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path

import snowballstemmer
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mien.llm.language import Language
from mien.llm.persona import describe_errors

#: Share of a question's weight that an entry has to explain. Calibrated on the questions in
#: tests/test_llm_faq.py: below 0.45 questions about the world start to hit entries, above 0.55
#: free paraphrases are refused.
THRESHOLD = 0.48

# Question words and politeness tell little about the subject, but all of "who are you" is such.
_STOP_WEIGHT = 0.12
# But unless it is exactly a known question, agreement in such words is mostly chance.
_ONLY_STOP_WORDS = 0.7
# Chinese bigrams across a word boundary are noise; half of them are, roughly.
_BIGRAM_WEIGHT = 0.5
_K1, _B = 1.2, 0.2

_STOP_ZH = (
    "是不是 能不能 可不可以 有没有 要不要 需不需要 会不会 怎么样 为什么 怎么 怎样 如何 什么 "
    "哪个 哪些 哪里 哪儿 可以 能够 能 可 会 要 想 应该 需要 请问 请 麻烦 告诉 我们 我 你们 你 "
    "您 它 他 她 这个 那个 这 那 一下 一个 一点 一些 的话 的 地 得 了 着 过 吗 呢 吧 啊 呀 哦 "
    "嘛 么 和 跟 与 或者 还是 也 都 就 才 再 还 在 把 被 让 给 对 从 到 用 来 去 是 有 没有 "
    "不 很 太 多 几 谁 啥 咋 现在 目前 如果 因为 所以 但是 然后 该 弄 搞 知道 觉得 帮 做 上 下 "
    "里 自己 直接 到底 究竟 其实 好 些 个 只 用来 时候 东西"
).split()
_STOP_EN = frozenset(
    "a an the i me my we our you your yourself it its this that these those he she they "
    "them is are am was were be been being do does did done doing have has had having can "
    "could will would shall should may might must what which who whom whose where when why "
    "how of in on at to for with about from by as into and or but if then so than too very "
    "just also not no there here please tell know want need like get got let some any all "
    "more actually really exactly right now still ever go goes going don "
    "doesn didn won isn aren couldn shouldn wouldn way thing make made give something anything "
    "someone up out".split()
)
_CONTRACTIONS = (
    (re.compile(r"\b(can|won|don|doesn|didn|isn|aren|couldn|shouldn|wouldn)['’]?t\b"), r"\1 not"),
    (re.compile(r"['’](s|re|m|ll|ve|d)\b"), " "),
)
_PLEASANTRY = re.compile(
    r"^(?:(?:你好啊?呀?|您好|嗨|哈喽|喂|请问(?:一下)?|麻烦(?:问)?一下|我想(?:问|知道)(?:一下)?|"
    r"(?:hi there|hi|hello|hey|excuse me|ok(?:ay)?|so|well|um+|uh|please|i was wondering(?: if)?|"
    r"by the way|could you tell me|can you tell me|i(?:'d| would) like to know)\b)"
    r"[\s,，。.!！?？、:：~～]*)+",
    re.IGNORECASE,
)
_EN_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_stemmer = snowballstemmer.stemmer("english")

Tokens = Mapping[str, float]


class FAQError(ValueError):
    """A FAQ file cannot be used; the message names the file and the field."""


class Answers(BaseModel):
    """Questions and answers of one entry in one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: tuple[str, ...] = Field(min_length=1)
    answer: str | tuple[str, ...]

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
    """A FAQ file: entries, and words that mean the same to the search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: tuple[Entry, ...] = ()
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
    """

    def __init__(
        self, entries: Iterable[Entry], concepts: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        unique: dict[str, Entry] = {}
        for entry in entries:
            unique.setdefault(entry.id, entry)
        self.entries = tuple(unique.values())
        self._tokenizer = _Tokenizer(concepts or {})
        self._documents: list[tuple[Entry, Tokens, float]] = []
        self._exact: dict[str, Entry] = {}
        frequency: Counter[str] = Counter()
        self._vocabulary: dict[str, set[str]] = {}
        for entry in self.entries:
            for side in (entry.zh, entry.en):
                for question in side.questions if side else ():
                    tokens = self._tokenizer(question)
                    self._documents.append((entry, tokens, sum(tokens.values())))
                    self._exact.setdefault(_normal(question), entry)
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
        if exact := self._exact.get(_normal(question)):
            return Match(exact, 1.0)
        stripped = _PLEASANTRY.sub("", question).strip()
        if stripped and (exact := self._exact.get(_normal(stripped))):
            return Match(exact, 1.0)
        query = self._tokenizer(stripped or question)
        perfect = sum(w * self._weigh(t) for t, w in query.items())
        if not perfect:
            return None
        only_stop_words = max(query.values()) <= _STOP_WEIGHT
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
            if only_stop_words:
                score *= _ONLY_STOP_WORDS
            if best is None or score > best.score:
                best = Match(entry, min(score, 1.0))
        return best

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


class _Tokenizer:
    """Cuts a question into weighted tokens."""

    def __init__(self, concepts: Mapping[str, Sequence[str]]) -> None:
        han: dict[str, str] = dict.fromkeys(_STOP_ZH, "")
        latin: dict[tuple[str, ...], str] = {}
        for name, phrases in concepts.items():
            for phrase in phrases:
                text = _normal(phrase)
                if _HAN_RUN.search(text):
                    han[text.replace(" ", "")] = name
                elif words := tuple(_stem(text)):
                    latin[words] = name
        self._han = han
        self._han_pattern = re.compile("|".join(map(re.escape, sorted(han, key=len)[::-1])))
        self._latin = latin
        self._longest = max((len(k) for k in latin), default=1)

    def __call__(self, text: str) -> Tokens:
        tokens: dict[str, float] = {}
        text = _normal(text)
        # Concepts may be half Latin ("ai模型"), so Chinese phrases are looked up before anything.
        rest = self._take_phrases(text, tokens)
        for run in _HAN_RUN.findall(rest):
            for gram in [run] if len(run) == 1 else map("".join, pairwise(run)):
                tokens[gram] = _BIGRAM_WEIGHT
        self._take_words(_stem(rest), tokens)
        return tokens

    def _take_phrases(self, text: str, tokens: dict[str, float]) -> str:
        if not _HAN_RUN.search(text):
            return text

        def take(match: re.Match[str]) -> str:
            phrase = match.group()
            concept = self._han[phrase]
            tokens[f"#{concept}" if concept else phrase] = 1.0 if concept else _STOP_WEIGHT
            return " "

        return self._han_pattern.sub(take, text)

    def _take_words(self, words: list[str], tokens: dict[str, float]) -> None:
        at = 0
        while at < len(words):
            for n in range(min(self._longest, len(words) - at), 0, -1):
                if concept := self._latin.get(tuple(words[at : at + n])):
                    tokens[f"#{concept}"] = 1.0
                    at += n
                    break
            else:
                word = words[at]
                tokens[word] = _STOP_WEIGHT if word in _STOP_EN else 1.0
                at += 1


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


@functools.lru_cache(maxsize=4)
def _load(paths: tuple[tuple[Path, int], ...]) -> FAQ:
    # Cached, because indexing takes about a tenth of a second and every conversation has a brain.
    # A FAQ is immutable; the time of the last change is part of the key.
    folder = resources.files("mien") / "assets" / "faq"
    own = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    files = [_read(path) for path in [*(path for path, _ in paths), *own]]
    concepts: dict[str, tuple[str, ...]] = {}
    for file in files:
        for name, words in file.concepts.items():
            concepts[name] = concepts.get(name, ()) + words
    return FAQ((entry for file in files for entry in file.entry), concepts)


def _read(path: Path | Traversable) -> FAQFile:
    try:
        return FAQFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as e:
        raise FAQError(f"cannot read the FAQ file {path}: {e}") from e
    except tomllib.TOMLDecodeError as e:
        raise FAQError(f"the FAQ file {path} is not valid TOML: {e}") from e
    except ValidationError as e:
        raise FAQError(f"the FAQ file {path} is wrong: {describe_errors(e)}") from e


def _normal(text: str) -> str:
    """Lower case, half-width, punctuation as single spaces."""
    text = unicodedata.normalize("NFKC", text).lower()
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return " ".join(re.findall(r"[\w.]*\w", text))


def _stem(text: str) -> list[str]:
    """English words of a text; stems, except stop words, which stay as they are."""
    return [
        w if w in _STOP_EN else str(_stemmer.stemWord(w)) for w in _EN_WORD.findall(text.lower())
    ]
