"""Tools for tests: what they do is a function, and they count what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.tools.contract import ToolContext, ToolError, ToolResult, ToolSpec

Do = Callable[[Mapping[str, Any], ToolContext], Awaitable[ToolResult]]


def spec_of(name: str, **fields: Any) -> ToolSpec:
    parameters = {
        "type": "object",
        "properties": {"q": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["q"],
    }
    defaults: dict[str, Any] = {
        "description": f"For tests: {name}.",
        "parameters": parameters,
        "label": {"zh": f"使用{name}", "en": f"Using {name}"},
        "aside": {"zh": ("让我查一下。",), "en": ("Let me look that up.",)},
    }
    return ToolSpec(name=name, **(defaults | fields))


@dataclass
class SmallTool:
    spec: ToolSpec
    do: Do
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        self.asked.append(arguments)
        self.begun.set()
        try:
            return await self.do(arguments, context)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def telling(name: str, text: str, *, untrusted: bool = False, **fields: Any) -> SmallTool:
    """A tool that always finds this."""

    async def do(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        return ToolResult(text, untrusted)

    return SmallTool(spec_of(name, **fields), do)


def hanging(name: str, **fields: Any) -> SmallTool:
    """A tool that never comes to an end."""

    async def do(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError

    return SmallTool(spec_of(name, **fields), do)


def failing(name: str, error: Exception | None = None, **fields: Any) -> SmallTool:
    """A tool that always fails."""

    async def do(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        raise error or ToolError("the archive is closed; try tomorrow")

    return SmallTool(spec_of(name, **fields), do)
