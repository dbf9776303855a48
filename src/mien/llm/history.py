"""Keeps a conversation's context small enough to send with every turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipecat.processors.aggregators.llm_context import (
    LLMContext,
    LLMContextMessage,
    LLMSpecificMessage,
    standard_message_text,
)

from mien.tools.untrusted import shortened

# What is kept of what a tool found for an earlier question: enough to know what it was about. It
# was read once, and would cost every later request some thousand tokens.
_KEPT_RESULT_CHARS = 300


@dataclass(frozen=True)
class HistoryLimits:
    """How much of a conversation is kept.

    Attributes:
        turns: Turns, the current one included. A turn starts with a user's message and holds
            everything up to the next user's message that follows an answer.
        chars: Characters over all kept turns. The newest turn stays even if it is longer.
    """

    turns: int = 20
    chars: int = 12_000

    def __post_init__(self) -> None:
        if self.turns < 1 or self.chars < 1:
            raise ValueError(f"limits must be positive, got turns={self.turns} chars={self.chars}")


def trim_context(context: LLMContext, limits: HistoryLimits) -> None:
    """Drop the oldest turns of a context, in place, until it is within the limits.

    What tools found in earlier turns is shortened. System messages always stay, wherever they
    are. Whole turns go, so a tool's result never loses the call it answers. After the system
    messages the first one is a user's: many chat templates fail otherwise, and GLM answers 400.
    A context without a user's message yet (a greeting only) is left alone.
    """
    context.set_messages(trimmed(context.get_messages(), limits))


def trimmed(
    messages: Iterable[LLMContextMessage], limits: HistoryLimits
) -> list[LLMContextMessage]:
    """Return the messages within the limits; see `trim_context`."""
    system: list[LLMContextMessage] = []
    turns: list[list[LLMContextMessage]] = []
    before_first_user: list[LLMContextMessage] = []
    for message in messages:
        role = role_of(message)
        if role == "system" or (role == "developer" and not turns and not before_first_user):
            system.append(message)
        elif role == "user" and (not turns or role_of(turns[-1][-1]) != "user"):
            turns.append([message])
        elif turns:
            turns[-1].append(message)
        else:
            before_first_user.append(message)
    if not turns:
        return system + before_first_user
    turns = [[_in_short(message) for message in turn] for turn in turns[:-1]] + turns[-1:]
    kept: list[list[LLMContextMessage]] = []
    chars = 0
    for turn in reversed(turns[-limits.turns :]):
        chars += sum(map(_length, turn))
        if kept and chars > limits.chars:
            break
        kept.append(turn)
    return system + [message for turn in reversed(kept) for message in turn]


def role_of(message: LLMContextMessage) -> str:
    """The role of a message; empty for one in a service's own format."""
    if isinstance(message, LLMSpecificMessage):
        return ""
    return str(cast(Mapping[str, Any], message).get("role", ""))


def last_user_text(context: LLMContext) -> str:
    """The text of the newest user's message; empty if there is none."""
    for message in reversed(context.get_messages()):
        if role_of(message) == "user":
            return standard_message_text(message)
    return ""


def messages_to_send(
    messages: Iterable[Mapping[str, Any]],
    *,
    clean_assistant: Callable[[str], str],
    drop_fields: frozenset[str] = frozenset(),
    opening: str = "Hello.",
) -> list[dict[str, Any]]:
    """Prepare messages for the wire; the context itself is not changed.

    Args:
        messages: In the OpenAI format.
        clean_assistant: Applied to what the assistant said; it removes the sentences which we
            spoke in the model's name when it failed, and which would make it believe that it is
            broken. A message of which nothing is left is not sent.
        drop_fields: Fields of messages the provider rejects.
        opening: Sent as the user's message if there is none, because GLM and others insist.
    """
    out: list[dict[str, Any]] = []
    for message in messages:
        fields = {k: v for k, v in message.items() if k not in drop_fields}
        text = fields.get("content")
        if fields.get("role") == "assistant" and isinstance(text, str):
            fields["content"] = clean_assistant(text)
            if not fields["content"].strip() and not fields.get("tool_calls"):
                continue
        # Two in a row appear when an answer was interrupted before a word was heard, or when a
        # host said several things; templates that insist on alternating roles fail on them.
        text = fields.get("content")
        previous = out[-1] if out else {}
        if (
            fields.get("role") == previous.get("role")
            and fields.get("role") in ("user", "assistant")
            and not (fields.get("tool_calls") or previous.get("tool_calls"))
            and isinstance(text, str)
            and isinstance(previous.get("content"), str)
        ):
            previous["content"] += "\n" + text
        else:
            out.append(fields)
    if not any(fields.get("role") == "user" for fields in out):
        out.append({"role": "user", "content": opening})
    return out


def _in_short(message: LLMContextMessage) -> LLMContextMessage:
    """The message; what a tool found without most of its text."""
    if role_of(message) != "tool":
        return message
    text = standard_message_text(message)
    fields = cast(Mapping[str, Any], message)
    return cast(LLMContextMessage, {**fields, "content": shortened(text, _KEPT_RESULT_CHARS)})


def _length(message: LLMContextMessage) -> int:
    if isinstance(message, LLMSpecificMessage):
        return 0
    calls = cast(Mapping[str, Any], message).get("tool_calls")
    return len(standard_message_text(message)) + (len(json.dumps(calls)) if calls else 0)
