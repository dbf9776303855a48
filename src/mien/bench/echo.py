"""``mien bench echo``: what is left of the avatar's own voice, and of whoever speaks over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from mien.asr.activity import SpeechActivity
from mien.asr.echo import Echo
from mien.asr.vad import Vad, VadModel
from mien.bench.echo_path import EchoPath, Samples
from mien.bench.spoken import spoken_questions
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.tts.espeak import SAMPLE_RATE, EspeakVoice
from mien.tts.voice import Run

_SAYS = (
    Run("zh", "你好，我是你的数字人助手，今天想聊点什么呢？"),
    Run("en", "The weather is cloudy today, with a chance of rain in the afternoon."),
    Run("zh", "这个问题很有意思，我先说结论，再慢慢解释原因。"),
    Run("en", "You can interrupt me at any time, just start to speak."),
    Run("zh", "如果你想退款，请告诉我订单号，我来帮你查询。"),
    Run("en", "Our shop opens at nine in the morning and closes at eight in the evening."),
)
_ROOM = {"reverb_sec": 0.4, "small_speaker": True, "opus": True}

WAYS: Mapping[str, EchoPath] = {
    "-20 dB, 0 ms": EchoPath(delays_sec=(0.0,)),
    "40 ms": EchoPath(delays_sec=(0.04,)),
    "120 ms": EchoPath(),
    "200 ms": EchoPath(delays_sec=(0.2,)),
    "300 ms": EchoPath(delays_sec=(0.3,)),
    "jumps 60/300/120/200 ms": EchoPath(delays_sec=(0.06, 0.3, 0.12, 0.2)),
    "clocks 100 ppm apart": EchoPath(drift_ppm=100),
    "room, T60 0.3 s": EchoPath(reverb_sec=0.3),
    "room, T60 0.6 s": EchoPath(reverb_sec=0.6),
    "small loudspeaker": EchoPath(small_speaker=True),
    "Opus": EchoPath(opus=True),
    "badly cancelled": EchoPath(cancelled=True),
    "-10 dB": EchoPath(level_db=-10),
    "-6 dB": EchoPath(level_db=-6),
    "all but cancelled, jumps": EchoPath(delays_sec=(0.2, 0.3), drift_ppm=100, **_ROOM),  # type: ignore[arg-type]
    "the same, -10 dB": EchoPath(-10, (0.2, 0.3), drift_ppm=100, **_ROOM),  # type: ignore[arg-type]
    "-6 dB, badly cancelled, jumps": EchoPath(-6, (0.12, 0.25), cancelled=True, **_ROOM),  # type: ignore[arg-type]
}
TALKED_OVER = ("120 ms", "room, T60 0.3 s", "badly cancelled")
LOUDER_DB = (0, 10, 20)

_PIECE, _PACKET = RATE // 25, RATE // 50
_NOISE_DB = -65
_SPEECH_RMS = 10 ** (-22 / 20)


@dataclass(frozen=True)
class Heard:
    """What a microphone's sound is taken for.

    voiced: bool[n], windows of 32 ms that Silero takes for speech (p > 0.5).
    likely, sure: positions at which SpeechActivity noticed that somebody begins to speak.
    """

    voiced: np.ndarray
    likely: Sequence[int]
    sure: Sequence[int]


async def run_echo(
    on_progress: Callable[[float], None],
    minutes: float = 10,
    ways: Mapping[str, EchoPath] = WAYS,
    talked_over: Sequence[str] = TALKED_OVER,
) -> dict[str, Any]:
    """Every way of an echo for ``minutes`` each, then with somebody who speaks over it."""
    played = await talk(minutes * 60)
    users = [_levelled(question.pcm / np.float32(32768)) for question in spoken_questions()]
    total = len(ways) + len(talked_over) * len(LOUDER_DB)
    alone, over = [], []
    for name, path in ways.items():
        alone.append({"way": name, **await asyncio.to_thread(echo_alone, played, path)})
        on_progress(len(alone) / total)
    for name in talked_over:
        for louder_db in LOUDER_DB:
            row = await asyncio.to_thread(talk_over, played, ways[name], users, louder_db)
            over.append({"way": name, "user_db": louder_db, **row})
            on_progress((len(ways) + len(over)) / total)
    return {"minutes": minutes, "echo_alone": alone, "talked_over": over}


async def talk(seconds: float, voice: EspeakVoice | None = None) -> Samples:
    """What the avatar says, zh and en in turns, with pauses: float32[n] mono 16 kHz, -22 dBFS."""
    rng = np.random.default_rng(0)
    voice = voice or EspeakVoice()
    try:
        said = [np.concatenate([chunk.pcm async for chunk in voice.speak([run])]) for run in _SAYS]
    finally:
        await voice.aclose()
    sentences = [_levelled(soxr.resample(pcm / np.float32(32768), SAMPLE_RATE, RATE))
                 for pcm in said]  # fmt: skip
    sound: list[Samples] = []
    while sum(map(len, sound)) < seconds * RATE:
        pause = np.zeros(round(rng.uniform(0.3, 1.5) * RATE), np.float32)
        sound += [pause, sentences[rng.integers(len(sentences))]]
    return np.concatenate(sound)[: round(seconds * RATE)]


def _levelled(sound: NDArray[np.floating]) -> Samples:
    audible = sound[np.abs(sound) > 0.01 * np.abs(sound).max()]
    levelled: Samples = (sound * (_SPEECH_RMS / np.sqrt(np.mean(audible**2)))).astype(np.float32)
    return levelled


def echo_alone(played: Samples, path: EchoPath) -> dict[str, Any]:
    """Nobody speaks but the avatar: whatever is taken for speech is wrong."""
    rng = np.random.default_rng(1)
    microphone = path.echo(played, rng) + _noise(len(played), rng)
    begin = time.thread_time()
    cleaned, echo = cleaned_by_echo(played, microphone)
    cost = time.thread_time() - begin
    found = heard(cleaned)
    return {
        "windows": len(found.voiced),
        "voiced": int(found.voiced.sum()),
        "likely": len(found.likely),
        "sure": len(found.sure),
        "delay_ms": None if echo.delay is None else round(echo.delay * 1000),
        "cpu_ms_per_sec": round(cost / (len(played) / RATE) * 1000, 1),
    }


def talk_over(
    played: Samples, path: EchoPath, users: Sequence[Samples], louder_db: float
) -> dict[str, Any]:
    """Somebody speaks over the avatar every few seconds, ``louder_db`` over its echo.

    late_ms: by how much later that is noticed than if the avatar were silent. kept: of the windows
    that would be speech then. snr_db: how little else is in what passes, while they speak.
    """
    rng = np.random.default_rng(2)
    echo = path.echo(played, rng)
    level = np.sqrt(np.mean(echo[np.abs(echo) > 1e-3] ** 2)) / _SPEECH_RMS * 10 ** (louder_db / 20)
    user = np.zeros_like(played)
    spans: list[tuple[int, int]] = []
    at = 5 * RATE
    while at < len(user) - 8 * RATE:
        said = users[len(spans) % len(users)] * np.float32(level)
        user[at : at + len(said)] = said
        spans.append((at, at + len(said)))
        at += len(said) + round(rng.uniform(3, 6) * RATE)
    noise = _noise(len(user), rng)
    cleaned, _ = cleaned_by_echo(played, echo + user + noise)
    alone, both = heard(pcm_of(user + noise)), heard(cleaned)
    late = [_late_ms(alone, both, span) for span in spans]
    found = [ms for ms in late if ms is not None]
    speaks = np.concatenate([np.arange(*span) for span in spans])
    wanted = user[speaks]
    off = cleaned[speaks] / 32768 - wanted
    return {
        "spoken": len(spans),
        "missed": len(late) - len(found),
        "late_ms_p50": round(float(np.median(found))) if found else None,
        "late_ms_p95": round(float(np.quantile(found, 0.95))) if found else None,
        "kept": round(float(both.voiced[alone.voiced].mean()), 3),
        "snr_db": round(float(10 * np.log10(np.sum(wanted**2) / np.sum(off**2))), 1),
    }


def _late_ms(alone: Heard, both: Heard, span: tuple[int, int]) -> float | None:
    first = [min((at for at in noticed.likely if span[0] <= at < span[1]), default=None)
             for noticed in (alone, both)]  # fmt: skip
    if first[0] is None or first[1] is None:
        return 0.0 if first[0] is None else None
    return (first[1] - first[0]) / RATE * 1000


def cleaned_by_echo(played: Samples, microphone: Samples) -> tuple[Pcm, Echo]:
    """As it happens in a session: pieces of 40 ms leave, packets of 20 ms arrive up to 20 ms late.

    Both float32[n] of the same moments; int16[n] comes out.
    """
    rng = np.random.default_rng(3)
    echo = Echo()
    out, leaves, comes = [], pcm_of(played), pcm_of(microphone)
    for begin in range(0, len(comes), _PACKET):
        if begin % _PIECE == 0:
            echo.played(leaves[begin : begin + _PIECE], begin / RATE)
        arrival = (begin + _PACKET) / RATE + rng.uniform(0, 0.02)
        out.append(echo.clean(comes[begin : begin + _PACKET], arrival))
    return np.concatenate(out), echo


def heard(pcm: Pcm) -> Heard:
    """What VAD and speech activity make of int16[n] mono 16 kHz."""
    vad, activity = Vad(VadModel()), SpeechActivity()
    voiced, likely, sure = [], [], []
    stage = activity.stage
    for begin in range(0, len(pcm), _PACKET):
        for frame in vad.push(pcm[begin : begin + _PACKET]):
            if not frame.glimpse:
                voiced.append(frame.probability > 0.5)
            activity.push([frame])
            if activity.stage != stage:
                if stage == "quiet":
                    likely.append(frame.position)
                if activity.stage == "sure":
                    sure.append(frame.position)
                stage = activity.stage
    return Heard(np.array(voiced), likely, sure)


def _noise(n: int, rng: np.random.Generator) -> Samples:
    return (rng.standard_normal(n) * 10 ** (_NOISE_DB / 20)).astype(np.float32)


def pcm_of(sound: Samples) -> Pcm:
    """float32[n] → int16[n]."""
    return np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)
