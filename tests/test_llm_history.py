"""What of a conversation is sent."""

from typing import Any

import pytest
from pipecat.processors.aggregators.llm_context import LLMContext

from mien.llm import (
    HistoryLimits,
    trim_context,
)


def turn(i: int, size: int = 10) -> list[Any]:
    return [
        {"role": "user", "content": f"q{i}".ljust(size, ".")},
        {"role": "assistant", "content": f"a{i}".ljust(size, ".")},
    ]


def contents(context: LLMContext) -> list[str]:
    return [str(m["content"]).rstrip(".") for m in context.get_messages()]  # type: ignore[index]


def test_turns_are_limited_and_the_system_prompt_stays() -> None:
    messages: list[Any] = [{"role": "system", "content": "s"}]
    for i in range(10):
        messages += turn(i)
    context = LLMContext([*messages, {"role": "user", "content": "now"}])
    trim_context(context, HistoryLimits(turns=3))
    assert contents(context) == ["s", "q8", "a8", "q9", "a9", "now"]


def test_characters_are_limited_but_the_newest_turn_stays() -> None:
    context = LLMContext([*turn(1, 100), *turn(2, 100), *turn(3, 100)])
    trim_context(context, HistoryLimits(chars=450))
    assert contents(context) == ["q2", "a2", "q3", "a3"]
    context = LLMContext([*turn(1), {"role": "user", "content": "x" * 999}])
    trim_context(context, HistoryLimits(chars=100))
    assert len(context.get_messages()) == 1


def test_the_first_message_after_the_system_prompt_is_the_users() -> None:
    context = LLMContext(
        [
            {"role": "developer", "content": "d"},
            {"role": "assistant", "content": "Hello, I'm Mei."},
            *turn(1),
        ]
    )
    trim_context(context, HistoryLimits())
    assert contents(context) == ["d", "q1", "a1"]


def test_a_greeting_alone_is_left() -> None:
    context = LLMContext([{"role": "assistant", "content": "Hello."}])
    trim_context(context, HistoryLimits())
    assert contents(context) == ["Hello"]


def test_a_tools_result_never_loses_its_call() -> None:
    call: list[Any] = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "sunny", "tool_call_id": "1"},
        {"role": "assistant", "content": "Sunny."},
    ]
    for turns in (1, 2, 3):
        context = LLMContext([*turn(1), *call, *turn(2)])
        trim_context(context, HistoryLimits(turns=turns))
        roles = [m["role"] for m in context.get_messages()]  # type: ignore[index]
        assert roles[0] == "user"
        assert ("tool" in roles) == (turns >= 2)


def test_what_tools_found_earlier_is_shortened_before_it_is_counted() -> None:
    def found(text: str) -> list[Any]:
        return [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
            {"role": "tool", "content": text, "tool_call_id": "1"},
        ]

    earlier = found("rain " * 900)
    context = LLMContext([*earlier, *found("sun " * 900)])
    trim_context(context, HistoryLimits(chars=4600))
    results = [m["content"] for m in context.get_messages() if m["role"] == "tool"]  # type: ignore[index]
    assert [len(str(text)) for text in results] == [301, 3600]
    assert len(earlier[2]["content"]) == 4500, "a proposal's context shares the message"


def test_messages_of_one_turn_stay_together_after_an_interruption() -> None:
    messages: list[Any] = [{"role": "user", "content": c} for c in "abc"]
    context = LLMContext(messages)
    trim_context(context, HistoryLimits(turns=1))
    assert contents(context) == ["a", "b", "c"]


def test_limits_must_be_positive() -> None:
    with pytest.raises(ValueError, match="turns=0"):
        HistoryLimits(turns=0)
