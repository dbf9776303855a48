"""The contract between a mouth and a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mien.lipsync.contract import Mouth
from mien.media.tick import Image


@dataclass(frozen=True, slots=True)
class Pose:
    """Everything of a person but the mouth, at one tick.

    blink: 0 open … 1 closed. yaw (to the picture's right), pitch (up), roll: head, degrees; an
    avatar holds together to ±8, ±6, ±6 and takes no more. sway_x, sway_y: the whole figure,
    pixels of a 512-pixel picture. breath: 0 … 1. gaze_x (to the picture's right), gaze_y (up):
    -1 … 1, 0 = at the viewer. brow: -1 frown … 1 raised. smile: 0 … 1 beyond the rest face. For
    avatars that are a clip, frame: which picture of it; closed: whether the mouth is closed there.
    """

    blink: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    sway_x: float = 0.0
    sway_y: float = 0.0
    breath: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    brow: float = 0.0
    smile: float = 0.0
    frame: int = 0
    closed: bool = False


class Life(Protocol):
    """Idle life: the pose at each tick, deterministic from a seed. One per conversation."""

    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        """Pose for ``tick`` (called in increasing order; a tick may be asked again).

        energy: 0…1, loudness of what is being said in this tick.
        activity: "idle", "listening", "thinking" or "speaking".
        """
        ...

    def gesture(self, name: str) -> None:
        """Begin one of ``mien.gestures.GESTURES`` with the next pose; other names are ignored."""
        ...


class Avatar(Protocol):
    """One person's material, immutable, shared by all sessions."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> tuple[int, int]:
        """Width, height in pixels of the pictures it composes. Both even."""
        ...

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """The full picture, uint8[H, W, 3] RGB, newly made. Called from any thread."""
        ...

    @property
    def has_outline(self) -> bool:
        """Whether the person can be told from what is behind them."""
        ...

    def cutout(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """The person alone, uint8[H, W, 4] RGBA, straight alpha; otherwise as ``compose``.

        Raises AvatarError for one without an outline.
        """
        ...

    def life(self, seed: int) -> Life: ...
