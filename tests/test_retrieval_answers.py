"""Sentences of a passage that can be spoken, and answer."""

import pytest

from mien.retrieval.answers import answer_of, speakable
from mien.retrieval.contract import Chunk
from mien.retrieval.index import Index
from mien.retrieval.query import needs_of


def answer(text: str, question: str) -> str:
    return answer_of(text, Index([Chunk(text, "")]).weigh(needs_of(question)), "zh")


PARKING = (
    "我们的博物馆建于一九八二年。停车场在地下二层，从东门进入。小轿车每小时五元，每天最多五十元。"
    "电动车免费。馆内不允许使用闪光灯。"
)


def test_the_sentences_that_answer_are_taken() -> None:
    said = answer(PARKING, "停车怎么收费，一天最多多少钱")
    assert "每天最多五十元" in said and "一九八二" not in said and "闪光灯" not in said
    assert "闪光灯" in answer(PARKING, "拍照可以用闪光灯吗")


def test_a_sentence_that_leans_on_the_one_before_brings_it_along() -> None:
    text = "The locker is free. It opens with a coin of one euro. The café is upstairs."
    assert answer(text, "which coin opens it").startswith(
        "The locker is free. It opens with a coin"
    )


def test_rows_of_a_table_become_sentences() -> None:
    table = (
        "| 票种 | 价格 | 说明 |\n|---|---|---|\n| 成人票 | 40 元 | |\n| 学生票 | 20 元 | 凭学生证 |"
    )
    assert answer(table, "学生票多少钱") == "票种：学生票，价格：20 元，说明：凭学生证。"
    assert speakable("| day | hours |\n| Monday | closed |", "en") == ["Monday: closed."]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("- **Open** daily", "Open daily."),
        ("1. 先 `按下` 按钮", "先 按下 按钮。"),
        ("## 标题", "标题。"),
        ("See [the page](https://x.example/a) for more.", "See the page for more."),
        ("详见 https://x.example/a?b=1。", "详见。"),
        ("---\n***", ""),
        ("", ""),
    ],
)
def test_no_markup_and_no_address_is_spoken(text: str, spoken: str) -> None:
    assert answer(text, "open 标题 按钮 page 详见") == spoken


def test_answers_are_short_enough_to_be_listened_to() -> None:
    chinese = "，".join(f"第{i}条规定是关于参观的内容" for i in range(60)) + "。"
    said = answer(chinese, "参观的规定")
    assert 60 < len(said) <= 200 and said.endswith("。")
    english = ", ".join(f"rule {i} is about visits" for i in range(60)) + "."
    said = answer(english, "what are the rules of visits")
    assert 20 < len(said.split()) <= 60 and said.endswith(".")
    many = "".join(f"第{i}条规定讲参观。" for i in range(100))
    assert answer(many, "参观的规定").count("。") <= 3
