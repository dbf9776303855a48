"""Voices of real speech servers that fail, one after the other: what is heard is said once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest

from mien.tts.alignment import ForcedAlignment
from mien.tts.fallback import FallbackVoice
from mien.tts.voice import Run, VoiceChunk
from mien.voice_pool import VoicePool
from tones import heard, spelled
from voice_dialects import gpt_sovits
from voice_servers import VoiceServer

CLAUSE = [
    Run("en", "The lighthouse stood on a quiet island,"),
    Run("zh", "每天晚上它都告诉船只礁石在哪里。"),
]
TEXT = " ".join(run.text for run in CLAUSE)


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[VoiceServer, VoiceServer]]:
    async with VoiceServer(gpt_sovits) as one, VoiceServer(gpt_sovits) as two:
        yield one, two


@asynccontextmanager
async def chain(first: VoiceServer, *others: VoiceServer) -> AsyncIterator[FallbackVoice]:
    """anna, then berta; nobody is in a hurry."""
    tables = {
        name: {
            "service": "gpt-sovits",
            "url": server.url,
            "ref_audio_path": "a.wav",
            "prompt_text": "b",
            "first_sound_sec": 60,
            "stall_sec": 60,
        }
        for name, server in zip(("anna", "berta"), (first, *others), strict=False)
    }
    pool = VoicePool(list(tables), tables, ForcedAlignment())
    try:
        yield pool.default
    finally:
        await pool.aclose()


async def said(voice: FallbackVoice, runs: Sequence[Run] = CLAUSE) -> list[VoiceChunk]:
    async with aclosing(voice.speak(runs)) as chunks:
        return [chunk async for chunk in chunks]


def letters(chunks: Sequence[VoiceChunk], name: str) -> list[int]:
    pcm = [chunk.pcm for chunk in chunks if chunk.by == name and len(chunk.pcm)]
    return heard(np.concatenate([np.zeros(0, np.int16), *pcm]), 48_000)


@pytest.mark.parametrize(
    "fault", ["cut", "truncated", "stall", "http_500", "error_in_200", "silence", "slow", "close"]
)
async def test_what_one_server_leaves_unsaid_the_next_one_says(fault: str) -> None:
    async with two_servers() as (one, two), chain(one, two) as voice:
        for _ in range(8):  # how fast it speaks is learned
            for run in CLAUSE:
                assert letters(await said(voice, [run]), "anna") == spelled(run.text)
        one.fault = fault
        if fault in ("stall", "slow"):
            anna = voice.members[0]
            limits = {"first_sound_sec": 0.5, "stall_sec": 0.5}
            anna.settings = anna.settings.model_copy(update=limits)
        chunks = await said(voice)
        first, second = letters(chunks, "anna"), letters(chunks, "berta")
        rest = two.texts[-1]
        assert second == spelled(rest), "the next one is heard to its end"
        if fault not in ("cut", "truncated", "stall"):
            assert not first and spelled(rest) == spelled(TEXT)
            return
        assert first == spelled(TEXT)[: len(first)] and 20 < len(first) < 40
        assert rest.strip() and TEXT.endswith(rest)
        boundary = TEXT[: -len(rest)]
        assert not (boundary[-1].isascii() and boundary[-1].isalnum()), "from a word on"
        # It breaks off within a word; half a word more or less is not heard as one.
        assert abs(len(first) + len(second) - len(spelled(TEXT))) <= 3
        again = await said(voice)
        assert letters(again, "berta") == spelled(TEXT) and not letters(again, "anna")


async def test_a_dead_server_that_comes_back_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_servers() as (one, two), chain(one, two) as voice:
        now = [0.0]
        for member in voice.members:
            monkeypatch.setattr(member.breaker, "_clock", lambda: now[0])
        await one.stop()
        assert letters(await said(voice), "berta") == spelled(TEXT)
        why = voice.failures()["anna"]
        assert one.url in str(why) and one.url in why.zh
        now[0] = 11
        assert letters(await said(voice), "berta") == spelled(TEXT), "looked at, still away"
        await asyncio.sleep(0.05)
        await one.start()
        now[0] = 40
        assert letters(await said(voice), "berta") == spelled(TEXT), "looked at beside this clause"
        async with asyncio.timeout(60):
            while not letters(await said(voice), "anna"):
                pass
        assert "anna" not in voice.failures()
        assert one.texts[-1] and letters(await said(voice), "anna") == spelled(TEXT)


async def test_both_servers_down_are_named() -> None:
    async with two_servers() as (one, two), chain(one, two) as voice:
        await one.stop()
        await two.stop()
        with pytest.raises(Exception, match=f"anna: .*{one.url}.*; berta: .*{two.url}"):
            await said(voice)


async def test_an_interruption_hangs_up_on_the_server() -> None:
    async with two_servers() as (one, two), chain(one, two) as voice:
        one.hold()
        async with aclosing(voice.speak(CLAUSE)) as chunks:
            await anext(chunks)
        async with asyncio.timeout(60):
            await one.asked[-1].closed.wait()
        assert one.asked[-1].disconnected and not two.texts
        assert "anna" not in voice.failures()
