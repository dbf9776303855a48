"""Connections of the chat client: kept over turns, and none left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from fake_openai import FakeOpenAI, Scenario
from mien.llm import LLMSettings, chat_client
from mien.llm.chat_client import ChatClient
from mien.llm.failure import FailureCode, LLMFailure
from mien.llm.presets import resolve_endpoint

TEXT = "Hello there, my friend."


@asynccontextmanager
async def connected(fake: FakeOpenAI) -> AsyncGenerator[ChatClient, None]:
    settings = LLMSettings(base_url=fake.url, api_key="k", model="fake")
    client = ChatClient(resolve_endpoint("openai", settings))
    try:
        yield client
    finally:
        await client.aclose()


async def ask(client: ChatClient) -> str:
    async with aclosing(client.stream({"model": "fake", "messages": []})) as deltas:
        return "".join([delta.content async for delta in deltas])


@pytest.mark.parametrize("kind", ["text", "no_done"])
async def test_interruptions_at_any_moment_leave_no_connection_behind(kind: str) -> None:
    """While it is made, asked, heard, at its end and after."""
    scenario = Scenario(kind, text=TEXT, keep_alive=True)
    async with FakeOpenAI(scenario) as fake, connected(fake) as client:
        finished = 0
        for steps in range(400):
            turn = asyncio.create_task(ask(client))
            for _ in range(steps // 4):
                await asyncio.sleep(0)
            turn.cancel()
            await asyncio.wait([turn])
            finished += not turn.cancelled()
        assert 0 < finished < 400, "some are to be interrupted, some not"
        async with asyncio.timeout(60):
            while fake.open_connections > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await ask(client) == TEXT


@pytest.mark.parametrize("kind", ["text", "no_done"])
async def test_a_connection_is_kept_for_the_next_turn(kind: str) -> None:
    scenario = Scenario(kind, text=TEXT, keep_alive=True)
    async with FakeOpenAI(scenario) as fake, connected(fake) as client:
        for _ in range(3):
            assert await ask(client) == TEXT
        assert (len(fake.requests), fake.connections) == (3, 1)


async def test_a_time_limit_at_the_end_of_the_body_leaves_the_next_turn_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A complete answer is not waited for any longer: that interrupts reading its end."""
    monkeypatch.setattr(chat_client, "_AFTER_FINISH_SECS", 0.0)
    scenario = Scenario("no_done", text=TEXT, keep_alive=True)
    async with FakeOpenAI(scenario) as fake, connected(fake) as client:
        for _ in range(5):
            assert await ask(client) == TEXT


@pytest.mark.parametrize(
    ("kind", "code"),
    [("hang", FailureCode.CONNECTION), ("hang_midstream", FailureCode.CUT_OFF)],
)
async def test_closing_ends_what_is_under_way_and_the_client_can_be_used_again(
    kind: str, code: FailureCode
) -> None:
    async with FakeOpenAI(Scenario(text=TEXT)) as fake, connected(fake) as client:
        await client.aclose()
        fake.enqueue(Scenario(kind, text=TEXT))
        turn = asyncio.create_task(ask(client))
        while not fake.requests or (  # noqa: ASYNC110
            kind == "hang_midstream" and not fake.requests[0].tokens_sent
        ):
            await asyncio.sleep(0.01)
        await client.aclose()
        with pytest.raises(LLMFailure) as caught:
            await turn
        assert caught.value.code is code
        await fake.wait_idle()
        assert await ask(client) == TEXT
