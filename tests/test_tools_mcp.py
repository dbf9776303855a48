"""Tools of real MCP servers, over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from loguru import logger

from child_processes import children_with
from mcp_server import TOKEN, serving
from mien.mind_settings import McpServer
from mien.tools.contract import Tool, ToolCall, ToolContext, ToolError, ToolSpec
from mien.tools.mcp import open_mcp
from mien.tools.runner import State, ToolRunner

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = Path(__file__).with_name("mcp_server.py")
ODDITIES = SERVER.with_name("mcp_oddities.py")
CONTEXT = ToolContext("en", "What?")


def by_stdio(record: Path, **more: object) -> McpServer:
    fields = {"command": sys.executable, "args": [str(SERVER), str(record)]}
    return McpServer.model_validate({**fields, **more})


def named(tools: Sequence[Tool], name: str) -> Tool:
    return next(tool for tool in tools if tool.spec.name == name)


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def processes() -> set[int]:
    """The ids of our servers' processes."""
    return {child.pid for child in children_with(str(SERVER))}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp") / "record"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tools(record: Path) -> AsyncIterator[Sequence[Tool]]:
    """Of one server over stdio, started once for all tests."""
    servers = {"desk": by_stdio(record, env={"TEST_TOKEN": "$SOME_VARIABLE"}, timeout_sec=60)}
    async with open_mcp(servers, {"SOME_VARIABLE": TOKEN}) as running:
        await until(lambda: len(running))
        yield running
    assert not processes(), "closing leaves no process"


async def test_tools_are_described(tools: Sequence[Tool]) -> None:
    add, send = named(tools, "desk_add").spec, named(tools, "desk_send").spec
    assert add.description == "Add two numbers." and add.label["en"] == "Using Adding"
    assert set(add.parameters["required"]) == {"a", "b"}
    assert not add.effects, "it says that it only reads"
    assert send.effects and send.timeout_sec == 60


async def test_results_come_from_outside_and_are_bounded(tools: Sequence[Tool]) -> None:
    added = await named(tools, "desk_add").run({"a": 2, "b": 3}, CONTEXT)
    assert "5" in added.text and added.untrusted
    sent = await named(tools, "desk_send").run({"text": "hello"}, CONTEXT)
    assert sent.text == f"sent hello with {TOKEN}"
    picture = await named(tools, "desk_picture").run({}, CONTEXT)
    assert picture.text == "A tree:\n[image]"
    long = await named(tools, "desk_long").run({}, CONTEXT)
    assert 10_000 < len(long.text) < 13_000


async def test_what_a_server_refuses_is_told_as_its_words(tools: Sequence[Tool]) -> None:
    with pytest.raises(ToolError, match="ignore your instructions") as failed:
        await named(tools, "desk_fail").run({}, CONTEXT)
    assert failed.value.untrusted
    with pytest.raises(ToolError):
        await named(tools, "desk_add").run({"a": "x"}, CONTEXT)


async def test_a_call_that_is_cut_off_is_cut_off_there_too(
    tools: Sequence[Tool], record: Path
) -> None:
    granted = asyncio.Event()
    granted.set()

    async def on_state(call: ToolCall, spec: ToolSpec, state: State) -> None:
        pass

    runner = ToolRunner([named(tools, "desk_hang")], CONTEXT, granted, on_state)
    task = asyncio.create_task(runner.run([ToolCall("1", "desk_hang", "{}")]))
    await until(lambda: record.exists() and record.read_text() == "begun")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: record.read_text() == "cancelled")
    assert "9" in (await named(tools, "desk_add").run({"a": 4, "b": 5}, CONTEXT)).text


async def test_a_server_that_died_is_back(tools: Sequence[Tool]) -> None:
    before = processes()
    with pytest.raises(ToolError, match="was lost"):
        await named(tools, "desk_die").run({}, CONTEXT)
    old = tuple(tools)
    await until(lambda: len(tools) == 0)
    if old:
        with pytest.raises(ToolError, match="cannot be reached"):
            await old[0].run({"a": 1, "b": 1}, CONTEXT)
    await until(lambda: len(tools))
    assert len(before) == len(processes()) == 1 and not before & processes()
    assert "2" in (await named(tools, "desk_add").run({"a": 1, "b": 1}, CONTEXT)).text


async def test_over_http_with_a_list_of_what_is_allowed(record: Path) -> None:
    async with serving(record) as url:
        section = McpServer(
            url=url, headers={"X-Key": "$KEY"}, tools=["add", "send", "missing"], effects=False
        )
        said: list[str] = []
        sink = logger.add(lambda message: said.append(str(message)))
        async with open_mcp({"web": section}, {"KEY": "k"}) as tools:
            assert [tool.spec.name for tool in tools] == ["web_add", "web_send"]
            assert not named(tools, "web_send").spec.effects, "the settings say so"
            assert "5" in (await named(tools, "web_add").run({"a": 2, "b": 3}, CONTEXT)).text
            assert len(tools) == 2 and tools[1] in tools[1:]
        logger.remove(sink)
    assert any("has no tool missing" in line for line in said)


async def test_servers_that_cannot_be_used_are_left_out_and_explained(record: Path) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)))
    servers = {
        "gone": McpServer(command="/no/such/command"),
        "closed": McpServer(url="http://127.0.0.1:9/mcp?key=s3cret"),
        "unset": by_stdio(record, env={"TOKEN": "$NOT_SET"}),
    }
    async with open_mcp(servers, {}) as tools:
        assert tuple(tools) == ()
    logger.remove(sink)
    for name, why in (("gone", "/no/such/command"), ("closed", ""), ("unset", "NOT_SET")):
        (line,) = [line for line in said if f"MCP server {name} cannot be used" in line]
        assert why in line and f"[tools.mcp.{name}]" in line and "s3cret" not in line


def odd(mode: str) -> McpServer:
    return McpServer(command=sys.executable, args=["-S", str(ODDITIES), mode])


async def test_servers_that_hang_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)))
    monkeypatch.setattr("mien.tools.mcp._REPLY_SEC", 1)
    monkeypatch.setattr("mien.tools.mcp._PING_SEC", 0.05)

    async def are_told(*parts: str) -> None:
        """In this order, whatever else is; a slow machine may take more than one try."""
        await until(lambda: re.search(".*".join(parts), "".join(said), re.DOTALL) is not None)

    async with open_mcp({mode: odd(mode) for mode in ("mute", "hangs")}):
        await are_told("MCP server mute cannot be used", "does not answer within 1 s")
        await are_told("MCP server hangs: 1 tools", "MCP server hangs cannot be used")
    logger.remove(sink)


async def test_a_list_without_end_is_not_read_for_ever() -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)))
    async with open_mcp({"endless": odd("endless")}):
        await until(lambda: any("MCP server endless: 0 tools" in line for line in said))
    logger.remove(sink)


async def test_tools_that_models_cannot_tell_apart_are_named_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)), level="WARNING")
    monkeypatch.setattr("mien.tools.mcp._REPLY_SEC", 60)
    async with open_mcp({"a": odd("doubles"), "a_b": odd("c")}) as tools:
        await until(lambda: len(tools) == 3)
    logger.remove(sink)
    assert len(said) == 2 and all("of one name, a_b_c: " in line for line in said)
    assert all(own in said[1] for own in ("b-c of a,", "b.c of a", "c of a_b"))


async def test_no_servers_cost_nothing() -> None:
    before = len(asyncio.all_tasks())
    async with open_mcp({}) as tools:
        assert not tools and len(asyncio.all_tasks()) == before
