"""Settings of what the presenter knows and may do: search, tools, knowledge, memory, safety."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mien.section import Section, split


def _several(value: object) -> object:
    value = split(value)
    return [value] if isinstance(value, str) and value != "auto" else value


class SearchSection(Section):
    """Searching the web (docs/web-search.md); for brains that can use tools.

    enabled: None = when a provider is set up or can do without. providers: who is asked, in this
    order, the next when one fails; "auto": those that are set up, the keyless one last. services:
    a table for each that is set up (key, key_env, base_url …). results: pages looked at.
    deadline_sec: for all pages together. cache_sec: how long results and pages are kept.
    tokens: about so much of what was read is given to the model. allow_hosts: what may be read
    although it is not public: a name or address (with a port if only that), or a network in which
    names may lie.
    """

    enabled: bool | None = None
    providers: Annotated[Literal["auto"] | list[str], BeforeValidator(_several)] = "auto"
    services: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    results: int = Field(default=5, ge=1, le=10)
    deadline_sec: float = Field(default=3.0, ge=0.5, le=30)
    cache_sec: float = Field(default=600, ge=0, le=86_400)
    tokens: int = Field(default=1500, ge=200, le=8000)
    allow_hosts: list[str] = []

    @field_validator("allow_hosts")
    @classmethod
    def _readable(cls, value: list[str]) -> list[str]:
        from mien.pages.guard import Guard  # most settings need no part of it

        Guard(value).close()
        return value


class McpServer(Section):
    """A server of tools: command with args, or url. headers, env: values that begin with ``$`` are
    taken from our environment. tools: only these of its tools. effects: whether its tools change
    or send something; those that say themselves that they only read do not count.
    """

    command: str | None = None
    args: list[str] = []
    env: dict[str, str] = Field(default={}, repr=False)
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    headers: dict[str, str] = Field(default={}, repr=False)
    tools: list[str] | None = None
    effects: bool = True
    timeout_sec: float = Field(default=20, ge=1, le=300)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either command or url")
        return self


class ToolsSection(Section):
    """What a model may call (docs/tools.md). enabled: whether any. rounds: of calls in one answer.
    mcp: servers of further tools, by name.
    """

    enabled: bool = True
    rounds: int = Field(default=4, ge=1, le=20)
    mcp: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")], McpServer] = {}


class EmbeddingsSection(Section):
    """Any service with the OpenAI embeddings API; None = by words alone."""

    base_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    model: str | None = None
    key: str | None = Field(default=None, min_length=1, repr=False)
    key_env: str | None = None
    dimensions: int | None = Field(default=None, ge=8, le=8192)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.base_url) != bool(self.model):
            raise ValueError("embeddings need both base_url and model")
        return self


class KnowledgeSection(Section):
    """The user's documents (docs/knowledge.md). bases: which are looked into; those of a persona
    go before. folder: where they are kept; None for one among the user's data. passages: so many
    are shown to the model, tokens: about so much of them.
    """

    bases: list[str] = ["default"]
    folder: Path | None = None
    passages: int = Field(default=4, ge=1, le=20)
    tokens: int = Field(default=1000, ge=100, le=8000)
    embeddings: EmbeddingsSection = EmbeddingsSection()


class MemorySection(Section):
    """What is remembered of visitors who switch it on (docs/memory.md). enabled: whether they can.
    file: where; None for one among the user's data. keep_days: a user who does not come back is
    forgotten after this. facts: at most so many of a user. window: newest turns that are recalled
    word for word; older ones as a summary.
    """

    enabled: bool = True
    file: Path | None = None
    keep_days: float = Field(default=365, gt=0, le=36_500)
    facts: int = Field(default=200, ge=1, le=5000)
    window: int = Field(default=8, ge=1, le=100)


class ModerationService(Section):
    """An endpoint that judges what is asked and said (docs/safety.md): OpenAI's moderations API,
    or a hook of yours. fail: what happens when it cannot be reached.
    """

    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    api: Literal["openai", "hook"] = "openai"
    model: str | None = None
    key: str | None = Field(default=None, min_length=1, repr=False)
    key_env: str | None = None
    timeout_sec: float = Field(default=2, ge=0.1, le=30)
    fail: Literal["block", "allow"] = "block"
    answers: bool = True


class SafetySection(Section):
    """blocked_words: files, one word per line, for questions and answers of every session."""

    blocked_words: list[Path] = []
    moderation: ModerationService = ModerationService()


class LabelSection(Section):
    """Saying that this was made by AI (docs/ai-label.md). badge: in the picture; "auto": in what
    leaves this machine. text: "zh", "en" or both. size: its height as a share of the shorter side
    of the picture. metadata: in recordings and streams, as GB 45438-2025 has it. producer,
    producer_id: who answers for it.
    """

    badge: Literal["auto", "always", "never"] = "auto"
    text: Literal["auto", "zh", "en", "both"] = "auto"
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "bottom-right"
    size: float = Field(default=0.05, ge=0.03, le=0.2)
    opacity: float = Field(default=0.75, ge=0.3, le=1)
    metadata: bool = True
    producer: str = Field(default="mien", min_length=1, max_length=64)
    producer_id: str = Field(default="", max_length=128)
