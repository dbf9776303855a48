"""Sound → the mel spectrogram the network was trained on, for files, streams and single ticks.

Pre-emphasis, 50 ms windows every 12.5 ms, 80 bands on Slaney's mel scale, decibels scaled to -4…4:
the published front end number by number, without the library it calls, whose versions differ.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.media.tick import TICK_SEC

SAMPLE_RATE = 16_000
HOP = 200
"""Samples from column to column. Column ``t`` is centred on sample ``t * HOP``."""
HALF = 400
"""Samples a column sees on either side of its centre."""
BANDS = 80
COLUMNS = 16
"""Columns the network hears for one picture."""
COLUMNS_PER_SEC = SAMPLE_RATE / HOP
SILENCE = -4.0
"""Every band of digital silence."""

BEFORE = HOP - 1 + HALF
"""Samples before a tick that its columns may need: the grid may be ``HOP - 1`` samples further back
than the tick, and a column sees ``HALF`` more. (None for pre-emphasis: the window begins at 0.)"""
AFTER = (COLUMNS - 1) * HOP + HALF
"""Samples from a tick's beginning on that its columns may need."""
CONTEXT = BEFORE / SAMPLE_RATE, AFTER / SAMPLE_RATE - TICK_SEC
"""Seconds before and after a tick, as :class:`~mien.lipsync.contract.LipSync` states them."""

Edges = Literal["reflect", "silence"]
Signal = NDArray[np.float64]
Mel = NDArray[np.float32]

_PRE_EMPHASIS = 0.97
_LOW_HZ, _HIGH_HZ = 55.0, 7600.0
_FLOOR = 1e-5
_REFERENCE_DB, _RANGE_DB = 20.0, 100.0
# Columns multiplied at a time. A larger product wakes the threads of OpenBLAS, which then turn
# idly for 20 ms and cost more than the whole picture does.
_BLOCK = 8


@cache
def mel_basis() -> NDArray[np.float64]:
    """float64[80, 401]: triangles of equal area, equally wide in mel.

    Slaney's scale (Auditory Toolbox): linear up to 1 kHz, then 27 steps to a factor of 6.4.
    """
    step = np.log(6.4) / 27
    low, high = _LOW_HZ * 3 / 200, 15 + np.log(_HIGH_HZ / 1000) / step
    mel = np.linspace(low, high, BANDS + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(step * (mel - 15)))
    hz = np.linspace(0, SAMPLE_RATE / 2, HALF + 1)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    triangles = np.clip(np.minimum(rising, falling), 0, None)
    return np.asarray(triangles * (2 / (right - left)), np.float64)


def mel_spectrogram(wav: NDArray[np.float32], edges: Edges = "reflect") -> Mel:
    """float32[80, 1 + n // 200] of float32[n] mono sound at 16 kHz, -1…1.

    edges: what lies before the beginning and after the end: the sound mirrored, as published, or
        silence, as in a live stream.

    Raises:
        ValueError: if ``wav`` is not one-dimensional.
    """
    signal = _pre_emphasised(_mono(wav), 0.0)
    return _columns(_padded(signal, edges))


def mel_of_tick(audio: NDArray[np.float32], position: int) -> Mel:
    """float32[80, 16]: what the network hears for one tick, like :func:`chunk_starts` at 25 fps.

    audio: float32[BEFORE + AFTER] at 16 kHz around the tick's beginning.
    position: samples from the beginning of the speech to the tick's; columns lie on a grid counted
        from there, so that all ticks of a speech agree with the spectrogram of the whole.

    Raises:
        ValueError: if there is too little or too much of ``audio``.
    """
    if audio.shape != (BEFORE + AFTER,):
        raise ValueError(f"expected {BEFORE + AFTER} samples around a tick, got {audio.shape}")
    begin = BEFORE - position % HOP - HALF
    return _columns(_pre_emphasised(audio[begin : begin + HALF + AFTER], 0.0))


def silent_mel() -> Mel:
    """float32[80, 16]: what the network hears when nothing is said."""
    return np.full((BANDS, COLUMNS), SILENCE, np.float32)


