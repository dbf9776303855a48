"""What a voice hands to the performer: sound, and when each phone and word is heard."""

from __future__ import annotations

from dataclasses import dataclass

from mien.media.tick import Pcm


@dataclass(frozen=True, slots=True)
class Phone:
    """One speech sound. ``start``/``end`` in seconds; ``symbol`` in IPA, "" for silence."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written: ``text[begin:stop]`` of the clause, heard from ``start`` to ``end`` s.

    A Chinese "word" is one character (that is what espeak-ng and most voices time).
    """

    begin: int
    stop: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of one clause's speech, in order.

    generation: of the conversation when the text was written; stale chunks are dropped.
    clause: number of the clause within the session; chunks of one clause share it.
    text: the clause as written (what captions show), the same in each of its chunks.
    pcm: int16[n] mono at ``sample_rate``; may be empty.
    phones, words: those that begin within this chunk, in seconds from the chunk's first
        sample. ``phones`` is None when the voice gives no times. Phones that are found by
        listening come late: their times may be negative (within the clause), and from the
        start of the first of them on they replace what earlier chunks told.
    last: whether the clause ends with this chunk.
    gestures: ``(offset, name)`` in order, the same in each of its chunks: a gesture begins with
        the first word that ends behind ``text[:offset]``, or with the clause's end.
    aside: whether it is no part of what is being told, as a "let me see" is not.
    """

    generation: int
    clause: int
    text: str
    pcm: Pcm
    sample_rate: int
    phones: tuple[Phone, ...] | None = None
    words: tuple[Word, ...] = ()
    last: bool = False
    gestures: tuple[tuple[int, str], ...] = ()
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What the audience really heard of a turn before it ended or was interrupted.

    text: the written words whose sound began before the cut, clauses joined as written.
    seconds: of speech played.
    complete: whether everything said was heard to its end.
    """

    text: str
    seconds: float
    complete: bool
