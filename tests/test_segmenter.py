"""Where a streamed answer is cut, how early, and that nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.gestures import without_tags
from mien.tts.segmenter import MOST_CHARACTERS, Clause, Segmenter


def parse(*pieces: str) -> list[Clause]:
    """Of an answer that came in these pieces."""
    segmenter = Segmenter()
    clauses = [clause for piece in pieces for clause in segmenter.feed(piece)]
    return clauses + segmenter.flush()


def segment(text: str) -> list[str]:
    return texts(parse(text))


def texts(clauses: list[Clause]) -> list[str]:
    return [clause.text for clause in clauses]


@pytest.mark.parametrize(
    "marked",  # "|" where it is to be cut
    [
        # The first clause leaves at its first comma, if that is worth it ...
        "今天天气很好，|我们去公园",
        "是的，今天天气很好，|我们去公园",
        "今天天气很好：|去公园",
        "苹果香蕉、|梨",
        "嗯我想想——|再说吧",
        "你这样好～|我这样也好～|",
        "Well my dear friend,| let us go",
        "Yes, my friend,| I go",
        "Here it is at last:| the answer",
        "Here it is at last;| the answer",
        "Wait for it now—|the answer",
        # ... or at the end of a sentence, however short.
        "你好！|我是小明",
        "Hi.| I am Ann",
        "好。|走吧",
        "No. |I think not",
        # Later clauses are longer, sentences always end.
        "你好！|今天天气很好，我们去公园吧。|好",
        "你好！|今天的天气真的是非常非常好啊，|我们去公园",
        "Hi!| Well my dear friend, let us go.| Now",
        "Hi!| One two three four five six seven eight,| nine",
        "他来了；我走了。|好",
        "你好！|你可以每天去外面做做运动，|比如跑步",
        "你好！|你可以每天去外面做运动（比如跑步、游泳）。|好",
        "你好！|苹果香蕉梨子桃子西瓜葡萄草莓、樱桃、橙子。|好",
        "你好！|" + "苹果" * 12 + "橙子、|樱桃",
        # Marks in runs, and what closes after them.
        "什么？！|不会吧",
        "What?!| No",
        "真的吗？？？|是的",
        "好的……|那就走吧",
        "Well...| OK",
        "他说：“你好。”|然后走了",
        "「好。」|走",
        "『好！』|走",
        "（真的。）|走",
        "【真的！】|走",
        '"Go away!"| she said',
        "'Go away.'| she said",
        "(Really.)| Yes",
        "**你好。**|下一句",
        "**Hello there.**| Next",
        # Numbers, times, names.
        "It is 3.14 now.| Yes",
        "圆周率是3.14左右。|好",
        "It costs 1,000 dollars in all,| yes",
        "It is 10:00 now.| Yes",
        "现在是3：30，|好",
        "比分是2:1吗？|是",
        "Dr. Smith and Mr. Lee met.| Yes",
        "Some, e.g. this and i.e. that.| Yes",
        "In the U.S. we do.| Yes",
        "J. R. Smith did it.| Yes",
        "I use GPT-4o daily.| Yes",
        "Use v1.2.3 now.| Yes",
        "在2019—2024年间，|好",
        "Open main.py now.| Yes",
        "Mail a.b@c.co.uk now.| Yes",
        "请看 https://a.com/b.c?d=e,f;g:h!i 吧。|好",
        "See https://a.com/b.| Yes",
        "看www.a.com/x,y吧，|好",
        "See no. 5 at 10 p.m. today.| Yes",
        "He came at 10 p.m. |Then he left",
        "Cats, etc. |They sleep",
        "Tom &amp; Jerry ran off;| then",
        "It is so-called 2.| Then",
        # Lines and lists.
        "1. 打开文件，|然后保存",
        "1. Open it.\n|2. Close it.\n|",
        "1.苹果\n|2.香蕉\n|",
        "步骤：1. 打开 2. 关闭。|好",
        "标题\n|正文",
        "\n\n标题\n|正文",
        # Code stays whole.
        '看代码：|```python\nprint("a，b。")\n```\n|好的。|',
        'Sure.\n|```py\na = "```"  # no.\n```\n|Done.| Yes',
        "````\n```\nx。\n```\n````\n|好",
        "用 `a.b(c, d); e。` 吧。|好",
        "```\nnever closed。\n\n你好。",
        # Nothing to say is not a clause of its own.
        "。。。你好。|",
        "Hello!|😊 Nice to see you.|😀",
        "！！！",
        "",
    ],
)  # fmt: skip
def test_cuts(marked: str) -> None:
    expected = [clause for clause in marked.split("|") if clause]
    assert segment("".join(expected)) == expected


def test_first_clause_leaves_with_its_mark() -> None:
    for text in ("今天天气很好，", "你好。", "Well my dear friend,", "苹果香蕉、"):
        segmenter = Segmenter()
        assert segmenter.feed(text[:-1]) == []
        assert texts(segmenter.feed(text[-1])) == [text]


def test_waits_for_one_character_where_it_may_belong_to_the_mark() -> None:
    for text, after in (
        ("“你好。", "”"),
        ("Hi.", " "),
        ("你好！", "我"),
        ("in all it costs 5,", " "),
    ):
        segmenter = Segmenter()
        assert segmenter.feed(text) == []
        assert len(segmenter.feed(after)) == 1


def test_quote_left_open_delays_only_its_own_line() -> None:
    segmenter = Segmenter()
    segmenter.feed("他说：“你好\n")
    assert texts(segmenter.feed("好。")) == ["好。"]


def test_long_sentence_is_cut_at_its_best_place() -> None:
    han = "好" * 50 + "（" + "的" * 60 + "。"
    assert [len(clause) for clause in segment(han)] == [81, 31]
    words = "word " * 60
    clauses = segment(words)
    assert len(clauses) == 2
    assert clauses[0].endswith("word") and clauses[1].startswith(" word")
    comma = "Aa " * 25 + "(b, " + "cc " * 30 + "."
    assert segment(comma)[0].endswith("b,")


def test_long_url_is_not_cut_but_endless_characters_are() -> None:
    url = "https://example.com/" + "a,b.c" * 100
    assert segment(url) == [url]
    assert len(segment("a" * (3 * MOST_CHARACTERS))) > 2


def test_flush_begins_a_new_answer() -> None:
    segmenter = Segmenter()
    assert texts(segmenter.feed("今天天气很好，我们去")) == ["今天天气很好，"]
    assert texts(segmenter.flush()) == ["我们去"]
    assert segmenter.flush() == []
    assert texts(segmenter.feed("今天天气很好，")) == ["今天天气很好，"]


def test_reset_forgets() -> None:
    segmenter = Segmenter()
    segmenter.feed("“他说```")
    segmenter.reset()
    assert texts(segmenter.feed("你好。")) == ["你好。"]
    assert segmenter.flush() == []


PIECE_LIST = st.lists(
    st.sampled_from(
        [
            *"[]［】你好世界。，！？、；：…—～“”（）「」.,!?:;'\"()*_`#|&$%@~-/ \n1230aBcZ😀é",
            "```",
            "```\n",
            "Dr. ",
            "e.g. ",
            "etc. ",
            "No. ",
            "3.14",
            "1,000",
            "https://a.b/c",
            "&amp;",
            "……",
            "a@b.c",
        ]
    ),
    max_size=60,
)
PIECES = PIECE_LIST.map("".join)


@settings(deadline=None)
@given(PIECES)
def test_nothing_is_lost(text: str) -> None:
    clauses = segment(text)
    assert "".join(clauses) == text
    assert all(clauses)


@settings(deadline=None)
@given(PIECES, st.data())
def test_chunking_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[begin:stop] for begin, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parse(*pieces) == parse(text)


@settings(deadline=None)
@given(PIECES)
def test_numbers_and_addresses_stay_whole(text: str) -> None:
    for token in ("3.14", "1,000", "10:30", "https://a.b/c?d,e;f", "a.b@c.de", "v1.2.3", "GPT-4o"):
        clauses = segment(f"{text.replace('`', '')}\n{token} 你好")
        assert any(token in clause for clause in clauses)


# -- tags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("[smile] Hello there.", [("Hello there.", [(0, "smile")])]),
        ("[Smile]Hello there.", [("Hello there.", [(0, "smile")])]),
        ("[ NOD ] Yes.", [("Yes.", [(0, "nod")])]),
        ("Well [nod] yes.", [("Well yes.", [(5, "nod")])]),
        ("Well[nod]yes.", [("Well yes.", [(4, "nod")])]),
        ("[smile][nod] Yes.", [("Yes.", [(0, "smile"), (0, "nod")])]),
        ("[smile] [nod] Yes.", [("Yes.", [(0, "smile"), (0, "nod")])]),
        # before a mark: with the end of what was said
        ("I see [sad]. Go on.", [("I see.", [(5, "sad")]), (" Go on.", [])]),
        ("我知道了【难过】。走吧。", [("我知道了。", [(4, "sad")]), ("走吧。", [])]),
        # between two clauses: with the first word of the second
        ("Hello. [nod] Yes.", [("Hello.", []), (" Yes.", [(1, "nod")])]),
        ("Hello.[nod] Yes.", [("Hello.", []), (" Yes.", [(0, "nod")])]),
        ("Hello.[nod]Yes.", [("Hello.", []), (" Yes.", [(0, "nod")])]),
        ("Hello.\n[nod] Yes.", [("Hello.\n", []), ("Yes.", [(0, "nod")])]),
        ("你好！[微笑]我是小眉。", [("你好！", []), ("我是小眉。", [(0, "smile")])]),
        ("今天天气很好，【大笑】去公园。", [("今天天气很好，", []), ("去公园。", [(0, "laugh")])]),
        # full-width brackets, traditional characters, the wink that is shown as a smile
        ("［nod］好的。", [("好的。", [(0, "nod")])]),
        ("［點頭］好的。", [("好的。", [(0, "nod")])]),
        ("[眨眼]好的。", [("好的。", [(0, "smile")])]),
        # at the end of the answer
        ("Hello. [smile]", [("Hello.", []), ("", [(0, "smile")])]),
        ("Hello there [smile]", [("Hello there", [(11, "smile")])]),
        ("[smile]", [("", [(0, "smile")])]),
        ("好的[点头]", [("好的", [(2, "nod")])]),
        # quotes stay together
        ("他说：“好！[点头]”然后走了。", [("他说：“好！”", [(6, "nod")]), ("然后走了。", [])]),
    ],
)  # fmt: skip
def test_tags_become_gestures(
    answer: str, expected: list[tuple[str, list[tuple[int, str]]]]
) -> None:
    assert parse(answer) == [Clause(text, tuple(gestures)) for text, gestures in expected]


@pytest.mark.parametrize(
    "answer",
    [
        "[smile](https://a.b) is a link.",
        "[think](/x)",
        "见[1]和[^2]。",
        "a[0] = b[nod",
        "[smiley] face",
        "[smile",
        "[ ] todo",
        "【注意】小心。",
        "[微笑】",
        "[[1]]",
        "(smile) 你好",
        "`[smile]` is code",
        "```\n[smile]\n```\n",
        "[note: smile]",
        "[" + " " * 40 + "smile]",
    ],
)
def test_other_brackets_stay_text(answer: str) -> None:
    clauses = parse(answer)
    assert "".join(texts(clauses)) == answer
    assert not any(clause.gestures for clause in clauses)


def test_a_bracket_waits_only_while_it_may_become_a_tag() -> None:
    segmenter = Segmenter()
    assert texts(segmenter.feed("今天天气很好。[")) == ["今天天气很好。"]
    assert texts(segmenter.feed("1] 好。")) == ["[1] 好。"]
    # The clause before a tag is not kept waiting for it, whatever it becomes.
    assert texts(segmenter.feed("真的吗？[")) == ["真的吗？"]
    assert texts(segmenter.feed("smi")) == []
    assert segmenter.feed("le]走吧。") == [Clause("走吧。", ((0, "smile"),))]


def test_a_tag_in_front_does_not_delay_the_first_clause() -> None:
    segmenter = Segmenter()
    assert segmenter.feed("[smile] 今天天气很好") == []
    assert segmenter.feed("，") == [Clause("今天天气很好，", ((0, "smile"),))]


def test_a_gesture_stays_with_its_word_when_a_long_clause_is_cut() -> None:
    clauses = parse("word " * 44 + "[nod] last " + "word " * 10)
    (at,) = [(c.text, o) for c in clauses for o, _ in c.gestures]
    assert at[0][at[1] :].lstrip().startswith("last")


TAGS = ["[smile]", "[NOD]", "【微笑】", "［摇头］", "[sad] ", " [think]", "[surprised]"]


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(TAGS), PIECE_LIST.map("".join)), max_size=12), st.data())
def test_chunking_does_not_matter_to_tags(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[begin:stop] for begin, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    clauses = parse(*pieces)
    assert clauses == parse(*text)
    assert all(clause.text.strip() or clause.gestures for clause in clauses[1:-1])
    for clause in clauses:
        offsets = [offset for offset, _ in clause.gestures]
        assert offsets == sorted(offsets)
        assert all(0 <= offset <= len(clause.text) for offset in offsets)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "[smile] ", "[nod] "]), st.sampled_from(["Hello", "yes"])),
        min_size=1,
        max_size=12,
    )
)
def test_every_tag_is_found_and_none_is_left(words: list[tuple[str, str]]) -> None:
    clauses = parse(" ".join(tag + word for tag, word in words) + ".")
    assert "".join(texts(clauses)) == " ".join(word for _, word in words) + "."
    found = [
        (name, clause.text[offset:].split()[0].rstrip("."))
        for clause in clauses
        for offset, name in clause.gestures
    ]
    assert found == [(tag.strip("[] "), word) for tag, word in words if tag]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[smile] Hello", " Hello"),
        ("Bye.[nod]", "Bye."),
        ("[smile](https://a.b) [1] 【注意】", "[smile](https://a.b) [1] 【注意】"),
        ("【微笑】［NOD］好", "好"),
    ],
)
def test_a_text_without_its_tags(text: str, said: str) -> None:
    assert without_tags(text) == said
