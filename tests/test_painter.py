"""Planned ticks become pictures: which mouth is painted on which picture of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mien.avatar.contract import Pose
from mien.lipsync.contract import Mouth, MouthRequest
from mien.media.speech import SpeechChunk
from mien.media.tick import TICK_SEC
from mien.media.tick_plan import TickPlan
from mien.media.timeline import Timeline
from mien.painter import ENTRY_TICKS, FADE_TICKS, VEIL_TICKS, Painter

CLIP = 7
SPEAKING, RESTING = 240, 0


class ClipLife:
    """Another picture of the clip every tick."""

    def __init__(self, closed: range = range(0)) -> None:
        self._closed = closed

    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        return Pose(frame=tick % CLIP, closed=tick in self._closed)

    def gesture(self, name: str) -> None:
        """A clip has its own manner."""


class ClipFace:
    """Shows the mouth it is given as a grey level, and the clip's picture beside it."""

    name, size = "clip", (2, 2)

    def __init__(self, closed: range = range(0)) -> None:
        self.weights: list[float] = []
        self._closed = closed

    def life(self, seed: int) -> ClipLife:
        return ClipLife(self._closed)

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> np.ndarray:
        picture = np.zeros((2, 2, 3), np.uint8)
        picture[0] = 99 if mouth is None or mouth.patch is None else mouth.patch[0, 0]
        picture[1] = pose.frame
        self.weights.append(0.0 if mouth is None else mouth.weight)
        return picture


class Patches:
    """Paints one level while speaking, another at rest (or leaves the rest to the avatar)."""

    sample_rate, context = 16_000, (0.05, 0.1)

    def __init__(self, rests: bool = True) -> None:
        self.rests = rests
        self.asked: list[MouthRequest] = []

    def render(self, batch: Sequence[MouthRequest]) -> list[Mouth]:
        self.asked += batch
        return [Mouth(patch=np.full((4, 8, 3), SPEAKING, np.uint8)) for _ in batch]

    def rest(self, frame: int) -> Mouth | None:
        return Mouth(patch=np.full((4, 8, 3), RESTING, np.uint8)) if self.rests else None


def performed(engine: Patches, speech_ticks: int, face: ClipFace | None = None) -> list[TickPlan]:
    timeline = Timeline(engine.sample_rate, engine.context)
    for _ in range(3):
        timeline.plan()
        timeline.emit()
    pcm = np.full(round(speech_ticks * TICK_SEC * 22_050), 4000, np.int16)
    timeline.say(SpeechChunk(0, 1, "text", pcm, 22_050, last=True))
    plans = [timeline.plan() for _ in range(speech_ticks + 8)]
    Painter(face or ClipFace(), engine, seed=0).paint(plans, "idle")
    return plans


def levels(plans: Sequence[TickPlan]) -> list[int]:
    return [int(plan.image[0, 0, 0]) for plan in plans if plan.image is not None]


def test_a_request_names_the_picture_it_is_painted_on() -> None:
    engine = Patches()
    plans = performed(engine, 10)
    spoken = [plan for plan in plans if plan.window is not None]
    assert [request.frame for request in engine.asked] == [plan.index % CLIP for plan in spoken]
    for plan in plans:
        assert plan.image is not None and plan.image[1, 0, 0] == plan.index % CLIP


def test_a_request_counts_samples_from_the_beginning_of_the_speech() -> None:
    engine = Patches()
    performed(engine, 10)
    assert [request.position for request in engine.asked] == [640 * i for i in range(10)]
    assert [request.starts for request in engine.asked] == [True] + 9 * [False]


def test_speech_is_entered_and_left_in_steps() -> None:
    shown = levels(performed(Patches(), 10))
    entry = [round(SPEAKING * (i + 1) / (ENTRY_TICKS + 1)) for i in range(ENTRY_TICKS)]
    leave = [round(SPEAKING * (1 - (i + 1) / (FADE_TICKS + 1))) for i in range(FADE_TICKS)]
    assert shown[:ENTRY_TICKS] == entry
    assert set(shown[ENTRY_TICKS:10]) == {SPEAKING}
    assert shown[10 : 10 + FADE_TICKS] == leave
    assert set(shown[10 + FADE_TICKS :]) == {RESTING}


def test_without_a_resting_mouth_the_avatar_rests_by_itself() -> None:
    plans = performed(Patches(rests=False), 10)
    assert levels(plans)[:10] == 10 * [SPEAKING]
    assert levels(plans)[10 + FADE_TICKS :] == (8 - FADE_TICKS) * [99]


class OtherFace(ClipFace):
    """A second clip, with a life that stays on one picture."""

    name = "other"

    def life(self, seed: int) -> ClipLife:
        return StillLife()


class StillLife(ClipLife):
    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        return Pose(frame=CLIP + 1)


def test_another_person_lives_their_own_life_the_same_one_goes_on() -> None:
    engine, timeline = Patches(), Timeline()
    plans = [timeline.plan() for _ in range(6)]
    painter = Painter(ClipFace(), engine, seed=0)
    painter.paint(plans[:2], "idle")
    going_on = painter._life
    painter.cast = ClipFace(), engine  # before another background, say
    painter.paint(plans[2:4], "idle")
    assert painter._life is going_on
    painter.cast = OtherFace(), engine
    painter.paint(plans[4:], "idle")
    shown = [int(plan.image[1, 0, 0]) for plan in plans if plan.image is not None]
    assert shown == [0, 1, 2, 3, CLIP + 1, CLIP + 1]


def test_a_mouth_filmed_closed_is_shown_as_filmed_and_comes_and_goes_in_steps() -> None:
    face = ClipFace(closed=range(100))
    performed(Patches(), 10, face)
    assert face.weights[0] == pytest.approx(1 / (ENTRY_TICKS + 1)), "speech comes out of the film"
    assert face.weights[ENTRY_TICKS:10] == (10 - ENTRY_TICKS) * [1.0]
    assert face.weights[10 + FADE_TICKS :] == (8 - FADE_TICKS) * [0.0], "and goes back to it"

    face = ClipFace(closed=range(16, 100))  # the clip's silent passage is reached after speech
    performed(Patches(), 10, face)
    fading = face.weights[13 : 13 + VEIL_TICKS]
    assert fading == pytest.approx([1 - (i + 1) / VEIL_TICKS for i in range(VEIL_TICKS)])
