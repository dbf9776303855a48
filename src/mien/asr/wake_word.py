"""Waking up by name: by a small network that waits for nothing else, or by the recognised words.

sherpa-onnx spots keywords given as phones (English) and initials with finals (Chinese), with a
model of 5 MB at a fraction of what a recogniser costs. Where it is not pulled, or cannot spell the
name, the words of any recogniser do.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from mien.asr.contract import AsrError
from mien.asr.sherpa_engine import SherpaEngine
from mien.asr.sherpa_utterance import Utterance
from mien.asr.sherpa_worker import Plan
from mien.asr.syllables import parts, syllable
from mien.asr.wake_phrase import WakePhrases
from mien.media.tick import Pcm
from mien.models.store import installed

logger = logging.getLogger(__name__)

MODEL = "sherpa-onnx-kws-zipformer-zh-en-3M-2025-12-20"
# Of the two exports the one that decides every 160 ms, not 320.
_NETWORKS = ("chunk-8", "chunk-16", "")
_UNITS = re.compile(r"[\u3400-\u9fff]|[a-z0-9]+(?:['’][a-z]+)*", re.I)


class WakeWords:
    """What wakes the presenter; one for all microphones of a server.

    phrases: in Chinese or English. model: a folder with a keyword model; None = the one that
    ``mien models pull`` has brought, if it has.
    """

    def __init__(self, phrases: Sequence[str], model: Path | None = None) -> None:
        self.phrases = tuple(phrases)
        self._texts = WakePhrases(phrases)
        self._model = model
        self._engine: SherpaEngine | None = None
        self._loading = asyncio.Lock()

    @property
    def spotting(self) -> bool:
        """Whether a network listens for them."""
        return self._engine is not None

    async def warm_up(self) -> None:
        """Load the keyword model, if there is one that can spell every phrase. Never fails: the
        recogniser's words do otherwise."""
        async with self._loading:  # two microphones may come at once
            if self._engine is None:
                self._engine = await self._load()

    async def _load(self) -> SherpaEngine | None:
        plan = await asyncio.to_thread(self._plan)
        if plan is None:
            return None
        engine = SherpaEngine(plan, MODEL)
        try:
            await engine.running()
        except AsrError as error:
            logger.warning("no keywords are spotted: %s", error)
            await engine.aclose()
            return None
        except asyncio.CancelledError:
            await engine.aclose()
            raise
        return engine

    def open(self) -> WakeWord:
        """Begin to wait at one microphone."""
        return WakeWord(self._texts, self._engine)

    async def aclose(self) -> None:
        if self._engine is not None:
            await self._engine.aclose()

    def _plan(self) -> Plan | None:
        folder = self._model
        if folder is None:
            found = installed(MODEL)
            folder = None if found is None else found.folder
        if folder is None or find_spec("sherpa_onnx") is None:
            return None
        fields: dict[str, object] = {"num_threads": 1}
        for role in ("encoder", "decoder", "joiner"):
            network = _network(folder, role)
            if network is None:
                logger.warning("no keywords are spotted: there is no %s*.onnx in %s", role, folder)
                return None
            fields[role] = str(network)
        lines = keyword_lines(self.phrases, folder)
        if lines is None:
            return None
        fields |= {"tokens": str(folder / "tokens.txt"), "keywords": "\n".join(lines) + "\n"}
        return Plan("keywords", "", fields)


class WakeWord:
    """Waits for the name at one microphone, on one event loop."""

    def __init__(self, phrases: WakePhrases, engine: SherpaEngine | None) -> None:
        self._phrases = phrases
        self._spotted: deque[str] = deque()
        self._watch = None if engine is None else Utterance(engine)
        if self._watch is not None:
            self._watch.on_spotted = self._on_spotted

    def push(self, pcm: Pcm) -> str | None:
        """All of the microphone's sound, int16[n] mono 16 kHz. Returns a phrase that has been
        spotted since the last call (some 0.3 s after it was said); None while there was none, and
        always where no network listens."""
        if self._watch is not None and not self._watch.failed:
            self._watch.push(pcm.tobytes())
        return self._spotted.popleft() if self._spotted else None

    def in_text(self, text: str) -> str | None:
        """See ``WakePhrases.in_text``."""
        return self._phrases.in_text(text)

    async def aclose(self) -> None:
        """Let go of everything."""
        if self._watch is not None:
            await self._watch.aclose()

    def _on_spotted(self, phrase: str) -> None:
        self._spotted.append(phrase.replace("_", " "))


def keyword_lines(phrases: Sequence[str], folder: Path) -> list[str] | None:
    """The lines of sherpa-onnx's keywords file: tokens, and "@" with the phrase without spaces.

    A character or word that is a token itself stands for itself; otherwise a character is its
    initial and final ("ppinyin" of sherpa-onnx's text2token) and a word its phones in en.phone.
    None when one of them cannot be spelled with the model's tokens.
    """
    tokens = {row.split()[0] for row in _rows(folder / "tokens.txt")}
    words = {word for phrase in phrases for word in _words(phrase)}
    rows = _rows(folder / "en.phone", words)
    phones = {row.split()[0].lower(): row.split()[1:] for row in rows}
    lines = []
    for phrase in phrases:
        spelled = [token for unit in _units(phrase) for token in _spelled(unit, tokens, phones)]
        if missing := [token for token in spelled if token not in tokens]:
            logger.warning("the keyword model cannot spell %r (%s)", phrase, missing[0])
            return None
        lines.append(f"{' '.join(spelled)} @{'_'.join(phrase.split())}")
    return lines


def _spelled(unit: str, tokens: set[str], phones: Mapping[str, list[str]]) -> list[str]:
    whole = f"▁{unit}" if unit.isascii() else unit
    for one in (whole, whole.upper()):
        if one in tokens:
            return [one]
    reading = None if unit.isascii() else syllable(unit)
    return parts(reading) if reading else phones.get(unit, [unit])


def _units(phrase: str) -> list[str]:
    return [unit.lower() for unit in _UNITS.findall(phrase)]


def _words(phrase: str) -> list[str]:
    return [unit for unit in _units(phrase) if unit.isascii()]


def _rows(path: Path, first: set[str] | None = None) -> list[str]:
    """Lines of the file, of those that begin with one of the words; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [
            line
            for line in file
            if line.strip() and (first is None or line.split(maxsplit=1)[0].lower() in first)
        ]


def _network(folder: Path, role: str) -> Path | None:
    found = sorted(folder.glob(f"{role}*.onnx"), key=lambda path: ("int8" not in path.name, path))
    return next((path for kind in _NETWORKS for path in found if kind in path.name), None)
