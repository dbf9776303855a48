"""A tick before it has a picture, and what is known of the voice around it."""

from __future__ import annotations

from dataclasses import dataclass

from mien.media.speech import Phone
from mien.media.tick import SAMPLES_PER_TICK, Event, Image, Pcm

# A position on the tape, and what becomes true there.
Mark = tuple[int, Event]


@dataclass(slots=True, eq=False)
class SpeechWindow:
    """What is known about the voice around one tick, for a lip-sync engine.

    pcm: int16[n] mono at the timeline's ``voice_rate``, from ``context[0]`` before the tick to
        ``context[1]`` after its end.
    phones: seconds relative to the tick's start; None where the voice gives no times.
    position: samples at ``voice_rate`` from the beginning of the tape to the tick's start.
    """

    pcm: Pcm
    phones: tuple[Phone, ...] | None
    position: int = 0


@dataclass(slots=True, eq=False)
class TickPlan:
    """One tick before it has a picture. ``window`` is None while nothing is said."""

    index: int
    generation: int
    audio: Pcm
    window: SpeechWindow | None
    marks: list[Mark]
    starts: bool = False  # first tick after silence
    tape_begin: int = 0
    tape_end: int = 0
    clause_at: int = SAMPLES_PER_TICK  # sample the last clause in it begins with, if one does
    image: Image | None = None
    cutout: Image | None = None
    claimed: bool = False  # somebody is drawing it
    left_out: bool = False  # there is no time to draw it
    held: int = 0  # ticks it was put off because its picture was not ready

    @property
    def events(self) -> list[Event]:
        """What becomes true in it."""
        return [event for _, event in self.marks]
