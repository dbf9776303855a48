"""``mien bench asr``: how much a recogniser understands, how soon, and what it costs."""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import soxr
from pydantic import BaseModel, ValidationError

from mien.asr.contract import Recognition, Recognizer
from mien.bench.figures import quantiles
from mien.bench.word_errors import errors, tokens
from mien.config import Settings
from mien.ears import AUTO, Ears
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.sound_file import SoundFileError, read_sound
from mien.media.tick import Pcm
from mien.tts.normalize import prepare
from mien.tts.voice import Run
from mien.voices import make_voice, voice_settings

# As a browser sends it; the listener asks for words when a pause is this long.
_PIECE_SEC, _PAUSE_SEC = 0.02, 0.2
_QUIET_DBFS = -70.0


class AsrBenchError(Exception):
    """Nothing can be measured; the text says what to do."""


class Sentence(BaseModel):
    """file: beside the list, in any format; None: the voice of this machine says it. voice: whose
    voice it is, for people."""

    language: Language
    text: str
    file: str | None = None
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """pcm: int16[n] mono 16 kHz."""

    text: str
    pcm: Pcm


async def run_asr(
    on_progress: Callable[[float], None],
    *,
    settings: Settings,
    recognizer: str = AUTO,
    language: Language = "en",
    count: int = 20,
    paced: bool = True,
    phone: bool = False,
    listed: Path | None = None,
    voice: str = "espeak",
) -> dict[str, Any]:
    """Let ``recognizer`` write down ``count`` sentences, one after the other.

    paced: sound comes as it is spoken; else all at once, and how soon words come is not told.
    phone: as a telephone transmits it, 8 kHz and G.711. listed: a list like dictation.toml; None:
    the one that comes with mien. voice: who says sentences without a recording.

    error_rate: wrong words (zh: characters) by those that were said. final_ms: from a pause of
    0.2 s until all words are there; partial_ms: from the beginning of the sound until first words
    are. cpu_sec_per_sec: of all processes, by seconds of sound. load_sec. rows: said, heard,
    errors. Quantiles are None where there is nothing to tell.

    Raises:
        AsrBenchError: when nobody listens, or there is nothing to hear.
        AsrError: when the recogniser fails.
    """
    spoken = await _spoken(settings, listed, language, count, voice, phone)
    ears = Ears(settings.ears.asr, settings.ears.recognizers)
    try:
        began = time.perf_counter()
        choice = await ears.choose(language, recognizer)
        loaded = time.perf_counter() - began
        listener = choice.recognizer
        if listener is None or (recognizer != AUTO and listener.name != recognizer):
            raise AsrBenchError(choice.why_en)
        return {
            "recognizer": listener.name,
            "language": language,
            "phone": phone,
            "load_sec": round(loaded, 2),
            **await _measure(listener, language, spoken, paced, on_progress),
        }
    finally:
        await ears.aclose()


async def _measure(
    recognizer: Recognizer,
    language: Language,
    spoken: Sequence[Spoken],
    paced: bool,
    on_progress: Callable[[float], None],
) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    finals: list[float] = []
    partials: list[float] = []
    cpu = _cpu_sec()
    async with _opened(recognizer, language) as (recognition, shown):
        for at, sentence in enumerate(spoken):
            began = time.perf_counter()
            shown.clear()
            recognition.begin()
            await _say(recognition, sentence.pcm, paced)
            asked = time.perf_counter()
            heard = await recognition.transcript()
            if paced:
                finals.append((time.perf_counter() - asked) * 1000)
                partials += [(when - began) * 1000 for when in shown[:1] if when < asked]
            wrong = errors(tokens(sentence.text), tokens(heard))
            rows.append({"said": sentence.text, "heard": heard, "errors": wrong})
            on_progress((at + 1) / len(spoken))
        seconds = sum(len(each.pcm) for each in spoken) / RATE
        spent = _cpu_sec() - cpu
    words = sum(len(tokens(each.text)) for each in spoken)
    wrong = sum(row["errors"] for row in rows)
    return {
        "error_rate": round(wrong / words, 4),
        "errors": wrong,
        "words": words,
        "sentences": len(rows),
        "seconds": round(seconds, 1),
        "final_ms": quantiles(finals),
        "partial_ms": quantiles(partials),
        "cpu_sec_per_sec": round(spent / seconds, 3),
        "rows": rows,
    }


