"""What left for the audience, as spectra on a grid of 10 ms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.media.microphone import RATE
from mien.media.tick import Pcm

HOP = RATE // 100
WINDOW = 2 * HOP
BINS = HOP + 1
BANDS = 20
# dB against full scale; what is below cannot be heard at any microphone.
SILENCE_DB = -90.0

# How many frames a rise or fall of the level is taken over, and how steep it counts at most.
RISE = 3
STEEPEST_DB = np.float32(12)
# What a room with a T60 of 0.6 s loses in a frame.
TAIL_DB = np.float32(1)
# A loudspeaker that distorts puts something of the loudest band into all the others.
SPILL_DB = np.float32(25)

_KEPT = 128  # frames
_SIZE = _KEPT * HOP
_CONTIGUOUS = RATE // 50
_AHEAD = _SIZE // 2
# Above 100 Hz, each about as wide as the ear's critical bands (Zwicker 1961), in bins of 50 Hz.
BAND_EDGES = (2, 4, 6, 8, 10, 13, 16, 19, 22, 26, 30, 35, 41, 48, 57, 67, 80, 95, 112, 132, 155)

Spectrum = NDArray[np.complex64]
Levels = NDArray[np.float32]


def tapered(spectrum: Spectrum) -> Spectrum:
    """Spectra [..., 161] of 20 ms as they are with a Hann window (a convolution of three bins)."""
    out = 0.5 * spectrum
    out[..., 1:-1] -= 0.25 * (spectrum[..., :-2] + spectrum[..., 2:])
    out[..., 0] -= 0.5 * spectrum[..., 1].real
    out[..., -1] -= 0.5 * spectrum[..., -2].real
    return out


_SCALE = np.float32(1 / (np.sum(np.hanning(WINDOW + 1)[:-1] ** 2) * WINDOW / 2))


def levels(spectrum: Spectrum) -> Levels:
    """Tapered spectra [..., 161] → dB against full scale in each band, float32[..., 20]."""
    power = spectrum.real**2 + spectrum.imag**2
    sums = np.add.reduceat(power, BAND_EDGES, axis=-1)[..., :BANDS]
    found: Levels = 10 * np.log10(sums * _SCALE + np.float32(10 ** (SILENCE_DB / 10)))
    return found


class Reference:
    """The last 1.28 s. Frame f holds samples (f − 1) · 160 … (f + 1) · 160 since the first."""

    def __init__(self) -> None:
        self._sound = np.zeros(_SIZE, np.float32)
        self._origin: float | None = None
        self._end = 0  # of what was played, samples
        self._known = 0  # of what is written, be it silence
        self._ready = 0  # frames before this one have their spectra
        self.spectra = np.zeros((_KEPT, BINS), np.complex64)
        self.levels = np.full((_KEPT, BANDS), SILENCE_DB, np.float32)
        self.rises = np.zeros((_KEPT, BANDS), np.float32)
        self.steepness = np.zeros(_KEPT, np.float32)
        self.tails = np.full((_KEPT, BANDS), SILENCE_DB, np.float32)
        self.last_sound = -_KEPT
        """The last frame that is not silent."""

    def played(self, pcm: Pcm, at: float) -> None:
        """int16[n] mono 16 kHz whose first sample left at ``at``, monotonic seconds.

        Pieces that follow each other within 20 ms are taken for one sound: the clock of whoever
        sends is less exact than the samples are.
        """
        begin = self._samples(at)
        if begin < self._end + _CONTIGUOUS:
            begin = self._end
        sound = pcm * np.float32(1 / 32768) if pcm.any() else None
        self._write(begin, begin + len(pcm), sound)

    def _write(self, begin: int, end: int, sound: Levels | None) -> None:
        self._blank(end)
        if sound is not None:
            self._sound[np.arange(begin, end) % _SIZE] = sound
            self._ready = min(self._ready, begin // HOP)
        self._end = end

    def _blank(self, until: int) -> None:
        """Forget what was where ``until`` and what is before it will be."""
        begin = max(self._known, until - _SIZE)
        if begin < until:
            self._sound[np.arange(begin, until) % _SIZE] = 0
            self._known = until

    def frame_at(self, at: float) -> int:
        """The frame whose middle is nearest to a moment."""
        return round(self._samples(at) / HOP)

    def _samples(self, at: float) -> int:
        if self._origin is None:
            self._origin = at - 0.1
        return round((at - self._origin) * RATE)

    def prepare(self, frame: int) -> None:
        """Make ``spectra[f % 128]`` and ``levels[f % 128]`` true for all f up to ``frame``."""
        if frame < self._ready:
            return
        self._blank((frame + 1) * HOP)
        first = max(self._ready, frame - _KEPT + 4)
        frames = np.arange(first, frame + 1)
        self._ready = frame + 1
        samples = (frames[:, None] - 1) * HOP + np.arange(WINDOW)
        found = np.fft.rfft(self._sound[samples % _SIZE]).astype(np.complex64)
        places = frames % _KEPT
        self.spectra[places] = found
        found_db = levels(tapered(found))
        self.levels[places] = found_db
        spilt = np.maximum(found_db, found_db.max(axis=1, keepdims=True) - SPILL_DB)
        for f, level in zip(frames, spilt, strict=True):
            self.tails[f % _KEPT] = np.maximum(level, self.tails[(f - 1) % _KEPT] - TAIL_DB)
        rises = self.levels[places] - self.levels[(frames - RISE) % _KEPT]
        rises = np.clip(rises, -STEEPEST_DB, STEEPEST_DB)
        self.rises[places] = rises
        self.steepness[places] = np.sum(rises * rises, axis=1)
        heard = frames[self.levels[places].max(axis=1) > SILENCE_DB + 20]
        if len(heard):
            self.last_sound = max(self.last_sound, int(heard[-1]))

    def rows(self, frame: int, first: int, count: int) -> NDArray[np.intp]:
        """Where frames ``frame - first``, ``frame - first - 1``, … are."""
        return (frame - first - np.arange(count)) % _KEPT
