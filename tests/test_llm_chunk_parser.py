"""Streams in every shape the wire may give them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.llm.chunk_parser import ChunkParser
from mien.llm.failure import LLMFailure


def chunk(text: str) -> str:
    choice = {"delta": {"content": text}}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}"


def parse(data: bytes, cuts: list[int]) -> str:
    parser = ChunkParser()
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    deltas = [d for a, b in pairwise(edges) for d in parser.feed(data[a:b])]
    return "".join(d.content for d in [*deltas, *parser.close()])


@given(
    st.sampled_from(["\n", "\n\n", "\r\n\r\n", "\n: ping\n\n"]),
    st.lists(st.integers(0, 400), max_size=20),
)
def test_a_stream_reads_the_same_however_it_is_cut(eol: str, cuts: list[int]) -> None:
    data = eol.join([*map(chunk, ["早上", "好", "，😀"]), "data: [DONE]"]) + eol
    assert parse(data.encode(), cuts) == "早上好，😀"


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_break_the_parser(data: bytes, cuts: list[int]) -> None:
    try:
        parse(data, cuts)
        parse(b"data: " + data, cuts)
    except LLMFailure:
        pass


@pytest.mark.parametrize(
    "payload",
    [
        "null",
        "[]",
        "1",
        '""',
        '{"choices": null}',
        '{"choices": {}}',
        '{"choices": [null]}',
        '{"choices": [{"delta": {"content": 5, "tool_calls": 3}}]}',
    ],
)
def test_odd_json_is_not_an_answer(payload: str) -> None:
    parser = ChunkParser()
    assert "".join(d.content for d in parser.feed(f"data: {payload}\n\n".encode())) == ""


def test_half_a_character_is_told_as_one_that_is_missing() -> None:
    escaped = chunk("Hi HALF, 🙂!").replace("HALF", r"\ud83d")
    assert parse(escaped.encode(), []) == "Hi \ufffd, 🙂!"


def test_content_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    data = json.dumps({"choices": [{"delta": {"content": parts}}]})
    assert parse(f"data:{data}".encode(), []) == "ab"


def test_tool_call_fragments_are_passed_on() -> None:
    data = {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "1"}]}}]}
    (delta,) = ChunkParser().feed(f"data: {json.dumps(data)}\n\n".encode())
    assert delta.tool_calls == ({"index": 0, "id": "1"},) and delta.progress
