"""CosyVoice through the FastAPI server it comes with.

Wire format: runtime/python/fastapi/server.py of FunAudioLLM/CosyVoice (Apache-2.0): forms in,
samples without a header out. Forks add /stream/… paths with float samples and a header that tells
the rate.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from mien.media.tick import Pcm
from mien.tts.http import failure
from mien.tts.http.client import SpeechRequest
from mien.tts.http.files import existing_recording
from mien.tts.http.voice import HttpVoice, HttpVoiceSettings, Passage
from mien.tts.http.wav import Samples

Mode = Literal["sft", "zero_shot", "cross_lingual", "instruct", "instruct2"]

# What each mode cannot do without.
_NEEDS: dict[Mode, tuple[str, ...]] = {
    "sft": ("speaker",),
    "zero_shot": ("prompt_wav", "prompt_text"),
    "cross_lingual": ("prompt_wav",),
    "instruct": ("speaker", "instruct_text"),
    "instruct2": ("prompt_wav", "instruct_text"),
}
_MEANING = {
    "speaker": ('a name such as "中文女"', "发音人，例如“中文女”"),
    "prompt_wav": ("a recording of the voice, on this machine", "这台机器上的一段参考音频"),
    "prompt_text": ("what is said in the recording", "参考音频里说的话"),
    "instruct_text": ("how to speak, in words", "用文字说明怎么说"),
}
# "sft" and "instruct" are of the first version, the others mostly used with the second or third.
_RATES: dict[Mode, int] = {"sft": 22_050, "instruct": 22_050}
_LATER_RATE = 24_000


class CosyVoiceSettings(HttpVoiceSettings):
    """mode: which kind of model runs there. speaker: of "sft" and "instruct".

    prompt_wav: of the other modes, a recording on this machine, 3 … 30 s, sent with each request;
    prompt_text: what is said in it. instruct_text: how to speak. rate: of what the server sends
    (22050 for the first version, 24000 since); if not given, the usual one of the mode.
    samples: "float32" for forks that send those. prefix: before the path, "/stream" for forks
    that have it. speed: only forks obey it.
    """

    service: str = "cosyvoice"
    url: str = "http://127.0.0.1:50000"
    mode: Mode = "sft"
    speaker: str = "中文女"
    prompt_wav: Path | None = None
    prompt_text: str = ""
    instruct_text: str = ""
    rate: int | None = Field(default=None, ge=4_000, le=192_000)
    samples: Literal["int16", "float32"] = "int16"
    prefix: str = Field(default="", pattern=r"^(/[\w-]+)*$")

    _exists = field_validator("prompt_wav")(existing_recording)


class CosyVoiceVoice(HttpVoice):
    """See :class:`CosyVoiceSettings`. The server sends sound by the sentence."""

    service = "CosyVoice"

    def __init__(self, name: str, settings: CosyVoiceSettings) -> None:
        super().__init__(name, settings, key=settings.key())
        self._settings = settings
        self._path = f"{settings.prefix}/inference_{settings.mode}"
        self._prompt: bytes | None = None

    def require(self) -> None:
        for field in _NEEDS[self._settings.mode]:
            if not getattr(self._settings, field):
                raise failure.missing(self.service, field, *_MEANING[field])

    async def inspect(self) -> None:
        await self.has_path(
            self._path,
            "Check mode and prefix; start runtime/python/fastapi/server.py.",
            "请检查 mode 和 prefix，并启动 runtime/python/fastapi/server.py。",
        )

    async def say(self, passage: Passage) -> AsyncGenerator[Pcm, None]:
        request = await self._request(passage)
        async with aclosing(self._server.listen(request)) as pieces:
            async for pcm in pieces:
                yield pcm

    async def _request(self, passage: Passage) -> SpeechRequest:
        settings = self._settings
        needed = _NEEDS[settings.mode]
        form = {"tts_text": passage.text}
        if "speaker" in needed:
            form["spk_id"] = settings.speaker
        form |= {name: getattr(settings, name) for name in needed if name.endswith("_text")}
        if settings.speed != 1:
            form["speed"] = str(settings.speed)
        files = None
        if "prompt_wav" in needed and settings.prompt_wav is not None:
            if self._prompt is None:
                self._prompt = await asyncio.to_thread(settings.prompt_wav.read_bytes)
            files = {"prompt_wav": ("prompt.wav", self._prompt, "application/octet-stream")}
        rate = settings.rate or _RATES.get(settings.mode, _LATER_RATE)
        return SpeechRequest(
            self._path,
            data=form | {name: str(value) for name, value in settings.extra.items()},
            files=files,
            raw=Samples(rate, "i2" if settings.samples == "int16" else "f4"),
            longest_sec=passage.longest_sec,
        )
