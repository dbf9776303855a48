"""Where in the text the words stand that espeak-ng spells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.tts.espeak import EspeakVoice
from mien.tts.espeak_timing import Passage
from mien.tts.voice import Run
from mien.tts.word_places import word_places


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    await voice.aclose()


async def found(voice: EspeakVoice, runs: Sequence[Run]) -> list[str]:
    places = word_places(await voice.spellings(runs))
    return [runs[place[0]].text[place[1] : place[2]] for place in places if place]


async def test_words_and_characters_one_by_one(espeak: EspeakVoice) -> None:
    runs = [Run("zh", "你好，我喜欢"), Run("en", "Python, and maps."), Run("zh", "在重庆长大")]
    words = await found(espeak, runs)
    assert words == ["你好", "我", "喜", "欢", "Python,", "and", "maps.", "在", "重庆", "长大"]


async def test_what_is_spelled_as_one_word_or_as_several_stays_together(
    espeak: EspeakVoice,
) -> None:
    text = "Most of the dog-houses in the world don't belong to a dog."
    words = await found(espeak, [Run("en", text)])
    assert "".join(words).replace(" ", "") == text.replace(" ", "")
    assert words[0] == "Most" and words[-1] == "dog."
    assert len(words) >= 9


@given(
    text=st.text(alphabet="ab 你好,.'-3", max_size=30),
    words=st.lists(st.lists(st.just("a"), min_size=1, max_size=5), max_size=12),
)
def test_any_spelling_covers_the_text_in_order(text: str, words: list[list[str]]) -> None:
    places = word_places([(Passage(2, "zh", 7, text, 0.0), words)])
    assert len(places) == len(words)
    told = [place for place in places if place is not None]
    assert told == sorted(told)
    for run, begin, stop in told:
        assert run == 2 and 7 <= begin < stop <= 7 + len(text)
    for before, after in pairwise(told):
        assert before[2] <= after[1]
    if words and any(c.isalnum() for c in text):
        covered = "".join(text[b - 7 : s - 7] for _, b, s in told)
        assert [c for c in covered if c.isalnum()] == [c for c in text if c.isalnum()]
