"""A recogniser that knows a few dozen sentences in Chinese and English; see tools/tiny_asr.

It is a model for sherpa-onnx, small enough to be here: what needs real recognition, with partials
and in both languages, needs no download. It has heard espeak-ng (above all as mien speaks itself)
and, in English, flite; whatever else is said to it becomes some of its words.
"""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from mien.asr.contract import Recognizer
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.tts.espeak import EspeakVoice
from mien.tts.voice import Run

FOLDER = Path(__file__).parent / "fixtures" / "ears" / "tiny-zh-en"

# In mien.toml, for a test that starts a server.
SETTINGS = {"asr": "tiny", "recognizers": {"tiny": {"service": "sherpa", "model": str(FOLDER)}}}


@cache
def sentences(language: Language) -> tuple[str, ...]:
    """What it understands, as the scripted brain's questions are written but without marks."""
    lines = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return tuple(text for own, text in rows if own == language)


def plain(text: str) -> str:
    """For comparing what was said with what was heard: lower case, no marks, no spaces."""
    return "".join(character for character in text.lower() if character.isalnum())


_said: dict[tuple[str, Language], Pcm] = {}


async def spoken(text: str, language: Language) -> Pcm:
    """As mien says it: int16[n] mono 16 kHz."""
    if (known := _said.get((text, language))) is not None:
        return known
    voice = EspeakVoice()
    pieces = [chunk.pcm async for chunk in voice.speak([Run(language, text)])]
    await voice.aclose()
    pcm = soxr.resample(np.concatenate(pieces), voice.sample_rate, RATE)
    return _said.setdefault((text, language), np.asarray(pcm, np.int16))


class Microphone:
    """One recognition and the partials that it told."""

    def __init__(self, recognizer: Recognizer, language: Language) -> None:
        self.partials: asyncio.Queue[str] = asyncio.Queue()
        self.recognition = recognizer.open(language, self.partials.put_nowait)

    async def hear(self, *sounds: Pcm) -> None:
        """In pieces of 20 ms, as fast as the other side takes them."""
        for sound in sounds:
            for at in range(0, len(sound), RATE // 50):
                self.recognition.push(sound[at : at + RATE // 50])
                await asyncio.sleep(0)

    async def partial(self) -> str:
        """The next words that are told while somebody speaks."""
        async with asyncio.timeout(90):
            return plain(await self.partials.get())

    async def words(self) -> str:
        return plain(await self.recognition.transcript())
