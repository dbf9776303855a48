"""How long to wait, once somebody is silent, before they are taken to have finished."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.asr.turn_cues import Reading, reading
from mien.language import Language


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of silence after words of one kind.

    finished: when it sounds finished beyond doubt (probability 1). unfinished: when it sounds like
    mid-thought (probability 0). Between them, and without a probability, what lies between.
    """

    finished: float
    unfinished: float

    def __post_init__(self) -> None:
        if not 0 <= self.finished <= self.unfinished:
            raise ValueError(f"expected 0 <= finished <= unfinished, not {self}")

    def at(self, probability: float | None) -> float:
        """Seconds at this probability of having finished, 0…1."""
        if probability is None:
            probability = 0.5
        return self.unfinished + (self.finished - self.unfinished) * min(1.0, max(0.0, probability))


@dataclass(frozen=True, slots=True)
class TurnEndSettings:
    """How patient a listener is. All in seconds since the last voiced sound.

    after_whole: what reads as a whole question, request or answer.
    after_plain: what may be all.
    after_open: "because the": however finished it sounds. smart-turn calls "我想问一下，就是那个"
        finished at 98 %.
    after_digits: between the groups of a number that is dictated.
    after_nothing: there are no words (yet).
    longest: never more than this.
    """

    after_whole: Patience = field(default_factory=lambda: Patience(0.2, 0.5))
    after_plain: Patience = field(default_factory=lambda: Patience(0.3, 0.9))
    after_open: Patience = field(default_factory=lambda: Patience(1.2, 2.0))
    after_digits: Patience = field(default_factory=lambda: Patience(1.2, 2.0))
    after_nothing: Patience = field(default_factory=lambda: Patience(0.4, 1.2))
    longest: float = 2.0

    def after(self, words: Reading) -> Patience:
        """The patience that is due to words which read like this."""
        kinds = {
            "finished": self.after_whole,
            "plain": self.after_plain,
            "open": self.after_open,
            "digits": self.after_digits,
            "nothing": self.after_nothing,
        }
        return kinds[words]


class TurnEnd:
    """Weighs how speech sounded and how it reads."""

    def __init__(self, settings: TurnEndSettings | None = None) -> None:
        self._settings = settings or TurnEndSettings()

    def patience(self, probability: float | None, text: str, language: Language) -> float:
        """Seconds of silence after which the turn is over.

        probability: from :class:`~mien.asr.smart_turn.SmartTurn`, None while it is not known.
        text: the words of the whole turn so far; "" while there are none.
        """
        settings = self._settings
        patience = settings.after(reading(text, language)).at(probability)
        return min(settings.longest, patience)
