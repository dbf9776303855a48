"""Where each provider's chat-completions endpoint is and how its dialect differs.

All of them call themselves OpenAI-compatible. The differences that matter to a voice are kept
here as data, so that the client has no provider's name in it. Sources: the providers' own API
documentation; everything can be overridden by `LLMSettings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from mien.language import Language


def _frozen(**fields: Any) -> Mapping[str, Any]:
    return MappingProxyType(fields)


@dataclass(frozen=True)
class Preset:
    """One provider's dialect of the OpenAI chat-completions API.

    Attributes:
        name: The name used in configuration.
        label: The provider's name as people write it.
        base_url: ``/chat/completions`` is appended to it.
        model: Default model: a fast one that need not think first.
        key_variables: Environment variables searched for the key, in order.
        key_url: Where a person gets a key.
        key_required: Whether the provider refuses requests without a key.
        other_hosts: Further hosts of the same provider, to which its key may be sent as well.
        thinking_off: Body fields that switch reasoning off. Reasoning means seconds of silence.
        drop_fields: Body fields the provider rejects.
        drop_message_fields: Fields of messages the provider rejects.
        reasoning_fields: Names under which a delta carries reasoning, which is never spoken.
        max_tokens_field: The body field that limits the answer's length.
        tool_fields: Further body fields of requests that offer tools.
        replay_reasoning: The field of messages in which a model that thinks wants the reasoning
            back that led to its calls; None for those that do not.
        supports_developer_role: Otherwise "developer" messages are sent as "user".
        temperature_range: Values outside are clamped, because the provider answers 400 to them.
        top_p_range: The same for ``top_p``.
        first_token_timeout_secs: Longest wait for the first sign of an answer.
    """

    name: str
    label: str
    base_url: str
    model: str
    key_variables: tuple[str, ...] = ()
    key_url: str = ""
    key_required: bool = True
    other_hosts: tuple[str, ...] = ()
    thinking_off: Mapping[str, Any] = field(default_factory=lambda: _frozen())
    drop_fields: frozenset[str] = frozenset()
    drop_message_fields: frozenset[str] = frozenset()
    reasoning_fields: tuple[str, ...] = ("reasoning_content", "reasoning")
    max_tokens_field: str = "max_tokens"
    tool_fields: Mapping[str, Any] = field(default_factory=lambda: _frozen())
    replay_reasoning: str | None = None
    supports_developer_role: bool = False
    temperature_range: tuple[float, float] = (0.0, 2.0)
    top_p_range: tuple[float, float] = (0.0, 1.0)
    first_token_timeout_secs: float = 15.0


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        p.name: p
        for p in (
            Preset(
                name="glm",
                label="GLM",
                base_url="https://open.bigmodel.cn/api/paas/v4",
                model="glm-4.7-flash",
                key_variables=("ZHIPUAI_API_KEY", "ZAI_API_KEY", "GLM_API_KEY"),
                key_url="https://open.bigmodel.cn (international: https://z.ai)",
                other_hosts=("api.z.ai",),
                thinking_off=_frozen(thinking={"type": "disabled"}),
                drop_fields=frozenset({"stream_options", "frequency_penalty", "presence_penalty"}),
                drop_message_fields=frozenset({"name"}),
                # Otherwise the first sign of a call is the whole of it.
                tool_fields=_frozen(tool_stream=True),
                replay_reasoning="reasoning_content",
                temperature_range=(0.0, 1.0),
                top_p_range=(0.01, 1.0),
            ),
            Preset(
                name="deepseek",
                label="DeepSeek",
                base_url="https://api.deepseek.com",
                model="deepseek-flash",
                key_variables=("DEEPSEEK_API_KEY",),
                key_url="https://platform.deepseek.com",
                thinking_off=_frozen(thinking={"type": "disabled"}),
                # Without it the next request is answered 400.
                replay_reasoning="reasoning_content",
            ),
            Preset(
                name="qwen",
                label="Qwen",
                base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
                model="qwen-plus",
                key_variables=("DASHSCOPE_API_KEY", "QWEN_API_KEY"),
                key_url="https://bailian.console.aliyun.com",
                other_hosts=("dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
                thinking_off=_frozen(enable_thinking=False),
                tool_fields=_frozen(parallel_tool_calls=True),  # off by default, here alone
                temperature_range=(0.0, 1.99),
                top_p_range=(0.01, 1.0),
            ),
            Preset(
                name="ollama",
                label="Ollama",
                base_url="http://localhost:11434/v1",
                model="qwen3:4b",
                key_required=False,
                # Ollama's OpenAI endpoint ignores `think`; this is the field it obeys, and models
                # that cannot think accept it.
                thinking_off=_frozen(reasoning_effort="none"),
                # The first request after a pause loads the model from disk.
                first_token_timeout_secs=90.0,
            ),
            Preset(
                name="openai",
                label="OpenAI",
                base_url="https://api.openai.com/v1",
                model="gpt-4.1-mini",
                key_variables=("OPENAI_API_KEY",),
                key_url="https://platform.openai.com",
                max_tokens_field="max_completion_tokens",
                supports_developer_role=True,
            ),
        )
    }
)


@dataclass(frozen=True)
class LLMSettings:
    """What a user may set; None leaves the preset's value.

    Attributes:
        base_url: Another endpoint that speaks the same dialect.
        api_key: The key. None: from the preset's environment variables.
        model: Model name.
        extra_body: Body fields added last; they win. A value of None removes the field.
        thinking: Let the model reason before it answers. Off by default: reasoning is silence.
        temperature: Sampling temperature.
        top_p: Nucleus sampling.
        max_tokens: Limit of the answer's length in tokens.
        first_token_timeout_secs: Longest wait for the first sign of an answer.
        idle_timeout_secs: Longest pause within an answer.
        history_turns: Turns kept, the current one included.
        history_chars: Characters kept over all these turns.
        tool_rounds: Rounds of tool calls in one answer.
        passages: Passages of the role's documents that are shown to the model.
        passage_tokens: About so much of them in all.
        language: Language of the system prompt, and of answers to a text that shows none. None:
            the persona's first.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=lambda: _frozen())
    thinking: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    first_token_timeout_secs: float | None = None
    idle_timeout_secs: float = 15.0
    history_turns: int = 20
    history_chars: int = 12_000
    tool_rounds: int = 4
    passages: int = 4
    passage_tokens: int = 1000
    language: Language | None = None