@asynccontextmanager
async def _opened(
    recognizer: Recognizer, language: Language
) -> AsyncIterator[tuple[Recognition, list[float]]]:
    """And when words were shown."""
    shown: list[float] = []
    recognition = recognizer.open(
        language, lambda text: shown.append(time.perf_counter()) if text else None
    )
    try:
        yield recognition, shown
    finally:
        await recognition.aclose()


async def _say(recognition: Recognition, pcm: Pcm, paced: bool) -> None:
    step = round(_PIECE_SEC * RATE)
    began = time.perf_counter()
    for at in range(0, len(pcm), step):
        if paced:
            due = began + (at + step) / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        recognition.push(pcm[at : at + step])
    await asyncio.sleep(0)


async def _spoken(
    settings: Settings,
    listed: Path | None,
    language: Language,
    count: int,
    voice: str,
    phone: bool,
) -> list[Spoken]:
    folder = files("mien") / "assets" / "dictation"
    source = folder / "dictation.toml" if listed is None else listed
    try:
        table = tomllib.loads(source.read_text("utf-8"))
        sentences = [Sentence.model_validate(each) for each in table.get("sentence", [])]
        wanted = [each for each in sentences if each.language == language][:count]
        spoken = []
        for each in wanted:
            if each.file is None:
                pcm = await _said(settings, voice, each)
            else:
                beside = folder / each.file if listed is None else listed.parent / each.file
                pcm = read_sound(beside.read_bytes())
            spoken.append(Spoken(each.text, _as_heard(_telephone(pcm) if phone else pcm)))
    except (OSError, tomllib.TOMLDecodeError, ValidationError, SoundFileError) as error:
        raise AsrBenchError(f"the sentences cannot be read: {error}") from error
    if not spoken:
        raise AsrBenchError(f"there is no sentence of language {language!r} in the list")
    return spoken


async def _said(settings: Settings, name: str, sentence: Sentence) -> Pcm:
    voice = make_voice(name, voice_settings(name, settings.voices))
    try:
        prepared = await asyncio.to_thread(prepare, sentence.text, sentence.language)
        runs = [Run(run.language, run.text) for run in prepared.runs]
        pieces = [chunk.pcm async for chunk in voice.speak(runs)]
        return np.asarray(soxr.resample(np.concatenate(pieces), voice.sample_rate, RATE), np.int16)
    finally:
        await voice.aclose()


def _as_heard(pcm: Pcm) -> Pcm:
    """With a quiet room around it."""
    random = np.random.default_rng(7)
    before, after = round(0.3 * RATE), round(_PAUSE_SEC * RATE)
    sound = np.concatenate([np.zeros(before, np.int16), pcm, np.zeros(after, np.int16)])
    room = random.normal(0, 32768 * 10 ** (_QUIET_DBFS / 20), len(sound))
    return np.clip(sound + room, -32768, 32767).astype(np.int16)


def _telephone(pcm: Pcm) -> Pcm:
    """8 kHz and back, with the steps of G.711's μ-law (ITU-T G.711)."""
    narrow = soxr.resample(pcm, RATE, 8000).astype(np.float32) / 32768
    code = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log1p(255)
    code = np.round(code * 127) / 127
    wide = np.sign(code) * np.expm1(np.abs(code) * np.log1p(255)) / 255
    return np.asarray(soxr.resample(wide * 32768, 8000, RATE), np.int16)


def _cpu_sec() -> float:
    """Of this process and those it has started."""
    spent = 0.0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent
