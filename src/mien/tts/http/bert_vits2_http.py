"""Bert-VITS2 through its own servers: ``hiyoriUI.py``, ``server_fastapi.py`` or ``server.py``.

Wire format: ``GET /voice`` as the server's own ``/docs`` page describes it, ``GET /models/info``;
Style-Bert-VITS2 understands the same. The old Flask ``server.py`` has ``GET /``.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Literal

from pydantic import Field

from mien.language import Language
from mien.media.tick import Pcm
from mien.tts.http.client import SpeechRequest
from mien.tts.http.failure import HttpVoiceError
from mien.tts.http.voice import HttpVoice, HttpVoiceSettings, Passage
from mien.tts.voice import VoiceError

logger = logging.getLogger(__name__)

_CODES: Mapping[Language, str] = {"zh": "ZH", "en": "EN"}


class BertVits2HttpSettings(HttpVoiceSettings):
    """model_id: number of the model in the server's list. speaker: name, or number within it.

    sdp_ratio, noise, noisew: liveliness of rhythm and melody, see upstream. mixed: how Chinese
    with English in it is asked for: "auto" lets the server tell them apart (2.3 and later; where
    it fails, each language is asked for by itself), "split" always does the latter.
    api: "flask" for the old server.py.
    """

    service: str = "bert-vits2-http"
    url: str = "http://127.0.0.1:5000"
    model_id: int = Field(default=0, ge=0)
    speaker: str | int = 0
    sdp_ratio: float = Field(default=0.2, ge=0, le=1)
    noise: float = Field(default=0.2, ge=0, le=2)
    noisew: float = Field(default=0.9, ge=0, le=2)
    mixed: Literal["auto", "split"] = "auto"
    api: Literal["fastapi", "flask"] = "fastapi"


class BertVits2HttpVoice(HttpVoice):
    """See :class:`BertVits2HttpSettings`. The server sends a sentence when it is complete."""

    service = "Bert-VITS2"

    def __init__(self, name: str, settings: BertVits2HttpSettings) -> None:
        super().__init__(name, settings, key=settings.key())
        self._settings = settings
        self._auto = settings.mixed == "auto" and settings.api == "fastapi"
        """Whether the server is asked to tell languages apart; False once it has failed to."""

    async def inspect(self) -> None:
        if self._settings.api == "flask":
            await self._server.probe("/")
            return
        response = await self._server.probe("/models/info")
        if response is None or response.status_code != 200:
            return  # busy, or another version: it is there
        try:
            models = response.json()
        except ValueError:
            return
        self._look_up(models)

    def _look_up(self, models: Any) -> None:
        """Raise a VoiceError if the server says that it has no such model or speaker."""
        if not isinstance(models, Mapping):
            return
        number, wanted = self._settings.model_id, self._settings.speaker
        model = models.get(str(number))
        if model is None and models and all(str(key).isdigit() for key in models):
            raise _not_there(f"model_id {number}", ", ".join(map(str, models)))
        speakers = model.get("spk2id") if isinstance(model, Mapping) else None
        if not isinstance(speakers, Mapping) or not speakers:
            return
        if wanted not in speakers and wanted not in speakers.values():
            raise _not_there(f"speaker {wanted!r}", ", ".join(map(str, speakers)))

    async def say(self, passage: Passage) -> AsyncGenerator[Pcm, None]:
        whole = len(passage.languages) == 1
        if whole or self._auto:
            language = _CODES[passage.languages[0]] if whole else "AUTO"
            try:
                async with aclosing(self._listen(passage, language)) as pieces:
                    async for pcm in pieces:
                        yield pcm
                return
            except HttpVoiceError as error:  # hence before the first sound
                if whole:
                    raise
                logger.info("Bert-VITS2 cannot tell the languages apart: %s", error.detail)
        for run in passage.runs:
            part = Passage((run,))
            async with aclosing(self._listen(part, _CODES[run.language])) as pieces:
                async for pcm in pieces:
                    self._auto = False
                    yield pcm

    def _listen(self, passage: Passage, language: str) -> AsyncGenerator[Pcm, None]:
        settings = self._settings
        fastapi = settings.api == "fastapi"
        by_name = isinstance(settings.speaker, str)
        speaker = "speaker_name" if by_name else "speaker_id"
        params: dict[str, Any] = {
            "text": passage.text,
            "model_id" if fastapi else "model": settings.model_id,
            speaker if fastapi or not by_name else "speaker": settings.speaker,
            "language": language,
            "length": round(1 / settings.speed, 4),
            "sdp_ratio": settings.sdp_ratio,
            "noise": settings.noise,
            "noisew": settings.noisew,
        }
        if not fastapi:
            params["format"] = "wav"
        # By GET: the versions differ in which fields a POST takes where, and a clause is short.
        return self._server.listen(
            SpeechRequest(
                "/voice" if fastapi else "/",
                method="GET",
                params=params | settings.extra,
                longest_sec=passage.longest_sec,
            )
        )


def _not_there(what: str, there: str) -> VoiceError:
    return VoiceError(
        f"The Bert-VITS2 server has no {what}; it has {there}.",
        retryable=False,
        zh=f"Bert-VITS2 服务器上没有 {what}；有：{there}。",
    )
