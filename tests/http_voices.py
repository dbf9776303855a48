"""Every voice behind HTTP with the server it speaks to, for tests that go for all of them."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.media.tick import Pcm
from mien.tts.http.bert_vits2_http import BertVits2HttpSettings, BertVits2HttpVoice
from mien.tts.http.cosyvoice import CosyVoiceSettings, CosyVoiceVoice
from mien.tts.http.fish_speech import FishSpeechSettings, FishSpeechVoice
from mien.tts.http.gpt_sovits import GptSovitsSettings, GptSovitsVoice
from mien.tts.http.openai_speech import OpenAISpeechSettings, OpenAISpeechVoice
from mien.tts.http.voice import HttpVoice, HttpVoiceSettings
from mien.tts.voice import Run
from voice_dialects import (
    Dialect,
    bert_vits2,
    bert_vits2_flask,
    cosyvoice,
    cosyvoice_fork,
    fish_speech,
    gpt_sovits,
    gpt_sovits_v1,
    openai_speech,
)
from voice_servers import VoiceServer

RATE = 48_000
ZH = [Run("zh", "今天天气很好。")]
EN = [Run("en", "Hello, world!")]
MIXED = [Run("zh", "我喜欢用"), Run("en", "Python"), Run("zh", "写代码。")]
# Waits of tests in which nothing is to time out, however busy the machine is.
PATIENT = {"first_sound_sec": 30.0, "stall_sec": 30.0}


@dataclass(frozen=True)
class Adapter:
    """A voice class with its server. streams: in pieces. header: its sound says what it is."""

    dialect: Dialect
    voice: Callable[[str, Any], HttpVoice]
    settings: type[HttpVoiceSettings]
    given: dict[str, Any]
    base: str = ""
    streams: bool = True
    header: bool = True

    def make(self, url: str, **more: Any) -> HttpVoice:
        settings = self.settings(
            **{"service": "x", "url": url + self.base, **PATIENT, **self.given, **more}
        )
        return self.voice("anna", settings)


_GPT = {"ref_audio_path": "/voices/anna.wav", "prompt_text": "你好呀"}
ADAPTERS: dict[str, Adapter] = {
    "gpt-sovits": Adapter(gpt_sovits, GptSovitsVoice, GptSovitsSettings, _GPT),
    "gpt-sovits-v1": Adapter(
        gpt_sovits_v1, GptSovitsVoice, GptSovitsSettings, {**_GPT, "api": "v1"}
    ),
    "bert-vits2-http": Adapter(
        bert_vits2,
        BertVits2HttpVoice,
        BertVits2HttpSettings,
        {"speaker": "Anna"},
        streams=False,
    ),
    "bert-vits2-flask": Adapter(
        bert_vits2_flask,
        BertVits2HttpVoice,
        BertVits2HttpSettings,
        {"speaker": "Anna", "api": "flask"},
        streams=False,
    ),
    "cosyvoice": Adapter(cosyvoice, CosyVoiceVoice, CosyVoiceSettings, {}, header=False),
    "cosyvoice-fork": Adapter(
        cosyvoice_fork,
        CosyVoiceVoice,
        CosyVoiceSettings,
        {"prefix": "/stream", "samples": "float32"},
        header=False,
    ),
    "fish-speech": Adapter(fish_speech, FishSpeechVoice, FishSpeechSettings, {}),
    "openai-speech": Adapter(
        openai_speech, OpenAISpeechVoice, OpenAISpeechSettings, {}, base="/v1", header=False
    ),
}


@asynccontextmanager
async def talking(
    name: str, fault: str | None = None, **more: Any
) -> AsyncIterator[tuple[VoiceServer, HttpVoice]]:
    """A server and a voice that speaks to it; both end with the block."""
    adapter = ADAPTERS[name]
    async with VoiceServer(adapter.dialect, fault) as server:
        voice = adapter.make(server.url, **more)
        try:
            yield server, voice
        finally:
            await voice.aclose()


async def said(voice: HttpVoice, runs: Sequence[Run]) -> Pcm:
    """All the sound of a clause, int16[n] at 48 kHz."""
    chunks = [chunk async for chunk in voice.speak(runs)]
    return np.concatenate([np.zeros(0, np.int16), *(chunk.pcm for chunk in chunks)])


def written(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)


def recording(folder: Path) -> Path:
    """A short WAV file."""
    path = folder / "prompt.wav"
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(3_200))
    path.write_bytes(buffer.getvalue())
    return path
