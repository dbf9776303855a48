"""The wire formats of speech servers; each checks what the real one checks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """One request as it arrived, and how it ended."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    fields: dict[str, Any]
    """of the JSON or form; files as bytes"""
    text: str = ""
    disconnected: bool = False  #: the client hung up before the answer was complete
    finished: bool = False  #: the whole answer was sent
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Reply:
    """An answer that is no speech."""

    status: int
    body: Any
    content_type: str = "application/json"

    @property
    def data(self) -> bytes:
        json_like = self.content_type == "application/json"
        return (json.dumps(self.body) if json_like else str(self.body)).encode()


@dataclass(frozen=True)
class Speech:
    """What to say, and how the sound lies in the answer.

    form: "wav" with lengths, "wav_stream" as servers begin it that do not know the length, "raw"
    16-bit, "float" raw 32-bit, or what PyAV can encode: "mp3", "ogg", "flac", "aac".
    whole: sent as one body with its length instead of in chunks.
    """

    text: str
    rate: int
    form: str = "wav"
    content_type: str = "audio/wav"
    whole: bool = False
    headers: tuple[tuple[str, str], ...] = ()


Dialect = Callable[[Asked], Speech | Reply]


def gpt_sovits(asked: Asked) -> Speech | Reply:
    """api_v2.py as of 2025: streaming_mode 0 … 3."""
    return _gpt_sovits(asked, modes=(0, 1, 2, 3))


def gpt_sovits_bool(asked: Asked) -> Speech | Reply:
    """api_v2.py of 2024, for which streaming_mode is a boolean."""
    return _gpt_sovits(asked, modes=(0, 1))


def _gpt_sovits(asked: Asked, modes: Sequence[int]) -> Speech | Reply:
    if asked.path == "/openapi.json":
        return Reply(200, {"paths": {"/tts": {}, "/control": {}}})
    if asked.path != "/tts":
        return Reply(404, {"detail": "Not Found"})
    given = {**asked.query, **asked.fields}
    for name in ("ref_audio_path", "text", "text_lang", "prompt_lang"):
        if not given.get(name):
            return Reply(400, {"message": f"{name} is required"})
    if given["ref_audio_path"] == "missing.wav":
        return Reply(400, {"message": "tts failed", "Exception": "missing.wav not exists"})
    mode = int(given.get("streaming_mode", 0))
    if mode not in modes:
        wrong = {"loc": ["body", "streaming_mode"], "msg": "Input should be a valid boolean"}
        return Reply(422, {"detail": [wrong]})
    if given.get("media_type") == "raw":
        return Speech(given["text"], 32_000, "raw", "audio/raw", whole=not mode)
    form = "wav_stream" if mode else "wav"
    return Speech(given["text"], 32_000, form, whole=not mode)


def gpt_sovits_v1(asked: Asked) -> Speech | Reply:
    """The old api.py."""
    if asked.path == "/openapi.json":
        return Reply(200, {"paths": {"/": {}, "/change_refer": {}}})
    given = {**asked.query, **asked.fields}
    if not given.get("text") or not given.get("text_language"):
        return Reply(400, {"code": 400, "message": "no text"})
    return Speech(given["text"], 32_000)


def openai_speech(asked: Asked) -> Speech | Reply:
    """``/v1/audio/speech``; the voice "wav-only" is a server that knows no pcm, "liar" one that
    sends MP3 whatever is asked, "odd-rate" one that says its rate in the answer."""
    if asked.headers.get("authorization") == "Bearer wrong":
        return Reply(401, {"error": {"message": "Incorrect API key provided"}})
    if asked.path == "/v1/models":
        return Reply(200, {"data": [{"id": "tts-1"}]})
    if asked.path != "/v1/audio/speech":
        return Reply(404, {"error": {"message": f"no {asked.path}"}})
    voice, wanted = asked.fields.get("voice"), asked.fields.get("response_format", "mp3")
    if not asked.fields.get("model") or not asked.fields.get("input"):
        return Reply(400, {"error": {"message": "model and input are required"}})
    if (voice == "wav-only" and wanted != "wav") or (voice == "mp3-only" and wanted != "mp3"):
        return Reply(400, {"error": {"message": f"response_format {wanted} is not supported"}})
    text = asked.fields["input"]
    if voice == "liar" or wanted == "mp3":
        return Speech(text, 24_000, "mp3", "audio/mpeg")
    if wanted in ("flac", "aac"):
        return Speech(text, 24_000, wanted, f"audio/{wanted}")
    if wanted == "opus":
        return Speech(text, 24_000, "ogg", "audio/ogg")
    if wanted == "wav":
        return Speech(text, 24_000, "wav_stream")
    if voice == "odd-rate":
        return Speech(text, 16_000, "raw", "audio/pcm", headers=(("X-Sample-Rate", "16000"),))
    return Speech(text, 24_000, "raw", "audio/pcm")


MODELS = {"0": {"model_path": "G_1.pth", "spk2id": {"Anna": 0, "Bo": 1}, "id2spk": {"0": "Anna"}}}


