"""A connection to one MCP server by pipecat's client. Takes a second to import: use it lazily."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mien.mind_settings import McpServer

try:
    from mcp import StdioServerParameters
    from mcp.client.session_group import StreamableHttpParameters
    from mcp.types import CallToolResult, PaginatedRequestParams, Tool
    from pipecat.services.mcp_service import MCPClient, _is_connection_lost
except ImportError as e:
    raise ImportError('MCP servers need more: pip install "mien[mind]"') from e

# Many servers greet on the output that is the protocol's; the SDK shows a traceback for each line.
# What matters comes as an error of a call, and is told in one line.
logging.getLogger("mcp").setLevel(logging.CRITICAL)

_HTTP_SEC = 10.0
# `npx` and `uvx` may have to download the server first.
_CONNECT_SEC = 120.0
_MOST_TOOLS = 200
_MOST_PAGES = 50  # of a list; an empty one may still say that there is more


class Connection(MCPClient):
    """pipecat's client keeps the connection, in a task of its own as MCP's transports need it.

    Its own calls give text alone; ours go to the session for annotations and all of a result.
    """

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self._holding: asyncio.Task[Any] | None = None

    async def _run_session(self, ready: Any, closing: Any) -> None:
        self._holding = asyncio.current_task()
        await super()._run_session(ready, closing)

    async def end(self) -> None:
        """Close, and wait until nothing of it is left, a start that was cancelled included."""
        await self.close()
        if self._holding is not None:
            await asyncio.gather(self._holding, return_exceptions=True)

    async def listed(self) -> list[Tool]:
        """What the server offers, over all pages."""
        session = self._get_active_session()
        page = await session.list_tools()
        tools = list(page.tools)
        for _ in range(_MOST_PAGES - 1):
            if not page.next_cursor or len(tools) >= _MOST_TOOLS:
                break
            following = PaginatedRequestParams(cursor=page.next_cursor)
            page = await session.list_tools(params=following)
            tools += page.tools
        return tools[:_MOST_TOOLS]

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """Raises what MCP raises. Cancelled, it tells the server so."""
        return await self._get_active_session().call_tool(name, arguments)

    async def ping(self) -> None:
        """Raises when the server is gone."""
        await self._get_active_session().send_ping()

    def is_lost(self, error: Exception) -> bool:
        """Whether the connection is gone, by an error of a call."""
        return self._active_session is None or _is_connection_lost(error)


@asynccontextmanager
async def connected(section: McpServer, environ: Mapping[str, str]) -> AsyncIterator[Connection]:
    """A connection that is closed on leaving, with the server's process if it has one.

    Raises:
        KeyError: a variable of the settings is not in the environment.
        Exception: whatever starting a process or connecting may raise.
    """
    if section.command is not None:
        env = _expanded(section.env, environ)
        parameters: Any = StdioServerParameters(command=section.command, args=section.args, env=env)
    else:
        parameters = StreamableHttpParameters(
            url=section.url or "",
            headers=_expanded(section.headers, environ),
            timeout=_HTTP_SEC,
            sse_read_timeout=section.timeout_sec + 60,
        )
    connection = Connection(parameters)
    try:
        async with asyncio.timeout(_CONNECT_SEC):
            await connection.start()
        yield connection
    finally:
        await connection.end()


def _expanded(values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Values that begin with ``$`` are names of variables."""
    try:
        return {
            key: environ[value[1:]] if value.startswith("$") else value
            for key, value in values.items()
        }
    except KeyError as e:
        raise KeyError(f"the environment variable {e.args[0]} is not set") from None
