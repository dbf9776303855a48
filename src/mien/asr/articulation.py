"""How much has been articulated: what tells speech from coughs, hums, laughter and "uh-huh".

Whoever says something says ever new sounds, some twelve a second; a cough, a hum or laughter,
however long, repeats a few. So each moment counts by how far its spectrum is from all that was
heard before. Coughs are loud, laughter is voiced and both are speech to a VAD, but neither
gets anywhere by this measure.

Measured on 308 beginnings of speech (espeak-ng and flite in English and Mandarin, people reading),
on 166 short backchannels by the same voices and on 240 coughs, throats, hums and laughs: with a
bound that one of these reaches, half of the speech is known after 0.6 s, three quarters after
0.74 s. By duration alone, as many mistakes would take 1.0 s, and all long laughter besides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.media.microphone import RATE
from mien.media.tick import Pcm

_HOP, _WINDOW, _FFT = RATE // 100, RATE // 40, 512
_BANDS, _LOW_HZ, _HIGH_HZ = 24, 80.0, 7000.0
# Cepstral coefficients 1…8: the shape of the vocal tract, without loudness and pitch.
_FIRST, _LAST = 1, 9
# Bands 40 dB below a moment's strongest are as good as silent, whatever noise there is.
_FLOOR = 1e-4
# A moment 20 dB below the loudest so far is a pause: reverberation and noise are not articulated.
_PAUSE_DB = 20.0
# Neighbours overlap by 15 ms of 25; what is 30 ms away shares nothing.
_APART = 3
# Below 1, two moments of one vowel differ as much. Above 7 a single knock would count as a word.
_SAME, _MOST = 1.0, 6.0
# Where the bound of the measurements above lies.
_SCALE = 130.0
# Speech is noticed late; so much of what was before is kept for ``begin``.
_KEPT = RATE

Spectra = NDArray[np.float64]


class Articulation:
    """Listens to one microphone; costs nothing until :meth:`begin` (then under 1 % of a core).

    content: of the sound since then; 1 is more than short backchannels and noises ever have. Fluent
        speech gathers 2 to 2.5 a second at first.
    """

    def __init__(self) -> None:
        self.content = 0.0
        self._sound: Pcm = np.zeros(0, np.int16)
        self._end = 0
        self._counting = False

    def push(self, pcm: Pcm) -> None:
        """What comes next: int16[n] mono 16 kHz."""
        self._sound = np.concatenate([self._sound, pcm])
        self._end += len(pcm)
        if self._counting:
            self._count()
        else:
            self._sound = self._sound[-_KEPT:]

    def begin(self, position: int) -> None:
        """Count from there on: samples since the microphone's first, at most a second ago."""
        self.content = 0.0
        self._counting = True
        begin = max(0, position - (self._end - len(self._sound)))
        self._sound = self._sound[begin:]
        self._shapes: Spectra = np.zeros((0, _LAST - _FIRST))  # of the frames so far, not smoothed
        self._heard: Spectra = np.zeros((0, _LAST - _FIRST))  # smoothed
        self._active = np.zeros(0, np.bool_)
        self._loudest = -np.inf
        self._count()

    def end(self) -> None:
        """Stop counting; ``content`` stays."""
        self._counting = False
        self._sound = self._sound[-_KEPT:]

    def _count(self) -> None:
        frames = (len(self._sound) - _WINDOW) // _HOP + 1
        if frames <= 0:
            return
        cut = np.lib.stride_tricks.sliding_window_view(self._sound, _WINDOW)
        windows = cut[: frames * _HOP : _HOP].astype(np.float64)
        self._sound = self._sound[frames * _HOP :]
        self._shapes = np.concatenate([self._shapes, _shapes(windows)])
        levels = 10 * np.log10(np.mean(windows**2, axis=1) + 1e-3)
        loudest = np.maximum.accumulate(np.concatenate([[self._loudest], levels]))[1:]
        self._loudest = float(loudest[-1])
        self._active = np.concatenate([self._active, levels > loudest - _PAUSE_DB])
        # Over three frames; the newest waits for its neighbour.
        while len(self._heard) < len(self._shapes) - 1:
            at = len(self._heard)
            shape = self._shapes[max(0, at - 1) : at + 2].mean(axis=0)
            if self._active[at]:
                self.content += self._novelty(shape, at) / _SCALE
            self._heard = np.concatenate([self._heard, shape[None]])

    def _novelty(self, shape: Spectra, at: int) -> float:
        before = self._heard[: max(0, at - _APART + 1)][self._active[: max(0, at - _APART + 1)]]
        if not len(before):
            return 0.0
        distance = float(np.sqrt(np.min(np.sum((before - shape) ** 2, axis=1))))
        return min(max(distance - _SAME, 0.0), _MOST)


def _shapes(windows: Spectra) -> Spectra:
    """float64[n, 400] → float64[n, 8]: mel cepstra (Davis & Mermelstein 1980)."""
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), _FFT)) ** 2
    bands = power @ _MEL.T
    bands = np.maximum(bands, _FLOOR * bands.max(axis=1, keepdims=True)) + 100.0
    return np.asarray(np.log(bands) @ _COSINES.T)


def _mel() -> Spectra:
    """float64[24, 257]: triangles, evenly spaced in mel."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOW_HZ, _HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(_FFT, 1 / RATE)
    up = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    return np.asarray(np.clip(np.minimum(up, down), 0, None))


_MEL = _mel()
_COSINES = np.sqrt(2 / _BANDS) * np.cos(
    np.pi * np.arange(_FIRST, _LAST)[:, None] * (np.arange(_BANDS) + 0.5) / _BANDS
)
