"""Short things to say while a brain has not found its first words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mien.config import LlmSection
from mien.language import Language
from mien.llm.persona import Persona
from mien.turn import Turn


@dataclass(frozen=True, slots=True)
class Fillers:
    """said: one after the other; () for never. after_sec: of silence before one."""

    said: tuple[str, ...] = ()
    after_sec: float = 1.5

    def wait(self, turn: Turn, say: Callable[[Turn, str], None]) -> None:
        """Have one said in ``turn``, unless its answer begins before, or it ends."""
        if not self.said:
            return
        text = self.said[turn.number % len(self.said)]

        def over() -> None:
            if "first_clause" not in turn.trace.stamps:
                say(turn, text)

        turn.filler = asyncio.get_running_loop().call_later(self.after_sec, over)


def fillers_of(section: LlmSection, persona: Persona, language: Language) -> Fillers:
    """The persona's, as often as the settings say; else as it says itself."""
    after_sec = persona.filler_sec
    if after_sec is None or "filler_sec" in section.model_fields_set:
        after_sec = section.filler_sec
    return Fillers(persona.fillers.get(language, ()), after_sec) if after_sec else Fillers()
