"""Words read as their lexicon says, while captions stay as written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.tts.espeak import EspeakVoice
from mien.tts.lexicon import Lexicon, LexiconError, load_lexicon
from mien.tts.normalize import Prepared, prepare
from mien.tts.pinyin import characters, is_pinyin
from mien.tts.service import words_as_written
from mien.tts.voice import Run

WORDS = """
"GPT-4o" = "GPT four oh"
"重庆" = "chong2 qing4"
"重" = "重量"
"Hermès" = "ai4 ma3 shi4"
"C++" = "see plus plus"
"New York" = "Noo Yawk"
mien = "meen"
[zh]
"AI" = "人工智能"
[en]
"Qwen" = "Chwen"
"""


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    path = tmp_path / "words.toml"
    path.write_text(WORDS, encoding="utf-8")
    return load_lexicon([path])


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    await voice.aclose()


def said(prepared: Prepared) -> str:
    return "".join(run.text for run in prepared.runs)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("用GPT-4o写", "用GPT four oh写"),
        ("I use gpt-4o.", "I use GPT four oh."),
        ("GPT-4om", "GPT four om"),  # another word: read as always
        ("去重庆", "去虫庆"),
        ("很重", "很重量"),
        ("重庆重", "虫庆重量"),
        ("买Hermès包", "买爱马事包"),
        ("I like C++ and Mien", "I like see plus plus and meen"),
        ("mien's face", "meen's face"),
        ("mienie, amien, mien2", "mienie, amien, mien two"),
        ("见 mien.dev", "见 mien dot dev"),
        ("new  york", "Noo Yawk"),
        ("用AI吧", "用人工智能吧"),
        ("use AI", "use AI"),
        ("AIX是系统", "AIX是系统"),
        ("Qwen is here", "Chwen is here"),
        ("Qwen在这里", "Qwen在这里"),
        ("**重庆**", "虫庆"),
        ("MİEN", "MİEN"),  # a letter of its own
        ("ＭＩＥＮ", "ＭＩＥＮ"),
    ],
)
def test_what_is_read(lexicon: Lexicon, written: str, spoken: str) -> None:
    assert said(prepare(written, "zh", lexicon)) == spoken
    assert prepare(written, "zh", lexicon).clause == written


def test_without_a_lexicon_nothing_changes() -> None:
    for written in ("去重庆用GPT-4o", "mien's face", ""):
        assert prepare(written, "zh", Lexicon({})) == prepare(written, "zh")


# The proof: what espeak-ng then pronounces


@pytest.mark.parametrize(
    ("word", "pinyin", "wrong"),
    [
        ("重庆", "chong2 qing4", "zhong4 qing4"),
        ("银行", "yin2 hang2", "yin2 xing2"),
        ("单于", "chan2 yu2", "dan1 yu2"),
        ("仇", "qiu2", "chou2"),
        ("好", "hao4", "hao3"),
        ("旅", "lü3", "lu3"),
    ],
)
async def test_polyphones_are_read_as_asked(
    espeak: EspeakVoice, word: str, pinyin: str, wrong: str
) -> None:
    async def sounds(reading: str) -> list[list[str]]:
        prepared = prepare(word, "zh", Lexicon({None: {word: reading}}))
        assert len(said(prepared)) == len(word)
        return await espeak.phonemes([Run(run.language, run.text) for run in prepared.runs])

    assert len(await sounds(pinyin)) == len(word)
    # Tones are not spelled, so that 好 differs in its character alone.
    assert (await sounds(pinyin) != await sounds(wrong)) or pinyin[:-1] == wrong[:-1]
    plain = await espeak.phonemes([Run("zh", characters(pinyin))])
    assert await sounds(pinyin) == plain


async def test_a_wrong_reading_of_the_voice_is_put_right(espeak: EspeakVoice) -> None:
    async def sounds(prepared: Prepared) -> list[list[str]]:
        return await espeak.phonemes([Run(run.language, run.text) for run in prepared.runs])

    lexicon = Lexicon({None: {"仇": "qiu2", "GIF": "jif"}})
    assert await sounds(prepare("仇先生", "zh")) != await sounds(prepare("仇先生", "zh", lexicon))
    assert (await sounds(prepare("仇先生", "zh", lexicon)))[0] == ["tɕʰ", "iou"]
    assert (await sounds(prepare("a GIF", "en", lexicon)))[-1] == ["dʒ", "ɪ", "f"]


async def test_captions_show_what_was_written(lexicon: Lexicon, espeak: EspeakVoice) -> None:
    written = "我用GPT-4o在重庆找AI。"
    prepared = prepare(written, "zh", lexicon)
    runs = [Run(run.language, run.text) for run in prepared.runs]
    shown: list[str] = []
    async for chunk in espeak.speak(runs):
        for word in words_as_written(chunk.words, prepared):
            shown.append(written[word.begin : word.stop])
    assert [word for n, word in enumerate(shown) if not n or shown[n - 1] != word] == [
        "我", "用", "GPT", "-4o", "在", "重", "庆", "找", "AI",
    ]  # fmt: skip


@settings(deadline=None)
@given(
    st.text(alphabet="重庆AIaimenİıſK GPT-4o.mienC++，。'é1", max_size=30) | st.text(max_size=30)
)
def test_no_text_loses_its_place(text: str) -> None:
    words = {"重庆": "chong2 qing4", "AI": "A I", "mien": "meen", "C++": "see plus plus", "é": "e"}
    prepared = prepare(text, "zh", Lexicon({None: words}))
    spans = [span for run in prepared.runs for span in run.spans]
    assert all(0 <= begin <= stop <= len(text) for begin, stop in spans)
    assert spans == sorted(spans)


# Pinyin


@pytest.mark.parametrize("text", ["chong2 qing4", "lü4", "Lv4", "nu:3 er2", "xi1'an1", "ma5"])
def test_pinyin_is_recognised(text: str) -> None:
    assert is_pinyin(text)


@pytest.mark.parametrize("text", ["", "chong qing", "mp3 file", "4o", "重2", "ma6", "MP3s"])
def test_other_text_is_not_pinyin(text: str) -> None:
    assert not is_pinyin(text)


def test_characters_that_read_so_anyway_stay() -> None:
    assert characters("yin2 hang2", "银行") == "银航"
    assert characters("chong2 qing4", "重庆") == "虫庆"
    assert characters("lü4") == characters("lv4") == characters("LU:4")


# Files


def write(folder: Path, text: str, name: str = "words.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_later_files_and_narrower_sections_are_right(tmp_path: Path) -> None:
    first = write(tmp_path, 'a1 = "first"\nb1 = "first"\n[zh]\nc1 = "first"')
    second = write(tmp_path, 'B1 = "second"\nc1 = "second"', "more.toml")
    lexicon = load_lexicon([first, second])
    assert said(prepare("a1, b1, c1", "en", lexicon)) == "first, second, second"
    assert said(prepare("c1好", "en", lexicon)) == "first好"


def test_a_byte_order_mark_and_no_entries_are_fine(tmp_path: Path) -> None:
    assert said(prepare("好", "zh", load_lexicon([write(tmp_path, "\ufeff# nothing\n")]))) == "好"
    assert said(prepare("好", "zh", load_lexicon([]))) == "好"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a = "b"\nc = \nd = 1', "line 2"),
        (
            '"x" = "y"\n\n"重庆" = "chong2 qingg4"',
            "line 3: '重庆' is read 'qingg4', which is no syl",
        ),
        ('x = "y"\nz = 4', "line 2: 'z' needs its reading in quotes"),
        ('z = "  "', "line 1: 'z' needs its reading"),
        ('"--" = "dash"', "'--' is no word"),
        ('[fr]\nx = "y"', r"line 1: 'fr' is a section; only \\[zh\\] and \\[en\\] are"),
        ('mien.dev = "y"', "'mien' is a section"),
        ('[zh]\nx = ["y"]', "line 2: 'x' needs"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LexiconError, match=message.replace("\\\\", "\\")) as caught:
        load_lexicon([path])
    assert str(path) in str(caught.value)
    assert "读音词典" in caught.value.zh


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match=r"none\.toml: No such file"):
        load_lexicon([tmp_path / "none.toml"])
    (tmp_path / "bad.toml").write_bytes(b'a = "\xff"')
    with pytest.raises(LexiconError, match=r"bad\.toml: .*utf-8"):
        load_lexicon([tmp_path / "bad.toml"])
