"""fish-speech, on your own machine or at fish.audio.

Wire format: ``POST /v1/tts`` with JSON, ``GET /v1/health``; documentation at speech.fish.audio
(the server) and docs.fish.audio (the service).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mien.media.tick import Pcm
from mien.tts.http import failure
from mien.tts.http.client import SpeechRequest
from mien.tts.http.files import existing_recording
from mien.tts.http.voice import HttpVoice, HttpVoiceSettings, Passage
from mien.tts.http.wav import Samples

_HOST = "api.fish.audio"
_PCM_RATE = 44_100


class Reference(BaseModel):
    """A recording of the voice, 10 … 30 s, and what is said in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    audio: Path
    text: str

    _exists = field_validator("audio")(existing_recording)


class FishSpeechSettings(HttpVoiceSettings):
    """url: of the server, or https://api.fish.audio. reference_id: a voice that it knows.

    references: recordings to imitate instead, sent with each request. model: at fish.audio, which
    one, e.g. "s2-pro". format: the server streams "wav" only. latency: at fish.audio "normal",
    "balanced" or "low". speed: only fish.audio obeys it. The key is read from FISH_API_KEY where
    url is fish.audio; a server started with --api-key needs api_key_env.
    """

    service: str = "fish-speech"
    url: str = "http://127.0.0.1:8080"
    reference_id: str | None = None
    references: tuple[Reference, ...] = ()
    model: str | None = Field(default=None, pattern=r"^[!-~]+$")
    format: Literal["wav", "mp3", "pcm"] = "wav"
    rate: int = Field(default=_PCM_RATE, ge=4_000, le=192_000)
    latency: Literal["low", "normal", "balanced"] | None = None


class FishSpeechVoice(HttpVoice):
    """See :class:`FishSpeechSettings`."""

    service = "fish-speech"

    def __init__(self, name: str, settings: FishSpeechSettings) -> None:
        self._in_cloud = urlsplit(settings.url).hostname == _HOST
        self._key = settings.key(host=_HOST, variables=("FISH_API_KEY", "FISH_AUDIO_API_KEY"))
        super().__init__(name, settings, key=self._key)
        self._settings = settings
        self._references: list[dict[str, str]] | None = None

    def require(self) -> None:
        if self._in_cloud and not self._key:
            raise failure.missing(
                self.service,
                "api_key_env",
                "the name of the variable with your key, or set FISH_API_KEY",
                "存放密钥的环境变量名，或设置 FISH_API_KEY",
            )

    async def inspect(self) -> None:
        await self._server.probe("/wallet/self/api-credit" if self._in_cloud else "/v1/health")

    async def say(self, passage: Passage) -> AsyncGenerator[Pcm, None]:
        if self._references is None:
            self._references = await asyncio.to_thread(self._encoded)
        async with aclosing(self._server.listen(self._request(passage))) as pieces:
            async for pcm in pieces:
                yield pcm

    def _encoded(self) -> list[dict[str, str]]:
        return [
            {"audio": base64.b64encode(given.audio.read_bytes()).decode(), "text": given.text}
            for given in self._settings.references
        ]

    def _request(self, passage: Passage) -> SpeechRequest:
        settings = self._settings
        body: dict[str, Any] = {"text": passage.text, "format": settings.format}
        if settings.reference_id:
            body["reference_id"] = settings.reference_id
        if self._references:
            body["references"] = self._references
        if settings.latency:
            body["latency"] = settings.latency
        if settings.speed != 1:
            body["prosody"] = {"speed": settings.speed}
        if self._in_cloud and settings.format == "pcm":
            body["sample_rate"] = settings.rate
        if not self._in_cloud:
            body["streaming"] = settings.format == "wav"
        return SpeechRequest(
            "/v1/tts",
            json=body | settings.extra,
            headers={"model": settings.model} if settings.model else {},
            raw=Samples(settings.rate) if settings.format == "pcm" else None,
            longest_sec=passage.longest_sec,
        )
