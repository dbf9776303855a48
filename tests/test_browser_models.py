"""The page shows which models there are and brings one: licence, progress, cancel, ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, eventually, visiting
from harness import Server, running_server
from model_server import ModelServer, model_server
from own_models import OwnVoice, own_voice
from second_avatar import data_home
from test_models_pull import WHOLE, files_in

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page-models")


@pytest.fixture(scope="module")
def voice(server: ModelServer, home: Path) -> OwnVoice:
    found = own_voice(server, home)
    found.write(licence=True)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(brain: dict[str, str], home: Path, voice: OwnVoice) -> AsyncIterator[Server]:
    places = {
        "MIEN_MODELS": str(home / "models"),
        "MIEN_CATALOGUE": str(voice.catalogue),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    manager = running_server(home, environment={**brain, **data_home(home), **places})
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def open_models(visitor: Visitor) -> Locator:
    """The row of the voice."""
    await visitor.part("look").click()
    await visitor.page.locator(".models summary").click()
    row = visitor.part("model-tiny-voice")
    await row.wait_for(timeout=PATIENCE * 1000)
    return row


async def share(visitor: Visitor) -> float:
    return float(
        await visitor.page.evaluate("document.querySelector('.model-below progress')?.value ?? -1")
    )


async def moves(visitor: Visitor, beyond: float) -> float:
    await visitor.page.wait_for_function(
        "(beyond) => (document.querySelector('.model-below progress')?.value ?? -1) > beyond",
        arg=beyond,
        timeout=PATIENCE * 1000,
    )
    return await share(visitor)


async def test_a_model_is_accepted_fetched_stopped_and_gone_on_with(
    browser: Browser, site: Server, voice: OwnVoice, home: Path, tmp_path: Path
) -> None:
    voice.archive.chunk_sec, voice.archive.chunk = 0.25, 20_000
    async with visiting(browser, listen=False) as visitor:
        await visitor.arrives(site.url)
        row = await open_models(visitor)
        said = await row.inner_text()
        assert "a tiny voice" in said and "0.9 MB" in said and "a strict licence" in said
        shown = await visitor.part("models").inner_text()
        assert "wav2lip256" in shown and "matcha-icefall-zh-en" in shown
        assert "0 of 16 are here" in shown
        await visitor.picture_of("models-list", tmp_path)

        await row.get_by_test_id("model-get").click()
        assert "No commercial use" in await row.inner_text(), "its licence is shown"
        link = row.locator("a")
        assert await link.get_attribute("href") == "https://example.com/licence"
        fetch = row.get_by_test_id("model-fetch")
        assert await fetch.is_disabled() and voice.archive.asked == []
        await row.get_by_test_id("model-accept").check()
        await visitor.part("language").click()
        await eventually(lambda: contains(row, "不得用于商业目的"), "the licence in Chinese")
        assert await row.get_by_test_id("model-accept").is_checked()
        await visitor.part("language").click()
        await eventually(lambda: contains(row, "No commercial use"), "and in English again")
        await visitor.picture_of("models-licence", tmp_path)

        await row.get_by_test_id("model-fetch").click()
        before = await moves(visitor, 0.02)
        await moves(visitor, before)
        assert "MB from 127.0.0.1" in await row.inner_text()
        await visitor.picture_of("models-progress", tmp_path)

        await visitor.page.reload()
        await visitor.is_live()
        row = await open_models(visitor)
        after = await moves(visitor, before)
        assert after < 1, "the reload did not disturb it"
        assert len(voice.archive.asked) == 1

        await row.get_by_test_id("model-cancel").click()
        await eventually(lambda: contains(row, "Go on"), "it has stopped", describe=row.inner_text)
        assert not (home / "models" / "tiny-voice").exists()
        await visitor.picture_of("models-stopped", tmp_path)

        voice.archive.chunk_sec = 0.0
        await row.get_by_test_id("model-get").click()
        await eventually(lambda: contains(row, "✓ here"), "it is here", describe=row.inner_text)
        assert (voice.archive.asked[1] or "").startswith("bytes="), "not from nothing"
        assert files_in(home / "models" / "tiny-voice") == WHOLE
        assert "mien run --voice tiny-voice" in await row.inner_text(), "and how to use it"
        assert "1 of 16 are here" in await visitor.part("models").inner_text()
        assert "tiny-voice" in await visitor.part("voice-tiny-voice").inner_text(), "among voices"
        await visitor.picture_of("models-ready", tmp_path)
        await row.get_by_test_id("model-use").click()
        why = "tiny-voice cannot speak now"  # nothing but noise is in it
        await eventually(lambda: contains(row, why), "why not", describe=row.inner_text)
        assert str(home) not in await row.inner_text(), "where it lies is nobody's business"
        assert await row.get_by_test_id("model-use").is_enabled()
        await visitor.picture_of("models-use", tmp_path)

        remove = row.locator(".remove")
        await remove.click()
        await remove.click()
        await eventually(lambda: contains(row, "Get"), "it is gone", describe=row.inner_text)
        assert not (home / "models" / "tiny-voice").exists()
        assert await visitor.page.evaluate("__probe.errors") == []


async def test_what_went_wrong_stands_beside_the_model_in_both_languages(
    browser: Browser, site: Server, voice: OwnVoice, tmp_path: Path
) -> None:
    voice.archive.chunk_sec, voice.archive.status = 0.0, 404
    try:
        phone = {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark"}
        async with visiting(browser, listen=False, locale="zh-CN", **phone) as visitor:
            await visitor.arrives(site.url)
            row = await open_models(visitor)
            await row.get_by_test_id("model-get").click()
            if await row.get_by_test_id("model-accept").count():  # where this test runs alone
                await row.get_by_test_id("model-accept").check()
                await row.get_by_test_id("model-fetch").click()
            await eventually(lambda: contains(row, "无法获取"), "why", describe=row.inner_text)
            await visitor.picture_of("models-failed", tmp_path)
            await visitor.part("language").click()
            await eventually(lambda: contains(row, "HTTP 404"), "in English")
            assert await row.get_by_test_id("model-get").is_enabled()
            assert await visitor.page.evaluate("__probe.errors") == []
    finally:
        voice.archive.status = 200


async def contains(row: Locator, words: str) -> bool:
    return words in await row.inner_text()
