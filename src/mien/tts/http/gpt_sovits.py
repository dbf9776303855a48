"""GPT-SoVITS through the server it comes with: ``api_v2.py``, or the old ``api.py``.

Wire format: the comment at the head of api_v2.py in RVC-Boss/GPT-SoVITS (MIT).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from pydantic import Field

from mien.language import detect_language
from mien.media.tick import Pcm
from mien.tts.http import failure
from mien.tts.http.client import SpeechRequest
from mien.tts.http.failure import HttpVoiceError
from mien.tts.http.voice import HttpVoice, HttpVoiceSettings, Passage
from mien.tts.http.wav import Samples

logger = logging.getLogger(__name__)


class GptSovitsSettings(HttpVoiceSettings):
    """A voice cloned from some seconds of speech.

    ref_audio_path: these seconds (3 … 10), a path on the *server's* machine. prompt_text: what is
    said in them; "" for a model that does without. prompt_lang: its language, found from
    prompt_text if not given. text_lang: of what is to be said, as the server names languages
    ("zh" is Chinese with English in it, "all_zh" Chinese only, "yue", "auto"…); if not given,
    "zh" or "en" as the text is. streaming: 3 is heard first, 2 and 1 (by the sentence) sound
    better, 0 waits for the whole; a server that refuses one is asked for the next lower.
    media_type: "raw" has no header, and its rate must be set. api: "v1" for the old api.py.
    """

    service: str = "gpt-sovits"
    url: str = "http://127.0.0.1:9880"
    ref_audio_path: str | None = None
    prompt_text: str | None = None
    prompt_lang: str | None = None
    text_lang: str | None = None
    streaming: Literal[0, 1, 2, 3] = 3
    media_type: Literal["wav", "raw"] = "wav"
    rate: int = Field(default=32_000, ge=4_000, le=192_000)
    api: Literal["v2", "v1"] = "v2"


class GptSovitsVoice(HttpVoice):
    """See :class:`GptSovitsSettings`."""

    service = "GPT-SoVITS"

    def __init__(self, name: str, settings: GptSovitsSettings) -> None:
        super().__init__(name, settings, key=settings.key())
        self._settings = settings
        self._streaming = int(settings.streaming)
        """The best mode that the server has not refused."""

    def require(self) -> None:
        if not self._settings.ref_audio_path:
            raise failure.missing(
                self.service,
                "ref_audio_path",
                "a recording of the voice, 3 to 10 s, as a path on the server's machine",
                "一段 3 到 10 秒的参考音频，写服务器那台机器上的路径",
            )
        if self._settings.prompt_text is None:
            raise failure.missing(
                self.service,
                "prompt_text",
                'what is said in the recording ("" for models that do without it)',
                '参考音频里说的话（不需要的模型可以写 ""）',
            )

    async def inspect(self) -> None:
        if self._settings.api == "v2":
            await self.has_path(
                "/tts",
                'Is it the old api.py? Then start api_v2.py, or set api = "v1".',
                '如果是旧的 api.py，请改用 api_v2.py，或设置 api = "v1"。',
            )
        else:
            await self._server.probe("/openapi.json")

    async def say(self, passage: Passage) -> AsyncGenerator[Pcm, None]:
        mode = self._streaming
        while True:
            try:
                async with aclosing(self._server.listen(self._request(passage, mode))) as pieces:
                    async for pcm in pieces:
                        self._streaming = min(self._streaming, mode)
                        yield pcm
                return
            except HttpVoiceError as error:
                if mode == 0 or not _about_streaming(error):
                    raise
                logger.info("GPT-SoVITS refuses streaming_mode %d: %s", mode, error.detail)
                mode -= 1

    def _request(self, passage: Passage, mode: int) -> SpeechRequest:
        if self._settings.api == "v1":
            return self._old_request(passage)
        settings = self._settings
        body: dict[str, Any] = {
            "text": passage.text,
            "text_lang": self._language(passage),
            "ref_audio_path": settings.ref_audio_path,
            "prompt_text": settings.prompt_text,
            "prompt_lang": self._prompt_language(),
            "speed_factor": settings.speed,
            "media_type": settings.media_type,
            "streaming_mode": mode,
        }
        return SpeechRequest("/tts", json=body | settings.extra, **self._reading(passage))

    def _old_request(self, passage: Passage) -> SpeechRequest:
        settings = self._settings
        body: dict[str, Any] = {
            "text": passage.text,
            "text_language": self._language(passage),
            "refer_wav_path": settings.ref_audio_path,
            "prompt_text": settings.prompt_text,
            "prompt_language": self._prompt_language(),
            "speed": settings.speed,
        }
        return SpeechRequest("/", json=body | settings.extra, **self._reading(passage))

    def _reading(self, passage: Passage) -> dict[str, Any]:
        raw = Samples(self._settings.rate) if self._settings.media_type == "raw" else None
        return {"raw": raw, "longest_sec": passage.longest_sec}

    def _language(self, passage: Passage) -> str:
        # "zh" reads English words within Chinese; "auto" may take Chinese for Japanese.
        mixed = "zh" if "zh" in passage.languages else "en"
        return self._settings.text_lang or mixed

    def _prompt_language(self) -> str:
        return self._settings.prompt_lang or detect_language(self._settings.prompt_text or "")


def _about_streaming(error: HttpVoiceError) -> bool:
    """Whether the streaming mode is what it refuses; 422 where that is true or false only."""
    return error.status in (400, 422) and ("streaming" in error.detail or not error.detail)
