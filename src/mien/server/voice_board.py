"""What the page is told of the voices: which can speak, looked at when somebody asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from mien.events import Message
from mien.services import Services
from mien.voice_list import list_voices
from mien.voices import chain_of, label

# Visitors who ask at the same time share an answer; a server that was just started is seen soon.
_FRESH_SEC = 5.0


class VoiceBoard:
    """The voices that are set up. Looking takes up to 3 s, where a server does not answer."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._looking = asyncio.Lock()
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
        """As ``ListedVoice``, at most a few seconds old."""
        async with self._looking:
            if time.monotonic() - self._at >= _FRESH_SEC:
                found = await list_voices(self._services.settings, self._services.voice)
                self._seen = [asdict(voice) for voice in found]
                self._at = time.monotonic()
        return self._seen
