"""``mien bench viseme``: what it costs to find the mouth of a voice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np

from mien.bench.figures import rounded
from mien.lipsync.contract import LipSync, MouthRequest
from mien.lipsync.viseme import VisemeLipSync
from mien.lipsync.viseme.energy import shape_of_sound
from mien.lipsync.viseme.net import load_net
from mien.media.speech import Phone, SpeechChunk
from mien.media.tick import Pcm
from mien.media.timeline import Timeline
from mien.tts.alignment import NO_SOUND, ClauseAlignment
from mien.tts.espeak import SAMPLE_RATE, EspeakVoice
from mien.tts.voice import Run

_SENTENCES = (
    Run("zh", "你好，我是你的数字人助手，明白了就告诉我吧，没关系，慢慢来，我们不着急。"),
    Run("en", "My name is Mei, and maybe people remember me because I move my lips properly."),
)
PIECE_SEC = 0.1


async def run_viseme(on_progress: Callable[[float], None], repeats: int = 5) -> dict[str, Any]:
    """CPU ms of this process per second of speech, the median of ``repeats``, by each way.

    phones: the voice tells when each sound is said. alignment: the text is known and followed.
    net: neither. energy: without the net. Each includes the timeline's part (resampling,
    windows) and excludes drawing.
    """
    voice = EspeakVoice()
    said = []
    try:
        for run in _SENTENCES:
            pcm, phones = await _spoken(voice, run)
            said.append((pcm, phones, await voice.phonemes([run])))
    finally:
        await voice.aclose()
    seconds = sum(len(pcm) for pcm, _, _ in said) / SAMPLE_RATE
    costs: dict[str, list[float]] = {"phones": [], "alignment": [], "net": [], "energy": []}
    for repeat in range(repeats):
        for way, spent in costs.items():
            engine = VisemeLipSync()
            begin = time.process_time()
            for pcm, phones, words in said:
                requests = performed(
                    engine,
                    pcm,
                    SAMPLE_RATE,
                    phones=phones if way == "phones" else None,
                    words=words if way == "alignment" else None,
                )
                for request in requests:
                    if way == "energy":
                        shape_of_sound(request.audio, engine.sample_rate, engine.context[0])
                    else:
                        engine.render([request])
            spent.append(1000 * (time.process_time() - begin) / seconds)
        on_progress((repeat + 1) / repeats)
    figures = {f"{way}_ms": rounded(float(np.median(spent)), 2) for way, spent in costs.items()}
    return {**figures, "net": load_net() is not None, "seconds": rounded(seconds, 1)}


async def _spoken(voice: EspeakVoice, run: Run) -> tuple[Pcm, list[Phone]]:
    pieces, phones = [], []
    at = 0.0
    async with aclosing(voice.speak([run])) as chunks:
        async for chunk in chunks:
            pieces.append(chunk.pcm)
            phones += [Phone(p.symbol, at + p.start, at + p.end) for p in chunk.phones or ()]
            at += len(chunk.pcm) / SAMPLE_RATE
    return np.concatenate(pieces), phones


def performed(
    engine: LipSync,
    pcm: Pcm,
    sample_rate: int,
    *,
    phones: Sequence[Phone] | None = None,
    words: Sequence[Sequence[str]] | None = None,
    ahead: bool = False,
) -> Iterator[MouthRequest]:
    """What an engine is asked for while one clause is said, tick by tick.

    pcm: int16[n] mono, arriving in pieces of 100 ms. phones: what the voice knows of it. words:
    IPA symbols of the text, to be aligned with the sound as it arrives. ahead: whether all of it
    has arrived before the first tick, as from a voice much faster than speech.
    """
    timeline = Timeline(engine.sample_rate, engine.context)
    clause = None
    if words is not None and (net := load_net()) is not None:
        clause = ClauseAlignment(net, words)
    size = round(PIECE_SEC * sample_rate)
    for begin in range(0, len(pcm), size):
        piece = pcm[begin : begin + size]
        told = None
        if phones is not None:
            now, then = begin / sample_rate, (begin + size) / sample_rate
            told = tuple(
                Phone(p.symbol, p.start - now, p.end - now) for p in phones if now <= p.start < then
            )
        timeline.say(SpeechChunk(0, 1, "", piece, sample_rate, told))
        if clause is not None and (found := clause.push(piece, sample_rate)):
            timeline.say(SpeechChunk(0, 1, "", NO_SOUND, sample_rate, found))
        while not ahead and timeline.speech_ready:
            yield _request(timeline)
    rest = None if clause is None else clause.finish()
    timeline.say(SpeechChunk(0, 1, "", NO_SOUND, sample_rate, rest, last=True))
    while timeline.speech_ready:
        yield _request(timeline)


def _request(timeline: Timeline) -> MouthRequest:
    plan = timeline.plan()
    timeline.emit()
    assert plan.window is not None
    audio = plan.window.pcm.astype(np.float32) / np.float32(32768)
    return MouthRequest(audio, plan.window.phones, plan.index)
