"""The browser's words: settled ones, words so far, late ones, none."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from mien.asr import browser
from mien.asr.browser import BrowserRecognition, BrowserRecognizer, BrowserSettings
from mien.asr.contract import AsrError

SOUND = np.ones(320, np.int16)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for comes, however slow the machine is."""
    monkeypatch.setattr(browser, "FINAL_SEC", 60.0)
    monkeypatch.setattr(browser, "FIRST_SEC", 60.0)


@pytest.fixture
def partials() -> list[str]:
    return []


@pytest.fixture
def recognition(partials: list[str]) -> BrowserRecognition:
    recognizer = BrowserRecognizer("browser", BrowserSettings())
    return recognizer.open("zh", partials.append)


async def test_settled_words_are_waited_for(
    recognition: BrowserRecognition, partials: list[str]
) -> None:
    recognition.begin()
    recognition.push(SOUND)
    recognition.hear("今天", False)
    recognition.hear("今天天气", False)
    waiting = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    assert not waiting.done() and recognition.partial == "今天天气"
    recognition.hear("今天天气怎么样", True)
    assert await waiting == "今天天气怎么样"
    assert await recognition.transcript() == "今天天气怎么样"
    assert partials == ["今天", "今天天气", "今天天气怎么样"]
    recognition.push(SOUND)
    recognition.hear("在北京", False)
    recognition.hear("在北京", True)
    assert await recognition.transcript() == "今天天气怎么样在北京"


async def test_words_so_far_do_where_the_browser_is_slow(
    recognition: BrowserRecognition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "FINAL_SEC", 0.01)
    recognition.begin()
    recognition.push(SOUND)
    recognition.hear("hello the", False)
    assert await recognition.transcript() == "hello the"
    # Its settled form comes late: it belongs to what has been answered.
    recognition.begin()
    recognition.hear("hello there", True)
    assert recognition.partial == ""
    recognition.push(SOUND)
    recognition.hear("stop", True)
    assert await recognition.transcript() == "stop"
    # What is unlike it is new.
    recognition.begin()
    recognition.push(SOUND)
    recognition.hear("what about", False)
    recognition.begin()
    recognition.hear("never mind", True)
    assert recognition.partial == "never mind"


async def test_no_words(recognition: BrowserRecognition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "FIRST_SEC", 0.01)
    recognition.begin()
    recognition.push(SOUND)
    assert await recognition.transcript() == ""
    recognition.fail(AsrError("network", zh="网络"))
    with pytest.raises(AsrError, match="network"):
        await recognition.transcript()


async def test_what_is_asked_for_stays_the_utterance_it_was_asked_for(
    recognition: BrowserRecognition,
) -> None:
    recognition.begin()
    recognition.push(SOUND)
    recognition.hear("one", False)
    waiting = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    recognition.begin()
    recognition.push(SOUND)
    recognition.hear("two and a half", False)
    assert await waiting == "one"
    closing = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    await recognition.aclose()
    assert await closing == "two and a half"


def test_english_is_joined_by_spaces() -> None:
    assert browser.joined(["Turn it on", "please"]) == "Turn it on please"
    assert browser.joined(["打开", "灯"]) == "打开灯"
    assert browser.joined(["", "灯"]) == "灯"
