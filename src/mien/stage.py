"""The end of the pipecat pipeline: clauses with their sound go to the performer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pipecat.frames.frames import (
    AggregatedTextFrame,
    DataFrame,
    Frame,
    LLMFullResponseEndFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from mien.media.speech import SpeechChunk, Word
from mien.media.tick import Event, Pcm
from mien.performer import Performer
from mien.tts.clauses import ClauseFrame, GestureFrame
from mien.tts.service import SpeechFrame

# Where a voice gives no times, captions move at a usual pace (characters per second).
CJK_PER_SEC, LATIN_PER_SEC = 4.5, 14.0


@dataclass
class TurnFrame(DataFrame):
    """Everything behind it in the pipeline belongs to this turn, everything before is over.

    It travels in order with text and sound, so that a late frame of an interrupted turn,
    wherever it was waiting, still arrives in front of it and is dropped.
    """

    turn: int
    generation: int


class Stage(FrameProcessor):
    """Feeds the performer.

    on_stage: called with "tts_first_pcm" at each turn's first sound.
    """

    def __init__(self, performer: Performer, on_stage: Callable[[str], None]) -> None:
        super().__init__()
        self._performer = performer
        self._on_stage = on_stage
        self._generation = -1
        self._turn = 0
        self._clause = 0
        self._text = ""
        self._gestures: tuple[tuple[int, str], ...] = ()
        self._open = False  # a clause whose voice has not said that it ends
        self._had_sound = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TurnFrame):
            self._generation, self._turn = frame.generation, frame.turn
            self._open = self._had_sound = False
        elif self._generation == self._performer.generation:
            self._perform(frame)
        await self.push_frame(frame, direction)

    def _perform(self, frame: Frame) -> None:
        if isinstance(frame, SpeechFrame):
            self._say_timed(frame)
        elif isinstance(frame, TTSAudioRawFrame):
            self._say_untimed(frame)
        elif isinstance(frame, AggregatedTextFrame) and not isinstance(frame, TTSTextFrame):
            self._end_clause()
            self._clause += 1
            self._text = frame.text
            self._gestures = frame.gestures if isinstance(frame, ClauseFrame) else ()
        elif isinstance(frame, GestureFrame):
            self._end_clause()
            data: dict[str, object] = {"clause": self._clause, "name": frame.gesture}
            self._performer.mark(Event("gesture", data))
        elif isinstance(frame, LLMFullResponseEndFrame):
            self._end_clause()
            self._performer.mark(Event("turn", {"turn": self._turn}))

    def _say_timed(self, frame: SpeechFrame) -> None:
        self._sound(frame)
        self._open = not frame.last
        # TTS services take line breaks off the front of a clause.
        missing = max(0, len(self._text) - len(frame.text))
        gestures = tuple((max(0, offset - missing), name) for offset, name in self._gestures)
        self._performer.say(
            SpeechChunk(
                self._generation,
                self._clause,
                frame.text,
                _pcm(frame),
                frame.sample_rate,
                frame.phones,
                frame.words,
                frame.last,
                gestures,
            )
        )

    def _say_untimed(self, frame: TTSAudioRawFrame) -> None:
        """A foreign voice: the clause's words are timed by a usual pace, its mouth by energy."""
        self._sound(frame)
        words = () if self._open else _paced_words(self._text)
        self._open = True
        self._performer.say(
            SpeechChunk(
                self._generation,
                self._clause,
                self._text,
                _pcm(frame),
                frame.sample_rate,
                None,
                words,
                gestures=self._gestures,
            )
        )

    def _end_clause(self) -> None:
        if self._open:
            self._open = False
            self._performer.say(
                SpeechChunk(
                    self._generation,
                    self._clause,
                    self._text,
                    np.zeros(0, np.int16),
                    48_000,
                    last=True,
                    gestures=self._gestures,
                )
            )

    def _sound(self, frame: TTSAudioRawFrame) -> None:
        if frame.audio and not self._had_sound:
            self._had_sound = True
            self._on_stage("tts_first_pcm")


def _pcm(frame: TTSAudioRawFrame) -> Pcm:
    pcm = np.frombuffer(frame.audio, np.int16)
    if frame.num_channels > 1:
        pcm = pcm.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
    return pcm


def _paced_words(text: str) -> tuple[Word, ...]:
    words: list[Word] = []
    at, begin = 0.0, 0
    for position, character in enumerate(text):
        cjk = "\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af"
        if cjk or character.isspace():
            if begin < position:
                length = (position - begin) / LATIN_PER_SEC
                words.append(Word(begin, position, at, at + length))
                at += length
            begin = position + 1
        if cjk:
            words.append(Word(position, position + 1, at, at + 1 / CJK_PER_SEC))
            at += 1 / CJK_PER_SEC
    if begin < len(text):
        words.append(Word(begin, len(text), at, at + (len(text) - begin) / LATIN_PER_SEC))
    return tuple(words)
