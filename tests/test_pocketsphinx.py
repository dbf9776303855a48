"""PocketSphinx as a recogniser; all in one test, as its process takes a second to start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import mien.asr
from mien.asr.contract import AsrError, Recognition
from mien.asr.pocketsphinx import PocketSphinxRecognizer, PocketSphinxSettings
from mien.asr.spelling import sentence
from mien.bench.word_errors import errors, tokens
from mien.media.sound_file import read_sound
from mien.media.tick import Pcm

DICTATION = Path(mien.asr.__path__[0]).parent / "assets" / "dictation"
SPOKEN = {
    "en-04": "How long does the delivery take",
    "en-16": "Is there a discount for students",
    "en-12": "The train leaves at half past seven",
}
ROOM = np.random.default_rng(3).normal(0, 12, 8000).astype(np.int16)


def recorded(name: str) -> Pcm:
    return read_sound((DICTATION / f"{name}.ogg").read_bytes())


def say(recognition: Recognition, sound: Pcm) -> None:
    for at in range(0, len(sound), 320):
        recognition.push(sound[at : at + 320])


def wrong(said: str, heard: str) -> int:
    return errors(tokens(said), tokens(heard))


async def test_an_utterance_after_the_other() -> None:
    before = asyncio.all_tasks()
    recognizer = PocketSphinxRecognizer("ps", PocketSphinxSettings(listeners=1))
    await recognizer.check()
    await recognizer.warm_up()
    partials: list[str] = []
    recognition = recognizer.open("en", partials.append)
    assert await recognition.transcript() == ""
    first, second, third = SPOKEN
    with pytest.raises(AsrError, match="English only"):
        recognizer.open("zh", partials.append)

    recognition.begin()
    say(recognition, recorded(first))
    heard = await recognition.transcript()
    assert wrong(SPOKEN[first], heard) <= 1
    assert heard.startswith("How") and len(partials) >= 3 and partials[-1] == heard
    assert recognition.partial == heard

    other = recognizer.open("en", partials.append)
    other.begin()
    say(other, ROOM)
    with pytest.raises(AsrError, match="1 people already"):
        await other.transcript()

    # A pause in which somebody asked, and then the sentence goes on.
    say(recognition, ROOM)
    assert await recognition.transcript() == heard
    say(recognition, recorded(second))
    both = await recognition.transcript()
    assert both.startswith(heard) and wrong(f"{SPOKEN[first]} {SPOKEN[second]}", both) <= 2

    # Somebody speaks again before the words of what they said before are there.
    recognition.begin()
    assert recognition.partial == ""
    say(recognition, recorded(third))
    waiting = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    recognition.begin()
    say(recognition, recorded(first))
    assert wrong(SPOKEN[third], await waiting) <= 1
    assert await recognition.transcript() == heard

    # The process dies: that utterance is lost, the next is not.
    recognition.begin()
    say(recognition, recorded(second))
    waiting = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    process = recognition._process
    assert process is not None
    process.process.kill()
    with pytest.raises(AsrError, match="PocketSphinx ended") as told:
        await waiting
    assert told.value.zh and told.value.retryable
    recognition.begin()
    say(recognition, recorded(first))
    assert wrong(SPOKEN[first], await recognition.transcript()) <= 1

    recognition.begin()
    say(recognition, ROOM)
    last = asyncio.create_task(recognition.transcript())
    await asyncio.sleep(0)
    await recognizer.aclose()
    with pytest.raises(AsrError, match="closed"):
        await last
    await recognizer.aclose()
    assert asyncio.all_tasks() == before


def test_spelling() -> None:
    assert sentence("i think i'm late and i know it") == "I think I'm late and I know it"
    assert sentence("") == ""
    assert sentence("did hi") == "Did hi"


def test_errors() -> None:
    assert tokens("It's 5 o'clock, 你好！") == ["it's", "5", "o'clock", "你", "好"]
    assert errors("a b c d".split(), "a x c".split()) == 2
    assert errors([], ["a", "b"]) == 2
    assert errors("kitten", "sitting") == 3
