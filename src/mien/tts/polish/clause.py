"""One clause on its way from a voice to the ear: resampled, trimmed, amplified, still in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import soxr

from mien.media.tick import SAMPLE_RATE, Pcm
from mien.tts.polish.limiter import Limiter
from mien.tts.polish.times import ClauseTimes, Told
from mien.tts.polish.trim import Sound, Trimmer
from mien.tts.voice import VoiceChunk

_FULL_SCALE = 32_768
_SLICE_SEC = 0.5  # of sound worked on at once: 2 ms for which the event loop waits


class ClausePolish:
    """Chunks of any rate in, chunks at 48 kHz out. No asyncio; one per clause."""

    def __init__(self, sample_rate: int, pause: float, silence: float, gain: float | None) -> None:
        """sample_rate: of what comes in. pause: seconds after the last sound. silence: see
        ``Trimmer``. gain: None neither amplifies nor limits.
        """
        self._rate = sample_rate
        self._resampler = (
            None
            if sample_rate == SAMPLE_RATE
            else soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
        )
        self._trimmer = Trimmer(silence, pause)
        self._limiter = None if gain is None else Limiter(gain)
        self._times = ClauseTimes()
        self._fed = 0  # samples in
        self._given = 0  # samples out
        self._by = ""
        self._sound: list[Sound] = []

    def push(self, chunk: VoiceChunk) -> Iterator[VoiceChunk]:
        """The next chunk of the voice; gives what is ready to be heard."""
        self._by = chunk.by or self._by
        # The resampler gives its output late but unshifted: times count from what went in.
        self._times.take(self._fed / self._rate, chunk.phones, chunk.words)
        self._fed += len(chunk.pcm)
        size = round(self._rate * _SLICE_SEC)
        for at in range(0, max(1, len(chunk.pcm)), size):
            sound = self._trimmer.push(self._resampled(chunk.pcm[at : at + size], last=False))
            self._keep(sound)
            ready = sound if self._limiter is None else self._limiter.push(sound)
            if self._trimmer.begun:
                yield from self._chunk(ready, self._times.give)

    def finish(self, complete: bool = True) -> Iterator[VoiceChunk]:
        """The clause is over; without ``complete``, where the voice failed, no pause follows."""
        sound = self._trimmer.push(self._resampled(np.zeros(0, np.int16), last=True))
        rest = self._trimmer.finish(complete)
        self._keep(sound, rest)
        if self._limiter is not None:
            sound, rest = self._limiter.push(sound), self._limiter.finish(rest)
        if self._trimmer.begun:
            yield from self._chunk(np.concatenate((sound, rest)), self._times.finish)

    def heard(self) -> Sound:
        """float32[n] mono at 48 kHz: the clause so far, trimmed, before it was amplified."""
        return np.concatenate((*self._sound, np.zeros(0, np.float32)))

    def _resampled(self, pcm: Pcm, last: bool) -> Sound:
        sound = pcm.astype(np.float32) / np.float32(_FULL_SCALE)
        if self._resampler is None:
            return sound
        return np.asarray(self._resampler.resample_chunk(sound, last=last), np.float32)

    def _keep(self, *sounds: Sound) -> None:
        if self._limiter is not None:  # what is not amplified is not measured
            self._sound += sounds

    def _chunk(
        self, sound: Sound, told: Callable[[float, float, float], Told]
    ) -> Iterator[VoiceChunk]:
        begin, self._given = self._given, self._given + len(sound)
        lead, end = self._trimmer.lead / SAMPLE_RATE, self._given / SAMPLE_RATE
        phones, words = told(lead, begin / SAMPLE_RATE, end)
        if len(sound) or phones or words:
            pcm = np.rint(sound * _FULL_SCALE).clip(-_FULL_SCALE, _FULL_SCALE - 1)
            yield VoiceChunk(pcm.astype(np.int16), phones, words, self._by)
