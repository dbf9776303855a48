"""Services of pipecat as voices, against local servers with their wire formats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import aiohttp
import numpy as np
import pytest

from mien.tts.pipecat_voice import PipecatSettings, PipecatVoice
from mien.tts.voice import Run, VoiceChunk, VoiceError
from pipecat_servers import STEP_SEC, CartesiaServer, DeepgramServer, NeuphonicServer, OpenAIServer

ENGLISH = [Run("en", "one two three, four.")]
MIXED = [Run("zh", "我用"), Run("en", "Python"), Run("zh", "写。")]

Make = Callable[..., PipecatVoice]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes voices; afterwards nothing of them is left."""
    before = asyncio.all_tasks()
    voices: list[PipecatVoice] = []

    def make(kind: str, **table: Any) -> PipecatVoice:
        table = {"service": "pipecat", "type": kind, "first_sound_sec": 30, "stall_sec": 30} | table
        voices.append(PipecatVoice("test", PipecatSettings.model_validate(table)))
        return voices[-1]

    yield make
    for voice in voices:
        await voice.aclose()
        await voice.aclose()
    after = asyncio.all_tasks() - before - {asyncio.current_task()}
    servers = ("aiohttp", "pipecat_servers")
    assert not [task for task in after if not any(name in repr(task) for name in servers)]


@pytest.fixture
async def openai() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def cartesia() -> AsyncIterator[CartesiaServer]:
    async with CartesiaServer() as server:
        yield server


async def said(voice: PipecatVoice, runs: list[Run]) -> list[VoiceChunk]:
    async with aclosing(voice.speak(runs)) as chunks:
        return [chunk async for chunk in chunks]


def beeps_in(chunks: list[VoiceChunk]) -> int:
    if not chunks:
        return 0
    loud = np.abs(np.concatenate([chunk.pcm for chunk in chunks]).astype(float)) > 4000
    at = np.flatnonzero(loud)
    return int(len(at) > 0) + int((np.diff(at) > 0.05 * 48_000).sum())


def words_in(chunks: list[VoiceChunk], runs: list[Run]) -> list[tuple[str, float]]:
    found, at = [], 0
    for chunk in chunks:
        for word in chunk.words:
            text = runs[word.run].text[word.begin : word.stop]
            found.append((text, at / 48_000 + word.start))
        at += len(chunk.pcm)
    return found


def seconds(chunks: list[VoiceChunk]) -> float:
    return sum(len(chunk.pcm) for chunk in chunks) / 48_000


async def failing(voice: PipecatVoice, runs: list[Run]) -> tuple[VoiceError, list[VoiceChunk]]:
    chunks = []
    with pytest.raises(VoiceError) as told:
        async with aclosing(voice.speak(runs)) as speech:
            async for chunk in speech:
                chunks.append(chunk)
    assert told.value.zh
    return told.value, chunks


# -- over HTTP ---------------------------------------------------------------------------


async def test_http(make: Make, openai: OpenAIServer) -> None:
    voice = make(
        "openai",
        params={"base_url": openai.url},
        settings={"voice": "coral", "instructions": "Be kind."},
        speed=1.5,
    )
    await voice.check()
    for _ in range(2):
        chunks = await said(voice, ENGLISH)
        assert beeps_in(chunks) == 4
        assert seconds(chunks) == pytest.approx(4 * STEP_SEC, abs=0.001)
        assert words_in(chunks, ENGLISH) == []
    request = openai.clauses[0].request
    assert request["input"] == "one two three, four."
    assert (request["voice"], request["speed"]) == ("coral", 1.5)
    assert request["instructions"] == "Be kind."
    assert await said(voice, [Run("zh", "……")]) == []
    assert len(openai.clauses) == 2


