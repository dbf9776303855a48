"""Somebody's microphone, by whatever path its sound comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mien.media.tick import Pcm

# Hz of everything that is listened to: what VAD, turn detection and recognisers were trained on.
RATE = 16_000

# Takes int16[n] mono at RATE, n > 0, in order; called on the event loop, right as sound arrives.
Sink = Callable[[Pcm], None]


class Microphone(Protocol):
    """One connection that brings sound.

    label: what it is, for the log ("WebRTC", "WebSocket 8000 Hz").
    on_connected: to be called once sound can come.
    """

    label: str
    on_connected: Callable[[], None]

    async def run(self, sink: Sink) -> None:
        """Hand its sound to ``sink`` until it is closed, by either side. What was lost on the way
        is silence of the same length, so that sound and clock do not drift apart."""

    def close(self) -> None:
        """Ask ``run`` to end."""
