"""Which recogniser listens, and why it is this one."""

from __future__ import annotations

from dataclasses import dataclass

from mien.asr.contract import Recognizer


@dataclass(frozen=True, slots=True)
class Choice:
    """recognizer: loaded; None where nobody can listen: then ``why`` says what to pull or set up.

    why_en, why_zh: "" where it is simply the one that was asked for.
    """

    recognizer: Recognizer | None
    why_en: str = ""
    why_zh: str = ""

    @property
    def why(self) -> dict[str, str] | None:
        return {"en": self.why_en, "zh": self.why_zh} if self.why_en else None
