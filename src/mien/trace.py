"""The latency trace of a turn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

# In the order of the flow; the folder names say where each happens.
STAGES = ("llm_first_token", "first_clause", "tts_first_pcm", "first_mouth", "first_packet")


@dataclass(slots=True)
class Trace:
    """Monotonic stamps of one turn; only the first of each stage counts."""

    start: float = field(default_factory=time.monotonic)
    stamps: dict[str, float] = field(default_factory=dict)

    def stamp(self, stage: str, at: float | None = None) -> None:
        self.stamps.setdefault(stage, time.monotonic() if at is None else at)

    def milliseconds(self) -> dict[str, float]:
        """Stage → ms since the user's text arrived."""
        return {
            stage: round((self.stamps[stage] - self.start) * 1000, 1)
            for stage in STAGES
            if stage in self.stamps
        }
