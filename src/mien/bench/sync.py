"""``mien bench sync``: how far apart sound and picture of the same instant reach a viewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mien.bench.client import Picture, SoundPacket, Viewer
from mien.bench.figures import mean_sd, rounded, slope
from mien.bench.server import running_server
from mien.bench.signals import MARK_SEC, Sound, find_beeps
from mien.bench.strip import Strip, read_strip
from mien.bench.visit import Visit, visiting, wait_for_reports
from mien.media.h264 import VIDEO_STEP
from mien.media.tick import SAMPLE_RATE

# Numbers repeat after 256 beeps (205 s); a pair further apart than this is not the same beep.
SAME_SEC = 5.0
# A mark and the window that measures its onset must lie within what is searched at once.
_KEEP = round((MARK_SEC + 0.05) * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Seen:
    """A beep, heard or seen. ``ntp``: wall-clock s by the sender's reports; ``arrival``:
    monotonic s."""

    number: int
    ntp: float
    arrival: float


class SoundWatch:
    """Finds beeps in a stream of sound packets."""

    def __init__(self, viewer: Viewer) -> None:
        self.beeps: list[Seen] = []
        self._viewer = viewer
        self._sound: Sound = np.zeros(0, np.float32)
        self._packets: list[tuple[int, int, float]] = []  # (samples before it, rtp, arrival)
        self._next: int | None = None

    def take(self, packet: SoundPacket) -> None:
        if self._next is not None and packet.rtp != self._next:
            # A hole: nothing may be found across it.
            self._sound, self._packets = np.zeros(0, np.float32), []
        self._next = (packet.rtp + len(packet.sound)) % (1 << 32)
        self._packets.append((len(self._sound), packet.rtp, packet.arrival))
        self._sound = np.concatenate([self._sound, packet.sound])
        if len(self._sound) >= 8 * _KEEP:
            self._search()

    def _search(self) -> None:
        settled = len(self._sound) - _KEEP
        done = settled
        for beep in find_beeps(self._sound, SAMPLE_RATE):
            if beep.position >= settled:
                break
            if beep.number is not None and beep.position > 0:
                self._note(beep.position, beep.number)
                done = max(done, round(beep.position) + round(MARK_SEC * SAMPLE_RATE))
        # Keep a little before the cut: an onset is measured by what surrounds it.
        drop = next(b for b, _, _ in reversed(self._packets) if b <= max(0, done - 480))
        self._sound = self._sound[drop:]
        self._packets = [(b - drop, rtp, at) for b, rtp, at in self._packets if b >= drop]

    def _note(self, position: float, number: int) -> None:
        before, rtp, arrival = next(p for p in reversed(self._packets) if p[0] <= position)
        into = position - before
        if self._viewer.sound_clock.ready:
            ntp = self._viewer.sound_clock.ntp(rtp + into)
            self.beeps.append(Seen(number, ntp, arrival + into / SAMPLE_RATE))


class PictureWatch:
    """Reads the strip of every picture.

    rtp: unwrapped time of each. arrivals: monotonic s. repeated: pictures shown again because
    the next was not drawn in time.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.flashes: list[Seen] = []
        self.rtp: list[int] = []
        self.arrivals: list[float] = []
        self.repeated = 0
        self._tick: int | None = None
        self._viewer = viewer
        self._last: tuple[int, float] | None = None

    def take(self, picture: Picture) -> None:
        strip = read_strip(picture.luma)
        if strip is None or not self._viewer.picture_clock.ready:
            return
        self.rtp.append(self._viewer.picture_clock.unwrap(picture.rtp))
        self.arrivals.append(picture.arrival)
        self.repeated += strip.tick == self._tick
        self._tick = strip.tick
        if strip.flash and strip.speaking:
            self._note(picture, strip)

    def _note(self, picture: Picture, strip: Strip) -> None:
        ntp = self._viewer.picture_clock.ntp(picture.rtp)
        if self._last is not None and self._last[0] == strip.beep and ntp - self._last[1] < 0.5:
            return  # a picture that was repeated because the next was late
        self._last = strip.beep, ntp
        into = strip.ms / 1000
        self.flashes.append(Seen(strip.beep, ntp + into, picture.arrival + into))