def chunk_starts(columns: int, fps: float) -> list[int]:
    """First of the 16 columns for every picture of a spectrogram, as published.

    The last 16 columns always come once more at the end.

    Raises:
        ValueError: below 16 columns (0.19 s): lengthen such a sound with silence.
    """
    if columns < COLUMNS:
        raise ValueError(f"{columns} columns are too few, {COLUMNS} are needed: append silence")
    step = COLUMNS_PER_SEC / fps
    starts: list[int] = []
    while (start := int(len(starts) * step)) + COLUMNS <= columns:
        starts.append(start)
    return [*starts, columns - COLUMNS]


class MelStream:
    """The spectrogram of sound that is still coming, column by column.

    What :meth:`push` and :meth:`finish` give is together what :func:`mel_spectrogram` gives for the
    whole; a column is given as soon as the 25 ms behind its centre are there.
    """

    def __init__(self, edges: Edges = "silence") -> None:
        self._edges = edges
        self._last = 0.0  # sample, for pre-emphasis
        self._begun = False  # what lies before the beginning is in _signal
        self._signal: Signal = np.zeros(0)  # from the next column's first sample on

    def push(self, samples: NDArray[np.float32]) -> Mel:
        """float32[80, k] columns that float32[n] more samples complete; k may be 0."""
        samples = _mono(samples)
        if len(samples):
            self._signal = np.append(self._signal, _pre_emphasised(samples, self._last))
            self._last = float(samples[-1])
        if not self._begun:
            if len(self._signal) <= HALF:
                return _columns(self._signal[:0])
            self._signal = _padded(self._signal, self._edges)[:-HALF]
            self._begun = True
        columns = _columns(self._signal)
        self._signal = self._signal[columns.shape[1] * HOP :]
        return columns

    def finish(self) -> Mel:
        """float32[80, k]: the columns at the end of the sound. The stream begins anew after it."""
        padded = _padded(self._signal, self._edges)
        columns = _columns(padded[HALF:] if self._begun else padded)
        self._last, self._begun, self._signal = 0.0, False, np.zeros(0)
        return columns


def _mono(wav: NDArray[np.float32]) -> NDArray[np.float32]:
    if wav.ndim != 1:
        raise ValueError(f"expected mono sound, float32[n], not of shape {wav.shape}")
    return wav


def _pre_emphasised(wav: NDArray[np.float32], last: float) -> Signal:
    signal = wav.astype(np.float64)
    return signal - _PRE_EMPHASIS * np.concatenate(([last], signal[:-1]))[: len(signal)]


def _padded(signal: Signal, edges: Edges) -> Signal:
    if edges == "silence" or not len(signal):
        return np.pad(signal, HALF)
    return np.pad(signal, HALF, mode="reflect")


def _columns(signal: Signal) -> Mel:
    """float32[80, k]: a column for every 800 samples that fit, every 200 samples."""
    count = max(0, (len(signal) - 2 * HALF) // HOP + 1)
    if not count:
        return np.zeros((BANDS, 0), np.float32)
    signal = np.ascontiguousarray(signal)
    # A view; sliding_window_view makes the same in ten times the time, which ticks would feel.
    frames = np.ndarray((count, 2 * HALF), np.float64, signal, strides=(8 * HOP, 8))
    # In double precision: beside a loud band, a quiet one would drown in rounding errors.
    magnitude = np.abs(np.fft.rfft(frames * _window()))
    basis = mel_basis().T
    blocks = [magnitude[first : first + _BLOCK] @ basis for first in range(0, count, _BLOCK)]
    decibels = 20 * np.log10(np.maximum(_FLOOR, np.concatenate(blocks))) - _REFERENCE_DB
    scaled = 8 * (decibels + _RANGE_DB) / _RANGE_DB - 4
    return np.ascontiguousarray(np.clip(scaled, -4, 4).T, np.float32)


@cache
def _window() -> Signal:
    """Hann's, periodic: the 801st sample would be the first of the next period."""
    return np.hanning(2 * HALF + 1)[:-1]
