"""Numbers, units, names and languages as voices are to read them, mapped to the written clause."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.language import Language
from mien.tts.normalize import Prepared, language_runs, prepare
from mien.tts.normalize_en import address, cardinal, code, decimal


def said(prepared: Prepared) -> str:
    """Runs in one line; the language is named where it changes: "我用<en>GPT four o<zh>写"."""
    parts = [f"<{run.language}>{run.text}" for run in prepared.runs]
    return "".join(parts).removeprefix("<zh>")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("今天天气很好。", "今天天气很好。"),
        # dates and times
        ("今天是2024年5月3日", "今天是二零二四年五月三日"),
        ("2024-05-03", "二零二四年五月三日"),
        ("2024/05/01见", "二零二四年五月一日见"),
        ("2001年", "二零零一年"),
        ("500年前", "五百年前"),
        ("5月3-5日", "五月三到五日"),
        ("2020—2024年", "二零二零到二零二四年"),
        ("10:30开始", "十点三十分开始"),
        ("下午3：30", "下午三点三十分"),
        ("3:05", "三点零五分"),
        ("1990年代", "一九九零年代"),
        ("95后", "九五后"),
        # amounts
        ("他有2个苹果", "他有两个苹果"),
        ("2米", "两米"),
        ("第3名", "第三名"),
        ("我有 3 点建议 和 2 个问题", "我有三点建议和两个问题"),
        ("第1-3章", "第一到三章"),
        ("3~5天", "三到五天"),
        ("10-20人", "十到二十人"),
        ("-10~5℃", "负十到五摄氏度"),
        ("圆周率是3.14", "圆周率是三点一四"),
        ("10万", "十万"),
        ("1,234,567人", "一百二十三万四千五百六十七人"),
        ("１２３", "一百二十三"),
        ("约≥5个", "约大于等于五个"),
        ("1/3的人", "三分之一的人"),
        ("涨了5%", "涨了百分之五"),
        ("50~60%", "百分之五十到百分之六十"),
        ("20%-30%", "百分之二十到百分之三十"),
        ("3‰", "千分之三"),
        ("比分是3:1", "比分是三比一"),
        ("以3-2获胜", "以三比二获胜"),
        ("1+1=2", "一加一等于二"),
        ("3×4=12", "三乘四等于十二"),
        ("10^6", "十的六次方"),
        ("√9=3", "根号九等于三"),
        ("边长5²米", "边长五的平方米"),
        # money
        ("共1,000元", "共一千元"),
        ("￥1,000", "一千元"),
        ("¥12.5万", "十二点五万元"),
        ("￥3.14", "三点一四元"),
        ("$100", "一百美元"),
        ("$1.5M", "一点五百万美元"),
        ("$5-$10", "五美元到十美元"),
        ("￥5-10元", "五元到十元"),
        # units
        ("气温25℃。", "气温二十五摄氏度。"),
        ("重5kg", "重五千克"),
        ("100㎡", "一百平方米"),
        ("100m²", "一百平方米"),
        ("时速100km/h", "时速一百公里"),
        ("3.5GHz", "三点五吉赫"),
        ("1080p视频", "一零八零<en>p<zh>视频"),
        # telephone numbers and codes
        ("电话13800138000", "电话幺三八零零幺三八零零零"),
        ("+86 138 0013 8000", "加八六 幺三八零零幺三八零零零"),
        ("010-12345678", "零一零一二三四五六七八"),
        ("400-123-4567", "四零零一二三四五六七"),
        ("拨打110", "拨打幺幺零"),
        ("版本1.2.3", "版本一点二点三"),
        ("24/7服务", "七乘二十四服务"),
        # English within
        ("我用GPT-4o写代码", "我用<en>GPT four o<zh>写代码"),
        ("我买了 iPhone 15，很好", "我买了 <en>iPhone <zh>十五，很好"),
        ("iPhone 15 Pro 很好", "<en>iPhone fifteen Pro <zh>很好"),
        ("5G网络", "五<en>G<zh>网络"),
        ("H.264编码", "<en>H two sixty four<zh>编码"),
        ("No.1 的选手", "<en>number one <zh>的选手"),
        ("AT&T公司", "<en>AT and T<zh>公司"),
        ("C++很难", "<en>C plus plus<zh>很难"),
        ("他说 I have 3 cats。", "他说 <en>I have three cats."),
        ("写信给 me@a.com 吧", "写信给 <en>me at a dot com <zh>吧"),
        ("看 https://www.example.com/x 吧", "看 <en>example dot com <zh>吧"),
        ("在GitHub上有100个star", "在<en>GitHub<zh>上有一百个<en>star"),
        # cleaned first
        ("**2024年**，[3个](https://a.b)😀", "二零二四年，三个"),
        ("1. 苹果", "一、苹果"),
    ],
)
def test_chinese(written: str, spoken: str) -> None:
    assert said(prepare(written)) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Hello, how are you?", "Hello, how are you?"),
        ("It's 5 o'clock.", "It's five o'clock."),
        ("It’s “fine”.", "It's fine."),
        # dates and times
        ("May 3, 2024", "May three, twenty twenty four"),
        ("in 1999", "in nineteen ninety nine"),
        ("the year 2000", "the year two thousand"),
        ("2019-2024", "twenty nineteen to twenty twenty four"),
        ("in the 1990s", "in the nineteen nineties"),
        ("the 2020s", "the twenty twenties"),
        ("the '80s", "the eighties"),
        ("at 10:30 a.m.", "at ten thirty AM"),
        ("10:00", "ten o'clock"),
        # amounts
        ("2 cats", "two cats"),
        ("1000 people", "one thousand people"),
        ("1,234 men", "one thousand two hundred thirty four men"),
        ("0.5", "zero point five"),
        ("-5", "negative five"),
        ("3/4 cup", "three quarters cup"),
        ("50%", "fifty percent"),
        ("10-20%", "ten to twenty percent"),
        ("3-5 days", "three to five days"),
        ("~5 min", "about five minutes"),
        ("1st and 22nd", "first and twenty second"),
        ("A 3-year-old boy", "A three year old boy"),
        ("5×3", "five times three"),
        ("x = 3", "x equals three"),
        # money
        ("$1,000", "one thousand dollars"),
        ("$3.14", "three dollars and fourteen cents"),
        ("$0.99", "ninety nine cents"),
        ("$1", "one dollar"),
        ("$1.5M", "one point five million dollars"),
        ("$5-$10", "five dollars to ten dollars"),
        ("€5.5", "five point five euros"),
        # units
        ("It is 25°C today.", "It is twenty five degrees Celsius today."),
        ("100 km/h", "one hundred kilometers per hour"),
        ("3 m long", "three meters long"),
        ("in 10 s", "in ten seconds"),
        ("20 MB", "twenty megabytes"),
        # telephone numbers, names, abbreviations
        ("415-555-1234", "four one five, five five five, one two three four"),
        ("+1 415 555 1234", "plus one, four one five, five five five, one two three four"),
        ("555-1234", "five five five, one two three four"),
        ("GPT-4o is good", "GPT four o is good"),
        ("COVID-19", "COVID nineteen"),
        ("iPhone 15", "iPhone fifteen"),
        ("v1.2.3", "v one point two point three"),
        ("3D", "three D"),
        ("No. 5", "number five"),
        ("#1 hit", "number one hit"),
        ("No. I have 3.", "No. I have three."),
        ("24/7", "twenty four seven"),
        ("Dr. Lee and Mr. X", "Doctor Lee and Mister X"),
        ("the U.S. has", "the U S has"),
        ("e.g. this, etc.", "for example this, et cetera"),
        ("Q&A", "Q and A"),
        ("see main.py", "see main dot py"),
        ("café 3", "café three"),
    ],
)
def test_english(written: str, spoken: str) -> None:
    assert said(prepare(written, "en")) == "<en>" + spoken


def test_numbers_alone_take_the_default_language() -> None:
    assert said(prepare("3.14", "zh")) == "三点一四"
    assert said(prepare("3.14", "en")) == "<en>three point one four"
    assert said(prepare("3.14。", "en")) == "三点一四。"


def test_number_between_languages_takes_that_of_the_larger_part() -> None:
    assert said(prepare("I love 北京 2 times a day")) == "<en>I love <zh>北京 <en>two times a day"


@pytest.mark.parametrize("written", ["", "。。。", "```py\nx = 1\n```", "😀", "---", "（微笑）"])
def test_nothing_to_say(written: str) -> None:
    assert prepare(written).empty
    assert not prepare(written + "好").empty


def test_each_character_knows_what_it_says() -> None:
    written = "我用**GPT-4o**写了100行代码"
    by_text: dict[str, set[str]] = {}
    for run in prepare(written).runs:
        for character, (begin, stop) in zip(run.text, run.spans, strict=True):
            by_text.setdefault(written[begin:stop], set()).add(character)
    assert by_text["100"] == {"一", "百"}
    assert by_text["行"] == {"行"}
    assert by_text["-4"] == set(" four")
    assert by_text["G"] == {"G"}
    assert by_text["写"] == {"写"}


def test_runs_follow_each_other_in_the_written_clause() -> None:
    written = "看看[Hello World](https://a.b)的5个例子"
    runs = prepare(written).runs
    assert [run.language for run in runs] == ["zh", "en", "zh"]
    ends = [(run.spans[0][0], run.spans[-1][1]) for run in runs]
    assert [written[begin:stop] for begin, stop in ends] == ["看看", "Hello World", "的5个例子"]


def test_language_runs() -> None:
    text = "你好，Hello world！我有 iPhone 15 和 3 个 apple。"
    assert [(run.language, run.text) for run in language_runs(text)] == [
        ("zh", "你好，"),
        ("en", "Hello world！"),
        ("zh", "我有 "),
        ("en", "iPhone "),
        ("zh", "15 和 3 个 "),
        ("en", "apple。"),
    ]
    assert language_runs("“Hello”她说")[0].text == "“Hello”"
    assert language_runs("") == []
    assert [run.language for run in language_runs("42", "en")] == ["en"]


def test_english_numbers() -> None:
    assert cardinal(0) == "zero"
    assert cardinal(1_000_000_019) == "one billion nineteen"
    assert decimal("1,002.50") == "one thousand two point five zero"
    assert code("RTX4090") == "RTX forty ninety"
    assert code("B2B") == "B two B"
    assert code("A007") == "A zero zero seven"
    assert address("a_b@c-d.com") == "a underscore b at c dash d dot com"


def test_import_loads_no_grammar() -> None:
    probe = "import sys, mien.tts.normalize; print('wetext' in sys.modules, 'emoji' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_threads_share_the_grammars() -> None:
    with ThreadPoolExecutor(4) as pool:
        results = set(pool.map(lambda _: said(prepare("2024年涨了5%")), range(32)))
    assert results == {"二零二四年涨了百分之五"}


WRITTEN = st.lists(
    st.sampled_from(
        [
            *"你好个年月日元点万到第。，！？（）“”abXY .,!?:;-–~%$¥€#*_`[]<>/&@'\n0123456789+=²",
            *"°℃½٣５😀éカ",
            "GPT-4o",
            "3.14",
            "1,000",
            "https://a.b/c",
            "Dr.",
            "1990s",
            "No.1",
            "$5",
            "10:30",
            "km/h",
            "2024-05-03",
            "**",
            "```",
            "&amp;",
            "e.g.",
            "5×3",
            "[3]",
        ]
    ),
    max_size=20,
).map("".join)
LANGUAGES: st.SearchStrategy[Language] = st.sampled_from(["zh", "en"])


@settings(deadline=None)
@given(WRITTEN, LANGUAGES)
def test_any_clause_becomes_words_with_a_rising_map(written: str, default: Language) -> None:
    prepared = prepare(written, default)
    spans = [span for run in prepared.runs for span in run.spans]
    assert all(0 <= begin < stop <= len(written) for begin, stop in spans)
    assert spans == sorted(spans)
    assert [stop for _, stop in spans] == sorted(stop for _, stop in spans)
    for run in prepared.runs:
        assert len(run.text) == len(run.spans)
        assert not any(character.isdigit() and character.isdecimal() for character in run.text)
        assert any(character.isalnum() for character in run.text)


@settings(deadline=None)
@given(WRITTEN, LANGUAGES)
def test_language_runs_lose_nothing(text: str, default: Language) -> None:
    runs = language_runs(text, default)
    assert "".join(run.text for run in runs) == text
    assert [text[run.begin : run.stop] for run in runs] == [run.text for run in runs]
    assert all(a.language != b.language for a, b in pairwise(runs))


@settings(deadline=None)
@given(st.text(max_size=40))
def test_never_fails(written: str) -> None:
    prepare(written)
