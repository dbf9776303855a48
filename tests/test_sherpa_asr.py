"""Recognisers of the real sherpa-onnx, with a model that knows a few dozen sentences."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from child_processes import children_with

pytest.importorskip("sherpa_onnx", reason="needs the extra mien[neural]")

import tiny_asr
from mien.asr import sherpa_worker
from mien.asr.contract import AsrError
from mien.asr.sherpa import SherpaRecognizer, SherpaSettings
from mien.language import Language
from mien.media.microphone import RATE
from tiny_asr import Microphone, spoken

FRAME = RATE // 50
SILENCE = np.zeros(RATE // 2, np.int16)
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def workers() -> list[psutil.Process]:
    return children_with("asr/sherpa_worker", recursive=False)


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    yield
    assert workers() == []


@pytest.fixture
async def ears() -> AsyncIterator[SherpaRecognizer]:
    recognizer = SherpaRecognizer("tiny", SherpaSettings(model=str(tiny_asr.FOLDER), threads=1))
    yield recognizer
    await recognizer.aclose()


ZH: tuple[tuple[str, Language], ...] = (
    ("你能做什么", "zh"),
    ("现在几点", "zh"),
    ("讲个笑话", "zh"),
)
EN: tuple[tuple[str, Language], ...] = (
    ("what can you do", "en"),
    ("tell me a joke", "en"),
    ("how do i change the voice", "en"),
)


@pytest.mark.parametrize(
    ("text", "language"), [("介绍一下你自己", "zh"), ("how do i change the voice", "en")]
)
async def test_words_come_while_somebody_speaks_and_all_of_them_at_the_end(
    ears: SherpaRecognizer, text: str, language: Language
) -> None:
    microphone = Microphone(ears, language)
    sound = await spoken(text, language)
    microphone.recognition.begin()
    await microphone.hear(SILENCE, sound[: len(sound) * 3 // 4])
    first = await microphone.partial()
    assert 0 < len(first) < len(tiny_asr.plain(text))
    assert tiny_asr.plain(text).startswith(first)
    await microphone.hear(sound[len(sound) * 3 // 4 :])
    assert await microphone.words() == tiny_asr.plain(text)
    assert tiny_asr.plain(microphone.recognition.partial) == tiny_asr.plain(text)
    await microphone.recognition.aclose()


async def test_the_transcript_can_be_asked_for_again_and_somebody_may_go_on(
    ears: SherpaRecognizer,
) -> None:
    microphone = Microphone(ears, "zh")
    recognition = microphone.recognition
    assert await recognition.transcript() == ""
    recognition.begin()
    await microphone.hear(await spoken("你能做什么", "zh"))
    first = await recognition.transcript()
    assert first == await recognition.transcript() == "你能做什么"
    # In the middle of a word, and then the rest of it: nothing is heard twice, nothing is lost.
    more = await spoken("现在几点", "zh")
    await microphone.hear(SILENCE, more[: len(more) // 2])
    await recognition.transcript()
    await microphone.hear(more[len(more) // 2 :])
    assert await recognition.transcript() == "你能做什么现在几点"
    recognition.begin()
    assert recognition.partial == ""
    await microphone.hear(await spoken("讲个笑话", "zh"))
    assert await recognition.transcript() == "讲个笑话"
    await recognition.aclose()


async def test_an_answer_is_of_the_utterance_it_was_asked_for(ears: SherpaRecognizer) -> None:
    microphone = Microphone(ears, "en")
    microphone.recognition.begin()
    await microphone.hear(await spoken("tell me a joke", "en"))
    asked = asyncio.create_task(microphone.words())
    await asyncio.sleep(0)
    microphone.recognition.begin()
    await microphone.hear(await spoken("what can you do", "en"))
    assert await asked == "tellmeajoke"
    assert await microphone.words() == "whatcanyoudo"
    await microphone.recognition.aclose()


async def test_microphones_do_not_hear_each_other(ears: SherpaRecognizer) -> None:
    every = (*ZH, *EN)
    microphones = [Microphone(ears, language) for _, language in every]
    sounds = [np.concatenate([await spoken(*one), SILENCE]) for one in every]
    for at in range(0, max(map(len, sounds)), FRAME):
        for microphone, sound in zip(microphones, sounds, strict=True):
            if at < len(sound):
                microphone.recognition.push(sound[at : at + FRAME])
        await asyncio.sleep(0)
    heard = await asyncio.gather(*(microphone.words() for microphone in microphones))
    assert heard == [tiny_asr.plain(text) for text, _ in every]
    assert len(workers()) == 1
    for microphone in microphones:
        await microphone.recognition.aclose()


async def test_what_is_over_leaves_nothing_behind(ears: SherpaRecognizer) -> None:
    microphone = Microphone(ears, "zh")
    for _ in range(30):
        microphone.recognition.begin()
        await microphone.hear(SILENCE)
    await microphone.recognition.transcript()
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "utterance"]) == 1
    await microphone.recognition.aclose()
    with pytest.raises(AsrError, match="closed"):
        microphone.recognition.push(SILENCE)
        await microphone.recognition.transcript()


async def test_words_are_written_as_people_write_them(ears: SherpaRecognizer) -> None:
    assert ears.streaming and ears.languages == {"zh", "en"}
    microphone = Microphone(ears, "en")
    microphone.recognition.begin()
    await microphone.hear(await spoken("how do i change the voice", "en"))
    assert await microphone.recognition.transcript() == "How do I change the voice"
    await microphone.recognition.aclose()


# What goes wrong


@posix
async def test_a_worker_that_dies_costs_one_utterance(ears: SherpaRecognizer) -> None:
    microphone = Microphone(ears, "zh")
    microphone.recognition.begin()
    await microphone.hear(await spoken("现在几点", "zh"))
    await microphone.partial()
    (worker,) = workers()
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(AsrError) as caught:
        await microphone.recognition.transcript()
    assert caught.value.retryable and caught.value.zh.startswith("sherpa-onnx")
    microphone.recognition.begin()
    await microphone.hear(await spoken("讲个笑话", "zh"))
    assert await microphone.recognition.transcript() == "讲个笑话"
    await microphone.recognition.aclose()


async def test_a_model_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(AsrError, match="mien models pull sherpa-onnx-streaming") as caught:
        SherpaRecognizer("sherpa", SherpaSettings())
    assert "请运行" in caught.value.zh
    with pytest.raises(AsrError, match="neither a folder nor one of sherpa-onnx-streaming"):
        SherpaRecognizer("x", SherpaSettings(model="nonsense"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_asr.FOLDER, tmp_path / "broken"))


def test_folders_that_are_not_whole_are_named(broken: Path, tmp_path: Path) -> None:
    def refused(words: str) -> None:
        with pytest.raises(AsrError, match=words):
            SherpaRecognizer("x", SherpaSettings(model=str(broken)))

    (broken / "tokens.txt").unlink()
    refused("tokens.txt is missing")
    network = broken / "model.int8.onnx"
    network.write_bytes(network.read_bytes()[:100_000])
    refused("is broken")
    network.unlink()
    refused("no encoder.*onnx or model.*onnx")


async def test_a_model_that_sherpa_does_not_like_ends_in_an_error(broken: Path) -> None:
    # Its metadata is whole, but what the decoder needs is not among the tokens: the process exits.
    tokens = broken / "tokens.txt"
    tokens.write_text(tokens.read_text(encoding="utf-8").replace("<blk>", "what"), "utf-8")
    recognizer = SherpaRecognizer("x", SherpaSettings(model=str(broken)))
    await recognizer.check()
    with pytest.raises(AsrError, match=r"cannot load the model .*<blk>") as caught:
        await recognizer.warm_up()
    assert not caught.value.retryable
    recognition = recognizer.open("zh", lambda words: None)
    recognition.begin()
    recognition.push(SILENCE)
    with pytest.raises(AsrError, match="cannot load"):
        await recognition.transcript()
    await recognition.aclose()
    await recognizer.aclose()


async def test_a_language_it_does_not_know(ears: SherpaRecognizer) -> None:
    english = SherpaSettings(model=str(tiny_asr.FOLDER), languages=("en",))
    recognizer = SherpaRecognizer("tiny", english)
    with pytest.raises(AsrError, match="understands en, not zh"):
        recognizer.open("zh", lambda words: None)


def test_the_worker_needs_nothing_of_mien() -> None:
    source = Path(str(sherpa_worker.__file__)).read_text(encoding="utf-8")
    assert "from mien" not in source and "import mien" not in source
