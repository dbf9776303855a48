"""Draws planned ticks: voice → mouth → person. One per conversation, off the event loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from mien.avatar.contract import Avatar, Pose
from mien.lipsync.contract import LipSync, Mouth, MouthRequest
from mien.media.tick import Image
from mien.media.tick_plan import TickPlan

# A mouth that is cut off closes over this many ticks.
FADE_TICKS = 3
# A painted mouth passes into speech over this many: an engine knows what will be said a fifth of a
# second ahead, and its first answer would jump open. Shapes are opened gently by their engine.
ENTRY_TICKS = 2
# Where a clip's own mouth is closed it is shown as filmed: sharper than any painted one. It comes
# and goes over this many ticks.
VEIL_TICKS = 5


class Painter:
    """Keeps what drawing needs to remember from tick to tick; call from one thread at a time.

    cast: who is drawn, and the engine that moves their mouth; may be replaced from any thread,
        and takes effect at the next batch. The mouth goes on blending, and the same person before
        another background goes on living; another person begins a life of their own.
    cut_out: whether ticks get a cut-out besides their picture, which costs about as much again.
    first_mouth_at: ``time.monotonic()`` when the newest speech's first picture was done.
    """

    def __init__(self, avatar: Avatar, lipsync: LipSync, seed: int) -> None:
        self.cast = avatar, lipsync
        self.cut_out = False
        self.first_mouth_at: float | None = None
        self._seed = seed
        self._person = _person(avatar)
        self._life = avatar.life(seed)
        self._engine = lipsync
        self._last_mouth: Mouth | None = None
        self._since_speech = FADE_TICKS
        self._spoken = 0  # ticks since speech began
        self._veil: float | None = None  # how much of the painted mouth at rest shows

    def at_rest(self, index: int) -> Image:
        """The person in silence, before the first picture is painted; from any thread."""
        avatar, lipsync = self.cast
        pose = avatar.life(self._seed).pose(index, 0.0, "idle")
        return avatar.compose(index, None if pose.closed else lipsync.rest(pose.frame), pose)

    def paint(self, batch: Sequence[TickPlan], activity: str) -> None:
        """Give every plan but those left out its image; all mouths are rendered at once."""
        avatar, lipsync = self.cast
        if lipsync is not self._engine:  # its mouths may be of a kind this avatar cannot draw
            self._engine, self._last_mouth = lipsync, None
        if _person(avatar) != self._person:  # a presenter's life knows no pictures of a clip
            self._person, self._life = _person(avatar), avatar.life(self._seed)
        posed = [(plan, self._pose(plan, activity)) for plan in batch]  # life leaves nothing out
        drawn = [(plan, pose) for plan, pose in posed if not plan.left_out]
        requests = [_request(plan, pose.frame) for plan, pose in drawn if plan.window is not None]
        mouths = iter(lipsync.render(requests) if requests else ())
        for plan, pose in drawn:
            rest = self._resting(lipsync, pose)
            if plan.window is None:
                mouth = self._closing(rest)
            else:
                mouth = self._speaking(next(mouths), rest, plan.starts)
            plan.image = avatar.compose(plan.index, mouth, pose)
            if self.cut_out:
                cuts = avatar.has_outline
                plan.cutout = avatar.cutout(plan.index, mouth, pose) if cuts else plan.image
            if plan.starts:
                self.first_mouth_at = time.monotonic()

    def _pose(self, plan: TickPlan, activity: str) -> Pose:
        for event in plan.events:
            if event.name == "gesture":
                self._life.gesture(str(event.data["name"]))
        if plan.window is None:
            return self._life.pose(plan.index, 0.0, activity)
        return self._life.pose(plan.index, _energy(plan), "speaking")

    def _resting(self, lipsync: LipSync, pose: Pose) -> Mouth | None:
        goal, step = (0.0 if pose.closed else 1.0), 1 / VEIL_TICKS
        veil = goal if self._veil is None else self._veil
        self._veil = min(max(goal, veil - step), veil + step)
        rest = lipsync.rest(pose.frame)
        return None if rest is None else rest.faded(self._veil)

    def _speaking(self, mouth: Mouth, rest: Mouth | None, starts: bool) -> Mouth:
        self._last_mouth, self._since_speech = mouth, 0
        self._spoken = 1 if starts else self._spoken + 1
        if rest is None or self._spoken > ENTRY_TICKS:
            return mouth
        return _mixed(mouth, rest, self._spoken / (ENTRY_TICKS + 1))

    def _closing(self, rest: Mouth | None) -> Mouth | None:
        self._since_speech += 1
        if self._last_mouth is None or self._since_speech > FADE_TICKS:
            return rest
        weight = 1 - self._since_speech / (FADE_TICKS + 1)
        if rest is None:
            return self._last_mouth.faded(weight)
        return _mixed(self._last_mouth, rest, weight)


def _person(avatar: Avatar) -> tuple[type, str]:
    return type(avatar), avatar.name


def _mixed(mouth: Mouth, rest: Mouth, weight: float) -> Mouth:
    """So much of a painted mouth, and the remainder of the resting one in the same place."""
    assert mouth.patch is not None and rest.patch is not None
    both = weight + (1 - weight) * rest.weight
    share = weight / both
    patch = cv2.addWeighted(mouth.patch, share, rest.patch, 1 - share, 0)
    return replace(rest, patch=np.asarray(patch, np.uint8), weight=both)


def _request(plan: TickPlan, frame: int) -> MouthRequest:
    window = plan.window
    assert window is not None
    audio = window.pcm.astype(np.float32) / np.float32(32768)
    return MouthRequest(audio, window.phones, frame, window.position, plan.starts)


def _energy(plan: TickPlan) -> float:
    """Loudness of a tick, 0…1; speech at a comfortable level is around 0.5."""
    rms = float(np.sqrt(np.mean(np.square(plan.audio.astype(np.float32))))) / 32768
    return min(1.0, rms * 5)
