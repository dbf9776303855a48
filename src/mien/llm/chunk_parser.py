"""Turns the bytes of a chat-completions answer into deltas, whatever the server made of them."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mien.llm.failure import FailureCode, LLMFailure, error_in, failure_from
from mien.well_formed import json_well_formed

_WHOLE_BODY_LIMIT_CHARS = 2_000_000


@dataclass(frozen=True)
class Delta:
    """One step of an answer.

    Attributes:
        content: Text to speak, `<think>` tags still in it.
        reasoning: Text the model thinks; never spoken.
        tool_calls: The fragments of tool calls as they came, for whoever assembles them.
        finish_reason: Why the answer ended, in the last delta.
        usage: Token counts, when the server reports them.
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None

    @property
    def progress(self) -> bool:
        """Whether the model did anything, as opposed to the server keeping the line open."""
        return bool(self.content or self.reasoning or self.tool_calls)


class ChunkParser:
    """Parses a server-sent event stream of completion chunks, fed as it arrives.

    Accepted beyond the specification: bytes cut anywhere, in a character too; comments and other
    SSE fields; events not separated by a blank line; chunks without choices or with null fields;
    single broken chunks; a missing ``[DONE]``; and one JSON object, not a stream at all.

    Args:
        reasoning_fields: Names under which a delta carries reasoning.
    """

    def __init__(self, reasoning_fields: Sequence[str] = ("reasoning_content", "reasoning")):
        self.done = False  #: ``[DONE]`` was read
        self.broken_chunks = 0
        self.understood = False  #: at least one chunk made sense
        self._reasoning_fields = tuple(reasoning_fields)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._data = ""
        self._whole: str | None = None  # the text, if the answer is no event stream
        self._started = False

    def feed(self, data: bytes) -> list[Delta]:
        """Return the deltas completed by these bytes.

        Raises:
            LLMFailure: If the server reports an error inside the stream.
        """
        return self._feed_text(self._decoder.decode(data))

    def close(self) -> list[Delta]:
        """Return what is left at the end of the stream.

        Raises:
            LLMFailure: If it is an error, or nothing at all could be understood.
        """
        deltas = self._feed_text(self._decoder.decode(b"", final=True) + "\n")
        if self._whole is not None:
            deltas += self._parse_whole(self._whole)
        elif self._data:
            self._drop_broken()
        if self.broken_chunks and not self.understood:
            raise LLMFailure(FailureCode.MALFORMED, "no chunk of the answer was valid JSON")
        return deltas

    def _feed_text(self, text: str) -> list[Delta]:
        if not self._started:
            text = text.lstrip("\ufeff\r\n\t ")
            if not text:
                return []
            self._started = True
            # Every line of an event stream starts with a field name or a colon.
            if text[0] in "{[<":
                self._whole = ""
        if self._whole is not None:
            if len(self._whole) < _WHOLE_BODY_LIMIT_CHARS:
                self._whole += text
            return []
        deltas: list[Delta] = []
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if self.done:
                break
            if (delta := self._take_line(line.rstrip("\r"))) is not None:
                deltas.append(delta)
        return deltas

    def _take_line(self, line: str) -> Delta | None:
        if not line:  # a blank line ends an event
            if self._data:
                self._drop_broken()
            return None
        name, colon, value = line.partition(":")
        if name != "data" or not colon:
            return None
        value = value.removeprefix(" ")
        if value.strip() == "[DONE]":
            self.done = True
            return None
        # An event may span several data lines, but a new line that is complete on its own means
        # that the one before was broken and the blank line between them is missing.
        for candidate in (f"{self._data}\n{value}" if self._data else value, value):
            try:
                payload = _payload(candidate)
            except ValueError:
                continue
            if self._data and candidate is value:
                self.broken_chunks += 1
            self._data = ""
            return self._parse_chunk(payload)
        self._data = f"{self._data}\n{value}" if self._data else value
        return None

    def _drop_broken(self) -> None:
        self._data = ""
        self.broken_chunks += 1

    def _parse_chunk(self, payload: Any) -> Delta | None:
        if error_in(payload):
            raise failure_from(None, payload)
        if not isinstance(payload, Mapping):
            self.broken_chunks += 1
            return None
        self.understood = True
        usage = payload.get("usage")
        usage = usage if isinstance(usage, Mapping) else None
        choices = payload.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping):
            return Delta(usage=usage) if usage else None
        # `message` instead of `delta`: a whole answer, or a server that mixes them up.
        fields = choice.get("delta") or choice.get("message")
        fields = fields if isinstance(fields, Mapping) else {}
        calls = fields.get("tool_calls")
        finish = choice.get("finish_reason")
        return Delta(
            content=_text(fields.get("content")),
            reasoning="".join(_text(fields.get(name)) for name in self._reasoning_fields),
            tool_calls=tuple(c for c in calls if isinstance(c, Mapping))
            if isinstance(calls, list)
            else (),
            finish_reason=str(finish) if finish else None,
            usage=usage,
        )

    def _parse_whole(self, text: str) -> list[Delta]:
        try:
            payload = _payload(text)
        except ValueError:
            raise LLMFailure(
                FailureCode.MALFORMED, f"neither a stream nor JSON: {' '.join(text.split())[:120]}"
            ) from None
        if not isinstance(payload, Mapping) or not (payload.get("choices") or error_in(payload)):
            raise LLMFailure(FailureCode.MALFORMED, f"no answer in the JSON: {text[:120]}")
        delta = self._parse_chunk(payload)
        self.done = True
        return [delta] if delta else []


def _payload(text: str) -> Any:
    """Servers that cut their answers into tokens may cut an emoji in two. Raises ValueError."""
    payload = json.loads(text)
    return json_well_formed(payload) if "\\u" in text else payload


def _text(value: Any) -> str:
    """The text of a content field, which may also be null or a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(p.get("text")) for p in value if isinstance(p, Mapping))
    return ""
