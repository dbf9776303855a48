"""How long somebody who is silent is waited for."""

from __future__ import annotations

import tomllib
from pathlib import Path
from statistics import mean

import pytest

from mien.asr.turn_cues import reading
from mien.asr.turn_end import Patience, TurnEnd, TurnEndSettings
from mien.language import Language

UTTERANCES = tomllib.loads(
    (Path(__file__).parent / "turn_end_utterances.toml").read_text(encoding="utf-8")
)
PATIENT, PROMPT = 1.2, 0.5


def said(language: Language, kind: str) -> list[str]:
    return [line.split("|")[0].strip() for line in UTTERANCES[language][kind]]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_mid_thought_is_waited_for_however_finished_it_sounds(language: Language) -> None:
    patience = [TurnEnd().patience(0.98, text, language) for text in said(language, "unfinished")]
    cut_off = [seconds for seconds in patience if seconds < PATIENT]
    assert len(cut_off) <= len(patience) // 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_finished_is_answered_soon(language: Language) -> None:
    finished = said(language, "finished")
    sounding = [TurnEnd().patience(0.9, text, language) for text in finished]
    assert mean(sounding) < PROMPT and sum(seconds >= PATIENT for seconds in sounding) <= 1
    unheard = [TurnEnd().patience(None, text, language) for text in finished]
    assert mean(sounding) < mean(unheard) < 0.8


@pytest.mark.parametrize("language", ["en", "zh"])
def test_marks_that_recognisers_add_change_nothing(language: Language) -> None:
    """Some end everything with a full stop, some say everything in capitals."""
    stop = "。" if language == "zh" else "."
    for text in said(language, "unfinished") + said(language, "finished"):
        assert reading(text.upper() + stop, language) == reading(text, language)


READ: list[tuple[Language, str, str]] = [
    ("zh", "", "nothing"),
    ("en", " ... ", "nothing"),
    ("en", "I saw the big,", "open"),
    ("zh", "我昨天看见，", "open"),
    ("en", "we could…", "open"),
    ("en", "the blue house?", "finished"),
    ("zh", "我想问一下，就是那个", "open"),
    ("zh", "我要那个", "plain"),
    ("zh", "给我看看那个红的", "plain"),
    ("zh", "我也是", "finished"),
    ("zh", "我的问题是", "open"),
    ("zh", "你看到了", "finished"),
    ("zh", "从北京到", "open"),
    ("zh", "如果下雨的话", "open"),
    ("zh", "告诉我", "plain"),
    ("zh", "其实我", "open"),
    ("en", "where are you from", "plain"),
    ("en", "how do I get from here to", "open"),
    ("en", "if it rains", "open"),
    ("en", "is that the one that we saw if it rains", "finished"),
    ("en", "my sister's", "open"),
    ("en", "tell me about that", "finished"),
    ("en", "thank you", "finished"),
    ("en", "seven four", "digits"),
    ("en", "my number is 555 12", "digits"),
    ("en", "five five five one two three four", "plain"),
    ("en", "it was built in 1964", "plain"),
    ("zh", "一三八零零", "digits"),
    ("zh", "13800138000", "plain"),
    ("zh", "我住在三", "plain"),
    ("zh", "what do you think of the", "open"),
    ("en", "我想问一下", "open"),
    ("zh", "我想问一下 OBS 怎么用", "finished"),
    ("zh", "我想用 OBS", "plain"),
]


@pytest.mark.parametrize(("language", "text", "expected"), READ, ids=[text for _, text, _ in READ])
def test_how_words_read(language: Language, text: str, expected: str) -> None:
    assert reading(text, language) == expected


def test_the_more_finished_it_sounds_the_sooner_it_ends() -> None:
    for text in ("what time is it", "the house", "because the", "seven four", ""):
        seconds = [TurnEnd().patience(p, text, "en") for p in (0.0, 0.2, 0.5, 0.9, 1.0)]
        assert seconds == sorted(seconds, reverse=True)
        assert TurnEnd().patience(None, text, "en") == pytest.approx(seconds[2])


def test_both_agree_neither_does_and_never_too_long() -> None:
    end = TurnEnd()
    assert end.patience(1.0, "what time is it", "en") == pytest.approx(0.2)
    assert 0.4 <= end.patience(0.0, "what time is it", "en") <= 0.9
    assert end.patience(0.0, "because the", "en") == pytest.approx(2.0)
    hasty = TurnEnd(TurnEndSettings(longest=0.7))
    assert hasty.patience(0.0, "because the", "en") == pytest.approx(0.7)


def test_settings_say_what_they_expect() -> None:
    settings = TurnEndSettings(after_plain=Patience(0.1, 0.1))
    assert TurnEnd(settings).patience(0.3, "the house", "en") == pytest.approx(0.1)
    with pytest.raises(ValueError, match="expected 0 <= finished <= unfinished"):
        Patience(finished=1.0, unfinished=0.5)
