"""Recordings, words and recognisers over the API of a server that hears Chinese and English."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio

from listening_server import ListeningServer, renditions
from mien.asr.http_transcription import wav
from mien.config import load_settings
from mien.server.app import create_app
from mien.server.audio_api import MAX_SOUND_BYTES
from mien.services import open_services
from test_api import assert_problem
from test_sound_file import encoded

pytestmark = pytest.mark.asyncio(loop_scope="module")
ZH, EN = "你好，请问你能做什么？", "Can you explain how the machine works?"


@pytest.fixture(scope="module")
def sounds() -> dict[str, bytes]:
    """WAV files, 16 kHz."""
    return {text: wav(pcm) for text, pcm in renditions(ZH, EN).items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears() -> AsyncIterator[ListeningServer]:
    async with ListeningServer([ZH, EN]) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(ears: ListeningServer) -> AsyncIterator[httpx.AsyncClient]:
    """Of the application in this process."""
    local = {"local": {"service": "openai", "base_url": ears.url}}
    settings = load_settings(
        None,
        greet=False,
        ears={"asr": "local", "recognizers": local},
        video={"width": 64, "height": 64},
        sessions={"idle_sec": 600},
    )
    async with open_services(settings) as services:
        app = create_app(settings, services)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as one,
        ):
            yield one


@pytest_asyncio.fixture(loop_scope="module")
async def session(client: httpx.AsyncClient) -> AsyncIterator[str]:
    made = await client.post("/api/v1/sessions", json={"language": "zh"})
    path = f"/api/v1/sessions/{made.json()['id']}"
    yield path
    await client.delete(path)


async def test_a_recording_is_answered(
    client: httpx.AsyncClient, session: str, sounds: dict[str, bytes]
) -> None:
    heard = await client.post(f"{session}/audio", content=sounds[ZH])
    assert heard.status_code == 202
    assert heard.json() == {"text": ZH, "turn": 1}
    heard = await client.post(f"{session}/audio?answer=false&language=en", content=sounds[EN])
    assert (heard.status_code, heard.json()) == (202, {"text": EN})
    await client.post(f"{session}/interrupt")


async def test_telephone_quality(
    client: httpx.AsyncClient, session: str, sounds: dict[str, bytes], tmp_path: Path
) -> None:
    call = telephone(sounds[ZH], tmp_path)
    heard = await client.post(f"{session}/audio?answer=false", content=call)
    assert heard.json() == {"text": ZH}


def telephone(sound: bytes, folder: Path) -> bytes:
    """As G.711 in WAV, 8 kHz."""
    source, call = folder / "said.wav", folder / "call.wav"
    source.write_bytes(sound)
    coded = ["-ar", "8000", "-c:a", "pcm_mulaw", str(call)]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(source), *coded], check=True)
    return call.read_bytes()


async def test_what_cannot_be_heard(
    client: httpx.AsyncClient, session: str, ears: ListeningServer, sounds: dict[str, bytes]
) -> None:
    asked = len(ears.asked)
    path = f"{session}/audio"
    silent = wav(np.random.default_rng(0).normal(0, 3, 16_000).astype(np.int16))
    assert_problem(await client.post(path), 422, "no_sound")
    assert_problem(await client.post(path, content=b"#EXTM3U\nx"), 422, "sound_unreadable")
    assert_problem(await client.post(path, content=silent), 422, "sound_silent")
    large = bytes(MAX_SOUND_BYTES + 1)
    assert_problem(await client.post(path, content=large), 413, "sound_too_large")
    assert len(ears.asked) == asked
    tone = encoded("wav", "pcm_s16le", 16_000)
    assert_problem(await client.post(path, content=tone), 422, "not_understood")
    ears.faults = ["401"]
    # Nobody else here understands Chinese.
    assert_problem(await client.post(path, content=sounds[ZH]), 502, "asr_failed")
    nowhere = await client.post("/api/v1/sessions/none/audio", content=silent)
    assert_problem(nowhere, 404, "no_such_session")
    elsewhere = await client.post(f"{session}/chat", content=large)
    assert elsewhere.status_code == 413


async def test_recognisers_are_listed_and_the_browsers_words_are_taken(
    client: httpx.AsyncClient, session: str
) -> None:
    listed = (await client.get("/api/v1/ears")).json()
    assert listed["modes"] == ["hands_free", "push_to_talk", "wake_word"]
    names = [each["name"] for each in listed["recognizers"]]
    assert names == ["local", "sherpa", "browser", "pocketsphinx"]
    assert listed["recognizers"][0]["label"]["zh"] == "local（127.0.0.1）"
    words = {"text": "你能做什么", "final": True}
    assert_problem(await client.post(f"{session}/words", json=words), 409, "not_the_browser")
    changed = await client.patch(f"{session}/ears", json={"engine": "browser", "browser": True})
    assert changed.json()["engine"] == "browser"
    assert (await client.post(f"{session}/words", json=words)).status_code == 204
    await client.patch(f"{session}/ears", json={"engine": "auto"})
