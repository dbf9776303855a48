"""A visitor chooses the voice in the page and hears it; the next conversation begins with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, eventually, visiting
from fake_openai import FakeOpenAI, Scenario
from harness import Server, running_server
from voice_dialects import gpt_sovits
from voice_pitch import VOICES, pitch
from voice_servers import VoiceServer

pytest_plugins = ["browser_fixtures"]
# Without a browser: test_session_voices.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

STORY = "One by one the boats came home, full of fish."
# Every 40 ms that are loud, as the browser decoded them.
LISTEN = """() => {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(document.querySelector("video").srcObject).connect(analyser);
  const pieces = (window.__pieces = []);
  window.__rate = context.sampleRate;
  setInterval(() => {
    const samples = new Float32Array(2048);
    analyser.getFloatTimeDomainData(samples);
    if (samples.some((value) => Math.abs(value) > 0.05)) {
      pieces.push(Array.from(samples, (value) => Math.round(value * 32767)));
    }
  }, 40);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anna() -> AsyncIterator[VoiceServer]:
    async with VoiceServer(gpt_sovits) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    brain: dict[str, str], anna: VoiceServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("voice-choice")
    (folder / "mien.toml").write_text(VOICES.replace("URL", anna.url), encoding="utf-8")
    manager = running_server(folder, environment={**brain, "MIEN_MODELS": str(folder / "models")})
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def hertz(visitor: Visitor) -> float:
    """The pitch of what was heard since this was last asked."""
    rate = await visitor.page.evaluate("window.__rate")
    pieces = await visitor.page.evaluate("__pieces.splice(0)")
    heights = [pitch(np.array(piece, np.int16), rate) for piece in pieces]
    heights = [each for each in heights if each]
    assert len(heights) > 10, "too little was heard"
    return float(np.median(heights))


async def answer(visitor: Visitor) -> float:
    await visitor.page.evaluate("__pieces.splice(0)")
    await visitor.ask("Tell me something.")
    await visitor.answered(STORY)
    return await hertz(visitor)


async def is_chosen(visitor: Visitor, name: str) -> None:
    row = visitor.page.locator(f"[data-voice={name}][aria-pressed=true]")
    await row.wait_for(timeout=PATIENCE * 1000)


async def test_a_chosen_voice_is_heard_at_once_and_by_the_next_conversation(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = Scenario(text=STORY, token_delay_s=0.01)
    async with visiting(browser) as visitor, visiting(browser) as stranger:
        await visitor.arrives(site.url)
        await visitor.page.evaluate(LISTEN)
        await stranger.arrives(site.url)
        assert await answer(visitor) < 150
        await visitor.part("chip-voice").click()
        await visitor.page.locator(".who-more li").first.wait_for()
        await visitor.picture_of("voices-chip", tmp_path)
        await visitor.part("voice-choose").click()
        await is_chosen(visitor, "low")
        await visitor.part("voice-high").scroll_into_view_if_needed()
        assert "127.0.0.1:9" in await visitor.part("voice-away").inner_text(), "why not"
        await visitor.picture_of("voices-list", tmp_path)
        before = len(await visitor.said())
        await visitor.part("voice-high").click()
        await is_chosen(visitor, "high")
        await visitor.state("speaking")
        await visitor.state("idle")
        assert "Hello, this is my voice." in await visitor.captions(), "it introduces itself"
        assert await hertz(visitor) > 180
        assert len(await visitor.said()) == before, "that is no part of the conversation"
        assert "high" in await visitor.part("chip-voice").inner_text()
        await visitor.part("look-close").click()
        assert await answer(visitor) > 180
        assert "low" in await stranger.part("chip-voice").inner_text(), "nobody else's voice"

        session = await visitor.session()
        await visitor.page.evaluate("sessionStorage.clear()")
        await visitor.page.reload()
        await visitor.is_live()
        assert await visitor.session() != session
        await visitor.page.evaluate(LISTEN)
        assert "high" in await visitor.part("chip-voice").inner_text()
        assert await answer(visitor) > 180
        assert await visitor.page.locator(".toast").count() == 0
        assert await visitor.page.evaluate("__probe.errors") == []


async def test_a_voice_that_cannot_is_told_and_changes_nothing(
    browser: Browser, site: Server, anna: VoiceServer, tmp_path: Path
) -> None:
    phone = {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark"}
    async with visiting(browser, listen=False, locale="zh-CN", **phone) as visitor:
        await visitor.arrives(site.url)
        await visitor.part("look").click()
        await is_chosen(visitor, "low")
        await visitor.part("voice-anna").scroll_into_view_if_needed()
        await visitor.picture_of("voices-phone", tmp_path)
        assert "不可用" in await visitor.part("voice-away").inner_text()

        anna.hold()  # the sentence that loads it
        try:
            await visitor.part("voice-anna").click()
            row = visitor.part("voice-anna")
            await eventually(lambda: contains(row, "正在加载"), "its state")
            await visitor.picture_of("voices-loading", tmp_path)
        finally:
            anna.release()
        await is_chosen(visitor, "anna")
        await visitor.part("voice-low").click()
        await is_chosen(visitor, "low")
        assert await visitor.page.locator(".toast").count() == 0, "a choice needs no notice"

        await anna.stop()
        try:
            await visitor.part("voice-anna").click()
            said = visitor.part("voices-said")
            await eventually(lambda: contains(said, anna.url), "why", describe=visitor.describe)
            assert "目前无法使用" in await said.inner_text()
            await is_chosen(visitor, "low")
            await visitor.picture_of("voices-refused", tmp_path)
        finally:
            await anna.start()

        await visitor.page.evaluate("localStorage.setItem('mien.voice', 'nobody')")
        await visitor.page.evaluate("sessionStorage.clear()")
        await visitor.page.reload()
        await visitor.is_live()
        assert "low" in await visitor.part("chip-voice").inner_text()
        assert await visitor.page.evaluate("localStorage.getItem('mien.voice')") is None
        assert await visitor.page.evaluate("__probe.errors") == []


async def contains(row: Locator, words: str) -> bool:
    return words in await row.inner_text()
