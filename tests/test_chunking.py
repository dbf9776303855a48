"""Texts are cut where a reader would cut them, and nothing that is read is lost."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.retrieval.chunking import Part, chunks_of, chunks_of_parts
from mien.retrieval.contract import Chunk
from mien.retrieval.packing import LONGEST
from mien.retrieval.sentences import sentences

MANUAL = """\
---
title: Not text
---
# Manual

Welcome to the *museum*. See [the map](https://example.org/map "Map").

![a hall](hall.jpg) <!-- a
comment --> [ref]: here

## Opening hours ##

| Day | Hours |
|-----|:-----:|
| Mon | closed |
| Tue | 9–17 |

Tickets
-------

You pay at:

- the **desk**, or
- the *machine*
  in the hall
  1. with a card
  2. with cash

```sh
pay --now   # [not](a link)
```
"""


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def test_headings_lists_tables_and_code_of_markdown() -> None:
    chunks = chunks_of(MANUAL, "Manual", "https://example.org/manual", "p. 1")
    assert [(chunk.heading, chunk.text) for chunk in chunks] == [
        ((), "Welcome to the museum. See the map.\n[ref]: here"),
        (("Opening hours",), "| Day | Hours |\n| Mon | closed |\n| Tue | 9–17 |"),
        (
            ("Tickets",),
            "You pay at:\n- the desk, or\n- the machine in the hall\n  1. with a card\n"
            "  2. with cash\npay --now   # [not](a link)",
        ),
    ]
    assert {(chunk.title, chunk.url, chunk.place) for chunk in chunks} == {
        ("Manual", "https://example.org/manual", "p. 1")
    }


def test_numbered_chinese_headings_and_lists() -> None:
    text = """\
第一章 总则
第二章 退货

第一章 总则

　　本规定适用于全体顾客，自公布之日起施行。
一、适用范围
线上和线下购买的商品都适用。
（一）例外
定制商品除外。

第二章 退货
第一节 条件
一、商品完好；
二、发票齐全。
"""
    assert [(chunk.heading, chunk.text) for chunk in chunks_of(text, "规定")] == [
        ((), "第一章 总则\n第二章 退货"),
        (("第一章 总则",), "本规定适用于全体顾客，自公布之日起施行。"),
        (("第一章 总则", "一、适用范围"), "线上和线下购买的商品都适用。"),
        (("第一章 总则", "一、适用范围", "（一）例外"), "定制商品除外。"),
        (("第二章 退货", "第一节 条件"), "一、商品完好；\n二、发票齐全。"),
    ]


def test_lines_that_an_editor_broke_are_joined_and_others_are_not() -> None:
    text = """\
This paragraph was broken by an editor at a width of about seventy columns
because that is how many people write, and it goes on like this until the
end. It is one line.

这一段文字是由编辑器在固定的宽度处自动换行的，所以读的时候应当把它重新
连接起来，中间不加空格，直到这一段文字结束为止。

Phone: 123
Open: 9 to 5
"""
    (chunk,) = chunks_of(text, "t")
    lines = chunk.text.split("\n")
    assert len(lines) == 4
    assert lines[0].endswith("until the end. It is one line.")
    assert "重新连接起来" in lines[1]
    assert lines[2:] == ["Phone: 123", "Open: 9 to 5"]


def test_long_paragraphs_are_cut_at_sentences_into_parts_of_about_one_size() -> None:
    english = " ".join(f"Sentence number {n} says something of its own." for n in range(60))
    chinese = "".join(f"这是第{n}句话，它说的是另外一件事情。" for n in range(60))
    for text, end, most in ((english, ".", 700), (chinese, "。", 350)):
        chunks = texts(chunks_of(text, "t"))
        assert len(chunks) > 3
        assert all(chunk.endswith(end) for chunk in chunks)
        assert all(most / 3 < len(chunk) <= most for chunk in chunks)
        assert "".join("".join(chunks).split()) == "".join(text.split())


def test_a_long_table_repeats_its_header_and_a_long_list_keeps_its_items_whole() -> None:
    rows = [f"| thing {n} | {n} euros, and some words about what it is for |" for n in range(40)]
    table = "\n".join(["| name | price |", "|---|---|", *rows])
    chunks = texts(chunks_of(f"# Prices\n\n{table}", "t"))
    assert len(chunks) > 2
    assert all(chunk.startswith("| name | price |\n") for chunk in chunks)
    assert [line for chunk in chunks for line in chunk.split("\n")[1:]] == rows
    items = [f"- item {n} with a description that is neither short nor long" for n in range(40)]
    listed = texts(chunks_of("Buy these:\n\n" + "\n".join(items), "t"))
    assert listed[0].startswith("Buy these:\n- item 0 ")
    assert "\n".join(listed).split("\n")[1:] == items


def test_tiny_paragraphs_stay_together_but_not_across_headings() -> None:
    chunks = chunks_of("# a\n\nOne.\n\nTwo.\n\n# b\n\nThree.", "t")
    assert [(chunk.heading, chunk.text) for chunk in chunks] == [
        (("a",), "One.\nTwo."),
        (("b",), "Three."),
    ]


def test_headings_go_on_from_part_to_part_and_places_do_not() -> None:
    words = "and so on " * 50
    parts = [Part(f"# One\n\n{words}", "p. 1"), Part(f"{words}\n\n# Two\n\n{words}", "p. 2")]
    chunks = chunks_of_parts(parts, "t")
    assert [(chunk.heading, chunk.place) for chunk in chunks] == [
        (("One",), "p. 1"),
        (("One",), "p. 2"),
        (("Two",), "p. 2"),
    ]


def test_sentences_of_both_languages() -> None:
    assert sentences("他说：“好。”然后走了。Really?! See e.g. Mr. Li at 3.5 km. yes. No") == [
        "他说：“好。”",
        "然后走了。",
        "Really?!",
        "See e.g. Mr. Li at 3.5 km. yes.",
        "No",
    ]


WORDS = st.text(
    st.sampled_from("abcXYZ 019汉字的，。！？.,;:\n\t#-*`|>[]()!_~<&\\=+、一二章第"), max_size=400
)


def _letters(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] in "LN")


@given(WORDS)
def test_of_any_text_every_chunk_is_within_limits_and_comes_in_order(text: str) -> None:
    chunks = chunks_of(text * 5, "title")
    assert all(0 < len(chunk.text) <= LONGEST and chunk.text.strip() for chunk in chunks)
    assert chunks == chunks_of(text * 5, "title")


PROSE = st.lists(
    st.one_of(
        st.from_regex(r"[a-zA-Z]{2,9}( [a-z]{1,9}){0,30}[.!?]", fullmatch=True),
        st.from_regex(r"[汉字说明开放时间]{2,40}[。！？]", fullmatch=True),
        st.from_regex(r"#{1,4} [a-z]{2,8}", fullmatch=True),
        st.from_regex(r"- [a-z]{2,8}", fullmatch=True),
    ),
    max_size=30,
)


@given(PROSE)
def test_of_prose_nothing_is_lost_and_the_order_stays(paragraphs: list[str]) -> None:
    chunks = chunks_of("\n\n".join(paragraphs), "title")
    read, before = "", ()
    for chunk in chunks:
        common = sum(1 for one, other in zip(before, chunk.heading, strict=False) if one == other)
        read += "".join(chunk.heading[common:]) + chunk.text
        before = chunk.heading
    text = [line for line in paragraphs if not line.startswith("#")]
    assert _letters("".join(text)) in _letters(read) or _in_order(text, read)
    for line in paragraphs:
        assert _letters(line) in _letters(read)


def _in_order(lines: list[str], read: str) -> bool:
    at, whole = 0, _letters(read)
    for line in lines:
        found = whole.find(_letters(line), at)
        if found < 0:
            return False
        at = found + len(_letters(line))
    return True


HOSTILE = {
    "one line": "汉",
    "brackets": "![",
    "links": "[a](",
    "stars": "*a",
    "ticks": "`a``b",
    "tildes": "~",
    "comments": "<!--",
    "tags": "<a ",
    "rules": "- ",
    "fences": "```a\n",
    "tables": "|\n" + "  " * 200 + "-|" * 20 + "x\n",
    "headings": "# a\n",
    "dots": ". ",
    "quotes": "> ",
    "ends": "!?",
    "zeros": "\0",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_in_no_time(name: str) -> None:
    """Anything that took quadratic time would meet the time limit of all tests."""
    piece = HOSTILE[name]
    size = 60_000 if piece.endswith("\n") else 150_000
    chunks = chunks_of(piece * (size // len(piece)) + "`x", "t")
    assert all(len(chunk.text) <= LONGEST for chunk in chunks)


def test_fences_that_never_end_are_looked_for_once() -> None:
    chunks = chunks_of("".join("`" * (n % 500 + 3) + "a\nb\n" for n in range(2000)), "t")
    assert "b" in chunks[0].text


def test_what_a_reader_does_not_see_is_left_out() -> None:
    text = (
        "<p align='center'>Read <b>this</b>&nbsp;&amp; <https://a.example></p>\n\n"
        "[1]: https://b.example\n\nuse `__init__` and snake_case_names, 2 * 3 * 4, \\*stars\\*"
    )
    (chunk,) = chunks_of(text, "t")
    assert re.sub(r"\s+", " ", chunk.text) == (
        "Read this & https://a.example use __init__ and snake_case_names, 2 * 3 * 4, *stars*"
    )
