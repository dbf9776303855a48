"""The contract between a voice and a mouth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mien.media.speech import Phone


@dataclass(frozen=True, slots=True)
class MouthRequest:
    """What an engine may know about one tick.

    audio: float32[n] mono at the engine's ``sample_rate``, covering
        ``[-context[0], TICK_SEC + context[1]]`` around the tick's start; zeros where nothing
        is said or nothing is known yet.
    phones: those overlapping that window, in seconds relative to the tick's start; None when
        the voice gives no times.
    frame: index of the picture of the avatar's clip that this tick is drawn on; see ``Pose.frame``.
    position: samples from the beginning of what is being said to the tick's start: the grid that
        features of overlapping windows count from.
    starts: the first tick of a speech; it must not wait for others to share a batch with.
    """

    audio: NDArray[np.float32]
    phones: tuple[Phone, ...] | None
    frame: int
    position: int = 0
    starts: bool = False


@dataclass(frozen=True, slots=True)
class MouthShape:
    """A mouth in articulatory terms, for avatars that draw it themselves.

    openness: 0 closed … 1 the widest the avatar has.
    rounding: -1 spread (I) … 0 neutral … +1 round (U).
    consonant: "" or one of the closed set "PP" (M B P), "FF" (F V), "TH" (tongue to teeth, L),
        "CH" (CH SH R), "SS" (S T Z); ``grip`` in 0…1 is how far the mouth is in that shape.
    """

    openness: float = 0.0
    rounding: float = 0.0
    consonant: str = ""
    grip: float = 0.0


@dataclass(frozen=True, slots=True)
class Mouth:
    """An engine's answer for one tick: a shape to draw, or a painted patch.

    patch: uint8[h, w, 3] RGB. place: left, top, width, height of the part of the avatar's face box
        that the patch covers, as shares of the box.
    weight: 1 = all of it, 0 = the resting face; avatars blend, so that speech can fade in and
        out over a few ticks without the engine knowing.
    """

    shape: MouthShape | None = None
    patch: NDArray[np.uint8] | None = None
    weight: float = 1.0
    place: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def faded(self, weight: float) -> Self:
        return replace(self, weight=self.weight * weight)


class LipSync(Protocol):
    """An engine, shared by all sessions; stateless per call.

    sample_rate: Hz of the audio it wants.
    context: seconds of audio it needs before and after the tick (the latter is look-ahead).
    """

    @property
    def sample_rate(self) -> int: ...
    @property
    def context(self) -> tuple[float, float]: ...
    def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
        """One mouth per request, in order. Called off the event loop, from any thread."""
        ...

    def rest(self, frame: int) -> Mouth | None:
        """The mouth in silence on picture ``frame`` of the avatar's clip, at no cost of inference.

        None: the avatar's own resting face.
        """
        ...
