"""The end of the pipecat pipeline: clauses with their sound go to the performer."""

from __future__ import annotations

import asyncio
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

from mien.language import Language
from mien.media.speech import Phone, SpeechChunk
from mien.media.tick import Event, Pcm
from mien.performer import Performer
from mien.tts.alignment import NO_SOUND, ClauseAlignment, ForcedAlignment
from mien.tts.clauses import ClauseFrame, GestureFrame
from mien.tts.pace import paced_words
from mien.tts.service import SpeechFrame


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
    alignment: finds the phones of foreign voices; without it their mouth follows the sound alone.
    language: of words that may be of any.
    """

    def __init__(
        self,
        performer: Performer,
        on_stage: Callable[[str], None],
        alignment: ForcedAlignment | None = None,
        language: Language = "zh",
    ) -> None:
        super().__init__()
        self._performer = performer
        self._on_stage = on_stage
        self._generation = -1
        self._turn = 0
        self._clause = 0
        self._text = ""
        self._gestures: tuple[tuple[int, str], ...] = ()
        self._aside = False
        self._open = False  # a clause whose voice has not said that it ends
        self._had_sound = False
        self._alignment = alignment
        self.language: Language = language
        self._listening: ClauseAlignment | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TurnFrame):
            self._generation, self._turn = frame.generation, frame.turn
            self._open = self._had_sound = False
            self._listening = None
        elif self._generation == self._performer.generation:
            await self._perform(frame)
        await self.push_frame(frame, direction)

    async def _perform(self, frame: Frame) -> None:
        if isinstance(frame, SpeechFrame):
            self._say_timed(frame)
        elif isinstance(frame, TTSAudioRawFrame):
            await self._say_untimed(frame)
        elif isinstance(frame, AggregatedTextFrame) and not isinstance(frame, TTSTextFrame):
            await self._end_clause()
            self._clause += 1
            self._text = frame.text
            self._gestures, self._aside = (), False
            if isinstance(frame, ClauseFrame):
                self._gestures, self._aside = frame.gestures, frame.aside
        elif isinstance(frame, GestureFrame):
            await self._end_clause()
            data: dict[str, object] = {"clause": self._clause, "name": frame.gesture}
            self._performer.mark(Event("gesture", data))
        elif isinstance(frame, LLMFullResponseEndFrame):
            await self._end_clause()
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
                self._aside,
            )
        )
        if frame.last:
            self._mark_aside()

    async def _say_untimed(self, frame: TTSAudioRawFrame) -> None:
        """A foreign voice: its words are timed by a usual pace, its phones by listening."""
        self._sound(frame)
        begins = not self._open
        words = paced_words(self._text) if begins else ()
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
                aside=self._aside,
            )
        )
        if begins and self._alignment is not None:
            self._listening = await self._alignment.clause_as_written(self._text, self.language)
        if self._listening is not None:
            pcm, rate = _pcm(frame), frame.sample_rate
            if phones := await asyncio.to_thread(self._listening.push, pcm, rate):
                self._add(phones, last=False)

    async def _end_clause(self) -> None:
        if self._open:
            self._open = False
            listening, self._listening = self._listening, None
            phones = None if listening is None else await asyncio.to_thread(listening.finish)
            self._add(phones, last=True)
            self._mark_aside()

    def _mark_aside(self) -> None:
        """What was said before the answer is over; it may be quiet for a while."""
        if self._aside:
            self._performer.mark(Event("aside_over", {"clause": self._clause}))

    def _add(self, phones: tuple[Phone, ...] | None, last: bool) -> None:
        """What is known of the clause without more sound; too late if its turn is over."""
        self._performer.say(
            SpeechChunk(
                self._generation,
                self._clause,
                self._text,
                NO_SOUND,
                48_000,
                phones,
                last=last,
                gestures=self._gestures,
                aside=self._aside,
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
