"""STT services of pipecat as recognisers: one over HTTP, one over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from listening_server import ListeningServer, Pcm, renditions
from mien.asr.contract import AsrError, Recognition
from mien.asr.pipecat_recognizer import PipecatRecognizer, PipecatSettings

ZH, EN = "今天的天气怎么样？", "How long does the delivery take?"
SILENCE = np.zeros(8000, np.int16)

Make = Callable[..., PipecatRecognizer]
Sounds = dict[str, Pcm]


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    return renditions(ZH, EN)


@pytest.fixture
async def server() -> AsyncIterator[ListeningServer]:
    async with ListeningServer([ZH, EN]) as server:
        yield server


@pytest.fixture
async def make(server: ListeningServer) -> AsyncIterator[Make]:
    """Makes recognisers; afterwards nothing of them is left."""
    before = asyncio.all_tasks()
    made: list[PipecatRecognizer] = []

    def make(kind: str, **table: Any) -> PipecatRecognizer:
        http = kind == "openai"
        url = server.url if http else server.url.replace("http", "ws").removesuffix("/v1")
        table = {"type": kind, "params": {"base_url": url, "api_key": "k"}} | table
        made.append(PipecatRecognizer("test", PipecatSettings.model_validate(table)))
        return made[-1]

    yield make
    for recognizer in made:
        await recognizer.aclose()
    after = asyncio.all_tasks() - before - {asyncio.current_task()}
    theirs = ("aiohttp", "listening_server")
    assert not [task for task in after if not any(name in repr(task) for name in theirs)]


def say(recognition: Recognition, sound: Pcm) -> None:
    for at in range(0, len(sound), 640):
        recognition.push(sound[at : at + 640])


@pytest.mark.parametrize("kind", ["openai", "cartesia"])
async def test_both_languages(
    make: Make, server: ListeningServer, sounds: Sounds, kind: str
) -> None:
    recognizer = make(kind)
    await recognizer.warm_up()
    assert recognizer.streaming == (kind == "cartesia")
    for language, text in (("zh", ZH), ("en", EN)):
        partials: list[str] = []
        recognition = recognizer.open(language, partials.append)  # type: ignore[arg-type]
        for _ in range(2):
            recognition.begin()
            assert recognition.partial == ""
            say(recognition, sounds[text])
            say(recognition, SILENCE)
            assert await recognition.transcript() == text
            asked = len(server.asked)
            assert await recognition.transcript() == text
            say(recognition, SILENCE)
            assert await recognition.transcript() == text
            assert len(server.asked) == asked
        assert text in partials
        assert ("So far" in partials) == recognizer.streaming
        assert server.asked[-1].form["language"] == language


async def test_an_utterance_in_two_parts(make: Make, sounds: Sounds) -> None:
    recognition = make("cartesia").open("en", lambda text: None)
    recognition.begin()
    say(recognition, sounds[EN])
    assert await recognition.transcript() == EN
    say(recognition, SILENCE)
    say(recognition, sounds[EN])
    assert await recognition.transcript() == f"{EN} {EN}"


@pytest.mark.parametrize("kind", ["openai", "cartesia"])
async def test_what_nobody_asked_about_is_no_part_of_the_next(
    make: Make, sounds: Sounds, kind: str
) -> None:
    recognition = make(kind).open("zh", lambda text: None)
    recognition.begin()
    say(recognition, sounds[EN][:12_000])
    recognition.begin()
    say(recognition, sounds[ZH])
    waiting = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    recognition.begin()
    say(recognition, sounds[EN])
    assert await recognition.transcript() == EN
    assert await waiting == ZH


@pytest.mark.parametrize(
    "kind, fault, why",
    [
        ("openai", "401", "fault 401"),
        ("openai", "hang", "no words within"),
        ("cartesia", "cut", None),
    ],
)
async def test_failures(
    make: Make, server: ListeningServer, sounds: Sounds, kind: str, fault: str, why: str | None
) -> None:
    hasty = {"timeout_sec": 1} if fault == "hang" else {}
    recognition = make(kind, **hasty).open("zh", lambda text: None)
    recognition.begin()
    say(recognition, sounds[ZH])
    server.faults = [fault]
    with pytest.raises(AsrError, match=why) as told:
        await recognition.transcript()
    assert told.value.zh
    server.faults = []
    recognition.begin()
    say(recognition, sounds[ZH])
    assert await recognition.transcript() == ZH


async def test_what_is_wrong_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AsrError, match="no STT service 'deepgran'; choose one of deepgram"):
        await make("deepgran").check()
    with pytest.raises(AsrError, match="pip install 'pipecat-ai\\[funasr\\]'"):
        await make("funasr", params={}).check()
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    with pytest.raises(AsrError, match="set CARTESIA_API_KEY"):
        await make("cartesia", params={}).check()
    with pytest.raises(AsrError, match="has no modle in its settings"):
        await make("openai", settings={"modle": "x"}).check()
    with pytest.raises(AsrError, match="does not answer"):
        await make("openai", params={"base_url": "http://127.0.0.1:9/v1"}).check()
    with pytest.raises(AsrError, match="which of pipecat's services"):
        make("", params={})
