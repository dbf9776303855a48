"""A viewer at a media server, in a process of its own: ``python -m mien.bench.rtmp_reader``.

Reads the stream's address from standard input; writes what it sees and hears as lines of JSON
until standard input closes. See :mod:`mien.bench.rtmp`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from mien.bench.signals import MARK_SEC, Sound, find_beeps
from mien.bench.strip import read_strip
from mien.media.tick import SAMPLE_RATE

# Live at once: no buffer, and no waiting for a frame rate that is known.
OPTIONS = {"fflags": "nobuffer", "fpsprobesize": "1"}
TIMEOUT_SEC = 15.0
# Stamps are whole milliseconds; further apart than this is a hole.
_SAME_SEC = 0.002
_KEEP_SEC = MARK_SEC + 0.05


class BeepFinder:
    """Beeps in decoded sound, each once, at its stream time."""

    def __init__(self) -> None:
        self._sound: Sound = np.zeros(0, np.float32)
        self._packets: list[tuple[int, float]] = []  # (samples before it, its time)

    def take(self, at: float, sound: Sound) -> Iterator[tuple[float, int]]:
        """Add float32[n] mono 48 kHz whose first sample is at ``at`` s. Gives (time, number)."""
        if self._packets:
            before, last = self._packets[-1]
            expected = last + (len(self._sound) - before) / SAMPLE_RATE
            if abs(at - expected) > _SAME_SEC:
                self._sound, self._packets = self._sound[:0], []
        self._packets.append((len(self._sound), at))
        self._sound = np.concatenate([self._sound, sound])
        if len(self._sound) > 8 * _KEEP_SEC * SAMPLE_RATE:
            yield from self._search()

    def _search(self) -> Iterator[tuple[float, int]]:
        settled = len(self._sound) - round(_KEEP_SEC * SAMPLE_RATE)
        done = settled
        for beep in find_beeps(self._sound, SAMPLE_RATE):
            if beep.position >= settled:
                break
            if beep.number is not None and beep.position > 0:
                before, at = next(p for p in reversed(self._packets) if p[0] <= beep.position)
                yield at + (beep.position - before) / SAMPLE_RATE, beep.number
                done = max(done, round(beep.position + MARK_SEC * SAMPLE_RATE))
        # Keep a little before the cut: an onset is measured by what surrounds it.
        drop = next(b for b, _ in reversed(self._packets) if b <= max(0, done - 480))
        self._sound = self._sound[drop:]
        self._packets = [(b - drop, at) for b, at in self._packets if b >= drop]


def read(url: str) -> Iterator[dict[str, Any]]:
    """What happens at a stream, as it happens. Times are Unix seconds, or the stream's own (at).

    Raises:
        av.error.FFmpegError: there is no stream, or it ends.
    """
    beeps = BeepFinder()
    with av.open(url, timeout=(TIMEOUT_SEC, TIMEOUT_SEC), options=OPTIONS) as container:
        codecs = sorted(s.codec_context.name for s in container.streams if s.codec_context)
        yield {"codecs": codecs, "now": time.time()}
        for packet in container.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    yield {"picture": _time(frame), "now": time.time(), **_told(frame)}
                elif isinstance(frame, av.AudioFrame):
                    sound = np.asarray(frame.to_ndarray().reshape(-1), np.float32)
                    for when, number in beeps.take(_time(frame), sound):
                        yield {"beep": number, "at": when}


def _time(frame: av.VideoFrame | av.AudioFrame) -> float:
    assert frame.pts is not None and frame.time_base is not None
    return float(frame.pts * frame.time_base)


def _told(frame: av.VideoFrame) -> dict[str, Any]:
    """What the picture says of itself."""
    plane = frame.planes[0]
    luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:, : frame.width]
    strip = read_strip(luma)
    if strip is None:
        return {}
    told: dict[str, Any] = {"tick": strip.tick}
    if strip.flash and strip.speaking:
        told |= {"flash": strip.beep, "ms": strip.ms}
    return told


def main() -> None:
    url = sys.stdin.readline().strip()

    def end() -> None:
        sys.stdin.read()
        os._exit(0)  # FFmpeg may be waiting for a server that is gone

    threading.Thread(target=end, daemon=True).start()
    try:
        for line in read(url):
            print(json.dumps(line), flush=True)
    except av.error.FFmpegError as error:
        print(json.dumps({"ended": str(error)}), flush=True)


if __name__ == "__main__":
    main()
