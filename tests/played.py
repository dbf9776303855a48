"""What a player makes of a file of flashes and beeps (``ticking.FlashBeep``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream

from mien.media.tick import FPS, SAMPLE_RATE
from ticking import BEEP_HZ, counted


@dataclass
class Played:
    """times: of the pictures, seconds. ticks: the number each picture carries. flashes, beeps:
    when they begin. sound_end, video_end: where each track ends, seconds."""

    times: list[float]
    ticks: list[int]
    flashes: list[float]
    beeps: list[float]
    video_end: float
    sound_end: float

    @property
    def cuts(self) -> dict[float, int]:
        """How many ticks are missing, by the time of the picture that comes earlier than its number
        says. One that was left out on a busy machine is no cut: the one before lasts longer."""
        steps = zip(pairwise(self.ticks), pairwise(self.times), strict=True)
        lost = {at: (b - a) - round((at - before) * FPS) for (a, b), (before, at) in steps}
        return {at: ticks for at, ticks in lost.items() if ticks}

    @property
    def offsets(self) -> list[float]:
        """Beep − flash in seconds, for each flash whose beep no cut has shortened."""
        edges = [0.0, self.video_end, *self.cuts]
        return [
            min((beep - flash for beep in self.beeps), key=abs)
            for flash in self.flashes
            if min(abs(flash - edge) for edge in edges) > 0.1
        ]

    @property
    def offset(self) -> float:
        """The largest of them, in seconds."""
        return max(map(abs, self.offsets), default=0.0)


def played(path: Path) -> Played:
    """Decode all of it."""
    times, ticks, flashes = [], [], []
    pcm, position = [np.zeros(0, np.float32)], 0
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        for frame in decoded(container, video, audio):
            at = float(frame.pts * frame.time_base)
            if isinstance(frame, av.VideoFrame):
                image = frame.to_ndarray(format="rgb24")
                times.append(at)
                ticks.append(int(counted(image)))
                if image[120:200].mean() > 160:
                    flashes.append(at)
                continue
            samples = frame.to_ndarray()[0].astype(np.float32)
            begin = round(at * SAMPLE_RATE)
            # A jump in the stamps is a time without sound; an overlap would show as a shift.
            gap = np.zeros(max(0, begin - position), np.float32)
            pcm += [gap, samples]
            position += len(gap) + len(samples)
            assert begin <= position
    sound = np.concatenate(pcm)
    return Played(times, ticks, flashes, _beeps(sound), times[-1] + 0.04, len(sound) / SAMPLE_RATE)


def decoded(container: InputContainer, *streams: Stream) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """All frames; what a crash has cut in two is passed over, as players do."""
    for packet in container.demux(*streams):
        with suppress(av.error.InvalidDataError):
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame | av.AudioFrame)
                yield frame


def _beeps(sound: np.ndarray) -> list[float]:
    """Where 40 ms of a tone correlate best, to a quarter of a period."""
    peak = float(np.abs(sound).max())
    loud = np.flatnonzero(np.abs(sound) > peak / 2)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-SAMPLE_RATE) > SAMPLE_RATE // 4)]
    length = SAMPLE_RATE // 25
    tone = np.exp(2j * np.pi * BEEP_HZ * np.arange(length) / SAMPLE_RATE)
    found = []
    for start in starts:
        shifts = range(max(0, start - 960), min(start + 960, len(sound) - length))
        scores = [abs(np.vdot(tone, sound[at : at + length])) for at in shifts]
        if scores:
            found.append((shifts.start + int(np.argmax(scores))) / SAMPLE_RATE)
    return found
