"""What a viewer hears while somebody talks over the avatar: when it is silent, when it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.bench.client import SoundPacket
from mien.bench.signals import Sound, find_beeps
from mien.media.tick import SAMPLE_RATE

# 5 ms: about one period of the hum.
_STEP = SAMPLE_RATE // 200
_DOWN_DB = 12.0
# As `mien bench latency`: below this, what the codec leaves of a voice is masked.
_SILENCE = 0.01
_WRAP = 1 << 32


@dataclass(frozen=True, slots=True)
class Level:
    """Of 5 ms: ``at`` is when they have been played by a player without a buffer (monotonic s);
    rms and peak of full scale."""

    at: float
    rms: float
    peak: float


class Ear:
    """Keeps what arrives, see :attr:`~mien.bench.client.Viewer.on_sound`."""

    def __init__(self) -> None:
        self.levels: list[Level] = []
        self._pieces: list[tuple[int, Sound]] = []

    def take(self, packet: SoundPacket) -> None:
        self._pieces.append((packet.rtp, packet.sound))
        for begin in range(0, len(packet.sound), _STEP):
            step = packet.sound[begin : begin + _STEP]
            at = packet.arrival + (begin + len(step)) / SAMPLE_RATE
            rms = float(np.sqrt(np.mean(step**2)))
            self.levels.append(Level(at, rms, float(np.abs(step).max())))

    def forget(self) -> None:
        """What was heard so far."""
        self.levels.clear()
        self._pieces.clear()

    def loudness(self, begin: float, end: float) -> float:
        """Median RMS of what sounded then; 0 if nothing did."""
        heard = [level.rms for level in self.levels if begin <= level.at < end]
        loud = [rms for rms in heard if rms > _SILENCE / 2]
        return float(np.median(loud)) if len(loud) > len(heard) / 2 else 0.0

    def down(self, begin: float, end: float, before: float) -> float:
        """When the voice, of loudness ``before``, was 12 dB down and remained so until ``end``."""
        bound = before * 10 ** (-_DOWN_DB / 20)
        loud = [level.at for level in self.levels if begin <= level.at < end and level.rms > bound]
        return max(loud, default=begin)

    def silent(self, begin: float, end: float) -> float:
        """When the last audible sample was over."""
        heard = [lv.at for lv in self.levels if begin <= lv.at < end and lv.peak > _SILENCE]
        return max(heard, default=begin)

    def sound(self) -> Sound:
        """float32[n] mono 48 kHz of all packets at their places; what was lost is silent."""
        if not self._pieces:
            return np.zeros(0, np.float32)
        first = self._pieces[0][0]
        places = [(rtp - first + _WRAP // 2) % _WRAP - _WRAP // 2 for rtp, _ in self._pieces]
        out = np.zeros(max(places) + len(self._pieces[-1][1]), np.float32)
        for place, (_, sound) in zip(places, self._pieces, strict=True):
            if place >= 0:
                out[place : place + len(sound)] = sound
        return out


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two beeps with consecutive numbers. spacing, silence: seconds of media time."""

    number: int
    spacing: float
    silence: float


@dataclass(frozen=True, slots=True)
class Beeps:
    """The numbers heard, in order (None: unreadable), and the gaps between them."""

    numbers: list[int | None]
    gaps: list[Gap]


def beeps_in(sound: Sound, hum: float) -> Beeps:
    """What float32[n] mono 48 kHz says of the hum with beeps (:mod:`mien.bench.markers`).

    hum: its loudness. Silence is where it is 12 dB below.
    """
    found = find_beeps(sound, SAMPLE_RATE)
    count = len(sound) // _STEP
    rms = np.sqrt(np.mean(sound[: count * _STEP].reshape(count, _STEP) ** 2, axis=1))
    quiet = rms < hum * 10 ** (-_DOWN_DB / 20)
    gaps = []
    for one, other in pairwise(found):
        if one.number is None:
            continue
        begin, end = (int(beep.position) // _STEP for beep in (one, other))
        silence = _in_runs(quiet[begin:end]) * _STEP / SAMPLE_RATE
        gaps.append(Gap(one.number, (other.position - one.position) / SAMPLE_RATE, silence))
    return Beeps([beep.number for beep in found], gaps)


def _in_runs(quiet: NDArray[np.bool_]) -> int:
    """How many are in runs of 20 ms and more; the gaps within a beep are shorter."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    lengths = np.diff(edges)[::2]
    return int(lengths[lengths >= 4].sum())
