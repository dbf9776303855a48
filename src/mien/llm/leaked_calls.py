"""Takes tool calls out of the text of an answer, where servers leave them that do not parse them.

vLLM without a tool parser and Ollama with an unfitting template pass on what the model wrote:
``<tool_call>`` with JSON in it (Hermes, Qwen), with ``<arg_key>`` (GLM) or ``<function=`` (Qwen
Coder). It must not be spoken.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: How a call in the text begins and ends; "" for one that goes on to the end of the answer.
_MARKS = {
    "<tool_call>": "</tool_call>",
    "[tool_calls]": "",  # Mistral
    "<｜tool▁calls▁begin｜>": "<｜tool▁calls▁end｜>",  # DeepSeek
}
_OPEN = re.compile("|".join(map(re.escape, _MARKS)), re.IGNORECASE)
_ARGUMENT = re.compile(
    r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>"
    r"|<parameter=([^>]+)>\s?(.*?)\s?</parameter>",
    re.DOTALL,
)
_FUNCTION = re.compile(r"<function=([^>]+)>")
_NAME = re.compile(r"\s*([\w.:-]+)")


class LeakedCalls:
    """Takes an answer in pieces and returns only what may be spoken.

    Attributes:
        found: the calls so far, in the form of a delta's ``tool_calls``.
    """

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._pending = ""
        self._close: str | None = None  # how the call ends that we are in

    def feed(self, text: str) -> str:
        """Return what of ``text``, and of earlier text held back, may be spoken now."""
        self._pending += text
        out = ""
        while True:
            if self._close is None:
                if not (opened := _OPEN.search(self._pending)):
                    break
                out += self._pending[: opened.start()]
                self._pending = self._pending[opened.end() :]
                self._close = _MARKS[opened.group().lower()]
            if not self._close or (end := self._pending.find(self._close)) < 0:
                return out
            self._note(self._pending[:end])
            self._pending = self._pending[end + len(self._close) :]
            self._close = None
        keep = _partial_mark_length(self._pending)
        ready = self._pending[: len(self._pending) - keep]
        self._pending = self._pending[len(ready) :]
        return out + ready

    def close(self) -> str:
        """Return what was held back at the end of the answer; a call that was not closed counts."""
        pending, self._pending = self._pending, ""
        if self._close is None:
            return pending
        self._close = None
        self._note(pending)
        return ""

    def _note(self, text: str) -> None:
        for name, arguments in _calls_in(text):
            self.found.append({"function": {"name": name, "arguments": arguments}})


def _calls_in(text: str) -> list[tuple[str, str]]:
    text = text.strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _tagged(text)
    calls = []
    for call in value if isinstance(value, list) else [value]:
        if isinstance(call, dict) and isinstance(name := call.get("name"), str):
            arguments = call.get("arguments", call.get("parameters")) or {}
            calls.append((name, arguments if isinstance(arguments, str) else json.dumps(arguments)))
    return calls


def _tagged(text: str) -> list[tuple[str, str]]:
    function = _FUNCTION.search(text) or _NAME.match(text)
    if function is None:
        return []
    arguments = {}
    for match in _ARGUMENT.finditer(text):
        key, value = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
        try:  # numbers, lists; a text is written without quotes
            arguments[key] = json.loads(value)
        except (ValueError, RecursionError):
            arguments[key] = value
    return [(function[1], json.dumps(arguments, ensure_ascii=False))]


def _partial_mark_length(text: str) -> int:
    """Length of the longest end of ``text`` that could be the beginning of a mark."""
    tail = text[-max(map(len, _MARKS)) :].lower()
    for size in range(len(tail), 0, -1):
        if any(mark.startswith(tail[-size:]) for mark in _MARKS):
            return size
    return 0
