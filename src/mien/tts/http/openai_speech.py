"""OpenAI's speech endpoint, and the many servers that copy it.

Wire format: ``POST /v1/audio/speech`` of the OpenAI API reference. Locally e.g. Kokoro-FastAPI,
speaches, openedai-speech, vLLM-Omni.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from mien.media.tick import Pcm
from mien.tts.http import failure
from mien.tts.http.client import SpeechRequest
from mien.tts.http.failure import HttpVoiceError
from mien.tts.http.voice import HttpVoice, HttpVoiceSettings, Passage
from mien.tts.http.wav import Samples

logger = logging.getLogger(__name__)

Format = Literal["pcm", "wav", "mp3", "opus", "flac", "aac"]

_HOST = "api.openai.com"
_URL = f"https://{_HOST}/v1"
# What is asked for after a refusal: first what is heard sooner.
_LADDER: tuple[Format, ...] = ("pcm", "wav", "mp3")


class OpenAISpeechSettings(HttpVoiceSettings):
    """url: up to and with "/v1". model, voice: names the server knows.

    instructions: how to speak, in words, for models that take them. response_format: a server
    that refuses "pcm" is asked for "wav", then "mp3". rate: of "pcm", where the server does not
    say it. The key is read from OPENAI_API_KEY where url is OpenAI's own.
    """

    service: str = "openai-speech"
    url: str = _URL
    model: str = "gpt-4o-mini-tts"
    voice: str = "alloy"
    instructions: str | None = None
    response_format: Format = "pcm"
    rate: int = Field(default=24_000, ge=4_000, le=192_000)


class OpenAISpeechVoice(HttpVoice):
    """See :class:`OpenAISpeechSettings`."""

    service = "OpenAI speech"

    def __init__(self, name: str, settings: OpenAISpeechSettings) -> None:
        self._key = settings.key(host=_HOST, variables=("OPENAI_API_KEY",))
        super().__init__(name, settings, key=self._key)
        self._settings = settings
        self._format: Format = settings.response_format
        """The best one that the server has not refused."""

    def require(self) -> None:
        if urlsplit(self._settings.url).hostname == _HOST and not self._key:
            raise failure.missing(
                self.service,
                "api_key_env",
                "the name of the variable with your key, or set OPENAI_API_KEY",
                "存放密钥的环境变量名，或设置 OPENAI_API_KEY",
            )

    async def inspect(self) -> None:
        await self._server.probe("/models")

    async def say(self, passage: Passage) -> AsyncGenerator[Pcm, None]:
        asked = self._format
        while True:
            try:
                request = self._request(passage, asked)
                async with aclosing(self._server.listen(request)) as pieces:
                    async for pcm in pieces:
                        self._format = asked
                        yield pcm
                return
            except HttpVoiceError as error:
                lower = _lower(asked)
                if error.status not in (400, 415, 422) or lower is None:
                    raise
                logger.info("%s refuses %s: %s", self._server.url, asked, error.detail)
                asked = lower

    def _request(self, passage: Passage, asked: Format) -> SpeechRequest:
        settings = self._settings
        body: dict[str, Any] = {
            "model": settings.model,
            "input": passage.text,
            "voice": settings.voice,
            "response_format": asked,
        }
        if settings.instructions:
            body["instructions"] = settings.instructions
        if settings.speed != 1:
            body["speed"] = settings.speed
        return SpeechRequest(
            "/audio/speech",
            json=body | settings.extra,
            raw=Samples(settings.rate) if asked == "pcm" else None,
            longest_sec=passage.longest_sec,
        )


def _lower(asked: Format) -> Format | None:
    if asked not in _LADDER or asked == _LADDER[-1]:
        return None
    return _LADDER[_LADDER.index(asked) + 1]
