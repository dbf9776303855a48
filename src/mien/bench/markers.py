"""A voice that beeps, a mouth that listens for it, and a person who shows what the mouth heard.

Put in place of the real ones they make lip sync measurable to the millisecond: everything
between voice and viewer is the product's own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence

import cv2
import numpy as np

from mien.avatar.contract import Life, Pose
from mien.avatar.errors import AvatarError
from mien.bench.signals import MARK_SEC, find_beeps, mark
from mien.bench.strip import Strip, write_strip
from mien.lipsync.contract import Mouth, MouthRequest
from mien.media.tick import TICK_SEC, Image, Pcm
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, SpokenWord, VoiceChunk

# As espeak-ng's: both ways through the product's resamplers are part of what is measured.
VOICE_RATE = 22_050
BEEP_EVERY_SEC = 0.8
# Not at once: the beginning of a speech has latency figures of its own.
FIRST_BEEP_SEC = 0.3
# Every beep falls at another place within its tick, the borders included.
STAGGER_SEC, STAGGERS = 0.0071, 8
# Roughly a voice's pace, in seconds per character.
PACE = {"zh": 0.2, "en": 0.07}
# The rest of the "speech": audible, well below the 4 kHz where marks begin.
HUM_HZ, HUM_LEVEL = 220.0, 0.05


class MarkerSettings(VoiceSettings):
    """Nothing of it can be set."""


class MarkerVoice:
    """Hums for about as long as the text would take to say, a numbered beep every 0.8 s."""

    sample_rate = VOICE_RATE

    def __init__(self, name: str = "marker", settings: MarkerSettings | None = None) -> None:
        self.name = name
        self._numbers = itertools.count()

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        beginning = True
        for index, run in enumerate(runs):
            pace = PACE[run.language]
            count = max(1, round(len(run.text) * pace / BEEP_EVERY_SEC))
            pace = count * BEEP_EVERY_SEC / max(1, len(run.text))
            words = [
                SpokenWord(index, i, i + 1, i * pace, (i + 1) * pace)
                for i, letter in enumerate(run.text)
                if not letter.isspace()
            ]
            for piece in range(count):
                first, last = piece * BEEP_EVERY_SEC, (piece + 1) * BEEP_EVERY_SEC
                here = tuple(
                    SpokenWord(w.run, w.begin, w.stop, w.start - first, w.end - first)
                    for w in words
                    if first <= w.start < last
                )
                yield VoiceChunk(hum_with_beep(next(self._numbers) & 255, beginning), None, here)
                beginning = False
                await asyncio.sleep(0)

    async def check(self) -> None:
        """It is always there."""

    async def aclose(self) -> None:
        """Nothing to end."""


def hum_with_beep(number: int, beginning: bool = True) -> Pcm:
    """int16[17640] mono at 22 050 Hz: 0.8 s of hum with beep ``number`` 0.3 s or more into it."""
    time = np.arange(round(BEEP_EVERY_SEC * VOICE_RATE)) / VOICE_RATE
    hum = np.sin(2 * np.pi * HUM_HZ * time) + 0.5 * np.sin(2 * np.pi * 4.5 * HUM_HZ * time)
    sound = (HUM_LEVEL * hum).astype(np.float32)
    if beginning:
        # As speech begins, without a click that would spread over all frequencies.
        sound[:100] *= np.linspace(0, 1, 100, dtype=np.float32)
    at = round((FIRST_BEEP_SEC + number % STAGGERS * STAGGER_SEC) * VOICE_RATE)
    marking = mark(number, VOICE_RATE)
    sound[at : at + len(marking)] = marking
    return np.asarray(np.round(sound * 32767), np.int16)


class MarkerLipSync:
    """Sees only the window of audio it is given, as a model would.

    Its "patch" is uint8[3]: flash, ms of the beep within the tick, number of the beep.
    """

    sample_rate = 16_000
    # Before: room for the window that measures an onset. After: the tones that spell the number.
    context = (0.02, MARK_SEC + 0.02)

    def render(self, batch: Sequence[MouthRequest]) -> list[Mouth]:
        return [Mouth(patch=self._listen(request)) for request in batch]

    def rest(self, frame: int) -> None:
        """Nothing is marked in silence."""

    def _listen(self, request: MouthRequest) -> Image:
        before = round(self.context[0] * self.sample_rate)
        tick = round(TICK_SEC * self.sample_rate)
        for beep in find_beeps(request.audio, self.sample_rate):
            # Rounded to samples: two neighbouring ticks must agree whose beep it is.
            at = round(beep.position) - before
            if 0 <= at < tick and beep.number is not None:
                ms = round(1000 * at / self.sample_rate)
                return np.array([1, ms, beep.number], np.uint8)
        return np.zeros(3, np.uint8)


class _StillLife:
    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        """Sways a little, so that the encoder has a person's motion to encode."""
        return Pose(sway_x=3 * float(np.sin(tick / 9)), breath=0.5 + 0.5 * float(np.sin(tick / 25)))

    def gesture(self, name: str) -> None:
        """A face of markers has no expression."""


class MarkerAvatar:
    """A face-like picture, 512×512, with the strip on top."""

    name = "marker"
    size = (512, 512)
    has_outline = False

    def __init__(self) -> None:
        self._base = _portrait(*self.size)

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        width, height = self.size
        shift = np.array([[1, 0, pose.sway_x], [0, 1, 2 * pose.breath]], np.float32)
        image = np.asarray(
            cv2.warpAffine(self._base, shift, (width, height), borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
        # A fading mouth shows the last shape again; its beep was told already.
        speaking = mouth is not None and mouth.weight >= 1
        said = mouth.patch if speaking and mouth is not None else None
        flash, ms, beep = (int(v) for v in said) if said is not None else (0, 0, 0)
        opening = 6 + (tick * 7 % 19 if speaking else 0)
        centre = (width // 2 + round(pose.sway_x), int(height * 0.7))
        cv2.ellipse(image, centre, (48, opening), 0, 0, 360, (120, 30, 40), -1)
        write_strip(image, Strip(bool(flash), speaking, ms, beep, tick % 64))
        return image

    def cutout(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """Raises AvatarError."""
        raise AvatarError("markers have no outline")

    def life(self, seed: int) -> Life:
        return _StillLife()


def _portrait(width: int, height: int) -> Image:
    """Gradients, an oval face and grain: about the detail of a real presenter."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.stack([90 + 60 * x / width, 80 + 70 * y / height, 120 - 40 * x / width], axis=-1)
    face = ((x - width / 2) / (width * 0.28)) ** 2 + ((y - height * 0.52) / (height * 0.36)) ** 2
    image[face < 1] = (205, 165, 140)
    coarse = random.normal(0, 6, (height // 4, width // 4, 3))
    image += coarse.repeat(4, 0).repeat(4, 1) + random.normal(0, 2, image.shape)
    return np.asarray(image.clip(0, 255), np.uint8)
