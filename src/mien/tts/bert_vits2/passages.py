"""A clause in passages that the network and its BERTs can take at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mien.language import Language
from mien.tts.cutting import cut
from mien.tts.voice import Run, SpokenWord

# Nearly every clause is shorter. BERTs take 512 tokens, time and memory of the transformers grow
# with the square: these make about 25 s of speech.
MAX_CHARACTERS: dict[Language, int] = {"zh": 100, "en": 300}


@dataclass(frozen=True, slots=True)
class Part:
    """``runs[number].text`` of the clause from ``offset`` on."""

    number: int
    offset: int
    run: Run

    def word(self, word: SpokenWord) -> SpokenWord:
        """A word of the part as a word of the clause."""
        begin, stop = word.begin + self.offset, word.stop + self.offset
        return SpokenWord(self.number, begin, stop, word.start, word.end)


def passages(runs: Sequence[Run]) -> list[list[Part]]:
    """Passages in order, each of parts of one or more runs."""
    found: list[list[Part]] = []
    room = 0.0
    for number, run in enumerate(runs):
        offset, limit = 0, MAX_CHARACTERS[run.language]
        while offset < len(run.text):
            stop = cut(run.text, offset, limit)
            share = (stop - offset) / limit
            if share > room:
                found.append([])
                room = 1.0
            found[-1].append(Part(number, offset, Run(run.language, run.text[offset:stop])))
            room -= share
            offset = stop
    return found
