"""The voices a visitor can choose from: which can speak, looked at when somebody asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from mien.config import ConfigError
from mien.events import Message
from mien.problems import Problem
from mien.services import Services
from mien.tts.fallback import FallbackVoice
from mien.tts.voice import VoiceError
from mien.voice_list import choices, list_choices
from mien.voices import chain_of, label, told, voice_settings

# Visitors who ask at the same time share an answer; a server that was just started is seen soon.
_FRESH_SEC = 5.0
# Most voices are loaded within this; until a large one is, the configured ones stand in.
_PATIENCE_SEC = 3.0


class VoiceBoard:
    """What there is, and how a name becomes a voice. Looking takes 3 s at most."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._looking = asyncio.Lock()
        self._names: list[str] = []
        self._seen: list[Message] = []
        self._at = -_FRESH_SEC

    def named(self) -> list[Message]:
        """The chain, without a look at it."""
        settings = self._services.settings
        chain = chain_of(settings.voice, settings.voices)
        return [
            {"name": name, "service": each.service, "label": label(name, each.service)}
            for name, each in chain.items()
        ]

    async def look(self) -> list[Message]:
        """As ``ListedVoice``, at most a few seconds old; a new voice is there at once."""
        settings, voices = self._services.settings, self._services.voices
        async with self._looking:
            names = await asyncio.to_thread(choices, settings)
            if names != self._names or time.monotonic() - self._at >= _FRESH_SEC:
                found = await list_choices(settings, voices.voices)
                self._seen = [asdict(voice) for voice in found]
                self._names, self._at = names, time.monotonic()
        return self._seen

    async def choose(self, name: str) -> FallbackVoice:
        """The voice, loaded, with the configured ones behind it.

        Raises:
            Problem: 404 for an unknown name, 409 for one that cannot speak now.
        """
        await self._known(name)
        try:
            return await self._services.voices.choose(name)
        except (VoiceError, ConfigError) as error:
            raise _not_ready(name, error) from error

    async def begin_with(self, name: str | None) -> FallbackVoice:
        """The same for a new session, which is not kept waiting: others speak until it can.

        Raises:
            Problem: 404 for an unknown name, 409 for one that is set up wrongly.
        """
        if name is None:
            return self._services.voice
        await self._known(name)
        try:
            return await self._services.voices.begin_with(name, _PATIENCE_SEC)
        except (VoiceError, ConfigError) as error:
            raise _not_ready(name, error) from error

    async def _known(self, name: str) -> None:
        """Raises Problem. Its settings' module is imported then, off the event loop."""
        settings = self._services.settings
        if name not in await asyncio.to_thread(choices, settings):
            there_are = ", ".join(str(voice["name"]) for voice in await self.look())
            raise Problem(
                "no_such_voice",
                f"There is no voice {name!r}. There are: {there_are}.",
                f"没有名为 {name!r} 的声音。现有：{there_are}。",
                status=404,
            )
        try:
            await asyncio.to_thread(voice_settings, name, settings.voices)
        except ConfigError as error:
            raise _not_ready(name, error) from error


def _not_ready(name: str, error: VoiceError | ConfigError) -> Problem:
    why = told(error)
    return Problem(
        "voice_not_ready",
        f"{name} cannot speak now: {why['en']}",
        f"{name} 目前无法使用：{why['zh']}",
        status=409,
        retryable=isinstance(error, VoiceError) and error.retryable,
    )
