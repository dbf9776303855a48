"""What all voices behind HTTP have in common: their settings, and how a clause is asked for."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from mien.language import Language
from mien.media.tick import SAMPLE_RATE, Pcm
from mien.tts.http import failure
from mien.tts.http.client import SpeechServer
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, VoiceChunk, VoiceError

# No language needs a second for a character, but a voice that has lost the thread (those that are
# language models do) babbles until somebody stops it.
_LONGEST_START_SEC = 10.0
_LONGEST_SEC_PER_CHARACTER = 1.0


class HttpVoiceSettings(VoiceSettings):
    """url: where the server is; what the service adds to it is in its documentation.

    api_key: sent as ``Authorization: Bearer``; better named by api_key_env, the environment
    variable it is read from. extra: fields added to every request as they are, for what the
    server understands and mien has no name for.
    """

    url: str
    api_key: str | None = Field(default=None, repr=False)
    api_key_env: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as http://127.0.0.1:9880")
        if parts.query or parts.fragment:
            raise ValueError("put the parameters behind '?' into the extra table instead")
        if parts.username or parts.password:
            raise ValueError("use api_key_env, not a password in the url")
        return url.strip().rstrip("/")

    def key(self, *, host: str = "", variables: Sequence[str] = ()) -> str | None:
        """The key to send. ``variables`` are the provider's own; theirs goes to ``host`` only,
        never to whatever else ``url`` names."""
        if self.api_key:
            return self.api_key.strip()
        if self.api_key_env:
            return os.environ.get(self.api_key_env, "").strip() or None
        if urlsplit(self.url).hostname != host:
            return None
        found = (os.environ.get(variable, "").strip() for variable in variables)
        return next(filter(None, found), None)


@dataclass(frozen=True)
class Passage:
    """What one request asks for: runs that have something to pronounce, at least one."""

    runs: tuple[Run, ...]

    @property
    def text(self) -> str:
        return " ".join(run.text.strip() for run in self.runs)

    @property
    def languages(self) -> tuple[Language, ...]:
        """Those that occur, each once, in order."""
        return tuple(dict.fromkeys(run.language for run in self.runs))

    @property
    def longest_sec(self) -> float:
        """More sound than this is a mistake."""
        return _LONGEST_START_SEC + _LONGEST_SEC_PER_CHARACTER * len(self.text)


class HttpVoice:
    """A ``Voice`` that asks a server. Its sound is made 48 kHz from whatever the server sends.

    One serves all sessions: every clause is a request of its own, over connections that are kept.
    It belongs to the event loop it is first used in.
    """

    service: ClassVar[str]
    """The server's name for people."""

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str, settings: HttpVoiceSettings, *, key: str | None = None) -> None:
        self.name = name
        self._wrong_key = _wrong_with(key, settings.api_key_env)
        self._server = SpeechServer(
            self.service,
            settings.url,
            first_sound_sec=settings.first_sound_sec,
            stall_sec=settings.stall_sec,
            headers={"Authorization": f"Bearer {key}"} if key and not self._wrong_key else {},
        )

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``. No phone or word times."""
        self._require()
        spoken = tuple(run for run in runs if _pronounceable(run.text))
        if spoken:
            async with aclosing(self.say(Passage(spoken))) as pieces:
                async for pcm in pieces:
                    yield VoiceChunk(pcm)

    async def check(self) -> None:
        """See ``Voice.check``: what must be set is set, and the server is there."""
        self._require()
        await self.inspect()

    async def aclose(self) -> None:
        """See ``Voice.aclose``."""
        await self._server.aclose()

    def _require(self) -> None:
        if self._wrong_key is not None:
            english, chinese = (f"{self.service}: {what}" for what in self._wrong_key)
            raise VoiceError(english, retryable=False, zh=chinese)
        self.require()

    def require(self) -> None:
        """Raise a VoiceError if a setting is missing without which nothing can be said."""

    def say(self, passage: Passage) -> AsyncGenerator[Pcm, None]:
        """Ask for the clause, in one request if the server can, and give int16[n] at 48 kHz as it
        comes; VoiceError if it does not."""
        raise NotImplementedError

    async def inspect(self) -> None:
        """Raise a VoiceError if the server is not there or not the one it should be."""
        await self._server.probe("/")

    async def has_path(self, path: str, hint: str, hint_zh: str) -> None:
        """Raise a VoiceError if a FastAPI server says of itself that it has no such path."""
        response = await self._server.probe("/openapi.json")
        if response is None or response.status_code != 200:
            return  # busy, or it does not describe itself: it is there
        try:
            paths = response.json()["paths"]
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(paths, Mapping) and path not in paths:
            raise failure.another_server(self.service, self._server.url, path, hint, hint_zh)


def _pronounceable(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _wrong_with(key: str | None, variable: str | None) -> tuple[str, str] | None:
    """Why a key cannot be sent, in English and Chinese."""
    if variable and not key:
        return f"the environment variable {variable} is not set", f"环境变量 {variable} 没有设置"
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        return "the key has characters that no key has", "密钥里有不该出现的字符"
    return None
