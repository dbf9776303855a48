"""The brain without a model answers from documents, and stays who it is."""

from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import Frame, LLMFullResponseStartFrame, LLMTextFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.tests.utils import run_test

from mien.llm import ScriptedLLMService, create_brain
from mien.llm.frames import AskFrame, SourcesFrame
from mien.llm.persona import load_persona
from mien.llm.role import Playing, Role
from mien.retrieval.collection import Collection
from mien.retrieval.contract import Chunk

MUSEUM = Collection(
    [
        Chunk("周二至周日九点到十七点开放，周一闭馆。", "参观指南", ("开放时间",)),
        Chunk("成人票四十元。学生和六十岁以上的老人半价。", "参观指南", ("门票",)),
        Chunk("馆内可以拍照，但是不允许使用闪光灯。", "参观指南", ("拍照",)),
        Chunk("谢谢您的来访。你们可以在这里留言，我是这里的馆长。", "参观指南", ("留言",)),
        Chunk("The café on the first floor serves lunch from noon.", "Guide", ("Café",)),
    ]
)


def role(knowledge: Collection | None = MUSEUM, faq: tuple[Path, ...] = ()) -> Role:
    return Role(load_persona(), "zh", knowledge=knowledge, faq=faq)


def scripted(knowledge: Collection | None = MUSEUM, faq: tuple[Path, ...] = ()) -> Any:
    return create_brain(role=role(knowledge, faq))


async def said(brain: Any, question: str) -> tuple[str, list[str]]:
    """What it says and the titles of the sources it shows before."""
    context = LLMContext([{"role": "user", "content": question}])
    down, _ = await run_test(brain, frames_to_send=[AskFrame(context)], start_timeout=60)
    text = "".join(f.text for f in down if isinstance(f, LLMTextFrame))
    cards = [f.sources for f in down if isinstance(f, SourcesFrame)]
    if cards:
        kinds: list[type[Frame]] = [type(f) for f in down]
        begun, shown = kinds.index(LLMFullResponseStartFrame), kinds.index(SourcesFrame)
        assert begun < shown < kinds.index(LLMTextFrame)
    return text, [source.title for sources in cards for source in sources]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("你们几点开门", "九点到十七点开放"),
        ("小眉，门票多少钱？", "成人票四十元"),
        ("可以开闪光灯拍照吗", "不允许使用闪光灯"),
        ("where can I have lunch?", "serves lunch from noon"),
    ],
)
async def test_questions_about_the_documents_are_answered_from_them(
    question: str, answer: str
) -> None:
    text, titles = await said(scripted(), question)
    assert answer in text
    assert titles == ["Guide" if "lunch" in answer else "参观指南"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("你是谁", "小眉"),
        ("谢谢", ""),
        ("你好", ""),
        ("现在几点了？", "现在是"),
        ("讲个笑话", ""),
        ("红烧肉怎么做", "没有连接语言模型"),
        ("Who are you?", "Mei"),
        ("怎么接入 DeepSeek", "DEEPSEEK_API_KEY"),
    ],
)
async def test_small_talk_and_mien_itself_are_the_scripts(question: str, answer: str) -> None:
    text, titles = await said(scripted(), question)
    assert answer in text and titles == []
    brain = ScriptedLLMService()
    if question not in ("讲个笑话", "现在几点了？"):
        assert text == brain.reply(question)


async def test_the_card_has_a_number_and_its_place() -> None:
    context = LLMContext([{"role": "user", "content": "门票多少钱"}])
    down, _ = await run_test(scripted(), frames_to_send=[AskFrame(context)], start_timeout=60)
    (card,) = next(f for f in down if isinstance(f, SourcesFrame)).sources
    assert (card.number, card.kind, card.site) == (1, "document", "门票")
    assert "成人票" in card.snippet


async def test_the_users_written_answers_go_before_their_documents(tmp_path: Path) -> None:
    file = tmp_path / "museum.toml"
    file.write_text(
        '[[entry]]\nid="price"\nzh={questions=["门票多少钱", "票价是多少"],answer="今天免费。"}',
        encoding="utf-8",
    )
    assert await said(scripted(faq=(file,)), "门票多少钱呀") == ("今天免费。", [])


async def test_it_becomes_somebody_else_from_the_next_question_on() -> None:
    brain = scripted(knowledge=None)
    assert isinstance(brain, Playing)
    context = LLMContext([{"role": "user", "content": "门票多少钱"}])
    assert "四十元" not in (await brain._answer_to("门票多少钱", context))[0]
    brain.become(role())
    text, (card,) = await brain._answer_to("门票多少钱", context)
    assert "四十元" in text and card.title == "参观指南"
    brain.become(role(knowledge=None))
    assert "四十元" not in (await brain._answer_to("门票多少钱", context))[0]


async def test_an_empty_base_changes_nothing() -> None:
    for question in ("怎么换声音", "how do I change the voice", "红烧肉怎么做"):
        with_it, without = scripted(Collection([])), ScriptedLLMService()
        assert await said(with_it, question) == (without.reply(question), [])
