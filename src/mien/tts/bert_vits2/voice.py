"""Bert-VITS2 as a ``Voice``: text in, sound with the network's own times out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import cached_property

from mien.tts.bert_vits2.backend import Backend, Sentence
from mien.tts.bert_vits2.backends import Wanted, available, load_best
from mien.tts.bert_vits2.checkpoint import CheckpointError, load_voice
from mien.tts.bert_vits2.described import Described, describe, wrong_model
from mien.tts.bert_vits2.engine import Engine
from mien.tts.bert_vits2.passages import Part, passages
from mien.tts.bert_vits2.reader import Reader, Reading
from mien.tts.bert_vits2.settings import BertVits2Settings as BertVits2Settings
from mien.tts.bert_vits2.timing import Timing
from mien.tts.voice import Run, VoiceChunk, VoiceError

logger = logging.getLogger(__name__)

USUAL_RATE = 44_100


class BertVits2Voice:
    """A speaker of a Bert-VITS2 model; belongs to the event loop it is first used in.

    Model and BERTs are loaded with the first text, in other threads. All conversations share them.
    """

    def __init__(self, name: str, settings: BertVits2Settings) -> None:
        self._name = name
        self._settings = settings
        self._engine = Engine(self._load)
        self._opening = asyncio.Lock()
        self._opened: tuple[Described, Reader] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    @cached_property
    def sample_rate(self) -> int:
        """Of the model's config.json; of all the others, where that is missing."""
        try:
            return describe(self._settings).config.sample_rate
        except VoiceError:
            return USUAL_RATE

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``. Phones and words are timed by the network.

        A clause with words of a language that the model does not speak yields nothing.
        """
        described, reader = await self._loaded()
        if not reader.speaks(runs):
            logger.warning("voice %s does not speak all of %s", self._name, _texts(runs))
            return
        for parts in passages(runs):
            reading = await reader.read([part.run for part in parts])
            if reading is None:
                continue
            async with aclosing(self._say(described, parts, reading)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _say(
        self, described: Described, parts: Sequence[Part], reading: Reading
    ) -> AsyncGenerator[VoiceChunk, None]:
        hop, rate, timing = described.variant.hop, described.config.sample_rate, None
        sentence = self._sentence(described, reading)
        async with aclosing(self._engine.speak(sentence, reading.lead)) as sounds:
            async for sound in sounds:
                timing = timing or Timing(
                    reading.symbols, reading.phonemes.words, sound.durations, hop / rate
                )
                stop = sound.begin + len(sound.pcm) // hop
                phones, words = timing.within(sound.begin, stop)
                yield VoiceChunk(
                    sound.pcm, phones, tuple(parts[word.run].word(word) for word in words)
                )

    def _sentence(self, described: Described, reading: Reading) -> Sentence:
        settings = self._settings
        seed = random.getrandbits(32) if settings.seed is None else settings.seed
        return Sentence(
            reading.phonemes.ids,
            reading.phonemes.tones,
            reading.phonemes.languages,
            reading.bert,
            described.emotion,
            described.speaker,
            settings.speed,
            settings.noise,
            settings.noise_w,
            settings.sdp_ratio,
            seed,
        )

    async def check(self) -> None:
        """See ``Voice.check``: packages, model, speaker and BERTs; nothing is loaded."""
        _, reader = await self._open()
        await asyncio.to_thread(reader.check)
        await asyncio.to_thread(self._check_backend)

    async def aclose(self) -> None:
        """See ``Voice.aclose``."""
        self._closed = True
        await self._engine.aclose()
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[1].aclose()

    async def _loaded(self) -> tuple[Described, Reader]:
        """What is needed to speak. The first time, model and BERTs load side by side."""
        if self._closed:
            raise VoiceError("the voice was closed", retryable=False, zh="语音已关闭")
        described, reader = await self._open()
        self._engine.start()
        await asyncio.to_thread(reader.load)
        return described, reader

    async def _open(self) -> tuple[Described, Reader]:
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._describe)
            return self._opened

    def _describe(self) -> tuple[Described, Reader]:
        described = describe(self._settings)
        if described.config.sample_rate != self.sample_rate:
            raise VoiceError(
                "the model came while mien was running, with another rate; start mien again",
                retryable=False,
                zh="模型是在 mien 运行期间放入的，采样率不同；请重新启动 mien",
            )
        return described, Reader(described, self._settings)

    def _load(self) -> Backend:
        """In the engine's thread; takes seconds."""
        assert self._opened is not None
        try:
            return load_best(load_voice(self._opened[0].path), self._wanted())
        except CheckpointError as error:
            raise wrong_model(error) from error

    def _check_backend(self) -> None:
        wanted = self._wanted()
        found = available(wanted.backend)
        if any(wanted.allows(choice) for library in found for choice in library.choices):
            return
        why = "; ".join(library.why_not for library in found if library.why_not)
        raise VoiceError(
            f"nothing here runs the network ({wanted}): {why}",
            retryable=False,
            zh=f"这里没有可用的推理后端（{wanted}）：{why}",
        )

    def _wanted(self) -> Wanted:
        settings = self._settings
        return Wanted(settings.backend, settings.precision, settings.device, settings.threads)


def _texts(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)