def bert_vits2(asked: Asked) -> Speech | Reply:
    """hiyoriUI.py of 2.3. Whatever is wrong is said with status 200."""
    return _bert_vits2(asked, ("ZH", "JP", "EN", "AUTO"))


def bert_vits2_single(asked: Asked) -> Speech | Reply:
    """server_fastapi.py before 2.3, which knows one language at a time."""
    return _bert_vits2(asked, ("ZH", "JP", "EN"))


def _bert_vits2(asked: Asked, languages: Sequence[str]) -> Speech | Reply:
    if asked.path == "/models/info":
        return Reply(200, MODELS)
    if asked.path != "/voice":
        return Reply(404, {"detail": "Not Found"})
    given = asked.query
    if not given.get("text"):
        return Reply(200, {"status": 17, "detail": "text is empty"})
    if given.get("model_id") not in MODELS:
        return Reply(200, {"status": 10, "detail": f"model {given.get('model_id')} is not loaded"})
    speakers = MODELS["0"]["spk2id"]
    name, number = given.get("speaker_name"), given.get("speaker_id")
    if name not in speakers and number not in ("0", "1"):
        return Reply(200, {"status": 11, "detail": f"no speaker {name or number}"})
    if given.get("language") not in languages:
        return Reply(200, {"status": 14, "detail": f"language {given.get('language')}"})
    return Speech(given["text"], 44_100, whole=True)


def bert_vits2_flask(asked: Asked) -> Speech | Reply:
    """The old server.py: whatever is wrong is said in plain text with status 200."""
    given = asked.query
    if not given.get("speaker") or not given.get("text"):
        return Reply(200, "Missing Parameter", "text/html")
    if given.get("language") not in ("ZH", "JP", "EN"):
        return Reply(200, "Invalid language", "text/html")
    if given.get("format") != "wav":
        return Reply(200, "Invalid format", "text/html")
    return Speech(given["text"], 44_100, whole=True)


_COSY_NEEDS = {
    "sft": ("spk_id",),
    "zero_shot": ("prompt_text", "prompt_wav"),
    "cross_lingual": ("prompt_wav",),
    "instruct": ("spk_id", "instruct_text"),
    "instruct2": ("instruct_text", "prompt_wav"),
}


def cosyvoice(asked: Asked) -> Speech | Reply:
    """runtime/python/fastapi/server.py: bare samples, not even a content type."""
    return _cosyvoice(asked, "/inference_", "raw", ())


def cosyvoice_fork(asked: Asked) -> Speech | Reply:
    """One that streams floats and says its rate."""
    rate = (("X-Custom-Header-sampleRate", "24000"),)
    return _cosyvoice(asked, "/stream/inference_", "float", rate)


def _cosyvoice(
    asked: Asked, prefix: str, form: str, headers: tuple[tuple[str, str], ...]
) -> Speech | Reply:
    if asked.path == "/openapi.json":
        return Reply(200, {"paths": {prefix + mode: {} for mode in _COSY_NEEDS}})
    mode = asked.path.removeprefix(prefix)
    if asked.path == mode or mode not in _COSY_NEEDS:
        return Reply(404, {"detail": "Not Found"})
    missing = [name for name in ("tts_text", *_COSY_NEEDS[mode]) if not asked.fields.get(name)]
    if missing:
        wrong = [{"loc": ["body", name], "msg": "Field required"} for name in missing]
        return Reply(422, {"detail": wrong})
    wav = asked.fields.get("prompt_wav", b"RIFF")
    if not isinstance(wav, bytes) or wav[:4] != b"RIFF":
        return Reply(500, "Internal Server Error", "text/plain")
    rate = 24_000 if headers or mode not in ("sft", "instruct") else 22_050
    return Speech(asked.fields["tts_text"], rate, form, content_type="", headers=headers)


def fish_speech(asked: Asked) -> Speech | Reply:
    """tools/api_server.py; started with --api-key if a request has a key."""
    if asked.headers.get("authorization", "Bearer right") != "Bearer right":
        return Reply(401, {"status": 401, "message": "Invalid token"})
    if asked.path == "/v1/health":
        return Reply(200, {"status": "ok"})
    if asked.path != "/v1/tts":
        return Reply(404, {"detail": "Not Found"})
    given = asked.fields
    if not given.get("text"):
        return Reply(422, [{"loc": ["text"], "msg": "Field required"}])
    if given.get("reference_id") == "nobody":
        return Reply(404, {"status": 404, "message": "no such reference"})
    streaming, form = given.get("streaming", False), given.get("format", "wav")
    if streaming and form != "wav":
        return Reply(400, {"message": "Streaming only supports WAV format"})
    if form == "pcm":
        return Speech(given["text"], 44_100, "raw", "audio/pcm", whole=True)
    if form == "mp3":
        return Speech(given["text"], 44_100, "mp3", "audio/mpeg", whole=True)
    return Speech(given["text"], 44_100, "wav_stream" if streaming else "wav", whole=not streaming)


# What each says with status 200 when it cannot speak, where that is its custom.
ERRORS_IN_200: dict[Dialect, Reply] = {
    bert_vits2: Reply(200, {"status": 11, "detail": "made to fail"}),
    bert_vits2_flask: Reply(200, "made to fail", "text/html"),
}
