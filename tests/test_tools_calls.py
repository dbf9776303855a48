"""Calls of tools, assembled from what servers stream."""

import json
from typing import Any

import pytest

from fake_tool_calls import DIALECTS, Call, deltas
from mien.llm.chunk_parser import Delta
from mien.llm.leaked_calls import LeakedCalls
from mien.llm.reply import Reply
from mien.llm.tool_calls import ToolCallAssembler, called_name, messages_of
from mien.tools.arguments import arguments_of
from mien.tools.contract import ToolCall

KNOWN = ("look_up", "count")
TWO = (Call("look_up", {"q": '今天的新闻 {"}'}), Call("look_up", {"q": "b"}), Call("count"))


def replied(*fields: dict[str, Any], tools: tuple[str, ...] = KNOWN) -> tuple[Reply, str]:
    reply = Reply(tools)
    spoken = ""
    for one in fields:
        calls = tuple(one.get("tool_calls") or ())
        spoken += reply.take(Delta(content=one.get("content") or "", tool_calls=calls))
    return reply, spoken + reply.close()


def called(calls: list[ToolCall]) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, arguments_of(call.arguments)) for call in calls]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_calls_in_every_dialect(dialect: str) -> None:
    reply, spoken = replied({"content": "Well. "}, *deltas(TWO, dialect))
    calls = reply.calls.calls()
    assert called(calls) == [(call.name, call.arguments) for call in TWO]
    assert len({call.id for call in calls}) == 3
    assert spoken.strip() == "Well." and reply.failure is None


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if not d.startswith("vllm")])
def test_a_tool_is_known_with_its_first_fragment(dialect: str) -> None:
    reply, _ = replied(next(iter(deltas(TWO, dialect))))
    assert reply.calls.names[0] == "look_up"


def test_a_name_in_pieces() -> None:
    assembler = ToolCallAssembler(KNOWN)
    for name in ("look", "_up"):
        assembler.add([{"index": 0, "function": {"name": name}}])
        assembler.add([{"index": 0, "function": {"name": None, "arguments": None}}])
    assembler.add([{"index": 0, "function": {"arguments": '{"q": 1}'}}])
    assert called(assembler.calls()) == [("look_up", {"q": 1})]


def test_an_id_made_up_for_each_fragment_begins_no_new_call() -> None:
    assembler = ToolCallAssembler(KNOWN)
    assembler.add([{"index": 0, "id": "a", "function": {"name": "look_up", "arguments": '{"q"'}}])
    assembler.add([{"index": 0, "id": "b", "function": {"arguments": ': "x"}'}}])
    assert called(assembler.calls()) == [("look_up", {"q": "x"})]


def test_calls_with_the_same_id_get_their_own() -> None:
    assembler = ToolCallAssembler(KNOWN)
    for at in (0, 1):
        assembler.add([{"index": at, "id": "same", "function": {"name": "count"}}])
    assert len({call.id for call in assembler.calls()}) == 2


def test_nonsense_makes_no_call() -> None:
    assembler = ToolCallAssembler(KNOWN)
    assembler.add([{}, {"index": "x"}, {"function": None}, {"function": {"arguments": "{}"}}])
    assert assembler.calls() == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("look_up", "look_up"),
        ("functions.look_up:3", "look_up"),
        ("default_api:look_up", "look_up"),
        ("Look-Up", "look_up"),
        ("nothing", "nothing"),
    ],
)
def test_names(written: str, meant: str) -> None:
    assert called_name(written, KNOWN) == meant


def test_messages_are_valid_whatever_the_arguments_were() -> None:
    calls = [ToolCall("1", "look_up", '{"q": "x"}{"q": "x"}'), ToolCall("2", "count", "{broken")]
    asked, *told = messages_of(calls, ["found", "Error"], content="Hm.", reasoning_content="why")
    given = [json.loads(call["function"]["arguments"]) for call in asked["tool_calls"]]
    assert given == [{"q": "x"}, {}]
    assert asked["content"] == "Hm." and asked["reasoning_content"] == "why"
    assert [message["tool_call_id"] for message in told] == ["1", "2"]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_calls_in_the_text_are_found_wherever_it_is_cut(size: int) -> None:
    text = (
        'Let me see [1] <b>. <tool_call>\n{"name": "look_up", "arguments": {"q": "<x>"}}\n'
        '</tool_call>\n<tool_call>{"name": "count", "parameters": {}}</tool_call> Done <tool'
    )
    leaked = LeakedCalls()
    spoken = "".join(leaked.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert (spoken + leaked.close()).split() == "Let me see [1] <b>. Done <tool".split()
    functions = [call["function"] for call in leaked.found]
    assert [(f["name"], json.loads(f["arguments"])) for f in functions] == [
        ("look_up", {"q": "<x>"}),
        ("count", {}),
    ]


def test_other_marks_are_not_spoken_either() -> None:
    for text in (
        '[TOOL_CALLS][{"name": "look_up", "arguments": {"q": "x"}}]',
        '<tool_call>{"name": "look_up", "arguments": {"q": "x"}}',
    ):
        leaked = LeakedCalls()
        assert leaked.feed(text) + leaked.close() == ""
        assert leaked.found[0]["function"]["name"] == "look_up"
    leaked = LeakedCalls()
    assert leaked.feed("a<｜tool▁calls▁begin｜>x<｜tool▁calls▁end｜>b") + leaked.close() == "ab"
