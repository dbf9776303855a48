"""How long a pause must be for a turn to be over."""

from __future__ import annotations

from dataclasses import dataclass

from mien.language import Language


@dataclass(frozen=True, slots=True)
class TurnEndSettings:
    """Seconds of silence, when everything sounds finished and when nothing does."""

    min_silence_sec: float = 0.25
    max_silence_sec: float = 1.6


class TurnEnd:
    def __init__(self, settings: TurnEndSettings) -> None:
        self._settings = settings

    def patience(self, probability: float | None, text: str, language: Language) -> float:
        """Seconds of silence after which the turn is over."""
        if probability is None:
            return 0.6
        settings = self._settings
        return settings.min_silence_sec if probability > 0.5 else settings.max_silence_sec
