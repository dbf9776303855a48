"""Transcription over HTTP, by a server that really listens, well or badly on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from listening_server import ListeningServer, Pcm, renditions
from mien.asr.contract import AsrError, Recognition
from mien.asr.http_transcription import TranscriptionRecognizer, TranscriptionSettings

ZH, EN = "你好，请问你能做什么？", "Can you explain how the machine works?"

Make = Callable[..., TranscriptionRecognizer]


@pytest.fixture(scope="module")
def sounds() -> dict[str, Pcm]:
    return renditions(ZH, EN)


@pytest.fixture
async def server() -> AsyncIterator[ListeningServer]:
    async with ListeningServer([ZH, EN]) as server:
        yield server


@pytest.fixture
async def make(server: ListeningServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr("mien.asr.http_transcription._PAUSE_SEC", 0.0)
    made: list[TranscriptionRecognizer] = []

    def make(service: str = "openai", **table: Any) -> TranscriptionRecognizer:
        table = {"service": service, "base_url": server.url} | table
        made.append(TranscriptionRecognizer("local", TranscriptionSettings.model_validate(table)))
        return made[-1]

    yield make
    for recognizer in made:
        await recognizer.aclose()


def say(recognition: Recognition, sound: Pcm) -> None:
    recognition.begin()
    for at in range(0, len(sound), 1600):
        recognition.push(sound[at : at + 1600])


async def test_words_of_both_languages(
    make: Make, server: ListeningServer, sounds: dict[str, Pcm]
) -> None:
    recognizer = make("siliconflow", prompt="mien", fields={"temperature": "0"}, model="m")
    await recognizer.warm_up()
    told: list[str] = []
    recognition = recognizer.open("zh", told.append)
    assert await recognition.transcript() == ""
    say(recognition, sounds[ZH])
    assert recognition.partial == ""
    assert await recognition.transcript() == recognition.partial == ZH
    assert await recognition.transcript() == ZH
    recognition.push(np.zeros(8000, np.int16))
    assert await recognition.transcript() == ZH
    assert told == [ZH]
    english = recognizer.open("en", told.append)
    say(english, sounds[EN])
    both = asyncio.gather(english.transcript(), recognition.transcript())
    assert await both == [EN, ZH]
    assert [asked.form["language"] for asked in server.asked] == ["zh", "en"]
    assert server.asked[0].form == {
        "model": "m",
        "language": "zh",
        "response_format": "json",
        "prompt": "mien",
        "temperature": "0",
    }
    assert "Authorization" not in server.asked[0].headers


async def test_the_utterance_it_was_asked_for(make: Make, sounds: dict[str, Pcm]) -> None:
    recognition = make().open("zh", lambda text: None)
    say(recognition, sounds[ZH])
    waiting = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    say(recognition, sounds[EN])
    assert await waiting == ZH
    assert recognition.partial == ""
    assert await recognition.transcript() == EN


async def test_keys(
    make: Make,
    server: ListeningServer,
    sounds: dict[str, Pcm],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "secret")
    monkeypatch.setenv("MINE", "mine")
    for table in ({}, {"api_key_env": "MINE"}, {"api_key": "given"}):
        recognition = make("groq", **table).open("zh", lambda text: None)
        say(recognition, sounds[ZH])
        await recognition.transcript()
    keys = [asked.headers.get("Authorization") for asked in server.asked]
    assert keys == [None, "Bearer mine", "Bearer given"]
    monkeypatch.delenv("GROQ_API_KEY")
    with pytest.raises(AsrError, match=r"GROQ_API_KEY\. You get one at https") as told:
        make("groq", base_url=None)
    assert "GROQ_API_KEY" in told.value.zh and not told.value.retryable
    with pytest.raises(AsrError, match="must look like https"):
        make(base_url="localhost:8000")


@pytest.mark.parametrize(
    "faults, message, retryable, requests",
    [
        (["401"], "HTTP 401: fault 401. Check the key", False, 1),
        (["503", "503"], "HTTP 503", True, 2),
        (["hang"], "no words within 1 s", True, 1),
        (["cut", "cut"], "gave no answer", True, 2),
        (["page"], 'without a transcript: "Log in first"', False, 1),
        (["wordless"], "without a transcript", False, 1),
    ],
)
async def test_failures(
    make: Make,
    server: ListeningServer,
    sounds: dict[str, Pcm],
    faults: list[str],
    message: str,
    retryable: bool,
    requests: int,
) -> None:
    recognition = make(timeout_sec=1 if "hang" in faults else 60).open("zh", lambda text: None)
    say(recognition, sounds[ZH])
    server.faults = list(faults)
    with pytest.raises(AsrError, match=message) as told:
        await recognition.transcript()
    assert told.value.retryable == retryable and told.value.zh != str(told.value)
    assert len(server.asked) == requests
    assert await recognition.transcript() == ZH


async def test_one_more_try(make: Make, server: ListeningServer, sounds: dict[str, Pcm]) -> None:
    recognition = make().open("zh", lambda text: None)
    say(recognition, sounds[ZH])
    server.faults = ["503"]
    assert await recognition.transcript() == ZH


async def test_nobody_there_and_closed(
    make: Make, server: ListeningServer, sounds: dict[str, Pcm]
) -> None:
    with pytest.raises(AsrError, match=r"does not answer at http://127\.0\.0\.1:9"):
        await make(base_url="http://127.0.0.1:9/v1").check()
    recognition = make().open("zh", lambda text: None)
    say(recognition, sounds[ZH])
    server.faults = ["hang"]
    waiting = asyncio.create_task(recognition.transcript())
    async with asyncio.timeout(60):
        await server.heard.wait()
    await recognition.aclose()
    with pytest.raises(AsrError, match="closed"):
        await waiting
