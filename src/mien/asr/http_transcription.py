"""Any service with OpenAI's ``POST {base_url}/audio/transcriptions``, in the cloud or next door.

https://platform.openai.com/docs/api-reference/audio/createTranscription. Groq, SiliconFlow and
FunASR's, vLLM's and many Whisper servers speak it. An utterance is sent whole, in its pauses.
"""

from __future__ import annotations

import asyncio
import io
import os
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from pydantic import Field

from mien.asr.contract import AsrError
from mien.asr.settings import RecognizerSettings
from mien.asr.stretch import Stretch
from mien.connections import Connections
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.tts.http import failure
from mien.tts.reach import reach
from mien.tts.voice import VoiceError

_CONNECT_SEC = 3.0
_KEEP = 4
_PAUSE_SEC = 0.3
# Services refuse less, and there is no word in it.
_SHORTEST_SEC = 0.1
# A minute of sound in 16 kHz WAV; who speaks longer without a pause is not asking anything.
_LONGEST_SEC = 60.0
_MAX_BODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider. variables: of the environment, that may hold the key."""

    label: str
    label_zh: str
    base_url: str
    model: str
    variables: tuple[str, ...]
    key_url: str


PRESETS = {
    "openai": Preset(
        "OpenAI",
        "OpenAI",
        "https://api.openai.com/v1",
        "gpt-4o-mini-transcribe",
        ("OPENAI_API_KEY",),
        "https://platform.openai.com",
    ),
    "groq": Preset(
        "Groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "whisper-large-v3-turbo",
        ("GROQ_API_KEY",),
        "https://console.groq.com",
    ),
    "siliconflow": Preset(
        "SiliconFlow",
        "硅基流动",
        "https://api.siliconflow.cn/v1",
        "FunAudioLLM/SenseVoiceSmall",
        ("SILICONFLOW_API_KEY",),
        "https://cloud.siliconflow.cn",
    ),
}


class TranscriptionSettings(RecognizerSettings):
    """service: one of ``PRESETS``, which says what is not set here. base_url: of another server;
    the key of the environment is not sent there unless api_key_env names it. prompt: words and
    names that are likely to be said. fields: more of the request's form. timeout_sec: for one
    utterance, another try included. languages: that it understands."""

    base_url: str | None = None
    model: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    api_key_env: str | None = None
    prompt: str | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    timeout_sec: float = Field(default=15.0, gt=0, le=300)
    languages: tuple[Language, ...] = ("zh", "en")


class TranscriptionRecognizer:
    """See ``Recognizer``. Connections are kept between utterances."""

    streaming = False

    def __init__(self, name: str, settings: TranscriptionSettings) -> None:
        """Raises AsrError for a key that is missing and an address that is none."""
        preset = PRESETS[settings.service]
        self.name = name
        self.url = (settings.base_url or preset.base_url).rstrip("/")
        self.languages = frozenset(settings.languages)
        at_home = _host(self.url) == _host(preset.base_url)
        self._where = preset.label if at_home else str(_host(self.url))
        self.label_en = preset.label if name == settings.service else f"{name} ({self._where})"
        self.label_zh = f"{name}（{self._where}）"
        if name == settings.service:
            self.label_zh = preset.label_zh
        self._settings = settings
        self._model = settings.model or preset.model
        self._headers = _headers(settings, preset, at_home)
        self._connections = Connections(self.url, connect_sec=_CONNECT_SEC, keep=_KEEP)
        self._closed = False

    async def check(self) -> None:
        """Whether somebody takes the connection; whether the key is accepted shows in listening."""
        try:
            await reach(self.url)
        except OSError as error:
            raise _told(failure.unreachable(self._where, self.url, error)) from error

    async def warm_up(self) -> None:
        await self.check()

    def open(self, language: Language, on_partial: Callable[[str], None]) -> Transcription:
        return Transcription(lambda pcm: self._words(pcm, language), on_partial)

    async def aclose(self) -> None:
        self._closed = True
        await self._connections.aclose()

    async def _words(self, pcm: Pcm, language: Language) -> str:
        """Of int16[n] mono 16 kHz. Raises AsrError."""
        sound = await asyncio.to_thread(wav, pcm)
        limit = self._settings.timeout_sec
        try:
            async with asyncio.timeout(limit):
                try:
                    return await self._ask(sound, language)
                except VoiceError as error:
                    if not error.retryable or self._closed:
                        raise
                await asyncio.sleep(_PAUSE_SEC)
                return await self._ask(sound, language)
        except VoiceError as error:
            raise _told(error) from error
        except TimeoutError:
            raise AsrError(
                f"{self._where} gave no words within {limit:g} s (timeout_sec)",
                zh=f"{self._where} 在 {limit:g} 秒内没有返回文字（timeout_sec）",
            ) from None

    async def _ask(self, sound: bytes, language: Language) -> str:
        settings = self._settings
        form = {"model": self._model, "language": language, "response_format": "json"}
        if settings.prompt is not None:
            form["prompt"] = settings.prompt
        try:
            async with self._connections.client() as client:
                response = await client.post(
                    f"{self.url}/audio/transcriptions",
                    data=form | settings.fields,
                    files={"file": ("speech.wav", sound, "audio/wav")},
                    headers=self._headers,
                    timeout=httpx.Timeout(settings.timeout_sec, connect=_CONNECT_SEC),
                )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise failure.unreachable(self._where, self.url, error) from error
        except httpx.HTTPError as error:
            raise failure.no_answer(self._where, self.url, error) from error
        body = response.content[:_MAX_BODY_BYTES]
        if not response.is_success:
            detail = failure.readable(body)
            raise failure.refused(self._where, self.url, response.status_code, detail)
        return self._text(response, body)

    def _text(self, response: httpx.Response, body: bytes) -> str:
        try:
            said: Any = response.json()
            return str(said["text"]).strip()
        except (ValueError, KeyError, TypeError) as error:
            detail = failure.readable(body)
            raise VoiceError(
                f'{self._where} at {self.url} answered without a transcript: "{detail}"',
                retryable=False,
                zh=f"{self._where}（{self.url}）的回答里没有识别结果：“{detail}”",
            ) from error


class Transcription:
    """See ``Recognition``. Keeps the utterance, and has it transcribed when it is asked for."""

    def __init__(self, words: Callable[[Pcm], Any], on_partial: Callable[[str], None]) -> None:
        self.partial = ""
        self._of = words
        self._on_partial = on_partial
        self._pieces: list[Pcm] = []
        self._samples = 0
        self._stretch = Stretch()
        self._unheard = False
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        self._pieces, self._samples = [], 0
        self._stretch, self._unheard = Stretch(), False
        self.partial = ""

    def push(self, pcm: Pcm) -> None:
        self._unheard = self._stretch.is_speech(pcm) or self._unheard
        if self._samples < _LONGEST_SEC * RATE:
            self._pieces.append(pcm)
            self._samples += len(pcm)

    async def transcript(self) -> str:
        pieces = self._pieces
        if not self._unheard or self._samples < _SHORTEST_SEC * RATE:
            return self.partial  # a pause that grows longer is not worth a request
        self._unheard = False
        asking = asyncio.ensure_future(self._of(np.concatenate(pieces)))
        try:
            await asyncio.wait({asking, self._closing}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise AsrError("the recogniser was closed", zh="语音识别已关闭", retryable=False)
            words: str = asking.result()
        except BaseException:
            self._unheard = self._unheard or pieces is self._pieces
            raise
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait({asking})
        if pieces is self._pieces and words != self.partial:
            self.partial = words
            self._on_partial(words)
        return words

    async def aclose(self) -> None:
        if not self._closing.done():
            self._closing.set_result(None)


def wav(pcm: Pcm) -> bytes:
    """int16[n] mono 16 kHz as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()


def _headers(settings: TranscriptionSettings, preset: Preset, at_home: bool) -> dict[str, str]:
    """A provider's key of the environment goes to that provider only."""
    variables = (settings.api_key_env,) if settings.api_key_env else preset.variables * at_home
    found = (os.environ.get(name, "").strip() for name in variables)
    key = settings.api_key or next(filter(None, found), "")
    if not key and variables:
        names, there = " or ".join(variables), f". You get one at {preset.key_url}" * at_home
        raise AsrError(
            f"{preset.label} needs an API key: set the environment variable {names}{there}",
            zh=f"{preset.label_zh} 需要密钥：请设置环境变量 {names}"
            + f"（在 {preset.key_url} 获取）" * at_home,
            retryable=False,
        )
    return {"Authorization": f"Bearer {key}"} if key else {}


def _host(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AsrError(
            f"base_url must look like https://host/path, but is {url!r}",
            zh=f"base_url 应形如 https://host/path，但填的是 {url!r}",
            retryable=False,
        )
    return parts.hostname


def _told(error: VoiceError) -> AsrError:
    return AsrError(str(error), zh=error.zh, retryable=error.retryable)
