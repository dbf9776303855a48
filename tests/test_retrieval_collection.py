"""Documents that are asked: what answers, what is out of scope."""

import pytest

from mien.retrieval.collection import Collection
from mien.retrieval.contract import Chunk, Retriever

GUIDE = [
    Chunk(
        "博物馆周二至周日九点到十七点开放，周一闭馆。", "参观指南", ("开放时间",), place="第 1 页"
    ),
    Chunk("成人票四十元。学生和六十岁以上的老人半价。", "参观指南", ("门票",)),
    Chunk("停车场在地下二层，每小时五元。", "参观指南", ("交通",)),
    Chunk("地铁二号线到博物馆站下车。", "参观指南", ("交通",)),
    Chunk("公交一路和九路也到。", "参观指南", ("交通",)),
    Chunk("地铁二号线到博物馆站下车。", "旧指南", ("交通",)),
    Chunk("The shop sells postcards and books.", "Guide", ("Shop",), url="shop.md"),
]


async def test_passages_carry_where_they_stand_and_what_to_say() -> None:
    collection: Retriever = Collection(GUIDE)
    (first, *_) = await collection.search("你们几点开门？", "zh")
    assert (first.title, first.heading, first.place) == ("参观指南", ("开放时间",), "第 1 页")
    assert first.answer == GUIDE[0].text and 0 < first.score <= 1


async def test_a_row_comes_once_and_a_heading_does_not_fill_the_list() -> None:
    rows = [
        Chunk("十元。", "问答", (asked,), place="第 2 行") for asked in ("公交票价", "公交多少钱")
    ]
    collection = Collection([*GUIDE, *rows], threshold=0.01)
    found = await collection.search("地铁 公交 停车 交通", "zh", limit=10)
    texts = [p.text for p in found]
    assert texts.count("十元。") == 1
    assert texts.count(GUIDE[3].text) == 2  # another guide says it, too
    assert sum(p.heading == ("交通",) for p in found if p.title == "参观指南") == 2


async def test_at_most_as_many_as_wanted() -> None:
    assert len(await Collection(GUIDE, threshold=0.01).search("交通 门票 开放", "zh", limit=2)) == 2


@pytest.mark.parametrize(
    "question",
    [
        "",
        "  ",
        "你是谁？",
        "who are you",
        "你好呀",
        "红烧排骨怎么做",
        "勾股定理是什么",
        "how tall is mount everest",
        "what is the capital of australia",
    ],
)
async def test_what_is_out_of_scope_finds_nothing(question: str) -> None:
    assert await Collection(GUIDE).search(question, "zh") == []


async def test_an_empty_collection_knows_nothing() -> None:
    assert await Collection([]).search("几点开门", "zh") == []
    assert len(Collection([])) == 0


async def test_an_english_question_about_an_english_text() -> None:
    (found, *_) = await Collection(GUIDE).search("do you sell postcards", "en")
    assert found.url == "shop.md" and found.answer == "The shop sells postcards and books."
