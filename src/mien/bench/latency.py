"""``mien bench latency``: how long people wait, seen from the far end of the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mien.bench.client import Picture, SoundPacket, Viewer
from mien.bench.figures import quantiles
from mien.bench.server import running_server
from mien.bench.visit import Visit, VisitError, visiting, wait_for_reports
from mien.media.tick import SAMPLE_RATE, TICK_SEC
from mien.trace import ANSWER_STAGES

# -50 dB of full scale: above the codec's own noise in silence, below any syllable.
SPEECH_LEVEL = 0.003
# -40 dB: what rings on in the codec after speech at -10 dB breaks off is below this, and masked.
SILENCE_LEVEL = 0.01
# An answer must be well under way when it is interrupted, and over when the next turn starts.
TALK_SEC, QUIET_SEC = 1.2, 0.8
ANSWER_SEC = 20.0
# Runs before the measured ones; the first answer of a process loads what is loaded lazily.
WARM_UP_TURNS = 2


@dataclass(slots=True)
class Loudness:
    """Where speech is in the stream of sound packets.

    packets: (arrival, RTP, first sample of speech, last one that is audible) of those with any.
    """

    packets: list[tuple[float, int, int, int | None]] = field(default_factory=list)

    def take(self, packet: SoundPacket) -> None:
        loud = np.flatnonzero(np.abs(packet.sound) > SPEECH_LEVEL)
        if len(loud):
            audible = np.flatnonzero(np.abs(packet.sound) > SILENCE_LEVEL)
            last = int(audible[-1]) if len(audible) else None
            self.packets.append((packet.arrival, packet.rtp, int(loud[0]), last))

    def first_after(self, moment: float) -> tuple[float, int] | None:
        """(arrival, RTP time of the first audible sample) of the first packet with speech."""
        for arrival, rtp, first, _ in self.packets:
            if arrival > moment:
                return arrival, rtp + first
        return None

    def silent_after(self, moment: float) -> float:
        """When the last audible sample is played by a player without a buffer (monotonic s)."""
        ends = [at + last / SAMPLE_RATE for at, _, _, last in self.packets if last is not None]
        return max([moment, *ends])


class _Pictures:
    """When each picture was decoded. Only the last few seconds are kept."""

    def __init__(self, viewer: Viewer) -> None:
        self._clock = viewer.picture_clock
        self._shown: list[tuple[float, float]] = []  # (decoded, NTP)

    def take(self, picture: Picture) -> None:
        if self._clock.ready:
            self._shown.append((picture.decoded, self._clock.ntp(picture.rtp)))
            del self._shown[:-500]

    def decoded_at(self, ntp: float) -> float | None:
        """When the picture that is seen at ``ntp``, or the first after it, was decoded."""
        for decoded, begin in self._shown:
            if begin > ntp - TICK_SEC:
                return decoded
        return None


@dataclass(slots=True)
class Samples:
    """All figures in ms, one per turn."""

    text_to_packet: list[float] = field(default_factory=list)
    text_to_frame: list[float] = field(default_factory=list)
    interrupt_to_silence: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    pcm_to_packet: list[float] = field(default_factory=list)
    not_idle: int = 0
    late_events: int = 0

    def add_stages(self, stages: dict[str, float]) -> None:
        for stage, ms in stages.items():
            self.stages.setdefault(stage, []).append(ms)
        if "first_packet" in stages and "tts_first_pcm" in stages:
            self.pcm_to_packet.append(stages["first_packet"] - stages["tts_first_pcm"])

    def as_json(self) -> dict[str, Any]:
        order = [*ANSWER_STAGES, *sorted(set(self.stages) - set(ANSWER_STAGES))]
        return {
            "text_to_packet_ms": quantiles(self.text_to_packet),
            "text_to_frame_ms": quantiles(self.text_to_frame),
            "pcm_to_packet_ms": quantiles(self.pcm_to_packet),
            "interrupt_to_silence_ms": quantiles(self.interrupt_to_silence),
            "stages": {stage: quantiles(self.stages.get(stage, [])) for stage in order},
            "not_idle_after_interrupt": self.not_idle,
            "events_after_interrupt": self.late_events,
        }


async def measure(visit: Visit, turns: int, on_progress: Callable[[float], None]) -> dict[str, Any]:
    """Ask, listen, interrupt: ``turns`` times. Progress is 0…1."""
    viewer = visit.viewer
    sound, pictures = Loudness(), _Pictures(viewer)
    viewer.on_sound, viewer.on_picture = sound.take, pictures.take
    await wait_for_reports(viewer)
    samples = Samples()
    for turn in range(turns + WARM_UP_TURNS):
        on_progress(turn / (turns + WARM_UP_TURNS))
        await _one_turn(visit, sound, pictures, samples if turn >= WARM_UP_TURNS else Samples())
    return samples.as_json()


async def _one_turn(visit: Visit, sound: Loudness, pictures: _Pictures, samples: Samples) -> None:
    sound.packets.clear()
    sent, turn = await visit.ask()
    first = await _first_speech(visit, sound, sent)
    samples.text_to_packet.append(1000 * (first[0] - sent))
    news = await visit.event("latency", turn, ANSWER_SEC)
    if news is not None:
        samples.add_stages(news["stages"])
    await asyncio.sleep(TALK_SEC)
    decoded = pictures.decoded_at(visit.viewer.sound_clock.ntp(first[1]))
    if decoded is not None:
        samples.text_to_frame.append(1000 * (decoded - sent))
    interrupted = await visit.interrupt()
    await asyncio.sleep(QUIET_SEC)
    samples.interrupt_to_silence.append(1000 * (sound.silent_after(interrupted) - interrupted))
    if await visit.state() != "idle":
        samples.not_idle += 1
    samples.late_events += _events_of_cut_turn(visit, turn)


async def _first_speech(visit: Visit, sound: Loudness, sent: float) -> tuple[float, int]:
    while (first := sound.first_after(sent)) is None:
        for _, message in visit.events:
            if message["type"] == "error":
                raise VisitError(str(message["message"]["en"]))
        if time.monotonic() - sent > ANSWER_SEC:
            raise VisitError(f"no speech arrived within {ANSWER_SEC:.0f} s of a question")
        await asyncio.sleep(0.01)
    return first


def _events_of_cut_turn(visit: Visit, turn: int) -> int:
    """Captions of a turn that come after its end: something of it has survived."""
    over = False
    count = 0
    for _, message in visit.events:
        if message.get("turn") != turn:
            continue
        count += over and message.get("type") in ("clause", "word", "latency")
        over = over or message.get("type") == "turn"
    return count


async def run_latency(
    turns: int, voice: str | None, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """Measure the product's own avatar, voice and scripted brain.

    voice: by name, and nothing stands in for it; None for the default one. Figures begin when it
        is loaded.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    if voice is not None:
        settings["voice"] = voice.split(",")
    with running_server("product", **settings) as server:
        async with visiting(server.url) as visit:
            result = await measure(visit, turns, on_progress)
    return {"voice": voice or "espeak", **result}
