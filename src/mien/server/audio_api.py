"""The part of the API that takes recordings: what is said in one, and the answer to it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request

from mien.asr.contract import AsrError, Recognition
from mien.asr.relay import Relay
from mien.ears import AUTO, BROWSER
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.sound_file import SoundFileError, read_sound
from mien.media.tick import Pcm
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import AnyServices, AnySession
from mien.server.uploads import sound
from mien.services import Services

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])

# A minute of stereo at 48 kHz as WAV; beyond twice that the connection is cut.
MAX_SOUND_BYTES = 12_000_000
# The softest speech that recognisers make words of, against full scale; silence from a sound card
# is 20 dB softer.
_SPEECH_DBFS = -55.0
_PIECE = RATE // 10
_FRAME = RATE // 50


@router.post("/sessions/{session}/audio", status_code=202, max_body_size=2 * MAX_SOUND_BYTES)
async def hear_recording(
    request: Request,
    session: AnySession,
    services: AnyServices,
    answer: bool = True,
    language: Language | None = None,
) -> dict[str, Any]:
    """Recognise the recording in the body (WAV, MP3, M4A, FLAC, Ogg, WebM; at most a minute and
    12 MB; 8 kHz will do) and answer it as if it had been typed.

    answer: false for the words alone. language: if not the session's. Returns {"text", "turn"}.
    """
    data = await sound(request, MAX_SOUND_BYTES)
    try:
        pcm = await asyncio.to_thread(read_sound, data)
    except SoundFileError as error:
        raise Problem(
            f"sound_{error.code}", str(error), error.zh, status=422, stage="asr"
        ) from error
    if await asyncio.to_thread(_loudest_dbfs, pcm) < _SPEECH_DBFS:
        raise Problem(
            "sound_silent",
            "The recording is silent: is the microphone muted, or another one chosen?",
            "录音没有声音：麦克风是否静音，或选错了设备？",
            status=422,
            stage="asr",
        )
    wanted = session.listener.interpreter.engine
    engine = AUTO if wanted == BROWSER else wanted
    text = await _words(pcm, language or session.conversation.language, engine, services)
    if not text:
        raise Problem(
            "not_understood",
            "No words were understood in the recording.",
            "未能从录音中识别出文字。",
            status=422,
            stage="asr",
        )
    if not answer:
        return {"text": text}
    return {"text": text, "turn": await session.conversation.chat(text)}


async def _words(pcm: Pcm, language: Language, engine: str, services: Services) -> str:
    """Raises Problem 503 when nobody listens, 502 when nobody who does is able to."""
    ears = services.hearing.ears
    choice = await ears.choose(language, engine)
    if choice.recognizer is None:
        raise Problem("no_ears", choice.why_en, choice.why_zh, status=503, stage="asr")
    try:
        relay = Relay(
            choice,
            language,
            lambda text: None,
            choose=partial(ears.choose, language, engine),
            failed=ears.failed,
            on_choice=lambda choice: None,
        )
        try:
            return await _transcribed(relay, pcm)
        finally:
            await relay.aclose()
    except AsrError as error:
        raise Problem(
            "asr_failed",
            f"The recording could not be recognised: {error}",
            f"录音识别失败：{error.zh}",
            status=502,
            retryable=error.retryable,
            stage="asr",
        ) from error


async def _transcribed(recognition: Recognition, pcm: Pcm) -> str:
    recognition.begin()
    for at in range(0, len(pcm), _PIECE):
        recognition.push(pcm[at : at + _PIECE])
        await asyncio.sleep(0)  # a minute is a lot for a pipe at once
    return (await recognition.transcript()).strip()


def _loudest_dbfs(pcm: Pcm) -> float:
    """Of int16[n]: the level of its loudest 20 ms."""
    frames = pcm[: len(pcm) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float32) / 32768
    power = float((frames**2).mean(1).max(initial=0.0))
    return 10 * float(np.log10(power)) if power else -np.inf
