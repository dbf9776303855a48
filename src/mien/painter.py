"""Draws planned ticks: voice → mouth → person. One per conversation, off the event loop."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from mien.avatar.contract import Avatar
from mien.lipsync.contract import LipSync, Mouth, MouthRequest
from mien.media.timeline import TickPlan

# A mouth that is cut off closes over this many ticks; engines open it by themselves.
FADE_TICKS = 3


class Painter:
    """Keeps what drawing needs to remember from tick to tick; call from one thread at a time.

    cast: who is drawn, and the engine that moves their mouth; may be replaced from any thread,
        and takes effect at the next batch. The mouth goes on blending and life goes on.
    first_mouth_at: ``time.monotonic()`` when the newest speech's first picture was done.
    """

    def __init__(self, avatar: Avatar, lipsync: LipSync, seed: int) -> None:
        self.cast = avatar, lipsync
        self.first_mouth_at: float | None = None
        self._life = avatar.life(seed)
        self._engine = lipsync
        self._last_mouth: Mouth | None = None
        self._since_speech = FADE_TICKS

    def paint(self, batch: Sequence[TickPlan], activity: str) -> None:
        """Give every plan its image; all mouths of the batch are rendered at once."""
        avatar, lipsync = self.cast
        if lipsync is not self._engine:  # its mouths may be of a kind this avatar cannot draw
            self._engine, self._last_mouth = lipsync, None
        requests = [_request(plan) for plan in batch if plan.window is not None]
        mouths = iter(lipsync.render(requests) if requests else ())
        for plan in batch:
            speaks = plan.window is not None
            mouth = self._blended(next(mouths) if speaks else None)
            for event in plan.events:
                if event.name == "gesture":
                    self._life.gesture(str(event.data["name"]))
            energy = _energy(plan) if speaks else 0.0
            pose = self._life.pose(plan.index, energy, "speaking" if speaks else activity)
            plan.image = avatar.compose(plan.index, mouth, pose)
            if plan.starts:
                self.first_mouth_at = time.monotonic()

    def _blended(self, mouth: Mouth | None) -> Mouth | None:
        if mouth is not None:
            self._last_mouth, self._since_speech = mouth, 0
            return mouth
        self._since_speech += 1
        if self._last_mouth is None or self._since_speech > FADE_TICKS:
            return None
        return self._last_mouth.faded(1 - self._since_speech / (FADE_TICKS + 1))


def _request(plan: TickPlan) -> MouthRequest:
    assert plan.window is not None
    audio = plan.window.pcm.astype(np.float32) / np.float32(32768)
    return MouthRequest(audio, plan.window.phones, plan.index)


def _energy(plan: TickPlan) -> float:
    """Loudness of a tick, 0…1; speech at a comfortable level is around 0.5."""
    rms = float(np.sqrt(np.mean(np.square(plan.audio.astype(np.float32))))) / 32768
    return min(1.0, rms * 5)
