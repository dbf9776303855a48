"""Who is computed next, and together with whom. No threads and no clock: the engine has both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Pcm
from mien.tts.voice import VoiceError

if TYPE_CHECKING:
    from mien.tts.bert_vits2.backend import Latents, Sentence
    from mien.tts.bert_vits2.streaming import Piece


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of a sentence, in order.

    begin: its first frame in the sentence. pcm: int16[frames * hop] mono. durations: int64[n],
    frames of each symbol of the whole sentence, the same in each piece. last: nothing follows.
    """

    begin: int
    pcm: Pcm
    durations: NDArray[np.int64]
    last: bool


@dataclass(eq=False, slots=True)
class Job:
    """One sentence on its way.

    tell: where its sound goes, or why there is no more. due: when its listener runs out of sound,
        in the engine's seconds; before the first sound, when it was asked for.
    lead: symbols at its beginning that are silent.
    latents: None until they are computed. pieces: of them, those still to be decoded, in order.
    """

    sentence: Sentence
    due: float
    tell: Callable[[Sound | VoiceError], None]
    lead: int = 0
    latents: Latents | None = None
    pieces: deque[Piece] = field(default_factory=deque)

    @property
    def step(self) -> tuple[int, int, int]:
        """What must be the same in steps that are computed together: of a piece, its frames, and
        those left and right of it; all 0 for latents."""
        if self.latents is None:
            return 0, 0, 0
        piece = self.pieces[0]
        return piece.stop - piece.begin, piece.left, piece.right

    def heard(self, now: float, seconds: float) -> None:
        """The next piece is out; it lasts so long."""
        self.pieces.popleft()
        self.due = max(self.due, now) + seconds


class Batcher:
    """Sentences that are not finished.

    Whoever runs out of sound first goes first: one who has heard nothing yet before all those that
    still have something to hear. Equal steps are computed together.
    """

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        self._jobs.append(job)

    def drop(self, job: Job) -> None:
        """Forget a job, if it is not forgotten yet."""
        if job in self._jobs:
            self._jobs.remove(job)

    def clear(self) -> list[Job]:
        """Forget all; returns them."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def next(self, sentences: int, pieces: int) -> list[Job]:
        """Whose next steps are computed together now; they stay until dropped. [] if none is left.

        sentences, pieces: as many at most, when it is latents, when it is pieces.
        """
        ordered = sorted(self._jobs, key=lambda job: job.due)
        if not ordered:
            return []
        first = ordered[0]
        alike = [job for job in ordered if job.step == first.step]
        if first.latents is not None:
            return alike[:pieces]
        # A batch takes as long as its longest; the first must not wait for a much longer one.
        longest = 2 * len(first.sentence.ids)
        return [job for job in alike if len(job.sentence.ids) <= longest][:sentences]
