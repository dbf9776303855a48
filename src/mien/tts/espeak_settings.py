"""How espeak-ng sounds, per language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pydantic import field_validator

from mien.language import Language
from mien.tts.settings import VoiceSettings

SLOWEST, FASTEST = 80, 450


@dataclass(frozen=True, slots=True)
class EspeakStyle:
    """How one language sounds.

    voice: an espeak-ng voice, with "+" a variant: "f3" is a woman's timbre in any language.
    rate: words per minute, 80…450.
    pitch, range: of the voice and of its melody, 0…99.
    """

    voice: str
    rate: int = 150
    pitch: int = 50
    range: int = 50

    def __post_init__(self) -> None:
        for name, low, high in (("rate", SLOWEST, FASTEST), ("pitch", 0, 99), ("range", 0, 99)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low}…{high}, not {getattr(self, name)}")


STYLES: Mapping[Language, EspeakStyle] = {
    # With the default range the four tones span 4 semitones and are hard to tell apart; with
    # 99 they span 10.
    "zh": EspeakStyle("cmn+f3", range=99),
    "en": EspeakStyle("en-us+f3"),
}


class EspeakSettings(VoiceSettings):
    """zh, en: what is left out of a language's style is as usual."""

    service: Literal["espeak"] = "espeak"
    zh: EspeakStyle = STYLES["zh"]
    en: EspeakStyle = STYLES["en"]

    @field_validator("zh", "en", mode="before")
    @classmethod
    def _completed(cls, value: Any, info: Any) -> Any:
        return {**asdict(STYLES[info.field_name]), **value} if isinstance(value, dict) else value

    def styles(self) -> dict[Language, EspeakStyle]:
        """As they are at this speed."""
        return {"zh": self._paced(self.zh), "en": self._paced(self.en)}

    def _paced(self, style: EspeakStyle) -> EspeakStyle:
        rate = round(style.rate * self.speed)
        return replace(style, rate=max(SLOWEST, min(FASTEST, rate)))
