"""What is taken out of a streamed answer, and what stays: the same however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.tts.citations import CitationFilter
from mien.tts.segmenter import Segmenter


def filtered(pieces: list[str], sources: int) -> tuple[str, tuple[int, ...]]:
    citations = CitationFilter(sources)
    out = [citations.feed(piece) for piece in pieces]
    return "".join((*out, citations.flush())), citations.cited


@pytest.mark.parametrize(
    ("written", "said", "cited"),
    [
        # marks, in the forms that models write
        ("巴黎有二百万人[1][3]。", "巴黎有二百万人。", (1, 3)),
        ("Paris [1] is big [2, 3]. Yes.", "Paris is big. Yes.", (1, 2, 3)),
        ("Paris[1] is big [1-3].", "Paris is big.", (1, 2, 3)),
        ("很大【1】，真的【1†source】。", "很大，真的。", (1,)),
        ("很大【4:0†来源】。", "很大。", ()),
        ("很大［２］。", "很大。", (2,)),
        ("Big.[^1] Yes[^note].", "Big. Yes.", (1,)),
        ("很大[citation:2]，真的[来源3]。", "很大，真的。", (2, 3)),
        ("Big [[1]](https://a.example/x) and [2](https://b.example).", "Big and.", (1, 2)),
        ("it grew¹² and fell³, 10 m², 3² x²", "it grew and fell, 10 m², 3² x²", (1, 2, 3)),
        ("Hello. [1] World", "Hello. World", (1,)),
        ("Big [1], [2]; [3]. 很大[1]、[2]，好", "Big. 很大，好", (1, 2, 3)),
        ("[1] At the beginning", "At the beginning", (1,)),
        ("invented [9].", "invented.", ()),
        # several together
        ("很大（来源：[2]）。", "很大。", (2,)),
        ("很大（来源：[新华网](https://x.example/a(1)b)）。", "很大。", ()),
        ("Big (source: [1], [2] and [3]), yes", "Big, yes", (1, 2, 3)),
        ("很大。来源：[1][2]。下一句", "很大。下一句", (1, 2)),
        ("很大。\nSource: https://x.example/y\n", "很大。\n\n", ()),
        # links and addresses
        ("见[官网](https://a.example/c)。", "见官网。", ()),
        ("[https://a.example](https://a.example) is it", "is it", ()),
        ("See https://a.example/c?d=1. Then", "See. Then", ()),
        ("见https://a.example/中文。", "见中文。", ()),
        ("Look (https://a.example/x_(y)) here <https://a.example>.", "Look here.", ()),
        ("www.a.example 是", "是", ()),
        # no references
        ("[smile]你好[nod]，【微笑】再见！[1]", "[smile]你好[nod]，【微笑】再见！", (1,)),
        ("a[7], [0,1], [2024], [见注], (so) we, （来源：新华社）", None, ()),
        ("来源很多。Sources say so. http and www", None, ()),
        ("`a[1]` and\n```\nb[1] https://a.example\n```\nc", None, ()),
        ("a  b   c .", None, ()),
        ("a < b and [unclosed (http", None, ()),
    ],
)  # fmt: skip
def test_references_go_and_words_stay(
    written: str, said: str | None, cited: tuple[int, ...]
) -> None:
    assert filtered([written], 3) == (written if said is None else said, cited)
    assert filtered(list(written), 3) == filtered([written], 3)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("我们的网址是 https://shop.example，[商城](https://shop.example/a)。", None),
        ("x¹ and list[0] = a[1], 取值 [0, 1] 或 [1, 5]", None),
        ("很大[1]。", "很大。"),
        ("很大。来源：[1][2]", "很大。"),
    ],
)
def test_without_sources_an_address_is_part_of_the_answer(written: str, said: str | None) -> None:
    assert filtered([written], 0) == (said or written, ())


def test_sources_that_come_late_count_from_then_on() -> None:
    citations = CitationFilter()
    assert citations.feed("先说 a.example；") == "先说 a.example；"
    citations.sources = 2
    assert citations.feed("很大[2](https://a.example)。") == "很大。"
    assert citations.cited == (2,)
    assert citations.flush() == ""
    citations.reset()
    assert citations.cited == ()


@pytest.mark.parametrize(
    ("text", "at_once"),
    [
        ("你好，今天", "你好，今天"),
        ("Hello. ", "Hello. "),  # the blank tells the segmenter that the sentence is over
        ("你好 [1", "你好"),
        ("好[注", "好"),
        ("好【微", "好【微"),
        ("好（来", "好"),
        ("好（但", "好（但"),
        ("say what", "say what"),
        ("say http", "say"),
        ("say html", "say html"),
        ("a [1, b", "a"),
        ("a 【1x", "a 【1x"),
    ],
)
def test_only_what_may_become_a_reference_waits(text: str, at_once: str) -> None:
    citations = CitationFilter(3)
    assert citations.feed(text) == at_once
    assert citations.feed("") == ""
    assert at_once + citations.flush() == text


@st.composite
def answers_in_pieces(draw: st.DrawFn) -> tuple[str, list[int]]:
    bits = st.sampled_from(
        ["[1]", "[2", "]", "[^1]", "【1†x】", "【", "(", "（来源：", "）", ")", "[a](", "https://a.b/c",
         "www.x.cn", "http", " ", "  ", "\n", "。", ".", ",", "来源：", "Source: ", "²", "¹", "`",
         "```", "[smile]", "!", "![", "<", ">", "0", "1", "-", "and", "word", "很大", "［1］", "†",
         "^"]
    )  # fmt: skip
    text = "".join(draw(st.lists(bits | st.characters(codec="utf-8"), max_size=30)))
    return text, sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))


@given(answers_in_pieces(), st.sampled_from([0, 1, 3]))
def test_where_the_answer_is_cut_makes_no_difference(
    answer: tuple[str, list[int]], sources: int
) -> None:
    text, cuts = answer
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = filtered([text], sources)
    assert filtered(pieces, sources) == whole
    assert filtered(list(text), sources) == whole
    kept = iter(text)
    assert all(c in kept for c in whole[0]), "something was added, or changed places"


def test_clauses_are_cut_as_without_marks() -> None:
    def clauses(pieces: list[str]) -> list[str]:
        citations, segmenter = CitationFilter(3), Segmenter()
        found = [c for piece in pieces for c in segmenter.feed(citations.feed(piece))]
        found += segmenter.feed(citations.flush())
        return [clause.text for clause in (*found, *segmenter.flush())]

    cited = "It is the capital of France [1]. It has two million people [2][3], most of them glad."
    plain = "It is the capital of France. It has two million people, most of them glad."
    assert clauses(list(cited)) == clauses([plain])


def test_long_answers_take_linear_time() -> None:
    text = "很大[1]，见（来源：[2]）https://a.example/" + "x" * 900 + " [没有结束的" + "字" * 300
    said, cited = filtered(list(text * 5), 3)
    assert said.count("字") == 1500
    assert cited == (1, 2)
