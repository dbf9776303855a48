"""From mien.toml to what is heard, with voices of services that break off; and the way back:
a mien voice in somebody else's pipecat pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from edge_server import EdgeServer
from mien.config import load_settings
from mien.tts.alignment import ForcedAlignment
from mien.tts.espeak import EspeakVoice
from mien.tts.fallback import FallbackVoice
from mien.tts.service import VoiceService
from mien.tts.voice import Run, VoiceChunk
from mien.voice_pool import VoicePool
from pipecat_servers import CartesiaServer, OpenAIServer

TEXT = "one two three four five six seven eight nine ten eleven twelve."


async def chain(folder: Path, table: str) -> AsyncIterator[FallbackVoice]:
    """``anna`` as the table says, espeak behind it."""
    config = folder / "mien.toml"
    config.write_text(
        f'voice = "anna"\n[voices.anna]\nfirst_sound_sec = 60\nstall_sec = 60\n{table}', "utf-8"
    )
    settings = load_settings(config)
    pool = VoicePool(settings.voice, settings.voices, ForcedAlignment())
    try:
        yield pool.default
    finally:
        await pool.aclose()


async def said(voice: FallbackVoice) -> list[VoiceChunk]:
    async with aclosing(voice.speak([Run("en", TEXT)])) as chunks:
        return [chunk async for chunk in chunks]


def who(chunks: list[VoiceChunk]) -> list[str]:
    return [name for name, _ in groupby(chunk.by for chunk in chunks if len(chunk.pcm))]


def words(chunks: list[VoiceChunk]) -> list[str]:
    """One that was broken off in its first half is begun again: that counts as one."""
    told = [TEXT[word.begin : word.stop].strip(".") for chunk in chunks for word in chunk.words]
    return [word for word, _ in groupby(told)]


@pytest.mark.parametrize("fault", ["cut", "error", "close"])
async def test_espeak_says_what_a_pipecat_service_left_out(tmp_path: Path, fault: str) -> None:
    async with CartesiaServer() as server:
        table = (
            f'service = "pipecat"\ntype = "cartesia"\nparams = {{ url = "{server.url}" }}\n'
            'settings = { voice = "v" }\n'
        )
        async for voice in chain(tmp_path, table):
            server.faults, server.pace_sec = [fault], 0.01
            chunks = await said(voice)
            assert who(chunks) == ["anna", "espeak"]
            assert words(chunks) == TEXT.strip(".").split()  # none lost, none twice


async def test_espeak_says_what_edge_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("edge_tts", reason="needs mien[edge]")
    async with EdgeServer() as server:
        monkeypatch.setattr("edge_tts.communicate.WSS_URL", server.url)
        async for voice in chain(tmp_path, 'service = "edge-tts"\nen = "en-US-AvaNeural"\n'):
            server.faults = ["close"]
            chunks = await said(voice)
            assert who(chunks) == ["anna", "espeak"]
            assert words(chunks) == TEXT.strip(".").split()
            assert server.requests[0].voice == "en-US-AvaNeural"


async def test_a_whole_clause_of_a_service_over_http(tmp_path: Path) -> None:
    async with OpenAIServer() as server:
        table = f'service = "pipecat"\ntype = "openai"\nparams = {{ base_url = "{server.url}" }}\n'
        async for voice in chain(tmp_path, table):
            await voice.check()
            assert who(await said(voice)) == ["anna"]


class _Listener(FrameProcessor):
    """Any processor behind a TTS service: a transport, a recorder."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        await self.push_frame(frame, direction)


async def test_a_mien_voice_is_an_ordinary_tts_service_of_pipecat() -> None:
    before = asyncio.all_tasks()
    espeak, listener = EspeakVoice(), _Listener()
    worker = PipelineWorker(
        Pipeline([VoiceService(espeak, "en"), listener]),
        params=PipelineParams(audio_out_sample_rate=48_000),
        enable_rtvi=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    texts = ["Hello world, it costs $3.50.", "你好，世界。"]
    await worker.queue_frames([*map(TTSSpeakFrame, texts), EndFrame()])
    await runner.run()
    await espeak.aclose()

    kinds = (TTSStartedFrame, TTSAudioRawFrame, TTSTextFrame, TTSStoppedFrame, ErrorFrame)
    heard = [frame for frame in listener.frames if isinstance(frame, kinds)]
    order = [kind for kind, _ in groupby(next(k for k in kinds if isinstance(f, k)) for f in heard)]
    assert order == [TTSStartedFrame, TTSAudioRawFrame, TTSTextFrame, TTSStoppedFrame] * 2
    assert [frame.text for frame in heard if isinstance(frame, TTSTextFrame)] == texts
    for context in {frame.context_id for frame in heard}:  # type: ignore[union-attr]
        sound = [f for f in heard if isinstance(f, TTSAudioRawFrame) and f.context_id == context]
        assert {(f.sample_rate, f.num_channels) for f in sound} == {(22_050, 1)}
        pcm = np.frombuffer(b"".join(f.audio for f in sound), np.int16)
        assert len(pcm) > 22_050 / 2 and np.abs(pcm).max() > 3000
    assert not asyncio.all_tasks() - before - {asyncio.current_task()}
