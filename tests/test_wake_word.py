"""Waking up by name: in words, however they are spelled, and by the sound alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from child_processes import children_with
from mien.asr.syllables import parts, syllable
from mien.asr.wake_phrase import WakePhrases
from mien.asr.wake_word import WakeWords, keyword_lines
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from tiny_asr import spoken


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("小眉，现在几点？", "现在几点？"),
        ("小美现在几点", "现在几点"),
        ("嗯，小妹你好。", "你好。"),
        ("小眉", ""),
        ("小眉小眉讲个笑话", "讲个笑话"),
        ("现在几点，小眉", None),
        ("小明你好", None),
        ("Hey Mien, what time is it?", "what time is it?"),
        ("hey mean tell me a joke", "tell me a joke"),
        ("OK, hey Mien", ""),
        ("Hey, man", None),
        ("mien", None),
        ("I know Mei", None),
        ("嗯嗯嗯，小眉", None),
        ("", None),
        ("？", None),
    ],
)
def test_a_phrase_at_the_beginning_of_the_words(text: str, rest: str | None) -> None:
    assert WakePhrases(["小眉", "小眉小眉", "hey mien"]).in_text(text) == rest


def test_pinyin_is_parted_as_keyword_models_have_it() -> None:
    expected = {"眉": "m éi", "小": "x iǎo", "女": "n ǚ", "月": "y uè", "二": "èr", "归": "g uī"}
    found = {one: " ".join(parts(syllable(one) or "")) for one in expected}
    assert found == expected


def test_keywords_are_spelled_with_the_tokens_of_the_model(tmp_path: Path) -> None:
    tokens = "<blk> <unk> x iǎo m éi HH EY1 M IY1 N".split()
    rows = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    (tmp_path / "tokens.txt").write_text(rows, encoding="utf-8")
    (tmp_path / "en.phone").write_text("HEY HH EY1\nMIEN M IY1 N\nMAN M AE1 N\n", encoding="utf-8")
    lines = keyword_lines(["小眉", "Hey Mien"], tmp_path)
    assert lines == ["x iǎo m éi @小眉", "HH EY1 M IY1 N @Hey_Mien"]
    assert keyword_lines(["小明"], tmp_path) is None
    assert keyword_lines(["hey you"], tmp_path) is None


async def said(*lines: tuple[str, Language]) -> Pcm:
    """One after the other as mien says them, with pauses: int16[n] mono 16 kHz."""
    pause = np.zeros(RATE * 3 // 5, np.int16)
    return np.concatenate([pause, *[p for line in lines for p in (await spoken(*line), pause)]])


async def test_names_are_spotted_in_what_a_microphone_brings(tmp_path: Path) -> None:
    pytest.importorskip("sherpa_onnx", reason="needs the extra mien[neural]")
    pytest.importorskip("onnx", reason="needs onnx, from the extra mien[wav2lip]")
    import tiny_models

    words = WakeWords(["小眉", "hey mien"], tiny_models.transducer(tmp_path / "model"))
    before = children_with("sherpa")
    await asyncio.gather(words.warm_up(), words.warm_up())  # two microphones
    assert words.spotting
    workers = [one for one in children_with("sherpa") if one not in before]
    assert len(workers) == 1
    here, there = words.open(), words.open()
    called = await said(("讲个笑话", "zh"), ("小眉", "zh"), ("你是谁", "zh"), ("hey mien", "en"))
    nothing = await said(("讲个笑话", "zh"), ("what is mien", "en"), ("你好吗", "zh"))
    heard: list[str] = []
    silence = np.zeros(RATE // 50, np.int16)
    try:
        async with asyncio.timeout(90):
            for at in range(0, len(called), RATE // 50):
                if found := here.push(called[at : at + RATE // 50]):
                    heard.append(found)
                assert there.push(nothing[at : at + RATE // 50]) is None
            while len(heard) < 2:
                await asyncio.sleep(0.02)
                if found := here.push(silence):
                    heard.append(found)
                assert there.push(silence) is None
        assert heard == ["小眉", "hey mien"]
    finally:
        await here.aclose()
        await there.aclose()
        await words.aclose()


async def test_without_a_model_the_words_do(tmp_path: Path) -> None:
    words = WakeWords(["小眉"])
    await words.warm_up()
    microphone = words.open()
    assert not words.spotting and microphone.push(np.zeros(320, np.int16)) is None
    assert microphone.in_text("小梅，你好") == "你好"
    await microphone.aclose()
    await words.aclose()
    # A folder with no networks in it is said in the log and is no reason to fail either.
    words = WakeWords(["小眉"], tmp_path)
    await words.warm_up()
    assert not words.spotting
    await words.aclose()
