"""Words that only say "I am listening", and words that say "stop"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.asr.backchannel import is_backchannel, is_stop, words_beyond

BACKCHANNELS = [
    *(
        "uh-huh",
        "Uh huh.",
        "mm-hm",
        "Hmmmm",
        "Right.",
        "Yeah, yeah!",
        "okaaay",
        "OK",
        "That’s right",
    ),
    *(
        "Oh, I see.",
        "got it",
        "嗯",
        "嗯嗯嗯",
        "哦——",
        "对对对",
        "对，好的",
        "是的，没错。",
        "原来如此",
        "明白了",
    ),
    *("好的 OK", "(laughs) yeah", "ＯＫ"),
]
MORE = [
    *(
        "好的，那我问你",
        "对，可是价格呢",
        "yeah but how",
        "right after that",
        "okay so what about shipping",
    ),
    *("no", "不", "不对", "why", "什么", "嗯，为什么", "I see a problem", "rightly"),
]


@pytest.mark.parametrize("text", BACKCHANNELS)
def test_a_backchannel_is_known_however_it_is_written(text: str) -> None:
    assert is_backchannel(text) and words_beyond(text) == 0


@pytest.mark.parametrize("text", MORE)
def test_what_says_more_is_none(text: str) -> None:
    assert not is_backchannel(text) and words_beyond(text) > 0


@pytest.mark.parametrize("text", ["the", "out of", "okay and I", "那"])
def test_fragments_say_nothing(text: str) -> None:
    assert not is_backchannel(text) and words_beyond(text) == 0


@pytest.mark.parametrize("text", ["", "  ", "。", "[noise]", "<unk>", "【咳嗽】", "🙂"])
def test_no_words_are_neither(text: str) -> None:
    assert not is_backchannel(text) and words_beyond(text) == 0 and not is_stop(text)


def test_words_are_counted_from_the_first_that_says_more() -> None:
    assert words_beyond("okay but what about it") == 4
    assert words_beyond("好的，那我问你") == 4
    assert words_beyond("what is it, okay") == 4


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Stop!",
            "stop, please",
            "Wait. Wait!",
            "hold on",
            "Hold on a second",
            "okay, stop",
            "STOP IT",
        ),
        *(
            "停",
            "停停停",
            "等一下",
            "先等一下",
            "别说了",
            "好了好了",
            "请停一下",
            "打断一下",
            "不好意思，等等",
        ),
    ],
)
def test_a_stop_is_known_with_what_goes_around_it(text: str) -> None:
    assert is_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't stop",
        "non-stop music",
        "where does the bus stop",
        "停车场在哪",
        "等一下我想问",
        "好的",
        "please",
    ],
)
def test_a_sentence_about_stopping_is_none(text: str) -> None:
    assert not is_stop(text)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_contradiction(text: str) -> None:
    assert not (is_backchannel(text) and words_beyond(text) > 0)


@given(st.lists(st.sampled_from(BACKCHANNELS), min_size=1, max_size=6))
def test_backchannels_in_a_row_are_one(texts: list[str]) -> None:
    assert is_backchannel(", ".join(texts))
