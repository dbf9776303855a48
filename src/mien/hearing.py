"""What all listeners share: the networks that hear, the recognisers, and how patient they are."""

from __future__ import annotations

from dataclasses import dataclass

from mien.asr.barge_in import BargeInSettings
from mien.asr.smart_turn import SmartTurn
from mien.asr.turn_end import TurnEnd, TurnEndSettings
from mien.asr.vad import VadModel
from mien.config import EarsSection
from mien.ears import Ears
from mien.language import Language


@dataclass(frozen=True, slots=True)
class Hearing:
    """wake_words: what wakes the presenter, where it sleeps."""

    settings: EarsSection
    ears: Ears
    vad: VadModel
    smart_turn: SmartTurn
    turn_end: TurnEnd
    barge_in: BargeInSettings
    wake_words: tuple[str, ...]

    @classmethod
    def of(cls, settings: EarsSection, names: tuple[str, ...]) -> Hearing:
        """Nothing is loaded yet. names: of the persona, which wake it if nothing else is set.

        Raises:
            ConfigError: for a recogniser that is set up wrongly.
        """
        return cls(
            settings,
            Ears(settings.asr, settings.recognizers),
            VadModel(),
            SmartTurn(),
            TurnEnd(TurnEndSettings(settings.min_silence_sec, settings.max_silence_sec)),
            BargeInSettings(confirm_sec=settings.confirm_sec),
            tuple(settings.wake_words) or names,
        )

    async def warm_up(self, language: Language) -> None:
        """Load what every microphone needs."""
        await self.vad.warm_up()
        await self.smart_turn.warm_up()
        await self.ears.warm_up(language)

    async def aclose(self) -> None:
        await self.ears.aclose()
        await self.smart_turn.aclose()
