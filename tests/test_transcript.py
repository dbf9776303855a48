"""What a brain is told of a conversation, when questions are supposed and monologues are long."""

from __future__ import annotations

from typing import Any

from mien.events import Message
from mien.transcript import HISTORY, MONOLOGUE, Transcript


def contents(transcript: Transcript) -> list[Any]:
    return [message["content"] for message in transcript.context.get_messages()]  # type: ignore[index]


def test_supposing_leaves_no_trace() -> None:
    transcript = Transcript()
    transcript.ask("你好")
    transcript.answered("你好，我是小眉。")
    supposed = transcript.supposing("天气怎么样")
    assert len(supposed.get_messages()) == 3
    assert contents(transcript) == ["你好", "你好，我是小眉。"]


def test_what_was_supposed_is_asked_in_the_words_that_were_meant() -> None:
    transcript = Transcript()
    context = transcript.supposing("what time is it")
    # What a tool found while nobody was sure yet stays where it is.
    context.add_message({"role": "assistant", "content": "", "tool_calls": []})  # type: ignore[arg-type]
    context.add_message({"role": "tool", "tool_call_id": "1", "content": "noon"})
    transcript.adopt(context, "what time is it", "What time is it?")
    transcript.answered("It is noon.")
    assert contents(transcript) == ["What time is it?", "", "noon", "It is noon."]


def test_of_a_monologue_the_brain_knows_the_last() -> None:
    transcript = Transcript()
    transcript.ask("tell me everything")
    for number in range(MONOLOGUE + 5):
        transcript.answered(f"item {number}")
    assert contents(transcript)[0] == "tell me everything"
    assert contents(transcript)[1:] == [f"item {n}" for n in range(5, MONOLOGUE + 5)]


def test_people_see_what_the_brain_has_forgotten() -> None:
    transcript = Transcript()
    noted: list[Message] = []
    transcript.on_remember = noted.append
    for number in range(HISTORY + 3):
        transcript.remember({"role": "user", "text": str(number)})
    transcript.ask("who are you")
    transcript.begin_anew()
    assert contents(transcript) == []
    assert [m["text"] for m in transcript.history] == [str(n) for n in range(3, HISTORY + 3)]
    assert len(noted) == HISTORY + 3
