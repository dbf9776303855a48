"""Arguments as models write them."""

from typing import Any

import pytest

from mien.tools.arguments import arguments_of, conformed
from mien.tools.contract import ToolError

SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "count": {"type": "integer"},
        "exact": {"type": "boolean"},
        "since": {"type": ["string", "null"], "enum": ["day", "week", None]},
        "tags": {"type": "array"},
        "free": {},
    },
    "required": ["query"],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"q": "x"}', {"q": "x"}),
        ("", {}),
        ("  null ", {}),
        ("{}", {}),
        ('"{\\"q\\": \\"x\\"}"', {"q": "x"}),
        ('{"q": "x"}{"q": "x"}', {"q": "x"}),
        ('{}{"q": "x"}', {"q": "x"}),
        ('{"q": "x"}</tool_call>', {"q": "x"}),
        ('```json\n{"q": "x"}\n```', {"q": "x"}),
        ('[{"q": "x"}]', {"q": "x"}),
        ('{"q": "a\nb"}', {"q": "a\nb"}),
    ],
)
def test_an_object_however_it_is_wrapped(text: str, expected: dict[str, Any]) -> None:
    assert arguments_of(text) == expected


@pytest.mark.parametrize(
    "text", ['{"a":' * 3000, '{"q": "x', "x", "3", "[1, 2]", '"\\"\\\\\\"x\\\\\\"\\""']
)
def test_what_is_no_object_is_said_so(text: str) -> None:
    with pytest.raises(ToolError, match="JSON"):
        arguments_of(text)


def test_arguments_are_made_to_fit() -> None:
    given = {"query": 5, "count": "3", "exact": "True", "since": None, "free": [1], "more": 1}
    fitting = {"query": "5", "count": 3, "exact": True, "free": [1], "more": 1}
    assert conformed(given, SCHEMA) == fitting
    assert conformed({"query": "x", "count": 2.0, "tags": "[1]"}, SCHEMA)["count"] == 2


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "query"),
        ({"query": None}, "query must be of type string"),
        ({"query": "x", "count": "many"}, "count must be of type integer"),
        ({"query": "x", "count": True}, "count must be of type integer"),
        ({"query": ["x"]}, "query must be of type string"),
        ({"query": "x", "since": "year"}, 'one of \\["day", "week"'),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ToolError, match=complaint):
        conformed(given, SCHEMA)


def test_what_has_to_be_there_may_be_null_or_empty_if_the_schema_has_it_so() -> None:
    schema = {
        "properties": {"cursor": {"type": ["string", "null"]}, "text": {"type": "string"}},
        "required": ["cursor", "text"],
    }
    assert conformed({"cursor": None, "text": ""}, schema) == {"cursor": None, "text": ""}
    with pytest.raises(ToolError, match="Missing argument: cursor"):
        conformed({"text": ""}, schema)
    with pytest.raises(ToolError, match="tags must be of type array"):
        conformed({"query": "x", "tags": "[" * 3000}, SCHEMA)


def test_a_tool_without_parameters() -> None:
    assert conformed({"x": 1}, {}) == {"x": 1}
