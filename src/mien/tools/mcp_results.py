"""MCP's descriptions and results in the words of our contract."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from mien.mind_settings import McpServer
from mien.tools.contract import ToolSpec
from mien.tools.untrusted import defused, visible

if TYPE_CHECKING:
    from mcp.types import CallToolResult
    from mcp.types import Tool as Listed

# Some 3000 tokens of English.
_MOST_CHARACTERS = 12_000
_MOST_DESCRIPTION = 1000
_MOST_NAME = 64  # OpenAI's limit
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_]+")


def described(server: str, tool: Listed, section: McpServer) -> ToolSpec:
    """What a server says of its tool, under the name ``server_tool``.

    What a server says of itself is believed, but it may only make its tool stricter or say that
    it reads: whoever set the server up trusts it that far.
    """
    name = _NOT_IN_A_NAME.sub("_", f"{server}_{tool.name}".lower())[:_MOST_NAME]
    reads = tool.annotations is not None and tool.annotations.read_only_hint is True
    title = tool.title or (tool.annotations and tool.annotations.title) or tool.name
    shown = visible(title).replace("\n", " ")[:40]
    return ToolSpec(
        name=name,
        description=defused(tool.description or title)[:_MOST_DESCRIPTION],
        parameters=tool.input_schema,
        label={"zh": f"使用 {shown}", "en": f"Using {shown}"},
        timeout_sec=section.timeout_sec,
        effects=section.effects and not reads,
        aside={"zh": ("稍等，我看一下。", "等我一下。"), "en": ("One moment.", "Let me check.")},
    )


def readable(result: CallToolResult) -> str:
    """A result as text of bounded length; what is no text is named in brackets."""
    parts = []
    for content in result.content:
        if content.type == "text":
            parts.append(content.text)
        elif content.type == "resource":
            text = getattr(content.resource, "text", None)
            parts.append(text if text is not None else f"[file {content.resource.uri}]")
        elif content.type == "resource_link":
            parts.append(f"[link {content.name}: {content.uri}]")
        else:
            parts.append(f"[{content.type}]")
    text = "\n".join(filter(None, parts)).strip()
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "\n(cut here: too long)"
    return text