async def test_the_key_of_the_environment_goes_to_its_vendor_only(
    make: Make, openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("MY_KEY", "mine")
    await said(make("openai", params={"base_url": openai.url}), ENGLISH)
    await said(make("openai", params={"base_url": openai.url}, api_key_env="MY_KEY"), ENGLISH)
    keys = [clause.headers["Authorization"] for clause in openai.clauses]
    assert keys == ["Bearer none", "Bearer mine"]


async def test_a_service_that_wants_a_session_gets_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[aiohttp.ClientSession] = []
    new = aiohttp.ClientSession

    def made() -> aiohttp.ClientSession:
        sessions.append(new())
        return sessions[-1]

    monkeypatch.setattr("mien.tts.pipecat_host.aiohttp.ClientSession", made)
    async with DeepgramServer() as server:
        table = {"base_url": server.url, "api_key": "k"}
        voice = make("DeepgramHttpTTSService", params=table, settings={"voice": "v"})
        assert beeps_in(await said(voice, ENGLISH)) == 4
        server.faults = ["cut"]
        await failing(voice, ENGLISH)
        await voice.aclose()
    assert sessions and all(session.closed for session in sessions)


@pytest.mark.parametrize(
    "fault, message, retryable",
    [("500", "fault 500", True), ("401", "fault 401", False), ("silent", "no audio", True)],
)
async def test_http_failure(
    make: Make, openai: OpenAIServer, fault: str, message: str, retryable: bool
) -> None:
    openai.faults = [fault] * 9
    # A service that yields nothing is waited for until it may no longer be silent.
    short = {"first_sound_sec": 0.1, "stall_sec": 0.1} if fault == "silent" else {}
    voice = make("openai", params={"base_url": openai.url}, **short)
    error, chunks = await failing(voice, ENGLISH)
    assert message in str(error) and error.retryable is retryable
    assert chunks == []
    openai.faults = []
    if not short:
        assert beeps_in(await said(voice, ENGLISH)) == 4


async def test_http_cut_in_mid_stream(make: Make, openai: OpenAIServer) -> None:
    openai.faults = ["cut"]
    voice = make("openai", params={"base_url": openai.url})
    error, chunks = await failing(voice, ENGLISH)
    assert error.retryable
    assert beeps_in(chunks) < 4
    assert beeps_in(await said(voice, ENGLISH)) == 4


async def test_http_barge_in(make: Make, openai: OpenAIServer) -> None:
    openai.pace_sec = 0.02
    voice = make("openai", params={"base_url": openai.url})
    async with aclosing(voice.speak([Run("en", "word " * 100)])) as speech:
        await anext(speech)
    await openai.clauses[0].ended.wait()
    assert not openai.clauses[0].finished
    assert beeps_in(await said(voice, ENGLISH)) == 4


async def test_cancelled_while_it_waits(make: Make, openai: OpenAIServer) -> None:
    openai.faults = ["hang"]
    task = asyncio.create_task(said(make("openai", params={"base_url": openai.url}), ENGLISH))
    await openai.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await openai.clauses[0].ended.wait()


async def test_http_server_down(make: Make) -> None:
    async with OpenAIServer() as gone:
        url = gone.url
    voice = make("openai", params={"base_url": url})
    error, chunks = await failing(voice, ENGLISH)
    assert error.retryable and chunks == []
    with pytest.raises(VoiceError, match="does not answer at"):
        await voice.check()


# -- over a WebSocket --------------------------------------------------------------------


def cartesia_table(server: CartesiaServer, **settings: Any) -> dict[str, Any]:
    return {"params": {"url": server.url, "api_key": "k"}, "settings": {"voice": "v"} | settings}


async def test_websocket_words(make: Make, cartesia: CartesiaServer) -> None:
    voice = make("cartesia", **cartesia_table(cartesia, generation_config={"emotion": "calm"}))
    await voice.check()
    for _ in range(3):
        chunks = await said(voice, ENGLISH)
        assert beeps_in(chunks) == 4
        words = words_in(chunks, ENGLISH)
        assert [word for word, _ in words] == ["one", "two", "three", "four"]
        expected = [at * STEP_SEC for at in range(4)]
        assert [start for _, start in words] == pytest.approx(expected, abs=0.001)
    assert cartesia.connections == 1
    assert cartesia.clauses[0].headers["X-API-Key"] == "k"
    assert cartesia.clauses[0].request["generation_config"] == {"emotion": "calm"}


async def test_websocket_chinese_words(make: Make, cartesia: CartesiaServer) -> None:
    voice = make("cartesia", **cartesia_table(cartesia, language="zh"))
    chunks = await said(voice, MIXED)
    assert [word for word, _ in words_in(chunks, MIXED)] == ["我", "用", "Python", "写"]
    assert cartesia.clauses[0].request["language"] == "zh"


async def test_words_that_the_service_never_timed(make: Make, cartesia: CartesiaServer) -> None:
    cartesia.faults = ["untimed", "wordless"]
    voice = make("cartesia", **cartesia_table(cartesia))
    chunks = await said(voice, ENGLISH)
    words = words_in(chunks, ENGLISH)
    assert [word for word, _ in words] == ["one", "two", "three", "four"]
    assert beeps_in(await said(voice, ENGLISH)) == 4


@pytest.mark.parametrize(
    "fault, message",
    [("error", "out of credit"), ("cut", "closed"), ("close", "broke off"), ("mute", "no audio")],
)
async def test_websocket_failure(
    make: Make, cartesia: CartesiaServer, fault: str, message: str
) -> None:
    cartesia.faults = [fault]
    voice = make("cartesia", **cartesia_table(cartesia))
    error, chunks = await failing(voice, ENGLISH)
    assert message in str(error) and error.retryable
    assert beeps_in(chunks) < 4
    assert "four" not in [word for word, _ in words_in(chunks, ENGLISH)]
    again = await said(voice, ENGLISH)
    assert beeps_in(again) == 4 and len(words_in(again, ENGLISH)) == 4


async def test_websocket_stall(make: Make, cartesia: CartesiaServer) -> None:
    cartesia.faults = ["stall"]
    table = cartesia_table(cartesia)
    table["params"]["stop_frame_timeout_s"] = 0.3
    error, chunks = await failing(make("cartesia", **table), ENGLISH)
    assert "complete" in str(error) and error.retryable
    assert 1 <= beeps_in(chunks) < 4


async def test_websocket_server_down_and_back(make: Make, cartesia: CartesiaServer) -> None:
    voice = make("cartesia", **cartesia_table(cartesia))
    cartesia.refuse = True
    error, chunks = await failing(voice, ENGLISH)
    assert "401" in str(error) and chunks == []
    assert not error.retryable
    cartesia.refuse = False
    assert beeps_in(await said(voice, ENGLISH)) == 4


async def test_websocket_barge_in(make: Make, cartesia: CartesiaServer) -> None:
    cartesia.pace_sec = 0.02
    voice = make("cartesia", **cartesia_table(cartesia))
    async with aclosing(voice.speak([Run("en", "word " * 100)])) as speech:
        await anext(speech)
    await cartesia.clauses[0].ended.wait()
    assert cartesia.cancelled == [cartesia.clauses[0].request["context_id"]]
    assert not cartesia.clauses[0].finished
    cartesia.pace_sec = 0
    assert beeps_in(await said(voice, ENGLISH)) == 4
    assert cartesia.connections == 1


async def test_nothing_of_an_interrupted_clause_is_heard_in_the_next(
    make: Make, cartesia: CartesiaServer
) -> None:
    cartesia.pace_sec = 0.005
    cartesia.faults = ["deaf"] * 5
    voice = make("cartesia", **cartesia_table(cartesia))
    for _ in range(5):
        async with aclosing(voice.speak([Run("en", "word " * 60)])) as speech:
            await anext(speech)
        # At once, while the server still sends what it was told to stop.
        chunks = await said(voice, ENGLISH)
        assert beeps_in(chunks) == 4
        assert seconds(chunks) == pytest.approx(4 * STEP_SEC, abs=0.001)
        assert len(words_in(chunks, ENGLISH)) == 4


async def test_two_sessions_at_once(make: Make, cartesia: CartesiaServer) -> None:
    cartesia.pace_sec = 0.005
    voice = make("cartesia", **cartesia_table(cartesia))
    texts = ["one two", "one two three", "one", "one two three four five"]
    speeches = await asyncio.gather(*(said(voice, [Run("en", text)]) for text in texts))
    assert [beeps_in(chunks) for chunks in speeches] == [2, 3, 1, 5]
    assert len(voice._idle) == 2  # kept; the others were closed
    assert cartesia.connections == 4


async def test_a_connection_that_died_while_idle(make: Make, cartesia: CartesiaServer) -> None:
    voice = make("cartesia", **cartesia_table(cartesia))
    await said(voice, ENGLISH)
    address = cartesia.address
    await cartesia.__aexit__(None, None, None)
    error, _ = await failing(voice, ENGLISH)
    assert error.retryable
    assert address == cartesia.address


async def test_a_service_that_says_neither_what_it_speaks_nor_when_it_ends(make: Make) -> None:
    async with NeuphonicServer() as server:
        server.pace_sec = 0.005
        params = {"url": server.url, "api_key": "k", "sample_rate": 24_000}
        params["stop_frame_timeout_s"] = 1  # of silence: the clause is complete
        voice = make("neuphonic", params=params, settings={"voice": "v"})
        assert beeps_in(await said(voice, ENGLISH)) == 4
        async with aclosing(voice.speak([Run("en", "word " * 60)])) as speech:
            await anext(speech)
        chunks = await said(voice, ENGLISH)
        assert beeps_in(chunks) == 4
        assert seconds(chunks) == pytest.approx(4 * STEP_SEC, abs=0.001)
        server.faults = ["cut"]
        error, chunks = await failing(voice, ENGLISH)
        assert "closed" in str(error) and beeps_in(chunks) < 4
        assert beeps_in(await said(voice, ENGLISH)) == 4


async def test_aclose_ends_speech_under_way(make: Make, cartesia: CartesiaServer) -> None:
    cartesia.pace_sec = 0.02
    voice = make("cartesia", **cartesia_table(cartesia))
    async with aclosing(voice.speak([Run("en", "word " * 100)])) as speech:
        await anext(speech)
        await voice.aclose()
        with pytest.raises(VoiceError, match="closed"):
            async for _ in speech:
                pass
    with pytest.raises(VoiceError, match="closed"):
        await said(voice, ENGLISH)


async def test_aclose_before_first_use() -> None:
    voice = PipecatVoice("test", PipecatSettings(type="openai"))
    await voice.aclose()
    await voice.aclose()
