"""What the browser tests share: one browser, one server and one fake model per file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from browser import chromium
from fake_openai import FakeOpenAI, Scenario
from harness import Server, running_server

IDLE_SEC = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
def fake(model: FakeOpenAI) -> Iterator[FakeOpenAI]:
    """The model, with nothing left of the test before."""
    model.requests.clear()
    yield model
    model.scenario = Scenario()


@pytest.fixture(scope="module")
def brain(model: FakeOpenAI) -> dict[str, str]:
    """The environment of a server whose brain is the fake model."""
    return {
        "MIEN_LLM__NAME": "openai",
        "MIEN_LLM__BASE_URL": model.url,
        "MIEN_LLM__API_KEY": "test-key",
        "MIEN_LLM__MODEL": "fake",
        "MIEN_LLM__FIRST_TOKEN_TIMEOUT_SECS": "6",  # one that hangs is waited for in full
        "MIEN_LLM__IDLE_TIMEOUT_SECS": "6",
        "MIEN_GREET": "false",
        "MIEN_SESSIONS__IDLE_SEC": str(IDLE_SEC),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    brain: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """The server; started in a thread, because the fake model runs on our loop."""
    manager = running_server(tmp_path_factory.mktemp("server"), environment=brain)
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running
