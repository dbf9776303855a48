"""Phone times for voices that give none: the text is known, its sounds are found by listening."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from mien.language import Language
from mien.lipsync.viseme.align import Aligner
from mien.lipsync.viseme.features import SAMPLE_RATE
from mien.lipsync.viseme.net import SoundNet, SoundStream, load_net
from mien.media.speech import Phone
from mien.media.tick import Pcm
from mien.tts.espeak import EspeakVoice
from mien.tts.normalize import prepare
from mien.tts.voice import Run, SpokenWord, Voice, VoiceChunk, VoiceError
from mien.tts.word_places import WordPlace, word_places

logger = logging.getLogger(__name__)

NO_SOUND: Pcm = np.zeros(0, np.int16)


class ForcedAlignment:
    """Makes a :class:`ClauseAlignment` per clause. One serves all conversations of an event loop.

    espeak-ng tells how the text is pronounced, in its own process, which starts with the first
    clause that needs it.
    """

    def __init__(self, net: SoundNet | None = None) -> None:
        """``net``: another one than the shipped."""
        self._net = net
        self._speller = EspeakVoice()
        self._warned = False

    async def aclose(self) -> None:
        """End the process. Works before first use and twice."""
        await self._speller.aclose()

    async def clause(self, runs: Sequence[Run]) -> ClauseAlignment | None:
        """For text as a voice is given it; None where it cannot be aligned.

        The mouth then follows the sound alone. Why is logged once.
        """
        net = self._net or await asyncio.to_thread(load_net)
        if net is None:
            return None
        try:
            spellings = await self._speller.spellings(runs)
        except VoiceError as error:
            if not self._warned:
                logger.warning("lips follow the sound without the text: %s", error)
            self._warned = True
            return None
        words = [word for _, spelled in spellings for word in spelled]
        return ClauseAlignment(net, words, word_places(spellings))

    async def clause_as_written(self, text: str, language: Language) -> ClauseAlignment | None:
        """The same for a clause as the LLM wrote it."""
        prepared = await asyncio.to_thread(prepare, text, language)
        return await self.clause([Run(run.language, run.text) for run in prepared.runs])


class AlignedVoice:
    """A ``Voice`` whose chunks without phone times are followed by empty ones that have them.

    So have they words, of a voice that tells none.
    """

    def __init__(self, voice: Voice, alignment: ForcedAlignment) -> None:
        """Owns ``voice`` and ``alignment``: closes both."""
        self._voice = voice
        self._alignment = alignment

    @property
    def name(self) -> str:
        return self._voice.name

    @property
    def sample_rate(self) -> int:
        return self._voice.sample_rate

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``. Sound is never held back; its phones follow it."""
        clause: ClauseAlignment | None = None
        tried = told = False
        async with aclosing(self._voice.speak(runs)) as chunks:
            try:
                async for chunk in chunks:
                    yield chunk
                    told = told or bool(chunk.words)
                    if chunk.phones is not None or not len(chunk.pcm):
                        continue
                    if not tried:
                        clause, tried = await self._alignment.clause(runs), True
                    if clause is not None:
                        phones = await asyncio.to_thread(clause.push, chunk.pcm, self.sample_rate)
                        words = () if told else clause.take_words()
                        if phones or words:
                            yield VoiceChunk(NO_SOUND, phones, words)
            except VoiceError:
                if clause is not None:  # which words were said decides who says the others
                    phones = await asyncio.to_thread(clause.finish, False)
                    yield VoiceChunk(NO_SOUND, phones, () if told else clause.take_words())
                raise
        if clause is not None:
            phones = await asyncio.to_thread(clause.finish)
            yield VoiceChunk(NO_SOUND, phones, () if told else clause.take_words())

    async def check(self) -> None:
        await self._voice.check()

    async def aclose(self) -> None:
        await self._voice.aclose()
        await self._alignment.aclose()


class ClauseAlignment:
    """Listens to one clause. Costs 7 ms of CPU per second of sound: keep it off the event loop.

    Times are in seconds from the end of what was pushed so far, hence negative. What is told
    replaces everything told earlier of the time from its first phone on.
    """

    def __init__(
        self,
        net: SoundNet,
        words: Sequence[Sequence[str]],
        places: Sequence[WordPlace | None] = (),
    ) -> None:
        """words: for each word its IPA symbols; places: where it stands, None = nowhere."""
        self._places = places
        self._stream = SoundStream(net)
        self._aligner = Aligner(words, net.priors)
        self._resampler: soxr.ResampleStream | None = None
        self._rate = 0
        self._samples = 0

    def push(self, pcm: Pcm, sample_rate: int) -> tuple[Phone, ...]:
        """Hear int16[n] mono more; the rate must stay the same within the clause."""
        if self._rate == 0:
            self._rate = sample_rate
            if sample_rate != SAMPLE_RATE:
                self._resampler = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="int16")
        self._samples += len(pcm)
        return self._from_now(self._aligner.push(self._stream.push(self._resampled(pcm, False))))

    def take_words(self) -> tuple[SpokenWord, ...]:
        """Words that were found to have begun since they were last taken, timed as phones are."""
        now = self._samples / max(self._rate, 1)
        found = []
        for word in self._aligner.take_words():
            place = self._places[word.number] if self._places else None
            if place is not None:
                found.append(SpokenWord(*place, word.start - now, word.end - now))
        return tuple(found)

    def finish(self, complete: bool = True) -> tuple[Phone, ...]:
        """The clause is over: everything not yet told, up to its last sample.

        complete: False when its voice broke off.
        """
        if self._rate == 0:
            return ()
        rest = self._stream.push(self._resampled(NO_SOUND, True))
        self._aligner.push(rest)
        self._aligner.push(self._stream.finish())
        return self._from_now(self._aligner.finish(complete))

    def _resampled(self, pcm: Pcm, last: bool) -> NDArray[np.float32]:
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(pcm, last=last)
        return pcm.astype(np.float32) / np.float32(32768)

    def _from_now(self, phones: Sequence[Phone]) -> tuple[Phone, ...]:
        now = self._samples / max(self._rate, 1)
        moved = (replace(p, start=p.start - now, end=min(p.end - now, 0.0)) for p in phones)
        return tuple(p for p in moved if p.end > p.start)
