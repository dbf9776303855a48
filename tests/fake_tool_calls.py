"""How servers stream tool calls: the same calls in the dialect of each, and scripts of rounds.

calls = (Call("look_up", {"q": "x"}),)
fake.enqueue(Scenario("calls", calls=calls, dialect="qwen"))

fake.scenario = Rounds(
    Scenario("calls", calls=calls),
    lambda results: Scenario(text=f"It says {results[0]}."),
)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_openai import RecordedRequest, Scenario

#: Everything `Scenario.dialect` may be, with what is particular about it.
DIALECTS: dict[str, str] = {
    "openai": "name first, arguments in pieces, calls by index",
    "glm": "all calls whole in one delta",
    "deepseek": "reasoning first, null fields in later pieces",
    "qwen": "id and name again in later pieces, as empty strings",
    "ollama": "whole calls, all at index 0, finish_reason stop",
    "index_0": "pieces, all at index 0, told apart by their ids",
    "no_ids": "whole calls at index 0 without id and type (Gemini has empty ids)",
    "no_index": "whole calls without an index",
    "ids_again": "id, type and name in every piece",
    "objects": "arguments as an object, not a string",
    "twice_encoded": "arguments as JSON within a JSON string",
    "namespace": "names such as functions.look_up:0 (Kimi)",
    "trailing": "the arguments once more behind themselves (vLLM)",
    "vllm": "a server without tool parser: <tool_call> with JSON in the text",
    "vllm_glm": "the same as GLM writes it, with <arg_key>",
    "vllm_coder": "the same as Qwen Coder writes it, with <function=",
}


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def json(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False) if self.arguments else ""


def deltas(calls: Sequence[Call], dialect: str) -> Iterator[dict[str, Any]]:
    """The ``delta`` of each chunk; the last one is followed by that with the finish reason."""
    if dialect in ("vllm", "vllm_glm", "vllm_coder"):
        text = "\n".join(_as_text(call, dialect) for call in calls)
        yield from ({"content": text[at : at + 3]} for at in range(0, len(text), 3))
    elif dialect in ("glm", "ollama", "no_ids", "no_index", "objects"):
        whole = [_whole(at, call, dialect) for at, call in enumerate(calls)]
        yield from (
            [{"tool_calls": whole}]
            if dialect == "glm"
            else [{"tool_calls": [one]} for one in whole]
        )
    else:
        for at, call in enumerate(calls):
            for piece in _pieces(at, call, dialect):
                yield {"content": None, "tool_calls": [piece]}


def finish_reason(dialect: str) -> str:
    return "stop" if dialect.startswith(("ollama", "vllm")) else "tool_calls"


def _whole(at: int, call: Call, dialect: str) -> dict[str, Any]:
    arguments: Any = call.arguments if dialect == "objects" else call.json
    whole = {
        "index": at if dialect in ("glm", "objects") else 0,
        "id": f"call_{at}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
    left_out = {"no_ids": ("id", "type"), "no_index": ("index",)}.get(dialect, ())
    return {key: value for key, value in whole.items() if key not in left_out}


def _pieces(at: int, call: Call, dialect: str) -> Iterator[dict[str, Any]]:
    index = 0 if dialect == "index_0" else at
    name = f"functions.{call.name}:{at}" if dialect == "namespace" else call.name
    arguments = json.dumps(call.json) if dialect == "twice_encoded" else call.json
    if dialect == "trailing":
        arguments += arguments
    first = {"index": index, "id": f"call_{at}", "type": "function"}
    yield first | {"function": {"name": name, "arguments": ""}}
    for start in range(0, len(arguments), 4):
        function: dict[str, Any] = {"arguments": arguments[start : start + 4]}
        if dialect == "ids_again":
            yield first | {"function": {"name": name, **function}}
        elif dialect == "qwen":
            yield {
                "index": index,
                "id": "",
                "type": "function",
                "function": {"name": "", **function},
            }
        elif dialect == "deepseek":
            yield {"index": index, "id": None, "function": {"name": None, **function}}
        else:
            yield {"index": index, "function": function}


def _as_text(call: Call, dialect: str) -> str:
    if dialect == "vllm_glm":
        given = "".join(
            f"<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n"
            for key, value in call.arguments.items()
        )
        return f"<tool_call>{call.name}\n{given}</tool_call>"
    if dialect == "vllm_coder":
        given = "".join(
            f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in call.arguments.items()
        )
        return f"<tool_call>\n<function={call.name}>\n{given}</function>\n</tool_call>"
    body = {"name": call.name, "arguments": call.arguments}
    return f"<tool_call>\n{json.dumps(body, ensure_ascii=False)}\n</tool_call>"


class Rounds:
    """A script for each question: what is answered first, after the first results, and so on.

    A step that is a function is given the results of this turn's calls so far; the last step is
    played for all further requests.
    """

    def __init__(self, *steps: Scenario | Callable[[list[str]], Scenario]) -> None:
        self._steps = steps

    def __call__(self, request: RecordedRequest) -> Scenario:
        turn = turn_of(request.messages)
        step = self._steps[min(sum("tool_calls" in m for m in turn), len(self._steps) - 1)]
        return step(results_of(request.messages)) if callable(step) else step


def turn_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is behind the user's last message."""
    last = max(at for at, message in enumerate(messages) if message["role"] == "user")
    return messages[last + 1 :]


def results_of(messages: list[dict[str, Any]]) -> list[str]:
    """What the calls of the last question came to."""
    return [str(m["content"]) for m in turn_of(messages) if m["role"] == "tool"]
