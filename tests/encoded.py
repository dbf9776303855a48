"""Packets of flashes and beeps as a program hands them out, faster than real time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from av.packet import Packet

from mien.media.disk import DiskFile
from mien.media.encoders import AAC_CONFIG, AAC_FRAME_SAMPLES, AacEncoder
from mien.media.fmp4 import AacTrack
from mien.media.h264 import H264Encoder
from mien.media.mp4_file import Mp4File
from mien.media.reel import Reel
from mien.media.rendition import VideoSettings
from mien.media.tick import FPS, SAMPLES_PER_TICK
from ticking import FlashBeep

SIZE = (320, 240)


def encoded(
    begin: int, end: int, size: tuple[int, int] = SIZE
) -> Iterator[tuple[str, Packet[Any]]]:
    """("video", H.264) and ("audio", AAC) of these ticks; sound comes as late as AAC makes it."""
    source = FlashBeep(size)
    pictures = H264Encoder(*size, VideoSettings(encoder="libx264"))
    sound = AacEncoder()
    for index in range(begin, end):
        tick = source.tick(index)
        for packet in sound.encode(tick.audio, index * SAMPLES_PER_TICK):
            yield "audio", packet
        picture = pictures.encode(tick.image, index, index == begin)
        assert picture is not None
        yield "video", picture


# A whole number of pictures, of key frames' distances and of AAC packets: eight seconds.
LOOP_TICKS = 200


async def recorded(path: Path, minutes: float, *, finish: bool = True) -> None:
    """An MP4 of so many minutes, of the same eight seconds, made as a recorder makes it.

    finish: False leaves it as a crash does.
    """
    # From between two beeps, which the seam of the loop must not cut.
    packets = list(encoded(10, LOOP_TICKS + 13))
    loop = [(kind, packet.pts or 0, packet.is_keyframe, bytes(packet)) for kind, packet in packets]
    first = next(data for kind, *_, data in loop if kind == "video")
    reel, disk = Reel(AAC_FRAME_SAMPLES), DiskFile(path, reserve=0)
    film = Mp4File(first, AacTrack(AAC_CONFIG), {}, datetime.now(UTC))
    disk.append(film.begin())
    for index in range(0, round(minutes * 60 * FPS), LOOP_TICKS):
        for kind, pts, keyframe, data in loop:
            clock = 3600 if kind == "video" else SAMPLES_PER_TICK
            if not 10 <= pts / clock < LOOP_TICKS + 10:
                continue
            if kind == "video":
                reel.put_video(pts + index * clock, keyframe, data)
            else:
                reel.put_audio(pts + index * clock, data)
            while samples := reel.fragment():
                disk.append(film.add(samples))
        await asyncio.sleep(0)
    if samples := reel.cut():
        disk.append(film.add(samples))
    disk.close(film.end if finish else None)
    await disk.done
