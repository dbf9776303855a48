"""edge-tts against a local server with its wire format; nothing leaves this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
from pydantic import ValidationError

from edge_server import FAULTS, EdgeServer, word_sec
from mien.tts.edge import EdgeSettings, EdgeVoice
from mien.tts.voice import Run, VoiceChunk, VoiceError

edge_tts = pytest.importorskip("edge_tts", reason="needs mien[edge]")

ENGLISH = [Run("en", "one two three")]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EdgeServer]:
    async with EdgeServer() as running:
        monkeypatch.setattr("edge_tts.communicate.WSS_URL", running.url)
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        yield running


@pytest.fixture
async def voice() -> AsyncIterator[EdgeVoice]:
    before = asyncio.all_tasks()
    speaking = EdgeVoice(settings=EdgeSettings(first_sound_sec=30, stall_sec=30))
    yield speaking
    await speaking.aclose()
    ours = [task for task in asyncio.all_tasks() - before if task.get_name() == "edge-tts"]
    assert not ours


async def said(voice: EdgeVoice, runs: list[Run]) -> list[VoiceChunk]:
    async with aclosing(voice.speak(runs)) as chunks:
        return [chunk async for chunk in chunks]


def words_of(chunks: list[VoiceChunk], runs: list[Run]) -> list[tuple[str, float]]:
    found, at = [], 0
    for chunk in chunks:
        for word in chunk.words:
            assert word.start <= word.end
            assert word.start * 48_000 <= len(chunk.pcm)
            text = runs[word.run].text[word.begin : word.stop]
            found.append((text, at / 48_000 + word.start))
        at += len(chunk.pcm)
    return found


def onsets(chunks: list[VoiceChunk]) -> list[float]:
    """Where beeps begin, in seconds."""
    loud = np.abs(np.concatenate([chunk.pcm for chunk in chunks]).astype(float)) > 4000
    at = np.flatnonzero(loud)
    first = np.concatenate([[True], np.diff(at) > 0.05 * 48_000])
    return [float(start) / 48_000 for start in at[first]]


async def test_every_word_is_where_it_is_heard(server: EdgeServer, voice: EdgeVoice) -> None:
    chunks = await said(voice, ENGLISH)
    words = words_of(chunks, ENGLISH)
    assert [word for word, _ in words] == ["one", "two", "three"]
    heard = onsets(chunks)
    assert len(heard) == 3
    for (_, told), begun in zip(words, heard, strict=True):
        assert abs(told - begun) <= 0.02
    assert len(chunks) > 3  # it came as it arrived, not at the end
    assert server.requests[0].text == "one two three"


async def test_chinese_and_english_in_one_clause(server: EdgeServer, voice: EdgeVoice) -> None:
    runs = [Run("zh", "今天用"), Run("en", "R&D Python"), Run("zh", "写。")]
    words = words_of(await said(voice, runs), runs)
    assert [word for word, _ in words] == ["今", "天", "用", "R&D", "Python", "写"]
    # The server takes "Python写" for one word of 0.2 s; its letters share the time.
    within = word_sec(3) + 0.2 * 6 / 7
    expected = [word_sec(0), word_sec(0) + 0.1, word_sec(1), word_sec(2), word_sec(3), within]
    assert [start for _, start in words] == pytest.approx(expected, abs=0.01)
    assert server.requests[0].text == "今天用R&D Python写。"
    assert server.requests[0].voice == "zh-CN-XiaoxiaoNeural"


async def test_settings_reach_the_service(server: EdgeServer) -> None:
    settings = EdgeSettings(
        speed=1.25, pitch_hz=-5, volume_percent=10, en="en-GB-SoniaNeural", zh="zh-TW-HsiaoYuNeural"
    )
    voice = EdgeVoice("sonia", settings)
    await said(voice, ENGLISH)
    request = server.requests[0]
    assert request.voice == "en-GB-SoniaNeural"
    assert [request.attribute(name) for name in ("rate", "pitch", "volume")] == [
        "+25%",
        "-5Hz",
        "+10%",
    ]
    with pytest.raises(ValidationError, match="zh"):
        EdgeSettings(zh="xiaoxiao")


@pytest.mark.parametrize("fault", ["wordless", "late words"])
async def test_words_are_told_late_or_not_at_all(
    server: EdgeServer, voice: EdgeVoice, fault: str
) -> None:
    server.faults = [fault]
    chunks = await said(voice, ENGLISH)
    assert len(onsets(chunks)) == 3
    expected = [] if fault == "wordless" else [word_sec(0), word_sec(1), word_sec(2)]
    assert [start for _, start in words_of(chunks, ENGLISH)] == pytest.approx(expected)


async def test_nothing_to_say(server: EdgeServer, voice: EdgeVoice) -> None:
    assert await said(voice, [Run("zh", "……"), Run("en", "?! ")]) == []
    assert server.requests == []


@pytest.mark.parametrize("fault", ["503", "no audio"])
async def test_a_failure_before_the_first_sound_is_tried_again(
    server: EdgeServer, voice: EdgeVoice, fault: str
) -> None:
    server.faults = [fault]
    chunks = await said(voice, ENGLISH)
    assert len(onsets(chunks)) == 3
    assert len(server.requests) == 2


async def test_a_wrong_clock_is_set_right_by_the_servers(
    server: EdgeServer, voice: EdgeVoice
) -> None:
    server.faults = ["403"]
    assert len(onsets(await said(voice, ENGLISH))) == 3


@pytest.mark.parametrize(
    "fault, message, retryable, times",
    [
        ("403", "clock", False, 2),
        ("403 without date", "clock", False, 1),
        ("503", "HTTP 503", True, 2),
        ("hang", "no sound within 0.5 s", True, 1),
        ("no audio", "no sound", True, 2),
        ("new format", "latest version", False, 1),
        ("stall", "paused for 0.5 s", True, 1),
        ("cut", "broke off", True, 1),
        ("close", "broke off", True, 1),
    ],
)
async def test_what_fails_is_told(
    server: EdgeServer, fault: str, message: str, retryable: bool, times: int
) -> None:
    assert fault in FAULTS
    waits = {"first_sound_sec": 0.5} if fault == "hang" else {"stall_sec": 0.5}
    voice = EdgeVoice(settings=EdgeSettings.model_validate({"first_sound_sec": 30, **waits}))
    server.faults = [fault] * 5
    chunks = []
    with pytest.raises(VoiceError, match=message) as told:
        async with aclosing(voice.speak(ENGLISH)) as speech:
            async for chunk in speech:
                chunks.append(chunk)
    assert told.value.retryable is retryable
    assert told.value.zh != str(told.value)
    assert len(server.requests) == times
    broken = fault in ("stall", "cut", "close")
    assert bool(chunks) is broken
    if broken:  # what was said before it failed is speech, and never said twice
        assert 1 <= len(onsets(chunks)) < 3
        assert words_of(chunks, ENGLISH)[0][0] == "one"


async def test_server_down(voice: EdgeVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    async with EdgeServer() as gone:
        url = gone.url
    monkeypatch.setattr("edge_tts.communicate.WSS_URL", url)
    with pytest.raises(VoiceError, match="cannot reach") as told:
        await said(voice, ENGLISH)
    assert told.value.retryable
    with pytest.raises(VoiceError, match="cannot reach"):
        await voice.check()


async def test_not_installed(voice: EdgeVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edge_tts", None)
    monkeypatch.delitem(sys.modules, "edge_tts.communicate")
    with pytest.raises(VoiceError, match=r"pip install 'mien\[edge\]'") as told:
        await voice.check()
    assert not told.value.retryable


async def test_check(server: EdgeServer, voice: EdgeVoice) -> None:
    await voice.check()
    assert server.requests == []


async def test_closing_the_generator_hangs_up(server: EdgeServer, voice: EdgeVoice) -> None:
    server.pace_sec = 0.02
    runs = [Run("en", "word " * 100)]
    async with aclosing(voice.speak(runs)) as speech:
        await anext(speech)
    await server.requests[0].ended.wait()
    assert not server.requests[0].finished
    assert not voice._pumps


async def test_cancelling_the_task_hangs_up(server: EdgeServer, voice: EdgeVoice) -> None:
    server.faults = ["hang"]
    task = asyncio.create_task(said(voice, ENGLISH))
    await server.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.requests[0].ended.wait()
    assert not voice._pumps


async def test_two_at_once(server: EdgeServer, voice: EdgeVoice) -> None:
    server.pace_sec = 0.005
    many = [Run("en", "one two three four five")]
    first, second = await asyncio.gather(said(voice, ENGLISH), said(voice, many))
    assert (len(onsets(first)), len(onsets(second))) == (3, 5)


async def test_aclose_ends_speech_under_way(server: EdgeServer) -> None:
    voice = EdgeVoice()
    await voice.aclose()
    await voice.aclose()
    with pytest.raises(VoiceError, match="closed"):
        await said(voice, ENGLISH)
    voice = EdgeVoice()
    server.pace_sec = 0.05
    async with aclosing(voice.speak(ENGLISH)) as speech:
        await anext(speech)
        await voice.aclose()
        with pytest.raises(VoiceError, match="closed"):
            async for _ in speech:
                pass
    assert len(server.requests) == 1
