"""What texts and questions are cut into, before anything is searched."""

import pytest

from mien.retrieval.common_words import COMMON_WEIGHT, STOP_WEIGHT, without_pleasantry
from mien.retrieval.misspelt import spelt_otherwise
from mien.retrieval.thesaurus import Thesaurus, thesaurus
from mien.retrieval.tokens import boundaries, is_everyday, phrase_terms, question_terms, terms


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("GB 45438-2025", {"gb", "45438", "2025", "454382025"}),
        ("RTX 4090", {"rtx", "4090", "rtx4090"}),
        ("rtx4090", {"rtx", "4090", "rtx4090"}),
        ("RTX-4090", {"rtx", "4090", "rtx4090"}),
        ("error 404", {"error", "404", "error404"}),
        ("mien.toml and key_env", {"mien", "toml", "mientoml", "key", "env", "keyenv"}),
        ("running voices", {"run", "voic"}),
        ("ＡＢＣ　１２３", {"abc", "123"}),
        ("直播间", {"直播间", "直播"}),
        ("推流到 OBS", {"推流", "推", "流", "ob"}),
        ("1.5 GB at 12:30", {"1.5", "gb", "12:30"}),
    ],
)
def test_names_and_codes_stay_whole_and_have_parts(text: str, has: set[str]) -> None:
    assert has <= set(terms(text))


def test_traditional_characters_are_left_alone() -> None:
    assert "聲音" in terms("聲音") and "声音" not in terms("聲音")


def test_a_number_belongs_to_the_name_before_it_only() -> None:
    assert "to40" not in terms("from 12 to 40")
    assert "的4090" not in terms("显卡的 4090")


def test_every_word_weighs_once_however_many_terms_it_is() -> None:
    assert sum(question_terms("推流").values()) == pytest.approx(1.0)
    assert sum(question_terms("直播间").values()) == pytest.approx(1.0)


def test_question_words_weigh_little() -> None:
    weights = question_terms("怎么用照片")
    assert weights["怎么"] == STOP_WEIGHT < weights["照片"]
    weights = question_terms("how do I find the microphone")
    assert weights["how"] == STOP_WEIGHT and weights["find"] == COMMON_WEIGHT
    assert weights["microphon"] == 1.0


def test_nothing_and_nonsense_have_terms_or_none() -> None:
    assert terms("") == terms("  ？！…— _ ") == []
    assert len(terms("a" * 10_000)) == 1
    assert terms("안녕 réseau") == ["안녕", "réseau"]


def test_words_that_are_in_any_text() -> None:
    assert all(map(is_everyday, ("已经", "里面", "42", "page", "字")))
    assert not any(map(is_everyday, ("勾股定理", "photoshop", "弹幕")))


def test_a_phrase_is_its_words_and_its_no() -> None:
    assert phrase_terms("没有声音") == ("没有", "声音")
    assert set(phrase_terms("no sound")) == {"no", "sound"}
    assert phrase_terms("the voice") == ("voic",)
    assert phrase_terms("在哪") != ()


def test_words_begin_and_end_where_jieba_says() -> None:
    assert boundaries("用麦克风 ab") == {0, 1, 4, 5, 7}


def test_pleasantries_go() -> None:
    assert without_pleasantry("你好，请问几点开门") == "几点开门"
    assert without_pleasantry("Hello, could you tell me where it is?") == "where it is?"


@pytest.mark.parametrize(("known", "found"), [({"lip", "sync"}, [("lip", "sync")]), ({"lip"}, [])])
def test_two_words_in_one(known: set[str], found: list[tuple[str, ...]]) -> None:
    assert spelt_otherwise("lipsync", known) == found


@pytest.mark.parametrize("written", ["microphn", "microphoon", "microhpon", "mycrophon"])
def test_one_letter_wrong(written: str) -> None:
    assert spelt_otherwise(written, {"microphon"}) == [("microphon",)]


def test_short_words_and_codes_are_taken_as_they_are() -> None:
    assert spelt_otherwise("cot", {"cat", "cut"}) == []
    assert spelt_otherwise("rtx4091", {"rtx4090"}) == []


def test_a_thesaurus_takes_the_longest_phrase_and_leaves_the_rest() -> None:
    book = Thesaurus(["开门, 开馆, open", "门 > door", "# a comment", ""])
    rest, found = book.take("博物馆几点开门")
    assert "开门" not in rest and "博物馆" in rest
    assert [(f.terms, f.others, f.translations) for f in found] == [
        (("开门",), (("开馆",),), (("open",),))
    ]


def test_what_stands_behind_the_arrow_is_found_but_finds_nothing() -> None:
    book = Thesaurus(["selfie > photo"])
    assert book.take("my selfie")[1][0].others == (("photo",),)
    assert book.take("my photo") == ("my photo", [])


def test_phrases_are_not_found_across_words() -> None:
    book = Thesaurus(["国人, people"])
    assert book.take("中国人民")[1] == []  # 中国 | 人民
    assert len(book.take("国人的看法")[1]) == 1


def test_half_a_name_is_not_a_word() -> None:
    book = Thesaurus(["gpt, chatgpt", "barge in, interrupt"])
    assert book.take("use gpt-sovits")[1] == []
    assert book.take("the barge in setting")[0].split() == ["the", "setting"]


def test_the_thesaurus_that_comes_with_it_is_whole() -> None:
    for question, other in (("没声儿", ("没", "声音")), ("no sound", ("no", "audio"))):
        (found,) = thesaurus().take(question)[1]
        assert any(set(other) == set(way) for way in found.others), found
