"""What is said and coughed into a microphone while the avatar speaks; drawn, no two alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import soxr

from mien.bench.mouth_noises import NOISES
from mien.bench.spoken import spoken_questions
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.tts.espeak import EspeakVoice
from mien.tts.espeak_settings import STYLES, EspeakSettings
from mien.tts.voice import Run

INTERRUPTIONS: dict[Language, tuple[str, ...]] = {
    "en": (
        "What does it cost?",
        "Wait, how much is that?",
        "Can you explain that again?",
        "No, that is not what I meant.",
        "But what about the weather?",
        "How do I install it?",
        "Let me ask you something else.",
        "Who made you?",
        "Does it work on my phone?",
        "Tell me about the price instead.",
        "I want to know more about shipping.",
        "Go back to the first point, please.",
    ),
    "zh": (
        "等一下，我想问一个问题。",
        "这个多少钱？",
        "不对，我不是这个意思。",
        "你能再说一遍吗？",
        "那价格是多少？",
        "我想换一个话题。",
        "请问怎么安装？",
        "有没有便宜一点的？",
        "什么时候发货？",
        "可以用在手机上吗？",
        "先别说这个，告诉我尺寸。",
        "今天天气怎么样？",
    ),
}

# "mm-hm" is among the hums: espeak-ng reads its letters.
_WORDS: dict[Language, tuple[str, ...]] = {
    "en": ("uh-huh", "right", "yeah", "okay", "yes", "oh"),
    "zh": ("嗯", "哦", "对", "好", "嗯嗯", "对对"),
}
# Timbres of espeak-ng; "" is the plain voice.
_TIMBRES = ("+f3", "", "+m3", "+f5")
# Peaks, in dB of full scale: near and far from the microphone.
_LEVELS_DB = (-3.0, -10.0, -18.0)
# Speech that fades in is said to begin where it is 30 dB below its loudest.
_ONSET_DB = 30.0


@dataclass(frozen=True, slots=True)
class Sound:
    """int16[n] mono 16 kHz. onset, end: samples where it becomes audible and where it is over."""

    name: str
    pcm: Pcm
    onset: int
    end: int


@asynccontextmanager
async def speaking() -> AsyncIterator[Speakers]:
    """People of several voices, while the context lasts."""
    voices: list[EspeakVoice] = []
    for number, timbre in enumerate(_TIMBRES):
        pitch, rate = 35 + 12 * number, 150 + 12 * number
        zh = replace(STYLES["zh"], voice=f"cmn{timbre}", pitch=pitch, rate=rate)
        en = replace(STYLES["en"], voice=f"en-us{timbre}", pitch=pitch, rate=rate)
        voices.append(EspeakVoice(settings=EspeakSettings(service="espeak", zh=zh, en=en)))
    try:
        yield Speakers(voices)
    finally:
        for voice in voices:
            await voice.aclose()


class Speakers:
    """Says what there is to say, each time by another voice, at another level."""

    def __init__(self, voices: list[EspeakVoice]) -> None:
        self._voices = voices

    async def interruptions(self, count: int) -> list[Sound]:
        """In turns in English and Mandarin, every third a recording that recognisers can read."""
        recorded = spoken_questions()
        sounds = []
        for number in range(count):
            language: Language = "en" if number % 2 == 0 else "zh"
            texts = INTERRUPTIONS[language]
            if number % 3 == 2:
                question = recorded[number // 3 % len(recorded)]
                sounds.append(_sound(question.text, question.pcm, number))
            else:
                sounds.append(await self._say(language, texts[number // 2 % len(texts)], number))
        return sounds

    async def reactions(self, count: int, seed: int = 1) -> list[Sound]:
        """Half of them coughs, throats, hums and laughs, half words."""
        noises = ("cough", "throat", "cough", "hum", "cough", "laugh")
        sounds = []
        for number in range(count):
            kind = number // 2
            if number % 2 == 0:
                random = np.random.default_rng([seed, number])
                name = noises[kind % len(noises)]
                sounds.append(_sound(name, NOISES[name](random), kind))
            else:
                language: Language = "zh" if kind % 2 else "en"
                words = _WORDS[language]
                sounds.append(await self._say(language, words[kind // 2 % len(words)], kind))
        return sounds

    async def _say(self, language: Language, text: str, number: int) -> Sound:
        voice = self._voices[number % len(self._voices)]
        pieces = [chunk.pcm async for chunk in voice.speak([Run(language, text)])]
        pcm = soxr.resample(np.concatenate(pieces), voice.sample_rate, RATE)
        return _sound(text, np.asarray(pcm, np.int16), number)


def _sound(name: str, pcm: Pcm, number: int) -> Sound:
    level = _LEVELS_DB[number % len(_LEVELS_DB)]
    peak = max(1, int(np.abs(pcm.astype(np.int32)).max()))
    loud = np.round(pcm * (32767 * 10 ** (level / 20) / peak)).astype(np.int16)
    onset, end = audible(loud)
    return Sound(name, loud, onset, end)


def audible(pcm: Pcm) -> tuple[int, int]:
    """Samples between which int16[n] mono 16 kHz is within 30 dB of its loudest 10 ms."""
    window = RATE // 100
    count = len(pcm) // window
    power = np.mean(pcm[: count * window].reshape(count, window).astype(np.float64) ** 2, axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-_ONSET_DB / 10))
    return int(loud[0]) * window, (int(loud[-1]) + 1) * window