@dataclass(frozen=True)
class Endpoint:
    """A preset with the user's settings applied: what the client connects to."""

    preset: Preset
    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    first_token_timeout_secs: float = 15.0


class LLMConfigurationError(ValueError):
    """The settings of a brain are wrong; the message says what to do."""


def resolve_endpoint(
    name: str, settings: LLMSettings, environ: Mapping[str, str] | None = None
) -> Endpoint:
    """Apply settings and environment to a preset.

    A key from the environment goes to its own provider only. With a `base_url` elsewhere the key
    has to be given in the settings, or none is sent: otherwise pointing mien at some other server
    would hand it the user's key.

    Raises:
        LLMConfigurationError: For an unknown name, a URL that is none, or a missing key; the
            message names the environment variable and where to get a key.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise LLMConfigurationError(
            f"unknown language model service {name!r}; choose one of {', '.join(PRESETS)}"
        )
    base_url = (settings.base_url or preset.base_url).rstrip("/")
    host = _host(base_url)
    own_hosts = {_host(preset.base_url), *preset.other_hosts}
    api_key = settings.api_key
    if not api_key and host in own_hosts:
        env = os.environ if environ is None else environ
        api_key = next((env[v].strip() for v in preset.key_variables if env.get(v, "").strip()), "")
        if not api_key and preset.key_required:
            variables = " or ".join(preset.key_variables)
            raise LLMConfigurationError(
                f"{preset.label} needs an API key: set the environment variable {variables}. "
                f"You get a key at {preset.key_url}."
            )
    return Endpoint(
        preset=preset,
        base_url=base_url,
        model=settings.model or preset.model,
        api_key=api_key or None,
        first_token_timeout_secs=(
            settings.first_token_timeout_secs or preset.first_token_timeout_secs
        ),
    )


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LLMConfigurationError(
            f"the base URL must look like https://host/path, but is {url!r}"
        )
    return parts.hostname
