"""The page joins the live session, and its panel puts it on the air of a real media server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, chromium, visiting
from harness import Server, running_server
from mien.bench.rtmp_server import MediaServer
from rtmp_server import real_server

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
KEY = "a-key-nobody-may-see"


@pytest_asyncio.fixture
async def media() -> AsyncIterator[MediaServer]:
    manager = real_server()
    server = await asyncio.to_thread(manager.__enter__)
    yield server
    await asyncio.to_thread(manager.__exit__, None, None, None)


@pytest_asyncio.fixture
async def site(media: MediaServer, tmp_path: Path) -> AsyncIterator[Server]:
    """On the air from its start, with the key where no list of processes shows it."""
    publish = ("--publish", f"rtmp://127.0.0.1:{media.port}/live")
    environment = {"MIEN_GREET": "false", "MIEN_STREAM_KEY": KEY, "LC_ALL": "C"}
    manager = running_server(tmp_path, *publish, environment=environment)
    server = await asyncio.to_thread(manager.__enter__)
    yield server
    await asyncio.to_thread(manager.__exit__, None, None, None)
    log = server.log.read_text()
    assert KEY not in log and "back after" in log


async def test_the_live_session_in_a_page(site: Server, media: MediaServer, tmp_path: Path) -> None:
    async with chromium() as browser, visiting(browser, listen=False) as visitor:
        await visitor.arrives(f"{site.url}/?session=live")
        await visitor.part("onair").click()
        await shows(visitor, 0, f"rtmp://127.0.0.1:{media.port}/live/****", "Live")

        await visitor.part("air-go").click()
        await expect(visitor.part("air-said")).to_have_text("The server's address is missing.")
        await visitor.part("air-address").fill(f"rtmp://127.0.0.1:{media.port}/live")
        await visitor.part("air-key").fill(f"{KEY}-2")
        await visitor.part("air-key").press("Enter")
        await shows(visitor, 1, "/live/****", "Live")
        await expect(visitor.part("air-key")).to_have_value("")
        await shows(visitor, 1, r"00:00:0\d · \d\.\d Mb/s")
        await visitor.picture_of("onair-live", tmp_path)

        await asyncio.to_thread(media.kill)
        await shows(visitor, 0, "Not on air", "Retry now", "next attempt in", "127.0.0.1")
        await expect(visitor.part("onair")).to_have_attribute("aria-label", "On air: Not on air")
        await visitor.picture_of("onair-lost", tmp_path)
        await asyncio.to_thread(media.start)
        await shows(visitor, 0, "Live", "reconnected 1×")
        await shows(visitor, 1, "Live")

        await visitor.part("air").nth(1).get_by_test_id("air-stop").click()
        await expect(visitor.part("air")).to_have_count(1)
        await visitor.part("record-webm").click()
        await shows(visitor, 1, r"\.webm", "Recording")
        kept = visitor.part("recording")
        await expect(kept).to_contain_text("Recording", timeout=PATIENCE * 1000)
        await visitor.part("air").nth(1).get_by_test_id("air-stop").click()
        await expect(kept).to_contain_text("Download", timeout=PATIENCE * 1000)
        for _ in range(2):  # the first press asks
            await kept.locator(".remove").click()
        await expect(kept).to_have_count(0, timeout=PATIENCE * 1000)
        await visitor.part("record-mp4").click()
        await shows(visitor, 1, r"\.mp4", "Recording")
        await visitor.part("air").nth(1).get_by_test_id("air-pause").click()
        await shows(visitor, 1, "Paused")
        await visitor.part("language").click()
        await shows(visitor, 1, "已暂停", "继续")
        assert await visitor.page.evaluate("__probe.errors") == []

    async with site.client() as client:
        live = (await client.get("/api/v1/sessions/live")).json()
    assert [output["state"] for output in live["outputs"]] == ["live", "paused"], "page or no page"


async def shows(visitor: Visitor, row: int, *words: str) -> None:
    """Wait until an output's row says all of these (regular expressions)."""
    for word in words:
        await expect(visitor.part("air").nth(row)).to_have_text(
            re.compile(word.replace("*", r"\*")), timeout=PATIENCE * 1000
        )
