"""Clips for tests: the presenter filmed while she speaks, and files that are not as they should be.

Drawn once per process and encoded with PyAV; every clip is a few seconds of small pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from mien.avatar.background import Background
from mien.avatar.contract import Avatar, Pose
from mien.avatar.library import load_avatar
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import FPS, Image

SIZE = (640, 480)
COLOUR = (150, 168, 178)
WALL = Background("colour", COLOUR)
SPEECH_FROM = 30  # frame; the mouth is closed before it


@cache
def filmed(frames: int = 60, size: tuple[int, int] = SIZE, name: str = "mei") -> list[Image]:
    """uint8[H, W, 3] RGB each: she lives, is silent first, and then speaks."""
    person = _person(name, size)
    life = person.life(7)
    pictures = []
    for tick in range(frames):
        speaks = tick >= SPEECH_FROM
        pose = life.pose(tick, 0.6 if speaks else 0.0, "speaking" if speaks else "idle")
        pictures.append(person.compose(tick, Mouth(shape(tick)) if speaks else None, pose))
    return pictures


def shape(tick: int) -> MouthShape:
    """Four syllables a second."""
    phase = (tick - SPEECH_FROM) * 4 / FPS
    return MouthShape(0.5 - 0.5 * math.cos(2 * math.pi * phase), 0.6 * math.sin(1.7 * phase))


def still(name: str = "mei", size: tuple[int, int] = SIZE, pose: Pose | None = None) -> Image:
    """uint8[H, W, 3] RGB: one of them, at rest."""
    return _person(name, size).compose(0, None, pose or Pose())


@cache
def _person(name: str, size: tuple[int, int]) -> Avatar:
    return load_avatar(name, size=size, background=WALL)


def wall(size: tuple[int, int] = SIZE) -> Image:
    """uint8[H, W, 3] RGB without anyone."""
    return np.full((size[1], size[0], 3), COLOUR, np.uint8)


def encode(
    path: Path,
    pictures: Iterable[Image],
    codec: str = "libx264",
    times: Sequence[Fraction] | None = None,
    rate: int = FPS,
    sound: bool = False,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Writes a video file whose container follows from its name.

    times: seconds of each picture where they are not even. tags: colour attributes of the codec.
    """
    usual = {"libx264": {"preset": "ultrafast", "crf": "20"}}
    usual["libx265"] = {"preset": "ultrafast", "crf": "20", "x265-params": "log-level=none"}
    usual["libvpx-vp9"] = {"deadline": "realtime", "cpu-used": "8", "crf": "24", "b": "0"}
    usual["libsvtav1"] = {"preset": "12", "crf": "30"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate, options=options or usual.get(codec, {}))
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 60000)
        tone = container.add_stream("aac", 48000) if sound else None
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            at = times[index] if times is not None else Fraction(index, rate)
            frame.pts, frame.time_base = round(at * 60000), Fraction(1, 60000)
            container.mux(stream.encode(frame))
            if tone is not None:
                container.mux(tone.encode(_tone(index, 48000 // rate)))
        container.mux(stream.encode())
        if tone is not None:
            container.mux(tone.encode())
    return path


def _tone(index: int, samples: int) -> av.AudioFrame:
    wave = 0.1 * np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000)
    frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, index * samples, Fraction(1, 48000)
    return frame


def turned_by_metadata(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The file with the display matrix (a, b, c, d) in its track header: what telephones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 4 + (32 if data[at] == 1 else 20) + 16  # version and flags, times, layer and volume
    one = 1 << 16
    a, b, c, d = (v * one for v in matrix)
    for i, value in enumerate((a, b, 0, c, d, 0, 0, 0, 1 << 30)):
        data[at + 4 * i : at + 4 * i + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path
