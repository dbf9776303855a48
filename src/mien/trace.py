"""The latency trace of a turn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

# In the order of the flow; the folder names say where each happens.
SPOKEN_STAGES = ("speech_end", "asr_final", "turn_end")
ANSWER_STAGES = ("llm_first_token", "first_clause", "tts_first_pcm", "first_mouth", "first_packet")
STAGES = SPOKEN_STAGES + ANSWER_STAGES


@dataclass(slots=True)
class Trace:
    """Monotonic stamps of one turn; only the first of each stage counts.

    start: when the user's text arrived, or fell silent who spoke it. speculated: the answer was
    begun before the turn was over, and its words were the right ones.
    """

    start: float = field(default_factory=time.monotonic)
    stamps: dict[str, float] = field(default_factory=dict)
    speculated: bool = False

    @classmethod
    def spoken(cls, speech_end: float) -> Trace:
        """Of a turn whose last voiced sample arrived at ``speech_end`` (monotonic s)."""
        return cls(speech_end, {"speech_end": speech_end})

    @property
    def is_spoken(self) -> bool:
        return "speech_end" in self.stamps

    def stamp(self, stage: str, at: float | None = None) -> None:
        self.stamps.setdefault(stage, time.monotonic() if at is None else at)

    def adopt(self, proposal: Trace) -> None:
        """What was done ahead for a proposal was done for this turn."""
        self.speculated = True
        for stage in ANSWER_STAGES:
            if stage in proposal.stamps:
                self.stamp(stage, proposal.stamps[stage])

    def milliseconds(self) -> dict[str, float]:
        """Stage → ms since the start; 0 for what had been done before it."""
        return {
            stage: max(0.0, round((self.stamps[stage] - self.start) * 1000, 1))
            for stage in STAGES
            if stage in self.stamps
        }
