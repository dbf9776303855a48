"""The "viseme" engine: mouth shapes from the voice's own phone times, else from loudness."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.contract import Mouth, MouthRequest, MouthShape
from mien.lipsync.viseme.looks import SILENCE, Look, looks
from mien.media.speech import Phone
from mien.media.tick import TICK_SEC

CLOSED = MouthShape()
NOW = TICK_SEC / 2  # a tick shows the mouth of its middle

# Lips start towards a sound and leave it over about this time; beyond REACH nothing is felt.
# Shorter makes the mouth flap on every phone, longer blurs syllables into one.
EASE_SEC = 0.045
REACH_SEC = 0.12
# A consonant's grip falls to nothing this long before and after the sound. With 55 ms the vowel
# of "my" between two closures never opened.
RELEASE_SEC = {"PP": 0.036, "FF": 0.036, "TH": 0.04, "SS": 0.04, "CH": 0.055}

QUIET_DB = -46.0  # full scale; below it nothing is said
LOUD_DB = -16.0

Timed = tuple[Look, float, float]  # look, start and end in seconds from the tick's start


class VisemeLipSync:
    """Implements ``LipSync``. Has no state: one serves any number of conversations."""

    name = "viseme"

    @property
    def sample_rate(self) -> int:
        return 16_000

    @property
    def context(self) -> tuple[float, float]:
        return (0.16, 0.16)

    def render(self, batch: Sequence[MouthRequest]) -> list[Mouth]:
        """One shape per request. Costs about 0.05 ms each."""
        return [Mouth(self._shape(request)) for request in batch]

    def _shape(self, request: MouthRequest) -> MouthShape:
        if request.phones is not None:
            return shape_of_phones(request.phones)
        return shape_of_sound(request.audio, self.sample_rate, self.context[0])


def shape_of_phones(phones: Sequence[Phone]) -> MouthShape:
    """The mouth in the middle of the tick that starts at 0 s, eased from sound to sound."""
    sounds = _sounds(phones)
    if not sounds:
        return CLOSED
    openness, rounding, total = 0.0, 0.0, 0.0
    for look, start, end in sounds:
        distance = max(start - NOW, NOW - end, 0.0)
        if distance < REACH_SEC:
            weight = look.dominance * 2.0 ** (-((distance / EASE_SEC) ** 2) * 2)
            openness += weight * look.openness
            rounding += weight * look.rounding
            total += weight
    if total <= 0:
        return CLOSED
    consonant, grip = _grip(sounds)
    return MouthShape(openness / total, rounding / total, consonant, grip)


def _sounds(phones: Sequence[Phone]) -> list[Timed]:
    """Single looks in order, with the gaps between phones as silence."""
    sounds: list[Timed] = []
    last: float | None = None
    for phone in phones:
        if phone.end <= phone.start:
            continue
        if last is not None and phone.start - last > 0.01:
            sounds.append((SILENCE, last, phone.start))
        at = phone.start
        for look, share in looks(phone.symbol):
            end = at + share * (phone.end - phone.start)
            sounds.append((look, at, end))
            at = end
        last = phone.end
    if sounds:
        sounds.insert(0, (SILENCE, sounds[0][1] - 1.0, sounds[0][1]))
        sounds.append((SILENCE, sounds[-1][2], sounds[-1][2] + 1.0))
    return sounds


def _grip(sounds: list[Timed]) -> tuple[str, float]:
    best, grip, rival = "", 0.0, 0.0
    for look, start, end in sounds:
        if not look.consonant:
            continue
        distance = max(start - NOW, NOW - end, 0.0)
        # The tick that holds the middle of a sound shows it fully, however short the sound is:
        # an "m" that never closes the lips is the error viewers notice first.
        if 0 <= (start + end) / 2 < TICK_SEC:
            distance = 0.0
        here = look.grip * max(0.0, 1 - distance / RELEASE_SEC[look.consonant])
        if here > grip or (here == grip and look.consonant == "PP"):
            if look.consonant != best:
                rival = grip
            best, grip = look.consonant, here
        elif look.consonant != best:
            rival = max(rival, here)
    if best not in ("PP", "FF"):
        grip = max(0.0, grip - 0.5 * rival)  # passing from one to the other without a jump
    return (best, grip) if grip > 0.01 else ("", 0.0)


def shape_of_sound(audio: NDArray[np.float32], rate: int, before: float) -> MouthShape:
    """The mouth for float32[n] audio whose tick starts ``before`` seconds in: open when loud."""
    frame = int(TICK_SEC * rate)
    at = int(before * rate)
    steps = np.arange(-4, 5) * (frame // 2)  # 20 ms apart, ± 80 ms around the tick
    frames = [audio[max(at + s, 0) : max(at + s + frame, 0)] for s in steps]
    level = np.array([_level(f) for f in frames])
    hann = np.array([0.1, 0.25, 0.3, 0.25, 0.1])
    now = float(level[2:7] @ hann)
    if now <= QUIET_DB + 1:
        return CLOSED
    # Loudness against the speaker's last moments gives syllables; loudness alone, a mumble.
    syllable = min(max(1 + (now - float(level.mean())) / 14, 0.45), 1.3)
    base = min(max((now - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.0), 1.0)
    openness = min(0.75 * base * syllable, 0.9)
    window = audio[max(at - frame // 2, 0) : at + frame + frame // 2]
    centroid = _centroid(window, rate)
    rounding = min(max((1300 - centroid) / 1100, -0.6), 0.6) * min(1.0, 3 * base)
    hiss = min(max((centroid - 3200) / 1500, 0.0), 1.0)
    openness *= 1 - 0.6 * hiss
    if hiss > 0:
        return MouthShape(openness, rounding, "SS", 0.7 * hiss * min(1.0, 3 * base))
    return MouthShape(openness, rounding)


def _level(frame: NDArray[np.float32]) -> float:
    """dB of full scale, never below QUIET_DB."""
    if frame.size == 0:
        return QUIET_DB
    power = float(np.dot(frame, frame)) / frame.size
    return max(QUIET_DB, 10 * math.log10(power + 1e-10))


def _centroid(window: NDArray[np.float32], rate: int) -> float:
    """Mean frequency (Hz) of the power above 150 Hz; 1300 (neutral lips) where there is none."""
    spectrum = np.abs(np.fft.rfft(window, 1024)) if window.size else np.zeros(513)
    frequency = np.arange(513) * (rate / 1024)
    power = np.where(frequency > 150, spectrum, 0.0) ** 2
    total = float(power.sum())
    return float(power @ frequency) / total if total > 1e-9 else 1300.0
