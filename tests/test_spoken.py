"""What of a written clause is said aloud, and which part of it each character says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.tts.spans import SpannedText
from mien.tts.spoken import to_spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # emphasis
        ("**你好**，世界", "你好，世界"),
        ("I *really* like __this__ ~~one~~.", "I really like this one."),
        ("***都***好", "都好"),
        ("**你好，", "你好，"),
        ("世界**。", "世界。"),
        ("3 * 4 = 12", "3×4 = 12"),
        ("3*4", "3×4"),
        (r"\*x\*", "x"),
        # blocks
        ("# 标题", "标题"),
        ("### Heading ###", "Heading"),
        ("> 引用", "引用"),
        ("- 苹果", "苹果"),
        ("* apple", "apple"),
        ("\n- [x] done\n", "done"),
        ("- -5度", "-5度"),
        ("-5度", "-5度"),
        ("1. 苹果", "1、苹果"),
        ("1.苹果", "1、苹果"),
        ("1. **苹果**", "1、苹果"),
        ("2) pear", "2, pear"),
        ("**1. 标题**：内容", "1、标题：内容"),
        ("3.14很大", "3.14很大"),
        ("***", ""),
        ("---", ""),
        ("| 名字 | 年龄 |", "名字, 年龄"),
        ("|---|:-:|", ""),
        # code
        ("```py\nprint(1)\n```", ""),
        ("看：```x=1``` 好", "看： 好"),
        ("```\nnever closed", ""),
        ("用 `pip install` 装", "用 pip install 装"),
        ("``a`b`` c", "ab c"),
        ("snake_case __init__", "snake case init"),
        # HTML
        ("<b>hi</b> &amp; bye&nbsp;now", "hi & bye now"),
        ("a<br/>b", "a b"),
        ("a<!-- no -->b", "ab"),
        ("<script>x()</script>好", "好"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("&#20320;&#x597d;", "你好"),
        # links and addresses
        ("[谷歌](https://g.cn)很好", "谷歌很好"),
        ('[a](/b "title") c', "a c"),
        ("[![logo](a.png)](https://b.c) d", "logo d"),
        ("![图](a.png)", "图"),
        ("more](https://x.y/z) ok", "more ok"),
        ("[a label,", "a label,"),
        ("看 https://www.example.com/a?b=1。好", "看 example.com。好"),
        ("看https://example.com/a，好", "看example.com，好"),
        ("Visit www.foo.com.", "Visit foo.com."),
        ("<https://foo.org/x>", "foo.org"),
        ("谷歌（https://g.cn/x）很好", "谷歌很好"),
        ("写信给 a.b@c.com。", "写信给 a.b@c.com。"),
        ("见[1]。", "见。"),
        ("参考[^1]", "参考"),
        ("a[1] = b", "a[1] = b"),
        # emoji
        ("你好😊！", "你好！"),
        ("👨‍👩‍👧家👍🏽🇨🇳", "家"),
        ("1️⃣ 第一", "第一"),
        ("爱❤️你", "爱你"),
        ("★ 好 ✓", "好"),
        ("A → B", "A, B"),
        ("25℃ №5", "25℃ №5"),
        ("😀", ""),
        ("好 :)", "好"),
        ("10:30", "10:30"),
        # stage directions
        ("*smiles* Hello", "Hello"),
        ("Bye! *waves slowly*", "Bye!"),
        ("*He nods slowly.* Yes", "Yes"),
        ("I *think* so", "I think so"),
        ("how she *smiles* at me", "how she smiles at me"),
        ("(laughs) ok", "ok"),
        ("[laughter]", ""),
        ("（微笑）你好", "你好"),
        ("（他微笑着点了点头）好", "好"),
        ("*挥手* 嗨", "嗨"),
        ("（笑话）", "（笑话）"),
        ("（微笑服务）", "（微笑服务）"),
        ("(look at this)", "(look at this)"),
        # formulas
        ("质能 $E=mc^2$ 公式", "质能 E=mc^2 公式"),
        (r"\(a \times b\)", "a ×b"),
        (r"$$\frac{1}{2}$$", "1/2"),
        ("costs $5 and $10", "costs $5 and $10"),
        ("$100，$200", "$100，$200"),
        # nothing
        ("", ""),
        (" \n", ""),
        ("。。。", ""),
    ],
)
def test_spoken(written: str, spoken: str) -> None:
    assert to_spoken(written).text == spoken


def test_each_character_knows_where_it_was_written() -> None:
    written = "**你好**，[世界](https://a.b) &amp; 3 * 4"
    spoken = to_spoken(written)
    assert spoken.text == "你好，世界 & 3×4"
    pieces = [written[begin:stop] for begin, stop in spoken.spans]
    assert pieces == ["你", "好", "，", "世", "界", " ", "&amp;", " ", "3", " * ", "4"]


def test_reread_keeps_what_is_the_same() -> None:
    text = SpannedText.of("涨了5%，共1,000元").reread("涨了百分之五，共一千元")
    said = dict(zip(text.text, (text_of for text_of in text.spans), strict=True))
    assert said["涨"] == (0, 1)
    assert said["百"] == said["五"] == (2, 4)
    assert said["，"] == (4, 5)
    assert said["千"] == (6, 11)
    assert said["元"] == (11, 12)


def test_reread_does_not_pair_blanks_of_unlike_numbers() -> None:
    text = SpannedText.of("at 10:30 a.m. now").reread("at ten thirty AM now")
    assert [text.spans[text.text.index(word)] for word in ("ten", "AM")] == [(3, 13), (3, 13)]
    assert text.spans[text.text.index("now")] == (14, 15)


WRITTEN = st.lists(
    st.sampled_from(
        [
            *"你好。，！（）“”.,!?:;'\"()[]{}<>*_`#|&$%@~=^\\-+/ \n12aBz😀→é\u200d️",
            "```",
            "**",
            "https://a.b/c",
            "](http://a.b)",
            "&amp;",
            "<b>",
            "*smiles*",
            "（微笑）",
            "\\frac{1}{2}",
            "1. ",
        ]
    ),
    max_size=40,
).map("".join)


@settings(deadline=None)
@given(WRITTEN)
def test_any_text_keeps_a_rising_map(written: str) -> None:
    spoken = to_spoken(written)
    assert len(spoken.spans) == len(spoken.text)
    assert all(0 <= begin < stop <= len(written) for begin, stop in spoken.spans)
    for (begin, stop), (next_begin, next_stop) in zip(spoken.spans, spoken.spans[1:], strict=False):
        assert begin <= next_begin and stop <= next_stop


@settings(deadline=None)
@given(st.text(alphabet="你好世界今天ab，。 ", max_size=30))
def test_plain_words_are_all_said(written: str) -> None:
    letters = [c for c in written if c.isalpha()]
    assert [c for c in to_spoken(written).text if c.isalpha()] == letters


@settings(deadline=None)
@given(st.text(max_size=60))
def test_never_fails(written: str) -> None:
    to_spoken(written)
