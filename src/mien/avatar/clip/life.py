"""Which picture of the clip a tick shows: on and on, and never with a jump."""

from __future__ import annotations

import random
from collections import deque

from mien.avatar.clip.package import Loop
from mien.avatar.contract import Pose
from mien.media.tick import TICK_SEC

# A pause between two clauses is still speaking.
SPEAKING_FOR_SEC = 0.9
# Ticks that were planned and then taken back are asked for again.
REMEMBERED = 16


class ClipLife:
    """Implements ``mien.avatar.contract.Life``: one picture further at every tick.

    loop: at its end the clip runs backwards ("pingpong"), or begins again ("forward", for clips
    filmed so that they fit). idle: first and one past the last picture of a silent passage: while
    nothing is said it stays there, to and fro; speech runs on from there through the whole clip,
    and afterwards it goes back, still one picture at a time.

    Gestures are ignored: a filmed person moves as they were filmed. The same seed and inputs give
    the same pictures; another seed begins elsewhere.
    """

    def __init__(
        self,
        count: int,
        loop: Loop = "pingpong",
        idle: tuple[int, int] | None = None,
        seed: int = 0,
    ) -> None:
        """count: pictures of the clip, at least 2."""
        chance = random.Random(seed)
        self._count = count
        self._forward = loop == "forward"
        self._idle = idle
        first, stop = idle or (0, count)
        self._frame = chance.randrange(first, stop)
        self._step = 1 if self._forward and idle is None else chance.choice((-1, 1))
        self._quiet_sec = SPEAKING_FOR_SEC
        self._poses: deque[tuple[int, Pose]] = deque(maxlen=REMEMBERED)

    def gesture(self, name: str) -> None:
        """Nothing: see the class."""

    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        """See ``Life.pose``. Ticks that were left out, because nobody watched, are not made up
        for: what comes next follows on what was seen last."""
        if self._poses and tick <= self._poses[-1][0]:
            return next((p for t, p in self._poses if t >= tick), self._poses[-1][1])
        if self._poses:
            self._quiet_sec = 0.0 if activity == "speaking" else self._quiet_sec + TICK_SEC
            self._advance()
        elif activity == "speaking":
            self._quiet_sec = 0.0
        closed = self._idle is not None and self._idle[0] <= self._frame < self._idle[1]
        self._poses.append((tick, Pose(frame=self._frame, closed=closed)))
        return self._poses[-1][1]

    def _advance(self) -> None:
        resting = self._idle is not None and self._quiet_sec >= SPEAKING_FOR_SEC
        if resting and self._idle is not None:
            self._rest(*self._idle)
        elif self._forward:
            self._step = 1
            self._frame = (self._frame + 1) % self._count
        else:
            self._turn(0, self._count)

    def _rest(self, first: int, stop: int) -> None:
        if first <= self._frame < stop:
            self._turn(first, stop)
        elif self._forward:  # never backwards through what was filmed to run forwards
            self._frame = (self._frame + 1) % self._count
        else:
            self._step = 1 if self._frame < first else -1
            self._frame += self._step

    def _turn(self, first: int, stop: int) -> None:
        """One step within the range, turning round at its ends."""
        if not first <= self._frame + self._step < stop:
            self._step = -self._step
        self._frame += self._step
