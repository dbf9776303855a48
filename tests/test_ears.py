"""Which recogniser listens, why it is that one, and what happens when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import mien.asr
from listening_server import ListeningServer, renditions
from mien.asr.browser import BrowserRecognition
from mien.asr.choice import Choice
from mien.asr.relay import Relay
from mien.config import ConfigError
from mien.ears import Ears
from mien.language import Language
from mien.media.sound_file import read_sound

ZH = "你好，请问你能做什么？"
RECORDED = Path(mien.asr.__path__[0]).parent / "assets" / "dictation" / "en-16.ogg"


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))


@pytest.fixture
async def server() -> AsyncIterator[ListeningServer]:
    async with ListeningServer([ZH]) as server:
        yield server


def local(server: ListeningServer | None, **more: object) -> dict[str, dict[str, object]]:
    url = "http://127.0.0.1:9/v1" if server is None else server.url
    return {"local": {"service": "openai", "base_url": url, **more}}


async def test_nobody_understands_chinese_until_something_is_done_about_it() -> None:
    ears = Ears()
    choice = await ears.choose("zh")
    assert choice.recognizer is None
    assert "mien models pull sherpa-onnx-streaming" in choice.why_en
    assert "mien models pull sherpa-onnx-streaming" in choice.why_zh and "中文" in choice.why_zh
    choice = await ears.choose("zh", browser=True)
    assert choice.recognizer is not None and choice.recognizer.name == "browser"
    assert "your browser listens" in choice.why_en and choice.why_zh
    assert (await ears.choose("zh", "browser", browser=True)).why is None
    await ears.aclose()


async def test_what_is_configured_comes_first(server: ListeningServer) -> None:
    ears = Ears("local", local(server))
    choice = await ears.choose("zh", browser=True)
    assert choice.recognizer is not None and choice.recognizer.name == "local"
    assert choice.why is None
    again = await ears.choose("zh")
    assert again.recognizer is choice.recognizer
    await ears.aclose()


async def test_where_it_cannot_the_next_one_listens_and_says_why() -> None:
    ears = Ears("local", local(None))
    choice = await ears.choose("zh", browser=True)
    assert choice.recognizer is not None and choice.recognizer.name == "browser"
    assert choice.why_en.startswith("local cannot listen now: 127.0.0.1 does not answer")
    assert choice.why_zh.startswith("local 目前无法使用")
    choice = await ears.choose("zh", "pocketsphinx", browser=True)
    assert choice.why_en.startswith(
        "pocketsphinx cannot listen now: it does not understand Chinese"
    )
    await ears.aclose()


async def test_visitors_cannot_choose_what_is_not_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    ears = Ears()
    assert "openai" not in ears.names() and "pipecat" not in ears.names()
    for name in ("openai", "no such"):
        choice = await ears.choose("zh", name, browser=True)
        assert choice.recognizer is not None and choice.recognizer.name == "browser"
        assert choice.why_en.startswith(f"{name} cannot listen now: it is not set up here")
    await ears.aclose()


def test_wrong_settings() -> None:
    with pytest.raises(ConfigError, match="unknown recogniser 'sphinx'; choose one of sherpa"):
        Ears("sphinx")
    with pytest.raises(ConfigError, match=r"ears\.recognizers\.x\.modle: there is no such setting"):
        Ears("x", {"x": {"service": "groq", "modle": "y"}})
    with pytest.raises(ConfigError, match=r"ears\.recognizers\.x\.service: unknown service"):
        Ears("x", {"x": {"service": "vosk"}})


async def test_listed(server: ListeningServer) -> None:
    ears = Ears("auto", {**local(server, languages=["zh"]), "cloud": {"service": "groq"}})
    listed = {each.name: each for each in await ears.listed()}
    assert list(listed) == ["local", "cloud", "sherpa", "browser", "pocketsphinx"]
    assert listed["local"].available and listed["local"].languages == ["zh"]
    assert listed["local"].label == {"en": "local (127.0.0.1)", "zh": "local（127.0.0.1）"}
    why = listed["cloud"].why
    assert not listed["cloud"].available and why is not None and "GROQ_API_KEY" in why["en"]
    assert listed["cloud"].distant and listed["browser"].distant
    assert not listed["pocketsphinx"].distant and listed["pocketsphinx"].languages == ["en"]
    assert listed["browser"].limits is not None and "谷歌" in listed["browser"].limits["zh"]
    why = listed["sherpa"].why
    assert not listed["sherpa"].available and why is not None and "mien models pull" in why["zh"]
    await ears.aclose()


async def relay_of(ears: Ears, language: Language, browser: bool, told: list[Choice]) -> Relay:
    async def choose() -> Choice:
        return await ears.choose(language, browser=browser)

    return Relay(
        await choose(),
        language,
        lambda text: None,
        choose=choose,
        failed=ears.failed,
        on_choice=told.append,
    )


async def test_what_one_fails_at_the_next_hears_again(server: ListeningServer) -> None:
    ears = Ears("local", local(server))
    told: list[Choice] = []
    relay = await relay_of(ears, "en", False, told)
    server.faults = ["401"]
    relay.begin()
    relay.push(read_sound(RECORDED.read_bytes()))
    assert await relay.transcript() == "Is there a discount for students"
    assert told == [relay.choice] and relay.choice.recognizer is not None
    assert relay.choice.recognizer.name == "pocketsphinx"
    assert relay.choice.why_en.startswith("local cannot listen now: 127.0.0.1 at http")
    await relay.aclose()
    await ears.aclose()


async def test_the_wanted_one_returns(server: ListeningServer) -> None:
    ears = Ears("local", local(server))
    told: list[Choice] = []
    relay = await relay_of(ears, "zh", True, told)
    sound = (await asyncio.to_thread(renditions, ZH))[ZH]
    server.faults = ["401"]
    relay.begin()
    relay.push(sound)
    waiting = asyncio.create_task(relay.transcript())
    async with asyncio.timeout(60):
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert isinstance(relay.recognition, BrowserRecognition)
        relay.recognition.hear("你能做什么", True)
        assert await waiting == "你能做什么"

        relay.begin()
        ears._members["local"].breaker._until = 0.0  # its pause is over
        while len(told) < 2:
            relay.begin()
            await asyncio.sleep(0.01)
        relay.push(sound)
        assert await relay.transcript() == ZH
    assert relay.choice.recognizer is not None and relay.choice.recognizer.name == "local"
    assert relay.choice.why is None
    await relay.aclose()
    await ears.aclose()
