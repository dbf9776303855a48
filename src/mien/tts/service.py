"""Any mien voice as an ordinary pipecat TTS service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from pipecat.frames.frames import ErrorFrame, Frame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from mien.language import Language
from mien.media.speech import Phone, Word
from mien.tts.lexicon import Lexicon
from mien.tts.normalize import Prepared, prepare
from mien.tts.voice import Run, SpokenWord, Voice, VoiceChunk, VoiceError


@dataclass
class SpeechFrame(TTSAudioRawFrame):
    """Audio that knows its words and phones; plain TTSAudioRawFrame to everybody else.

    text: the clause as written. phones, words: seconds from the frame's first sample; words
    are spans of ``text``. last: whether the clause ends here.
    """

    text: str = ""
    phones: tuple[Phone, ...] | None = None
    words: tuple[Word, ...] = ()
    last: bool = False


@dataclass
class VoiceErrorFrame(ErrorFrame):
    """A clause could not be spoken. ``retryable``: the next one may well be. zh: in Chinese."""

    retryable: bool = True
    zh: str = ""


class VoiceService(TTSService):
    """Speaks clauses with a :class:`Voice`, captions mapped back to the text as written.

    language: of words that may be of any. lexicon: how words are read.
    on_speaker: called with a voice's name when it speaks and another one did before.
    """

    def __init__(
        self,
        voice: Voice,
        language: Language,
        lexicon: Lexicon | None = None,
        on_speaker: Callable[[str], None] = lambda name: None,
    ) -> None:
        super().__init__(
            sample_rate=voice.sample_rate,
            push_start_frame=True,
            push_stop_frames=True,
            # A clause of code or emoji is rightly silent; it must not mark the voice as broken.
            max_consecutive_zero_audio_contexts=0,
            settings=TTSSettings(model=None, voice=voice.name, language=None),
        )
        self._voice = voice
        self.language = language
        self._lexicon = lexicon
        self._speaker = voice.name
        self._on_speaker = on_speaker

    def speak_with(self, voice: Voice) -> None:
        """The next clause is said by ``voice``; one that is being said goes on."""
        self._voice = voice
        self._speaker = voice.name

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        # Off the loop: normalising a clause takes milliseconds that other sessions' sound needs.
        prepared = await asyncio.to_thread(prepare, text, self.language, self._lexicon)
        voice = self._voice
        try:
            if not prepared.empty:
                runs = [Run(run.language, run.text) for run in prepared.runs]
                async with aclosing(voice.speak(runs)) as chunks:
                    async for chunk in chunks:
                        if voice is self._voice:
                            self._notice(chunk)
                        yield _frame(text, context_id, chunk, prepared, voice.sample_rate)
        except VoiceError as error:
            yield VoiceErrorFrame(str(error), retryable=error.retryable, zh=error.zh)
        yield SpeechFrame(b"", voice.sample_rate, 1, context_id, text, last=True)

    def _notice(self, chunk: VoiceChunk) -> None:
        if chunk.by and chunk.by != self._speaker:
            self._speaker = chunk.by
            self._on_speaker(chunk.by)


def _frame(
    text: str, context_id: str, chunk: VoiceChunk, prepared: Prepared, rate: int
) -> SpeechFrame:
    words = words_as_written(chunk.words, prepared)
    audio = np.ascontiguousarray(chunk.pcm).tobytes()
    return SpeechFrame(audio, rate, 1, context_id, text, chunk.phones, words)


def words_as_written(words: Sequence[SpokenWord], prepared: Prepared) -> tuple[Word, ...]:
    """Spoken words as spans of the clause they came from."""
    written = []
    for word in words:
        spans = prepared.runs[word.run].spans
        first, last = spans[word.begin], spans[max(word.begin, word.stop - 1)]
        written.append(Word(first[0], max(first[1], last[1]), word.start, word.end))
    return tuple(written)
