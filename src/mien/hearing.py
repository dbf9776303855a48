"""What all listeners share: the networks that hear, the recognisers, and how patient they are."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.asr.barge_in import BargeInSettings
from mien.asr.smart_turn import SmartTurn
from mien.asr.turn_end import TurnEnd
from mien.asr.vad import VadModel
from mien.asr.wake_word import WakeWords
from mien.config import EarsSection
from mien.ears import AUTO, Ears
from mien.language import Language
from mien.recognizers import pulled_models


@dataclass(frozen=True, slots=True)
class Hearing:
    """Loaded when the first microphone comes, or by :meth:`warm_up`."""

    settings: EarsSection
    ears: Ears
    vad: VadModel
    smart_turn: SmartTurn
    turn_end: TurnEnd
    barge_in: BargeInSettings
    wake_words: WakeWords
    _others: dict[tuple[str, ...], WakeWords] = field(default_factory=dict)

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
            TurnEnd(),
            BargeInSettings(confirm_sec=settings.confirm_sec),
            WakeWords(settings.wake_words or names),
        )

    def waking(self, names: tuple[str, ...]) -> WakeWords:
        """What wakes a presenter of these names, where the settings do not say it."""
        if self.settings.wake_words or names == self.wake_words.phrases:
            return self.wake_words
        if names not in self._others:
            self._others[names] = WakeWords(names)
        return self._others[names]

    async def warm_up(self, language: Language) -> None:
        """Load what every microphone needs."""
        await self.vad.warm_up()
        await self.smart_turn.warm_up()
        if self.settings.asr != AUTO or pulled_models():
            await self.ears.warm_up(language)

    async def aclose(self) -> None:
        await self.ears.aclose()
        for words in (self.wake_words, *self._others.values()):
            await words.aclose()
        await self.smart_turn.aclose()
