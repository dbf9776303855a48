"""The passage of a clip that is shown while its person listens."""

from __future__ import annotations

from mien.avatar.clip.errors import ClipError, said, spans
from mien.avatar.clip.loop import closed_lips, silent_passage
from mien.avatar.clip.smoothing import Array
from mien.avatar.photo.checks import Advice
from mien.media.tick import FPS

SHORTEST_SEC = 0.5


def idle_passage(
    points: Array, wanted: tuple[float, float] | None, first: int
) -> tuple[tuple[int, int] | None, list[Advice]]:
    """First and one past the last frame, of the avatar's own; None where no lips are closed long
    enough.

    points: float64[N, 468, 3] pixels, smoothed. wanted: seconds in the clip. first: number of the
    first frame in the clip. Raises ClipError: "bad_idle".
    """
    if wanted is None:
        found = silent_passage(points)
        return found, [] if found else [_never_silent()]
    start, end = (round(second * FPS) - first for second in wanted)
    if start < 0 or end > len(points) or end - start < SHORTEST_SEC * FPS:
        low, high = first / FPS, (first + len(points)) / FPS
        raise ClipError(
            "bad_idle",
            f"The silent passage {wanted[0]:g}-{wanted[1]:g} s must lie within {low:.2f} and "
            f"{high:.2f} s and be {SHORTEST_SEC:g} s long or more.",
            f"静默片段 {wanted[0]:g}-{wanted[1]:g} 秒必须位于 {low:.2f} 到 {high:.2f} 秒之内，"
            f"且不短于 {SHORTEST_SEC:g} 秒。",
        )
    shut = closed_lips(points)
    parted = [first + i for i in range(start, end) if not shut[i]]
    if not parted:
        return (start, end), []
    en, zh = said(spans(parted))
    return (start, end), [
        Advice(
            "idle_open",
            f"The lips are parted in the silent passage, in {en}.",
            f"静默片段中有嘴唇张开的画面：{zh}。",
        )
    ]


def _never_silent() -> Advice:
    return Advice(
        "never_silent",
        "The lips are never closed for a second; begin the clip with a few seconds of silent "
        "listening, so that the avatar listens with its own mouth.",
        "视频中没有持续一秒以上的闭嘴画面；请在开头静静倾听几秒，形象倾听时会更自然。",
    )
