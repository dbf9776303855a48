"""Each conversation with the voice its visitor chose, through the API of a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from child_processes import children_with
from harness import Server, Viewer, listening, new_session, running_server, until, watching
from mien.tts.alignment import ForcedAlignment
from mien.tts.fallback import FallbackVoice
from mien.tts.voice import Run, VoiceError
from mien.voice_pool import VoicePool
from test_api import assert_problem
from tones import heard, spelled
from voice_dialects import gpt_sovits
from voice_pitch import VOICES, pitch
from voice_servers import VoiceServer, voice_server_thread

TEXT = "One by one the boats came home, and all of them were full of fish."
LOW = {"service": "espeak", "en": {"voice": "en-us+m3", "pitch": 10}}
HIGH = {"service": "espeak", "en": {"voice": "en-us+f3", "pitch": 99}}
TOML = f"""{VOICES}
[voices.wrong]
service = "espeak"
speed = 9
"""


@pytest.fixture(scope="module")
def anna() -> Iterator[VoiceServer]:
    with voice_server_thread(gpt_sovits) as running:
        yield running


@pytest.fixture(scope="module")
def site(anna: VoiceServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("voices")
    (folder / "mien.toml").write_text(TOML.replace("URL", anna.url), encoding="utf-8")
    environment = {"MIEN_GREET": "false", "MIEN_MODELS": str(folder), "OPENAI_API_KEY": "owner's"}
    with running_server(folder, environment=environment) as running:
        yield running


async def choose(client: httpx.AsyncClient, session: str, name: str, **more: Any) -> httpx.Response:
    path = f"/api/v1/sessions/{session}/voice"
    return await client.put(path, json={"name": name, **more}, timeout=60)


async def speaks(client: httpx.AsyncClient, viewer: Viewer, text: str = TEXT) -> float:
    """Its pitch in Hz."""
    async with listening(client, viewer.session) as events:
        path = f"/api/v1/sessions/{viewer.session}/say"
        turn = (await client.post(path, json={"text": text})).json()["turn"]
        await events.first("turn", 60, turn=turn)
    return pitch(viewer.sound())


async def test_two_conversations_at_once_have_two_voices(site: Server) -> None:
    async with site.client() as client:
        one, two = await new_session(client), await new_session(client)
        chosen = await choose(client, two, "high")
        assert chosen.status_code == 200, chosen.text
        assert chosen.json()["voice"]["name"] == chosen.json()["voice"]["wanted"] == "high"
        async with watching(client, one) as low, watching(client, two) as high:
            low.keep = high.keep = 4000
            hertz = await asyncio.gather(speaks(client, low), speaks(client, high))
            assert 50 < hertz[0] < 150 and 180 < hertz[1], hertz
        kept = [(await client.get(f"/api/v1/sessions/{each}")).json() for each in (one, two)]
        assert [each["voice"]["name"] for each in kept] == ["low", "high"]
        for each in (one, two):
            await client.delete(f"/api/v1/sessions/{each}")


async def test_a_choice_in_mid_answer_counts_from_the_next_clause(
    site: Server, anna: VoiceServer
) -> None:
    first, second = "The boats are coming home to the harbour. ", "Everybody is happy to see them."
    async with site.client() as client:
        session = await new_session(client)
        assert (await choose(client, session, "anna")).status_code == 200
        before = len(anna.texts)
        async with watching(client, session) as viewer, listening(client, session) as events:
            viewer.keep = 4000
            anna.hold()
            try:
                await client.post(f"/api/v1/sessions/{session}/say", json={"text": first + second})
                await until(lambda: len(anna.texts) > before, "she was asked")
                assert (await choose(client, session, "high")).status_code == 200
            finally:
                anna.release()
            told = await events.first("turn", 60)
            assert told["complete"] and told["text"] == first + second
            assert anna.texts[before:] == [first.strip()], "what was begun goes on"
            assert [each["name"] for each in events.of("voice")] == ["high"], "said once"
            sound = viewer.sound()
        spoken = spelled(first)
        letters = heard(sound, 48_000)
        assert letters[: len(spoken)] == spoken, "to its end"
        assert pitch(sound[-48_000 * 2 :]) > 180
        await client.delete(f"/api/v1/sessions/{session}")


async def test_a_chosen_voice_that_fails_is_stood_in_for(site: Server, anna: VoiceServer) -> None:
    async with site.client() as client:
        session = await new_session(client)
        assert (await choose(client, session, "anna")).status_code == 200
        async with listening(client, session) as events:
            anna.fault = "http_500"
            try:
                await client.post(f"/api/v1/sessions/{session}/say", json={"text": TEXT})
                told = await events.first("voice", 30)
            finally:
                anna.fault = None
            assert (told["name"], told["wanted"]) == ("low", "anna")
            assert "500" in told["why"]["en"] and told["why"]["zh"]
            await events.first("turn", 60, complete=True)
            # It works again, and whoever chooses it need not wait until it is tried.
            again = (await choose(client, session, "anna")).json()["voice"]
            assert again["name"] == "anna" and again["why"] is None
        await client.delete(f"/api/v1/sessions/{session}")


async def test_what_can_be_chosen_is_listed_and_nothing_else_can_be(site: Server) -> None:
    async with site.client() as client:
        listed = {voice["name"]: voice for voice in (await client.get("/api/v1/voices")).json()}
        assert next(iter(listed)) == "low" and {"high", "anna", "away", "wrong", "espeak"} <= set(
            listed
        )
        assert all(listed[name]["ready"] for name in ("low", "high", "anna", "espeak"))
        assert not listed["away"]["ready"] and "127.0.0.1:9" in listed["away"]["why_not"]["zh"]
        assert "speed" in listed["wrong"]["why_not"]["en"]
        assert not {"openai-speech", "pipecat", "bert-vits2", "gpt-sovits"} & set(listed)

        session = await new_session(client)
        for name in ("nobody", "os:path", "../low", "openai-speech", "marker"):
            refused = await choose(client, session, name)
            assert_problem(refused, 404, "no_such_voice")
            assert "low, " in refused.json()["error"]["message"]["en"], "those there are"
        for name, why in (("away", "127.0.0.1:9"), ("wrong", "speed")):
            refused = await choose(client, session, name)
            assert_problem(refused, 409, "voice_not_ready")
            message = refused.json()["error"]["message"]
            assert why in message["en"] and why in message["zh"]
        voice = (await client.get(f"/api/v1/sessions/{session}")).json()["voice"]
        assert voice["name"] == voice["wanted"] == "low", "all stays as it was"
        await client.delete(f"/api/v1/sessions/{session}")


async def test_a_conversation_can_begin_with_a_voice(site: Server) -> None:
    async with site.client() as client:
        opened = await client.post("/api/v1/sessions", json={"language": "en", "voice": "high"})
        session = opened.json()["id"]
        async with watching(client, session) as viewer:
            viewer.keep = 4000
            assert await speaks(client, viewer) > 180
        await client.delete(f"/api/v1/sessions/{session}")
        refused = await client.post("/api/v1/sessions", json={"voice": "nobody"})
        assert_problem(refused, 404, "no_such_voice")
        # One that is away for the time being keeps nobody from coming in.
        opened = await client.post("/api/v1/sessions", json={"language": "en", "voice": "away"})
        session = opened.json()["id"]
        async with listening(client, session) as events:
            await client.post(f"/api/v1/sessions/{session}/say", json={"text": "Hello."})
            told = await events.first("voice", 30)
            assert (told["name"], told["wanted"]) == ("low", "away")
        await client.delete(f"/api/v1/sessions/{session}")


async def test_a_sample_is_no_part_of_the_conversation(site: Server) -> None:
    async with site.client() as client:
        session = await new_session(client, "zh")
        async with listening(client, session) as events:
            await choose(client, session, "high", sample=True)
            clause = await events.first("clause", 30)
            assert clause["aside"] and clause["text"] == "你好，这是我的声音。"
            await events.first("turn", 30, aside=True)
            await client.post(f"/api/v1/sessions/{session}/say", json={"text": TEXT})
            await events.first("word", 30)
            await choose(client, session, "low", sample=True)
            whole = await events.first("turn", 60, text=TEXT)
            assert whole["complete"] and "aside" not in whole, "nobody is interrupted by it"
            asides = [clause for clause in events.of("clause") if "aside" in clause]
            assert len(asides) == 1
        history = (await client.get(f"/api/v1/sessions/{session}")).json()["history"]
        assert [message["text"] for message in history] == [TEXT]
        await client.delete(f"/api/v1/sessions/{session}")


async def say(voice: FallbackVoice) -> set[str]:
    async with aclosing(voice.speak([Run("en", "Good morning.")])) as chunks:
        return {chunk.by async for chunk in chunks if len(chunk.pcm)}


async def test_each_voice_is_loaded_once_and_nothing_outlives_the_pool() -> None:
    def workers() -> list[psutil.Process]:
        return children_with("espeak_worker")

    tasks, threads, before = len(asyncio.all_tasks()), threading.active_count(), len(workers())
    async with VoiceServer(gpt_sovits) as server:
        anna = {
            "service": "gpt-sovits",
            "url": server.url,
            "ref_audio_path": "a",
            "prompt_text": "b",
        }
        serving = len(asyncio.all_tasks())
        pool = VoicePool("low", {"low": LOW, "high": HIGH, "anna": anna}, ForcedAlignment())
        try:
            one, two = await asyncio.gather(pool.choose("high"), pool.choose("high"))
            assert one is two and len(server.texts) == 0
            assert await pool.choose("low") is pool.default
            assert [each.voice.name for each in one.members] == ["high", "low"]
            assert one.members[1] is pool.default.members[0], "shared with what stands in for it"
            assert await say(one) == {"high"} and await say(pool.default) == {"low"}
            assert await say(await pool.choose("anna")) == {"anna"}
            assert len(workers()) - before <= 3, "low, high, and who spells for the lips"
            server.fault = "http_503"
            assert await say(await pool.begin_with("anna", 10)) == {"low"}
            begun = asyncio.create_task(pool.choose("espeak"))
            await asyncio.sleep(0)
        finally:
            await pool.aclose()
        with pytest.raises((asyncio.CancelledError, VoiceError)):
            await begun
        with pytest.raises(VoiceError):
            await say(one)
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) <= serving + server.open_connections
    assert len(asyncio.all_tasks()) == tasks and len(workers()) == before
    # asyncio's own pool keeps what it has.
    own = [each for each in threading.enumerate() if not each.name.startswith("asyncio_")]
    assert len(own) <= threads
