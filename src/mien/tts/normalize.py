"""From a written clause to what voices can read: words only, in runs of one language each.

The grammar is wetext's (WeTextProcessing's rules as FSTs); around it stand the splitting into
languages, the reading of names such as "GPT-4o", which the grammar takes for sums, and rules for
what it misreads (see ``normalize_zh`` and ``normalize_en``).
"""

from __future__ import annotations

import importlib
import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mien.language import Language
from mien.tts import normalize_en, normalize_zh
from mien.tts.lexicon import Lexicon
from mien.tts.spans import Span, SpannedText
from mien.tts.spoken import to_spoken

_HAN = r"\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_ZH_MARKS = r"，。！？；：、（）【】《》「」『』〈〉～·"
_UNIT = (
    r"(?:[kKMG]?Hz|fps|k?m/h|m/s|k?Wh?|mAh|px|[kmcμ]?m[²³2]?|[km]?g|[mk]?[lL]|min|ms|dB|V|h|s|%|‰|℃|℉"
    r"|°[CF]?|[²³]|[KMGTP]i?B|[pP])(?![A-Za-z0-9])"
)
_TOKEN = re.compile(
    rf"""(?P<address>[A-Za-z0-9][\w.+-]*@[A-Za-z0-9][\w-]*(?:\.[\w-]+)+
        |(?<![\w.])[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\.[A-Za-z]{{2,}}[0-9]?(?![\w.]*\w))
    |(?P<decade>(?<!\w)(?:1\d|20)?\d0['’]?s(?![A-Za-z0-9]))
    |(?P<sign>(?:C\+\+|[CF]\#|[Nn]os?\.\s?\d+|&(?=[A-Za-z])))
    |(?P<money>(?:US|HK|RMB|CNY)?[$€£¥￥₩₹]\s?\d[\d,.]*(?<=\d)(?:[kKMBT]\b)?)
    |(?P<code>(?<![A-Za-z0-9])[A-Za-z]+(?:[-.]?\d+[A-Za-z]*)+(?:[-.][A-Za-z0-9]+)*
        |(?<![A-Za-z0-9])\d+[A-Za-z]+\d[A-Za-z0-9]*|(?<![A-Za-z0-9])\d+[A-Za-z]*(?:-[A-Za-z]+\d*)+)
    |(?P<ordinal>\d+(?:st|nd|rd|th)(?![A-Za-z]))
    |(?P<number>[-−+±≈~]?\d(?:[\d,.:/％~～–—-]*\d)?(?:\s?{_UNIT})?)
    |(?P<word>(?:[^\W\d_{_HAN}]|(?<=[A-Za-z])['’](?=[A-Za-z])|(?<=[a-zA-Z])-(?=[a-zA-Z]))+)
    |(?P<han>[{_HAN}]+)
    |(?P<space>\s+)
    |(?P<zh_mark>[{_ZH_MARKS}]+)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENING = frozenset("“‘「『（(【[《〈")
_SAYABLE = re.compile(r"[^\W_]")
_LATIN = re.compile(rf"[^\W\d_{_HAN}]+(?:[\s'’-]+[^\W\d_{_HAN}]+)*")
_WETEXT_EN = re.compile(r"[\d@½¼¾]")
_NO = re.compile(r"(?<=\b[Nn]o)\.")
_FULL_STOP = re.compile("。")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")  # full-width, Arabic-Indic, ...
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Run:
    """``text``, which is ``[begin:stop]`` of what was split, in one language."""

    text: str
    language: Language
    begin: int
    stop: int


@dataclass(frozen=True, slots=True)
class SpokenRun:
    """Words for one voice: no digits, no markup.

    spans: for each character of ``text`` the ``(begin, stop)`` of the written clause it says;
        begins and stops never decrease, within a run and from run to run.
    """

    text: str
    language: Language
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clause ready for a voice; ``runs`` are in speaking order."""

    clause: str
    runs: tuple[SpokenRun, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say, as in code or an emoji."""
        return not self.runs


def language_runs(text: str, default: Language = "zh") -> list[Run]:
    """Split ``text`` where its language changes; runs joined are ``text`` again.

    Numbers and signs take the language of the words around them; between two languages, that
    of the larger part of the text; with no words at all, ``default``. Marks and blanks go with
    what they follow, opening brackets with what comes.
    """
    return [
        Run(text[begin:stop], language, begin, stop)
        for _, language, begin, stop in _merged(_tokens(text, default))
    ]


@dataclass(slots=True)
class _Token:
    kind: str
    language: Language | None
    begin: int
    stop: int


def _tokens(text: str, default: Language) -> list[_Token]:
    tokens: list[_Token] = []
    weight = {"zh": 0, "en": 0}
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        language: Language | None = None
        if kind in ("address", "decade", "sign", "code", "ordinal", "word"):
            language = "en"
            weight["en"] += 1
        elif kind == "han":
            language = "zh"
            weight["zh"] += len(match[0])
        tokens.append(_Token(kind, language, *match.span()))
    if weight["zh"] == weight["en"]:
        main = default
    else:
        main = "zh" if weight["zh"] > weight["en"] else "en"
    for i, token in enumerate(tokens):
        if token.kind in ("number", "money"):
            around = {_nearest(tokens[:i][::-1]), _nearest(tokens[i + 1 :])} - {None}
            token.language = around.pop() if len(around) == 1 and weight[main] == 0 else None
            if token.language is None:
                sides = (_nearest(tokens[:i][::-1]) or main, _nearest(tokens[i + 1 :]) or main)
                token.language = sides[0] if sides[0] == sides[1] else main
    last: Language | None = None
    for i, token in enumerate(tokens):
        if token.language is None:
            following = next((t.language for t in tokens[i + 1 :] if t.language), None)
            opening = text[token.begin] in _OPENING
            token.language = (following if opening else last) or last or following or main
        last = token.language
    return tokens


def _nearest(tokens: list[_Token]) -> Language | None:
    for token in tokens:
        if token.kind == "zh_mark":
            return "zh"
        if token.kind not in ("number", "money", "space", "mark"):
            return token.language
    return None


def _merged(tokens: list[_Token]) -> Iterator[tuple[list[_Token], Language, int, int]]:
    group: list[_Token] = []
    for token in tokens:
        if group and group[0].language != token.language:
            yield group, group[0].language or "zh", group[0].begin, group[-1].stop
            group = []
        group.append(token)
    if group:
        yield group, group[0].language or "zh", group[0].begin, group[-1].stop


class Normalizer:
    """Numbers, dates, units and names in words. Thread-safe; wetext loads at first need."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wetext: dict[Language, Any] = {}

    def load(self) -> None:
        """Load the grammars (about 0.5 s, 50 MB) now rather than within the first sentence."""
        with self._lock:
            self._load()

    def _load(self) -> None:
        if not self._wetext:
            wetext = importlib.import_module("wetext")
            self._wetext = {language: wetext.Normalizer(lang=language) for language in ("zh", "en")}

    def normalize(self, spoken: SpannedText, default: Language = "zh") -> list[SpokenRun]:
        """``spoken`` (see ``to_spoken``) in words, one run for each stretch of one language."""
        spoken = spoken.rewrite(_FOREIGN_DIGIT, lambda m: str(unicodedata.digit(m[0])))
        runs: list[tuple[Language, SpannedText]] = []
        for group, language, _, _ in _merged(_tokens(spoken.text, default)):
            if language == "en":
                runs.append(("en", self._english(spoken, group)))
            else:
                text = self._chinese(spoken.cut(group[0].begin, group[-1].stop))
                runs += _without_latin(text)
        return [
            SpokenRun(text.text, language, text.spans)
            for language, text in _joined(runs)
            if _SAYABLE.search(text.text)
        ]

    def _english(self, spoken: SpannedText, group: list[_Token]) -> SpannedText:
        parts: list[SpannedText] = []
        for token in group:
            part = spoken.cut(token.begin, token.stop)
            if token.kind == "address":
                part = _said(part, normalize_en.address(part.text))
            elif token.kind == "code":
                part = _said(part, normalize_en.code(part.text))
            parts.append(part)
        text = normalize_en.spell_out(SpannedText.join(parts))
        if _WETEXT_EN.search(text.text):
            # wetext takes each "No." for "number"; those that are have been written out above.
            text = self._ask("en", text.rewrite(_NO, "。")).rewrite(_FULL_STOP, ".")
        if _DIGIT.search(text.text):
            text = text.rewrite(re.compile(r"\d+"), lambda m: _english_number(m[0]))
        return text.rewrite(re.compile(r"\s+"), " ").keep(re.compile(r"\s+(?=[,.!?;:])"))

    def _chinese(self, text: SpannedText) -> SpannedText:
        text = normalize_zh.spell_out(text)
        if _DIGIT.search(text.text):
            text = self._ask("zh", text)
        return normalize_zh.spell_rest(text)

    def _ask(self, language: Language, text: SpannedText) -> SpannedText:
        stripped = text.strip()
        begin = len(text.text) - len(text.text.lstrip())
        stop = begin + len(stripped.text)
        said = self._wetext_of(language, stripped.text)
        if said is None:  # the grammar has no path for some character: find out word by word
            parts = [stripped.cut(*m.span()) for m in re.finditer(r"\s+|\S+", stripped.text)]
            stripped = SpannedText.join(
                part
                if part.text.isspace()
                else part.reread(self._wetext_of(language, part.text) or part.text)
                for part in parts
            )
        else:
            stripped = stripped.reread(said)
        return SpannedText.join((text.cut(0, begin), stripped, text.cut(stop, len(text.text))))

    def _wetext_of(self, language: Language, text: str) -> str | None:
        # Not ``normalize_with_mapping``: it takes 5-10 times as long and, breaking ties otherwise,
        # reads "3-5 days" as "three minus five days" and "km/h" as "kilometers per H".
        with self._lock:
            self._load()
            try:
                said: str = self._wetext[language].normalize(text)
            except (AssertionError, RuntimeError, ValueError, IndexError, KeyError):
                return None
        return said.replace('\\"', '"').replace("\\\\", "\\") or None


def _english_number(number: str) -> str:
    return normalize_en.decimal(number) if number.isascii() else " "


def _said(part: SpannedText, words: str) -> SpannedText:
    """``words`` instead of ``part``."""
    return part.reread(words)


def _without_latin(text: SpannedText) -> Iterator[tuple[Language, SpannedText]]:
    """Letters that Chinese reading left ("五G"): English."""
    at = 0
    for match in _LATIN.finditer(text.text):
        yield "zh", text.cut(at, match.start())
        yield "en", text.cut(*match.span())
        at = match.end()
    yield "zh", text.cut(at, len(text.text))


def _joined(runs: list[tuple[Language, SpannedText]]) -> list[tuple[Language, SpannedText]]:
    """Neighbours of one language as one; what has no words goes with what it follows."""
    joined: list[tuple[Language, SpannedText]] = []
    for language, text in runs:
        if not text:
            continue
        wordless = not _SAYABLE.search(text.text)
        if joined and (joined[-1][0] == language or wordless):
            joined[-1] = (joined[-1][0], SpannedText.join((joined[-1][1], text)))
        elif joined and not _SAYABLE.search(joined[-1][1].text):
            joined[-1] = (language, SpannedText.join((joined[-1][1], text)))
        else:
            joined.append((language, text))
    return joined


_shared = Normalizer()


def prepare(
    clause: str, default_language: Language = "zh", lexicon: Lexicon | None = None
) -> Prepared:
    """What voices are to say of ``clause``, as written; never fails on any text.

    ``default_language`` reads clauses that have no words of either language ("3.14").
    ``lexicon`` has the readings of words that voices would misread.
    The first call loads the grammars: see ``load``.
    """
    spoken = to_spoken(clause)
    if lexicon is not None:
        spoken = lexicon.apply(spoken)
    return Prepared(clause, tuple(_shared.normalize(spoken, default_language)))


def load() -> None:
    """Load the grammars that ``prepare`` uses (about 0.5 s), e.g. while a server starts."""
    _shared.load()
