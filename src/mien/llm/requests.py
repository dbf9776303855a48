"""The body of a chat-completions request, in the dialect of the provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mien.language import Language
from mien.llm.failure import SPOKEN, SPOKEN_MIDWAY, FailureCode, LLMFailure
from mien.llm.history import messages_to_send
from mien.llm.presets import LLMSettings, Preset
from mien.tools.contract import ToolSpec

_OUR_SENTENCES = sorted(
    {s for texts in (*SPOKEN.values(), SPOKEN_MIDWAY) for s in texts.values()}, key=len
)[::-1]


def request_body(
    preset: Preset,
    own: LLMSettings,
    model: str,
    messages: Iterable[Mapping[str, Any]],
    language: Language,
    *,
    temperature: Any = None,
    top_p: Any = None,
    max_tokens: Any = None,
    tools: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that is sent.

    Args:
        preset: The provider's dialect.
        own: The user's settings, of which ``thinking`` and ``extra_body`` are used.
        model: Its name.
        messages: In the OpenAI format, the system instruction first.
        language: Of the opening that stands in for a user who has not said anything.
        temperature: None and pipecat's "not given" for the provider's default, as for the next two.
        top_p: Nucleus sampling.
        max_tokens: Limit of the answer's length.
        tools: The fields that offer tools, see `offers`.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": messages_to_send(
            (dict(m) for m in messages),
            clean_assistant=_without_our_sentences,
            drop_fields=preset.drop_message_fields,
            opening="你好" if language == "zh" else "Hello",
        ),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": _clamp(temperature, preset.temperature_range),
        "top_p": _clamp(top_p, preset.top_p_range),
        preset.max_tokens_field: _number(max_tokens),
        **(tools or {}),
    }
    if not own.thinking:
        body |= preset.thinking_off
    body = {k: v for k, v in body.items() if k not in preset.drop_fields}
    # A provider's own tools (GLM's web_search, say) are set there; ours stay beside them.
    theirs = own.extra_body.get("tools")
    both = {"tools": [*body.get("tools", ()), *theirs]} if isinstance(theirs, list) else {}
    body |= {**own.extra_body, **both}
    return {k: v for k, v in body.items() if v is not None}


def offers(preset: Preset, specs: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Body fields that offer these tools, the best first, for a server that refuses to be tried
    with the next: with the provider's own fields, without them, no tools at all.

    ``tool_choice`` is never among them: "auto" is the default everywhere, and all that GLM takes.
    Nor is ``strict``, which GLM and others reject.
    """
    if not specs:
        return [{}]
    tools = {"tools": [_function(spec) for spec in specs]}
    own = [tools | dict(preset.tool_fields)] if preset.tool_fields else []
    return [*own, tools, {}]


def refuses_tools(failure: LLMFailure) -> bool:
    """Whether this may be how a server answers that cannot take tools, or not in this way.

    Ollama answers 400 for models that cannot, vLLM 400 and llama.cpp 500 without their flags for
    tools, OpenRouter 404.
    """
    if failure.code is FailureCode.BAD_REQUEST:
        return True
    about_tools = any(word in failure.detail.lower() for word in ("tool", "function", "jinja"))
    return failure.code in (FailureCode.NOT_FOUND, FailureCode.SERVER) and about_tools


def _function(spec: ToolSpec) -> dict[str, Any]:
    parameters = {k: v for k, v in spec.parameters.items() if k != "$schema"}
    function = {"name": spec.name, "description": spec.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _without_our_sentences(text: str) -> str:
    for sentence in _OUR_SENTENCES:
        text = text.replace(sentence, "")
    return text.strip()


def _number(value: Any) -> Any:
    """The value, or None for None and for pipecat's "not given"."""
    return value if isinstance(value, int | float) else None


def _clamp(value: Any, limits: tuple[float, float]) -> float | None:
    return min(max(value, limits[0]), limits[1]) if isinstance(value, int | float) else None
