"""English for Bert-VITS2: the dictionary, acronyms and names, espeak-ng's help, stress as tones."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from mien.tts.bert_vits2.text import FrontEnd, Scheme, analyse, scheme_of
from mien.tts.bert_vits2.text import cmudict as dictionary
from mien.tts.bert_vits2.text.arpabet import from_ipa
from mien.tts.bert_vits2.text.cmudict import PHONES, pronunciation
from mien.tts.bert_vits2.text.english import units, unknown
from mien.tts.bert_vits2.text.symbols import ENGLISH, TONE_OFFSET
from mien.tts.voice import Run


def said(text: str, **pronounced: tuple[str, ...]) -> str:
    """Words as their phones with tones at the vowels, apart by "|"; marks as they are."""
    return " | ".join(
        " ".join(
            f"{phone}{tone or ''}" for phone, tone in zip(unit.phones, unit.tones, strict=True)
        )
        for unit in units(text, 0, pronounced)
    )


def test_the_dictionary_is_whole() -> None:
    data = zlib.decompress(dictionary.PACKED.read_bytes())
    lines = data.splitlines()
    assert len(lines) > 125_000 and lines == sorted(lines)
    assert dictionary.PACKED.stat().st_size < 1 << 20
    assert "Carnegie Mellon University" in dictionary.LICENSE.read_text("utf-8")
    for line in lines[::997]:
        word, codes = line.decode().split("\t")
        found = pronunciation(word)
        assert found == tuple(PHONES[ord(code) - 48] for code in codes), word
    assert {p.rstrip("012").lower() for p in PHONES} == {name.lower() for name in ENGLISH}


@pytest.mark.parametrize("word", ["", "aaaaaaa", "zzzzzz", "Hello", "nosuchword", "\n", "a\tb"])
def test_what_is_not_in_the_dictionary_is_none(word: str) -> None:
    assert pronunciation(word) is None


def test_the_first_and_last_words_are_found() -> None:
    assert pronunciation("a") == ("AH0",)
    assert pronunciation("zywicki") == ("Z", "IH0", "W", "IH1", "K", "IY0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", "hh ah1 l ow2 | , | w er2 l d | !"),
        ("university", "y uw3 n ah1 V er2 s ah1 t iy1"),
        ("Don’t you think?", "d ow2 n t | y uw2 | th ih2 ng k | ?"),
        ("CPU, GPU", "s iy3 p iy3 y uw2 | , | jh iy2 p iy2 y uw2"),
        ("GPUs", "jh iy2 p iy2 y uw2 z"),
        ("AI’s IT", "ey2 ay2 z | ay2 t iy2"),
        ("it is us", "ih2 t | ih2 z | ah2 s"),
        ("NASA's", "n ae2 s ah1 z"),
        ("bus's cat's dog's", "b ah2 s ih1 z | k ae2 t s | d ao2 g z"),
        ("OpenAI", "ow2 p ah1 n ey2 ay2"),
        ("ChatGPT", "ch ae2 t jh iy2 p iy2 t iy2"),
        ("DeepSeek", "d iy2 p s iy2 k"),
        ("state-of-the-art", "s t ey2 t ah2 V dh ah1 aa2 r t"),
        ("café", "k ah1 f ey2"),
        ("W B", "d ah2 b ah1 l y uw1 | b iy2"),
        ("a A", "ah1 | ey2"),
        ("“Wait” (no)…", "' | w ey2 t | ' | n ow2 | ' | …"),
        ("yes -- no", "y eh2 s | - | n ow2"),
        ("Xqzt", "eh2 k s k y uw2 z iy2 t iy2"),
        ("", ""),
        ("…!?", ""),
    ],
)
def test_words_and_marks(text: str, expected: str) -> None:
    assert said(text) == expected


def test_unknown_words_are_asked_for_in_parts() -> None:
    assert unknown("Kubernetes and ChatQwen's zorblat-like VITS, CPU, NASA") == [
        "kubernetes", "qwens", "zorblat", "vits",
    ]  # fmt: skip
    assert unknown("Hello world, OpenAI!") == []
    assert said("Qwen", qwen=("K", "W", "EH1", "N")) == "k w eh2 n"


def test_consonants_have_their_own_tone_in_2_3() -> None:
    (old,), (new,) = units("cat", 0), units("cat", 3)
    assert (old.tones, new.tones) == ((0, 2, 0), (3, 2, 3))
    assert [unit.tones for unit in units("cat!", 3)][1] == (0,)


@pytest.mark.parametrize(
    ("variant", "version", "expected"),
    [
        ("2.0", "2.0", Scheme(True, 0, "zeros")),
        ("2.0", "2.0.2", Scheme(True, 0, "zeros")),
        ("2.1", "2.1", Scheme(True, 0, "zeros")),
        ("2.2", "2.2", Scheme(True, 0, "uniform")),
        ("2.0", "2.3", Scheme(True, 3, "normal")),
        ("2.0", "2.2", Scheme(True, 3, "normal")),  # 2.3 as it was released
        ("2.0", "", Scheme(True, 3, "normal")),
    ],
)
def test_a_voice_gets_its_text_as_it_was_trained(
    variant: str, version: str, expected: Scheme
) -> None:
    assert scheme_of(variant, version) == expected
    assert scheme_of(variant, version, add_blank=False).add_blank is False


def test_the_text_for_bert_is_as_it_is_written() -> None:
    found = analyse([Run("en", " Hello,  “big world”! ")], scheme_of("2.1"))
    (text,) = found.texts
    assert text.text == "Hello, 'big world'!"
    parts = [text.text[begin:stop] for begin, stop in text.spans]
    assert parts == ["Hello", ",", " '", "big", " world", "'", "!"]
    assert text.counts == (3, 8, 2, 2, 6, 8, 2, 2, 2)
    assert set(found.tones[1::2].tolist()) == {TONE_OFFSET["en"] + t for t in (0, 1, 2)}


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (["h", "ə", "l", "ˈoʊ"], "HH AH0 L OW1"),
        (["k", "ˌuː", "b", "ɚ", "n", "ˈɛ", "ɾ", "iː", "z"], "K UW2 B ER0 N EH1 T IY0 Z"),
        (["ˈɑːɹ", "t"], "AA1 R T"),
        (["l", "ˈɪ", "ɾ", "əl"], "L IH1 T AH0 L"),
        (["f", "ˈaɪɚ"], "F AY1 ER0"),
        (["ˈɜː", "θ"], "ER1 TH"),
        (["tʃ", "ˈɔɪ", "s"], "CH OY1 S"),
        (["b", "ˈʌ", "ʔ", "n̩"], "B AH1 T AH0 N"),
        (["1", "", "ʘ"], ""),
    ],
)
def test_ipa_of_espeak_becomes_arpabet(symbols: list[str], expected: str) -> None:
    assert " ".join(from_ipa(symbols)) == expected


async def test_espeak_says_how_a_name_is_pronounced() -> None:
    front_end = FrontEnd(scheme_of("2.0", "2.3"))
    try:
        runs = [Run("en", "Kubernetes, Zhipu and Kubernetes!")]
        found = await front_end.analyse(runs)
        words = {
            runs[w.run].text[w.begin : w.stop]: " ".join(
                p for p in found.phones[w.first_phone : w.last_phone + 1] if p
            )
            for w in found.words
        }
        assert words["Kubernetes"] == "k uw b er n eh t iy z"
        assert words["Zhipu"] == "zh ih p uw"
        assert len(found.words) == 4
        assert len(await front_end.analyse([])) == 0
    finally:
        await front_end.aclose()
        await front_end.aclose()


async def test_without_espeak_a_name_is_spelt() -> None:
    front_end = FrontEnd(scheme_of("2.0", "2.3"))
    await front_end.aclose()  # a closed voice answers nothing
    found = await front_end.analyse([Run("en", "Qwen")])
    assert [p for p in found.phones if p] == "_ k y uw d ah b ah l y uw iy eh n _".split()


def test_the_packing_is_reproducible(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
    try:
        from pack_cmudict import packed
    finally:
        sys.path.pop(0)
    source = "b B IY1\na AH0\na(2) EY1\n's EH1 S\n1st F ER1 S T\nabc's EY1 S # a remark\n"
    assert packed(source) == b"a\t" + _codes("AH0") + b"\nabc's\t" + _codes("EY1 S") + (
        b"\nb\t" + _codes("B IY1") + b"\n"
    )


def _codes(phones: str) -> bytes:
    return "".join(dictionary.CODE_OF[phone] for phone in phones.split()).encode()


def test_english_needs_none_of_the_heavy_packages() -> None:
    code = (
        "import sys\n"
        "from mien.tts.bert_vits2.text import analyse, scheme_of\n"
        "from mien.tts.voice import Run\n"
        "assert len(analyse([Run('en', 'Hello')], scheme_of('2.0'))) == 13\n"
        "print([m for m in ('torch', 'transformers', 'rjieba', 'pypinyin') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
