"""The scripted brain looks like a language model to the pipeline, and is honest to people."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.tests.utils import SleepFrame, run_test

from mien.llm import BRAIN_NAMES, PRESETS, ScriptedLLMService, create_brain, load_faq
from mien.llm.scripted import pieces


def scripted(**kwargs: Any) -> ScriptedLLMService:
    return ScriptedLLMService(clock=lambda: datetime(2026, 3, 4, 15, 5), **kwargs)


async def frames_for(brain: Any, *frames: Frame) -> list[Frame]:
    down, _ = await run_test(brain, frames_to_send=list(frames), start_timeout=30)
    kinds = (LLMTextFrame, LLMFullResponseStartFrame, LLMFullResponseEndFrame, InterruptionFrame)
    return [f for f in down if isinstance(f, kinds)]


def asking(text: str) -> LLMContextFrame:
    return LLMContextFrame(LLMContext([{"role": "user", "content": text}]))


async def test_the_frames_are_those_of_a_language_model() -> None:
    down = await frames_for(create_brain(), asking("你是谁？"))
    assert isinstance(down[0], LLMFullResponseStartFrame)
    assert isinstance(down[-1], LLMFullResponseEndFrame)
    texts = [f for f in down[1:-1] if isinstance(f, LLMTextFrame)]
    assert len(texts) == len(down) - 2 > 5
    assert all(f.includes_inter_frame_spaces for f in texts)
    assert "小眉" in "".join(f.text for f in texts)


async def test_an_interrupted_answer_stops_without_an_end() -> None:
    brain = scripted(token_delay_secs=0.2)
    down = await frames_for(
        brain, asking("怎么连接模型"), SleepFrame(0.5), InterruptionFrame(), SleepFrame(0.5)
    )
    kinds = [type(f) for f in down]
    assert kinds[-1] is InterruptionFrame
    assert LLMFullResponseEndFrame not in kinds


def test_pieces_lose_nothing() -> None:
    for entry in load_faq().entries:
        for language in ("zh", "en"):
            for answer in entry.answers(language):
                cut = list(pieces(answer))
                assert "".join(cut) == answer
                assert max(map(len, cut)) < 30


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("现在几点了？", "现在是下午3点5分。"),
        ("What time is it?", "It is 3:05 in the afternoon."),
        ("今天星期几", "今天是2026年3月4日，星期三。"),
        ("What's today's date?", "Today is Wednesday, March 4, 2026."),
    ],
)
def test_time_and_date(question: str, answer: str) -> None:
    assert scripted().reply(question) == answer


@pytest.mark.parametrize(
    ("hour", "spoken"), [(0, "凌晨0点整"), (8, "上午8点整"), (12, "下午12点整"), (23, "晚上11点整")]
)
def test_hours_in_chinese(hour: int, spoken: str) -> None:
    brain = ScriptedLLMService(clock=lambda: datetime(2026, 3, 4, hour, 0))
    assert spoken in brain.reply("几点了")


def test_the_answers_language_follows_the_question() -> None:
    brain = scripted()
    assert brain.reply("Who are you?").startswith("I'm Mei")
    assert brain.reply("你是谁").startswith("我叫小眉")
    assert "DEEPSEEK_API_KEY" in brain.reply("DeepSeek 怎么接？")


def test_out_of_scope_says_that_no_model_is_connected() -> None:
    brain = scripted()
    assert "没有连接语言模型" in brain.reply("红烧肉怎么做")
    assert "no language model" in brain.reply("how tall is mount everest").lower()


def test_repeat_gives_the_last_answer_again() -> None:
    brain = scripted()
    context = LLMContext(
        [
            {"role": "user", "content": "讲个笑话"},
            {"role": "assistant", "content": "从前有座山。"},
            {"role": "user", "content": "再说一遍"},
        ]
    )
    assert brain.reply("再说一遍", context) == "从前有座山。"
    assert "haven't said anything" in brain.reply("say that again", LLMContext())


def test_jokes_take_turns() -> None:
    brain = scripted()
    assert len({brain.reply("讲个笑话") for _ in range(3)}) == 3


def test_silence_gets_a_question_back() -> None:
    assert "再说一遍" in scripted().reply("  ")


def test_braces_in_a_users_answer_are_just_braces(tmp_path: Path) -> None:
    file = tmp_path / "faq.toml"
    file.write_text(
        "[[entry]]\nid='x'\nen={questions=['what are braces'],answer='{a} {} {name}'}",
        encoding="utf-8",
    )
    assert scripted(faq_paths=[file]).reply("what are braces") == "{a} {} Mei"


def test_the_label_says_that_no_model_is_connected() -> None:
    info = create_brain("scripted").info
    assert (info.label_en, info.label_zh) == ("no model connected", "未连接模型")
    assert not info.connected and info.name == "scripted"


def test_the_faq_names_the_real_presets_and_variables() -> None:
    faq = load_faq()
    answers = " ".join(a for e in faq.entries for a in e.answers("en"))
    for name, preset in PRESETS.items():
        assert f"llm option {name}" in answers
        if preset.key_required:
            assert preset.key_variables[0] in answers
    assert "scripted" in BRAIN_NAMES
