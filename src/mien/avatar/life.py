"""Idle life: a body that breathes, looks, blinks, listens, thinks and speaks with its head."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from mien.avatar.blink import Blinks
from mien.avatar.breath import Breath
from mien.avatar.contract import Pose
from mien.avatar.ease import Follower, limited
from mien.avatar.gaze import Gaze, against_head
from mien.avatar.gestures import Gestures
from mien.avatar.head import Head
from mien.avatar.rhythm import Rhythm
from mien.media.tick import TICK_SEC

LIMITS_DEG = {"yaw": 8.0, "pitch": 6.0, "roll": 6.0}
SETTLE_SEC = 0.26  # of each of two smoothing stages; a change of activity takes about a second
# A model that answers at once gives no reason to look away first.
THINKING_AFTER_SEC = 0.32
# A pause between two clauses is still speaking.
SPEAKING_FOR_SEC = 0.9
LONGEST_GAP = 250  # ticks; further apart, life is not simulated in between
# Ticks that were planned and then taken back are asked for again.
REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Manner:
    """How one activity is carried: degrees, and shares of the pose's ranges."""

    pitch: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    brow: float = 0.0
    smile: float = 0.0


MANNERS = {
    "idle": Manner(smile=0.13),
    "listening": Manner(pitch=-0.6, roll=2.4, brow=0.22, smile=0.16),
    "thinking": Manner(pitch=1.4, roll=-1.6, yaw=3.0, brow=-0.12, smile=0.05),
    "speaking": Manner(smile=0.1, brow=0.04),
}
FIELDS = ("pitch", "roll", "yaw", "brow", "smile")


class IdleLife:
    """Implements ``mien.avatar.contract.Life``: the same seed and inputs give the same poses."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self._side = chance.choice((-1.0, 1.0))  # which way this one tilts and glances
        self._rhythm = Rhythm()
        self._head = Head(random.Random(chance.random()))
        self._gaze = Gaze(random.Random(chance.random()), self._side)
        self._blinks = Blinks(random.Random(chance.random()))
        self._breath = Breath(random.Random(chance.random()))
        self._gestures = Gestures(self._side)
        self._manner = {
            field: Follower(getattr(MANNERS["idle"], field), SETTLE_SEC) for field in FIELDS
        }
        self._activity = "idle"
        self._waiting = 0  # ticks since the activity asked for differs from the one shown
        self._asked: list[str] = []
        self._poses: deque[tuple[int, Pose]] = deque(maxlen=REMEMBERED)

    def gesture(self, name: str) -> None:
        """See ``Life.gesture``."""
        self._asked.append(name)

    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        """See ``Life.pose``. An unknown activity is treated as "idle"."""
        if self._poses and tick <= self._poses[-1][0]:
            return next((p for t, p in self._poses if t >= tick), self._poses[-1][1])
        energy = min(max(energy, 0.0), 1.0)
        first = max(self._poses[-1][0] + 1, tick - LONGEST_GAP) if self._poses else tick
        for t in range(first, tick):
            self._poses.append((t, self._step(t, energy, activity)))
        for name in self._asked:
            self._gestures.begin(name)
        self._asked.clear()
        self._poses.append((tick, self._step(tick, energy, activity)))
        return self._poses[-1][1]

    def _step(self, tick: int, energy: float, activity: str) -> Pose:
        shown = self._shown(activity if activity in MANNERS else "idle")
        self._rhythm.step(energy)
        manner = self._settled(MANNERS[shown])
        head = self._head.step(tick, shown, self._rhythm)
        asked = self._gestures.step()
        looks = self._gaze.step(shown, self._rhythm)

        def sum_of(channel: str) -> float:
            return head.get(channel, 0.0) + asked.get(channel, 0.0)

        yaw = limited(sum_of("yaw") + self._side * manner["yaw"], LIMITS_DEG["yaw"])
        pitch = limited(sum_of("pitch") + manner["pitch"], LIMITS_DEG["pitch"])
        roll = limited(sum_of("roll") + self._side * manner["roll"], LIMITS_DEG["roll"])
        steady = against_head(yaw, pitch)
        blink = self._blinks.step(
            shown, self._rhythm, self._gaze.shifted, wide=asked.get("brow", 0.0) > 0.5
        )
        calm = 1 - min(1.0, asked.get("calm", 0.0))
        return Pose(
            blink=max(blink, min(1.0, asked.get("lids", 0.0))),
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            # The body goes along with its head.
            sway_x=head["sway_x"] + 0.35 * yaw,
            sway_y=sum_of("sway_y"),
            breath=self._breath.step(self._rhythm, shown == "speaking"),
            gaze_x=limited(looks[0] + asked.get("gaze_x", 0.0) + steady[0], 1.0),
            gaze_y=limited(looks[1] + asked.get("gaze_y", 0.0) + steady[1], 1.0),
            brow=limited(sum_of("brow") + manner["brow"], 1.0),
            smile=limited(
                max(0.0, manner["smile"] + head["smile"]) * calm + asked.get("smile", 0.0), 1.0
            ),
        )

    def _shown(self, activity: str) -> str:
        """The activity as it shows: short ones are not worth a change of the whole body."""
        self._waiting = 0 if activity == self._activity else self._waiting + 1
        patience = 0.0
        if activity == "thinking":
            patience = THINKING_AFTER_SEC
        elif activity == "idle" and self._activity == "speaking":
            patience = SPEAKING_FOR_SEC
        if self._waiting * TICK_SEC > patience:
            self._activity, self._waiting = activity, 0
        return self._activity

    def _settled(self, goal: Manner) -> dict[str, float]:
        return {
            field: follower.step(getattr(goal, field)) for field, follower in self._manner.items()
        }
