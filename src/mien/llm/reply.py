"""What a model answers to one request: text to speak, and calls of tools."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mien.gestures import without_tags
from mien.llm.chat_client import ENDED_UNSAID
from mien.llm.chunk_parser import Delta
from mien.llm.failure import FailureCode, LLMFailure
from mien.llm.leaked_calls import LeakedCalls
from mien.llm.think_filter import ThinkFilter
from mien.llm.tool_calls import ToolCallAssembler

_FAILED_FINISH: Mapping[str, FailureCode] = {
    "sensitive": FailureCode.CONTENT_FILTER,
    "content_filter": FailureCode.CONTENT_FILTER,
    "network_error": FailureCode.CUT_OFF,
    "insufficient_system_resource": FailureCode.SERVER,
    "error": FailureCode.SERVER,
    "abort": FailureCode.CUT_OFF,
    "model_context_window_exceeded": FailureCode.CONTEXT_LENGTH,
}
_SENTENCE_END = "。！？!?.…\n"


class Reply:
    """Takes deltas; gives what may be spoken, at once, and keeps the rest.

    tools: the names of those offered. starts_thinking: see ``ThinkFilter``.

    Attributes:
        text: what may be spoken, so far.
        reasoning: what the model thought, where the server tells it apart.
        calls: of tools.
        usage: token counts, if the server reports them.
    """

    def __init__(self, tools: Collection[str] = (), *, starts_thinking: bool = False) -> None:
        self.text = ""
        self.reasoning = ""
        self.calls = ToolCallAssembler(tools)
        self.usage: Mapping[str, Any] | None = None
        self._finish: str | None = None
        self._think = ThinkFilter(starts_inside=starts_thinking)
        self._leaked = LeakedCalls()

    @property
    def begun(self) -> bool:
        """Whether the model has said, thought or called anything."""
        return bool(self.text or self.reasoning or len(self.calls))

    @property
    def unopened(self) -> bool:
        """Whether its reasoning began without a tag, see ``ThinkFilter``."""
        return self._think.unopened

    def take(self, delta: Delta) -> str:
        """What may be spoken now."""
        self._finish = delta.finish_reason or self._finish
        self.usage = delta.usage or self.usage
        if delta.reasoning:
            self.reasoning += delta.reasoning
            self._think.reasoning_is_separate()
        self.calls.add(delta.tool_calls)
        return self._said(self._leaked.feed(self._think.feed(delta.content)))

    def close(self) -> str:
        """What was held back, at the end of the answer."""
        held = self._leaked.feed(self._think.close())
        return self._said(held + self._leaked.close())

    def _said(self, text: str) -> str:
        self.calls.add(self._leaked.found)
        self._leaked.found.clear()
        self.text += text
        return text

    @property
    def failure(self) -> LLMFailure | None:
        """Why this is no complete answer."""
        if code := _FAILED_FINISH.get(self._finish or ""):
            return LLMFailure(code, f"finish_reason {self._finish!r}")
        if self._finish == ENDED_UNSAID and is_unfinished(self.text):
            return LLMFailure(FailureCode.CUT_OFF, "the stream ended without a finish_reason")
        return None


def is_unfinished(said: str) -> bool:
    """Whether an answer, which may end with a tag, breaks off within a sentence."""
    words = without_tags(said).rstrip()
    return bool(words) and words[-1] not in _SENTENCE_END
