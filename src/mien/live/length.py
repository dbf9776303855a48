"""How long a running order takes, before anybody has said it."""

from __future__ import annotations

from mien.gestures import without_tags
from mien.live.order import Item, RunningOrder
from mien.tts.pace import paced_words
from mien.tts.pause import PAUSE_SEC


def spoken_sec(text: str) -> float:
    """Seconds a usual voice takes for it, rests at its marks included."""
    said = without_tags(text)
    words = paced_words(said)
    return (words[-1].end if words else 0.0) + sum(PAUSE_SEC.get(mark, 0.0) for mark in said)


def item_sec(item: Item) -> float:
    """Of one time it is said, without its pause; of several texts the average."""
    return sum(map(spoken_sec, item.texts)) / max(1, len(item.texts))


def round_sec(order: RunningOrder) -> float:
    """Of an average round; what the brain answers counts as nothing."""
    return sum(
        (item_sec(item) + item.pause) * item.times / item.every_rounds for item in order.items
    )


def minutes(seconds: float) -> str:
    """For people: "8 s", "1:05", "2:00:10"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
