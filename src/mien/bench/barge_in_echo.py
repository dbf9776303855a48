"""The avatar's own voice out of a loudspeaker into the microphone, while nobody says anything."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.bench.client import SoundPacket
from mien.bench.latency import SPEECH_LEVEL
from mien.bench.server import running_server
from mien.bench.signals import Sound
from mien.bench.speaker import WhipSpeaker
from mien.bench.visit import QUESTIONS, Visit
from mien.media.tick import SAMPLE_RATE

LEVEL_DB = -20.0
# What a page adds between arrival and the microphone: its jitter buffer, the device, the room.
DELAYS_SEC = (0.1, 0.02, 0.2, 0.3)
# Below this there is no time for two delays.
_SEGMENT_SEC = 15.0
# What a small room returns: noise that fades by 60 dB in a quarter of a second, under the direct
# sound; the part of it that still matters 35 dB down.
_ROOM_SEC, _REVERBERATION_SEC = 0.12, 0.25


@dataclass(slots=True)
class Leak:
    """Plays into a microphone what a viewer hears. spoken_sec: how much of it was speech."""

    speaker: WhipSpeaker
    delay_sec: float
    spoken_sec: float = 0.0

    async def run(self, packets: asyncio.Queue[SoundPacket]) -> None:
        room, tail = _room(), np.zeros(0, np.float32)
        until = 0.0
        while True:
            packet = await packets.get()
            full = np.convolve(packet.sound, room)
            full[: len(tail)] += tail
            heard, tail = full[: len(packet.sound)], full[len(packet.sound) :]
            if until < time.monotonic():
                silence = np.zeros(round(self.delay_sec * SAMPLE_RATE), np.int16)
                await self.speaker.play(silence, SAMPLE_RATE)
            pcm = np.round(heard * 32767).clip(-32768, 32767).astype(np.int16)
            until = await self.speaker.play(pcm, SAMPLE_RATE) + len(pcm) / SAMPLE_RATE
            if np.abs(packet.sound).max() > SPEECH_LEVEL:
                self.spoken_sec += len(pcm) / SAMPLE_RATE


def _room() -> Sound:
    """float32[n] at 48 kHz whose energy brings a sound to LEVEL_DB."""
    time_sec = np.arange(round(_ROOM_SEC * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(3).normal(0, 0.02, len(time_sec))
    response = noise * 10 ** (-3 * time_sec / _REVERBERATION_SEC)
    response[0] = 1
    response *= 10 ** (LEVEL_DB / 20) / np.sqrt(np.sum(response**2))
    return np.asarray(response, np.float32)


@contextmanager
def leaking(visit: Visit, speaker: WhipSpeaker, delay_sec: float) -> Iterator[Leak]:
    """While the context lasts, the microphone hears the loudspeaker."""
    leak, packets = Leak(speaker, delay_sec), asyncio.Queue[SoundPacket]()
    before, visit.viewer.on_sound = visit.viewer.on_sound, packets.put_nowait
    task = asyncio.create_task(leak.run(packets), name="leak")
    try:
        yield leak
    finally:
        visit.viewer.on_sound = before
        task.cancel()


async def measure_echo(
    minutes: float, on_step: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """The product's avatar talks for ``minutes``; the delays share them.

    Everything the session makes of it is wrong: echo_holds, echo_interruptions, echo_questions.
    """
    from mien.bench.barge_in import scene

    seconds = 60 * minutes
    delays = DELAYS_SEC[: max(1, min(len(DELAYS_SEC), int(seconds / _SEGMENT_SEC)))]
    counted: dict[str, list[int]] = {}
    spoken = 0.0
    with running_server("product", **settings) as server:
        for delay in delays:
            async with scene(server) as stage:
                with leaking(stage.visit, stage.speaker, delay) as leak:
                    talking = asyncio.create_task(stage.visit.keep_talking(), name="talk")
                    end = time.monotonic() + seconds / len(delays)
                    while (left := end - time.monotonic()) > 0 and not talking.done():
                        await asyncio.sleep(min(1.0, left))
                        on_step(min(1.0, left))
                    talking.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await talking
                spoken += leak.spoken_sec
                counted[str(round(1000 * delay))] = _wrong(stage.visit)
    holds, interruptions, questions = (sum(c[n] for c in counted.values()) for n in range(3))
    return {
        "echo_minutes": minutes,
        "echo_speech_sec": round(spoken, 1),
        "echo_holds": holds,
        "echo_interruptions": interruptions,
        "echo_questions": questions,
        "echo_by_delay_ms": counted,
    }


def _wrong(visit: Visit) -> list[int]:
    """Holds, interruptions, questions nobody asked."""
    messages = [message for _, message in visit.events]
    barge_in = [message["what"] for message in messages if message["type"] == "barge_in"]
    asked = [message["text"] for message in messages if message["type"] == "user"]
    unasked = sum(text not in QUESTIONS for text in asked)
    return [barge_in.count("hold"), barge_in.count("interrupt"), unasked]