def pair(heard: list[Seen], seen: list[Seen]) -> list[tuple[Seen, Seen]]:
    """Each beep heard with the same beep seen."""
    pairs = []
    for beep in heard:
        same = [s for s in seen if s.number == beep.number and abs(s.ntp - beep.ntp) < SAME_SEC]
        if same:
            pairs.append((beep, min(same, key=lambda s: abs(s.ntp - beep.ntp))))
    return pairs


class Pictures(Protocol):
    """See :class:`PictureWatch`."""

    rtp: list[int]
    arrivals: list[float]


def summary(
    pairs: list[tuple[Seen, Seen]], pictures: Pictures, rate: float, lost: int
) -> dict[str, Any]:
    """The figures of a run.

    pairs: beeps heard and seen. rate: measured Hz of the picture clock. lost: packets.
    ``fps`` is per second of media time, ``fps_arrival`` per second of this machine's clock.
    """
    rtp, arrivals = pictures.rtp, pictures.arrivals
    offsets = [1000 * (picture.ntp - sound.ntp) for sound, picture in pairs]
    minutes = [(sound.ntp - pairs[0][0].ntp) / 60 for sound, _ in pairs]
    wire = [1000 * (picture.arrival - sound.arrival) for sound, picture in pairs]
    mean, sd = mean_sd(offsets)
    wire_mean, wire_sd = mean_sd(wire)
    span = (max(rtp) - min(rtp)) / rate if len(rtp) > 1 else 0.0
    shown = len(set(rtp))
    expected = round((max(rtp) - min(rtp)) / VIDEO_STEP) + 1 if rtp else 0
    return {
        "offset_ms_mean": rounded(mean),
        "offset_ms_sd": rounded(sd),
        "offset_ms_min": rounded(min(offsets, default=None)),
        "offset_ms_max": rounded(max(offsets, default=None)),
        "drift_ms_per_min": rounded(slope(minutes, offsets)),
        "fps": rounded((shown - 1) / span if span else None),
        "fps_arrival": rounded(
            (shown - 1) / (arrivals[-1] - arrivals[0]) if len(arrivals) > 1 else None
        ),
        "ticks": expected,
        "ticks_without_picture": expected - shown,
        "markers": len(pairs),
        "lost_packets": lost,
        "wire_offset_ms_mean": rounded(wire_mean),
        "wire_offset_ms_sd": rounded(wire_sd),
    }


@asynccontextmanager
async def watched_talk(
    visit: Visit,
) -> AsyncIterator[tuple[SoundWatch, PictureWatch, asyncio.Task[None]]]:
    """The session talks without end and every beep and flash is noted; the task talks."""
    viewer = visit.viewer
    await wait_for_reports(viewer)
    sound, pictures = SoundWatch(viewer), PictureWatch(viewer)
    viewer.on_sound, viewer.on_picture = sound.take, pictures.take
    talking = asyncio.create_task(visit.keep_talking(), name="talk")
    try:
        yield sound, pictures, talking
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


async def measure(
    visit: Visit, seconds: float, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """Let the session talk for ``seconds`` and measure. Progress is 0…1."""
    viewer = visit.viewer
    async with watched_talk(visit) as (sound, pictures, talking):
        for step in range(100):
            on_progress(step / 100)
            await asyncio.wait([talking], timeout=seconds / 100)
            if talking.done():
                talking.result()
    pairs = pair(sound.beeps, pictures.flashes)
    result = summary(pairs, pictures, viewer.picture_clock.measured_rate, viewer.lost)
    return {
        **result,
        "ticks_repeated": pictures.repeated,
        "beeps_heard": len(sound.beeps),
        "beeps_seen": len(pictures.flashes),
        "clock_hz_audio": rounded(viewer.sound_clock.measured_rate),
        "clock_hz_video": rounded(viewer.picture_clock.measured_rate),
    }


async def run_sync(seconds: float, on_progress: Callable[[float], None]) -> dict[str, Any]:
    """Start a server with the measuring kit and measure its lip sync for ``seconds``.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    with running_server("marker") as server:
        async with visiting(server.url) as visit:
            return await measure(visit, seconds, on_progress)
