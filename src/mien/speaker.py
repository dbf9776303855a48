"""Who speaks in a conversation, and who was to."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from mien.cast import Cast
from mien.events import Message
from mien.tts.service import VoiceService
from mien.tts.voice import Voice


class Speaker:
    """service: what the pipeline speaks with. publish: told of every change, as ``state``."""

    def __init__(self, cast: Cast, publish: Callable[[Message], None]) -> None:
        self._about = cast.about_voice
        self._publish = publish
        self._wanted = self._speaks = cast.voice.name
        self.service = VoiceService(cast.voice, cast.language, cast.lexicon, self._on_speaker)

    def speak_with(self, voice: Voice) -> None:
        """Whatever is not being said yet is said by ``voice``."""
        self.service.speak_with(voice)
        self._wanted = self._speaks = voice.name
        self._publish({"type": "voice", **self.state})

    @property
    def state(self) -> Message:
        """Who speaks, or spoke last."""
        return self._about(self._wanted, self._speaks)

    def _on_speaker(self, name: str) -> None:
        self._speaks = name
        state = self.state
        logger.warning(f"voice {name} speaks now {state.get('why') or ''}")
        self._publish({"type": "voice", **state})
