"""The measuring beep: a sound whose moment and number survive resampling and Opus.

One mark is a 12 ms beep of 6 kHz, whose onset is the moment that is measured, followed by eight
short tones, each 4 or 5 kHz, that spell its number. The number is in the sound itself, so that a
mouth that is given nothing but a window of audio, and a client at the other end of the wire,
both know which beep they look at without counting (counting would hide a lost one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEEP_HZ = 6000
ZERO_HZ, ONE_HZ = 4000, 5000
BEEP_SEC = 0.012
# The number: one slot per bit, behind a gap in which the beep rings out.
NUMBER_AT_SEC = 0.020
SLOT_SEC = 0.010
TONE_SEC = 0.008
NUMBER_BITS = 8
MARK_SEC = NUMBER_AT_SEC + NUMBER_BITS * SLOT_SEC
# A 2 ms window has its zeros at multiples of 500 Hz: 4 and 5 kHz do not look like 6 kHz.
WINDOW_SEC = 0.002
# Of full scale. Opus and the resamplers keep the level within a few per cent.
AMPLITUDE = 0.5
_THRESHOLD = 0.4 * AMPLITUDE
# Two onsets can never be nearer than a whole mark.
_REFRACTORY_SEC = MARK_SEC

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Beep:
    """A beep found in a sound. ``position``: of its onset, in samples, a fraction possible.

    number: 0…255, None when the tones that spell it are cut off or unclear.
    """

    position: float
    number: int | None


def mark(number: int, rate: int) -> Sound:
    """float32[n] mono of one mark (100 ms) at ``rate`` Hz, full scale = 1."""
    out = np.zeros(round(MARK_SEC * rate), np.float32)
    _add_tone(out, 0.0, BEEP_SEC, BEEP_HZ, rate)
    for bit in range(NUMBER_BITS):
        hertz = ONE_HZ if number >> bit & 1 else ZERO_HZ
        _add_tone(out, NUMBER_AT_SEC + bit * SLOT_SEC, TONE_SEC, hertz, rate)
    return out


def _add_tone(out: Sound, at: float, length: float, hertz: float, rate: int) -> None:
    begin, count = round(at * rate), round(length * rate)
    time = np.arange(count) / rate
    out[begin : begin + count] += (AMPLITUDE * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def find_beeps(sound: Sound, rate: int) -> list[Beep]:
    """Every beep in float32[n] mono (full scale = 1), in order."""
    level = _level(sound, BEEP_HZ, rate, WINDOW_SEC)
    above = level > _THRESHOLD
    beeps: list[Beep] = []
    begin = 0
    while above[begin:].any():
        first = begin + int(np.argmax(above[begin:]))
        beeps.append(Beep(_onset(level, first, rate), None))
        begin = first + round(_REFRACTORY_SEC * rate)
    return [Beep(b.position, _number(sound, b.position, rate)) for b in beeps]


def _onset(level: Sound, first: int, rate: int) -> float:
    """Where a centred window is half filled by the beep: exactly its first sample."""
    peak = float(level[first : first + round(BEEP_SEC * rate)].max()) / 2
    at = first
    while at > 0 and level[at - 1] >= peak:
        at -= 1
    while at + 1 < len(level) and level[at] < peak:
        at += 1
    if at == 0:
        return 0.0
    rise = float(level[at] - level[at - 1])
    return at - (float(level[at]) - peak) / rise if rise > 0 else float(at)


def _number(sound: Sound, position: float, rate: int) -> int | None:
    number = 0
    for bit in range(NUMBER_BITS):
        # The middle of the tone; its ends blur in the codec.
        at = NUMBER_AT_SEC + bit * SLOT_SEC + TONE_SEC / 8
        begin = round(position + at * rate)
        piece = sound[begin : begin + round(0.75 * TONE_SEC * rate)]
        if len(piece) < round(0.75 * TONE_SEC * rate):
            return None
        zero, one = (_amplitude(piece, hertz, rate) for hertz in (ZERO_HZ, ONE_HZ))
        if max(zero, one) < _THRESHOLD or max(zero, one) < 2 * min(zero, one):
            return None
        number |= (one > zero) << bit
    return number


def _amplitude(sound: Sound, hertz: float, rate: int) -> float:
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / rate)
    return float(abs(np.dot(sound, wave)) * 2 / len(sound))


def _level(sound: Sound, hertz: float, rate: int, window: float) -> Sound:
    """Amplitude at ``hertz`` in a window centred on each sample."""
    count = round(window * rate)
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / rate)
    total = np.concatenate([[0], np.cumsum(sound * wave)])
    begin = np.clip(np.arange(len(sound)) - count // 2, 0, len(sound))
    end = np.clip(begin + count, 0, len(sound))
    return np.asarray(np.abs(total[end] - total[begin]) * 2 / count, np.float32)
