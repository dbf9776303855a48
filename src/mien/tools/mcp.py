"""Tools of MCP servers (Model Context Protocol), as tools like any other.

Each server has a task of its own that keeps it connected. One that cannot be reached has no tools
until it can; nobody waits for it but at the start.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from mien.mind_settings import McpServer
from mien.tools.changing import Changing
from mien.tools.contract import Tool, ToolContext, ToolError, ToolResult, ToolSpec
from mien.tools.mcp_results import described, readable

if TYPE_CHECKING:
    from mcp.types import Tool as Listed

    from mien.tools.mcp_client import Connection

# How long the start waits for all servers together; a first `npx` downloads for longer, and comes
# later then.
_START_SEC = 10.0
_FIRST_RETRY_SEC, _LAST_RETRY_SEC = 1.0, 300.0
# A process that died says nothing until it is asked.
_PING_SEC = 30.0
# One that hangs says nothing even then. For its list of tools, and for a ping.
_REPLY_SEC = 20.0
_QUERY = re.compile(r"\?\S*")

Value = TypeVar("Value")
Names = dict[str, list[str]]
"""Which tools have a name, in words."""


@asynccontextmanager
async def open_mcp(
    servers: Mapping[str, McpServer], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Sequence[Tool]]:
    """Connect to the servers of these names and give the tools of those that are connected, at any
    moment; leaving ends all of them, and their processes.

    A server that does not start is logged with what to do, and tried again later. Without any
    server nothing is imported.

    environ: where ``$NAME`` in the settings is looked up; None for the process environment.
    """
    names: Names = {}
    keeping = [
        _Server(name, section, os.environ if environ is None else environ, names)
        for name, section in servers.items()
    ]
    tasks = [asyncio.create_task(one.run(), name=f"mcp {one.name}") for one in keeping]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SEC):
                for one in keeping:
                    await one.tried.wait()
        yield Changing(lambda: [tool for server in keeping for tool in server.tools])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Server:
    """Keeps one server connected. names: those of all servers' tools.

    Attributes:
        tools: those that may be called, none while it is not connected.
        tried: set once it is known whether it can be reached.
        lost: to be set by whoever notices that it is gone.
    """

    def __init__(
        self, name: str, section: McpServer, environ: Mapping[str, str], names: Names
    ) -> None:
        self.name = name
        self.tools: tuple[McpTool, ...] = ()
        self.tried, self.lost = asyncio.Event(), asyncio.Event()
        self.connection: Connection | None = None
        self._section, self._environ, self._names = section, environ, names
        self._retry_sec = _FIRST_RETRY_SEC
        self._problem = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._serve()
            except Exception as e:
                self._explain(e)
            finally:
                self.tried.set()
            await asyncio.sleep(self._retry_sec)
            self._retry_sec = min(2 * self._retry_sec, _LAST_RETRY_SEC)

    async def _serve(self) -> None:
        """Until it is lost."""
        from mien.tools.mcp_client import connected

        self.lost.clear()
        async with connected(self._section, self._environ) as connection:
            listed = await _soon(connection.listed())
            try:
                await self._offer(connection, listed)
            finally:  # before it is closed: that takes a while where it hangs
                self.tools, self.connection = (), None
        raise ConnectionError("the connection was lost")

    async def _offer(self, connection: Connection, listed: Sequence[Listed]) -> None:
        """Until it is lost."""
        self.connection = connection
        self.tools = tuple(
            McpTool(self, tool.name, described(self.name, tool, self._section))
            for tool in listed
            if self._section.tools is None or tool.name in self._section.tools
        )
        self._tell_of({tool.name for tool in listed})
        self._tell_of_doubles()
        self._retry_sec, self._problem = _FIRST_RETRY_SEC, ""
        self.tried.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PING_SEC):
                    await self.lost.wait()
                return
            await _soon(connection.ping())

    def _tell_of(self, names: set[str]) -> None:
        logger.info(f"MCP server {self.name}: {len(self.tools)} tools")
        if missing := set(self._section.tools or ()) - names:
            logger.warning(
                f"MCP server {self.name} has no tool {', '.join(sorted(missing))}; "
                f"there are: {', '.join(sorted(names))}"
            )

    def _tell_of_doubles(self) -> None:
        """Once each: two names may become one as models know it (``b-c`` and ``b.c``)."""
        for tool in self.tools:
            known = self._names.setdefault(tool.spec.name, [])
            own = f"{tool.name} of {self.name}"
            if own in known:
                continue
            known.append(own)
            if len(known) > 1:
                logger.warning(
                    f"MCP tools of one name, {tool.spec.name}: {', '.join(known)}. Only one can be "
                    "called: choose it with `tools`, or give the server another name; "
                    f"MCP 工具重名（{tool.spec.name}），只能调用其中一个：请用 tools 选定，"
                    "或更改服务器名称。"
                )

    def _explain(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {str(error)[:200]}"
        if problem == self._problem:
            return  # was told before
        self._problem = problem
        # Keys may be in the address, and in errors of HTTP.
        logger.warning(
            f"MCP server {self.name} cannot be used, so its tools are left out until it can "
            f"({_QUERY.sub('?…', problem)}). Check [tools.mcp.{self.name}] in the settings; "
            f"MCP 服务器 {self.name} 暂时无法使用，请检查设置中的这一节。"
        )


async def _soon(reply: Awaitable[Value]) -> Value:
    try:
        async with asyncio.timeout(_REPLY_SEC):
            return await reply
    except TimeoutError:
        raise ConnectionError(f"it does not answer within {_REPLY_SEC:g} s") from None


@dataclass(frozen=True)
class McpTool:
    """One tool of a server. What it gives comes from outside."""

    server: _Server
    name: str  #: as the server calls it
    spec: ToolSpec

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Raises ToolError when the server says so or is gone."""
        connection = self.server.connection
        if connection is None:
            raise ToolError(f"{self.spec.name} cannot be reached now.")
        try:
            result = await connection.call(self.name, dict(arguments))
        except Exception as e:
            if connection.is_lost(e):
                self.server.lost.set()
                raise ToolError(f"{self.spec.name} was lost; it may be back in a moment.") from e
            raise ToolError(f"{self.spec.name}: {str(e)[:500]}", untrusted=True) from e
        text = readable(result)
        if result.is_error:
            raise ToolError(text or f"{self.spec.name} failed.", untrusted=True)
        return ToolResult(text, untrusted=True)
