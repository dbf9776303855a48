"""What a visitor sees when something breaks: words they can read, and a page that goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.async_api import Browser, Locator

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, eventually, visiting, voice_workers
from fake_openai import FakeOpenAI, RecordedRequest, Scenario
from harness import Server, running_server

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

#: Question → what the model does. Each language asks in its own words.
FAILURES = {
    "401": (Scenario("error", status=401), "llm_auth"),
    "cut": (Scenario("cut", text="I was about to say, "), "llm_cut_off"),
    "hang": (Scenario("hang"), "llm_timeout"),
}
WELL = {"en": "All is well again.", "zh": "现在一切正常。"}


def play(request: RecordedRequest) -> Scenario:
    # Questions that got no answer are sent again, as earlier lines of the same message.
    asked = str(request.messages[-1]["content"]).splitlines()[-1]
    for name, (scenario, _) in FAILURES.items():
        if name in asked:
            return scenario
    return Scenario(text=WELL["zh" if "现在" in asked else "en"], token_delay_s=0.02)


async def meet_every_failure(visitor: Visitor, language: str) -> dict[str, str]:
    """Ask into each failure, then a question that is answered. Returns the words shown."""
    words = {}
    for name, (_, code) in FAILURES.items():
        await visitor.ask(f"{name}?" if language == "en" else f"{name} 会怎么样？")
        words[name] = await visitor.toast(code)  # the next question interrupts the apology
    asked = await visitor.now()
    await visitor.ask("And now?" if language == "en" else "现在呢？")
    await visitor.hears(asked)
    await visitor.answered(WELL[language])
    return words


@pytest.mark.thorough
async def test_a_failing_model_is_told_in_both_languages_and_the_session_lives_on(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = play
    async with visiting(browser) as one, visiting(browser, locale="zh-CN") as two:
        await one.arrives(site.url)
        await two.arrives(site.url)
        sessions = await one.session(), await two.session()
        english, chinese = await asyncio.gather(
            meet_every_failure(one, "en"), meet_every_failure(two, "zh")
        )
        assert (await one.session(), await two.session()) == sessions
    assert "401" in english["401"] and "REDACTED" not in english["401"]
    for name in FAILURES:
        assert english[name].isascii() or "’" in english[name], english[name]
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese[name]), chinese[name]


@pytest.mark.thorough
async def test_a_voice_killed_in_the_middle_of_an_answer_is_not_noticed(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    text = "This is the first sentence. Here comes the second one. And this is the last of them."
    fake.scenario = Scenario(text=text, token_delay_s=0.15)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        asked = await visitor.now()
        await visitor.ask("Speak, please.")
        await visitor.hears(asked)
        workers = voice_workers(site)
        assert workers
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                os.kill(worker.pid, signal.SIGKILL)
        killed = await visitor.now()
        await visitor.answered(text)
        assert (await visitor.seen(killed + 2000)).loud, "the rest was spoken by a new voice"
        assert await visitor.page.locator(".toast").count() == 0


async def test_a_text_that_is_too_long_cannot_be_sent(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await visitor.part("composer").fill("a" * 2003)
        assert await visitor.page.locator(".counter").inner_text() == "3 too many"
        assert await visitor.part("send").is_disabled()
        await visitor.part("composer").press("Enter")
        await visitor.part("composer").fill("😀" * 2000)  # counted as the server counts
        assert await visitor.part("send").is_enabled()
        assert not fake.requests


async def test_a_deleted_session_is_replaced_by_a_new_one(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario(text="I am new here.")
    async with visiting(browser) as visitor, site.client() as client:
        await visitor.arrives(site.url)
        old = await visitor.session()
        deleted = await visitor.now()
        assert (await client.delete(f"/api/v1/sessions/{old}")).is_success
        await visitor.toast("new-session")
        await visitor.is_live(deleted + 500)
        assert await visitor.session() not in (old, "null")
        await visitor.ask("Hello?")
        await visitor.hears(deleted)
        await visitor.answered("I am new here.")


async def test_the_page_returns_by_itself_when_the_server_does(
    browser: Browser, brain: dict[str, str], fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = Scenario(text="Here I am.")
    manager = running_server(tmp_path, environment=brain)
    server = await asyncio.to_thread(manager.__enter__)
    async with visiting(browser) as visitor:
        try:
            await visitor.arrives(server.url)
            await visitor.ask("Before?")
            await visitor.answered("Here I am.")
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)
        await visitor.page.wait_for_selector(
            "html:is([data-connection=offline], [data-connection=reconnecting])",
            timeout=PATIENCE * 1000,
        )
        await visitor.part("veil").wait_for(timeout=PATIENCE * 1000)
        veil = visitor.page.locator(".veil-words")
        await eventually(lambda: says(veil, "cannot be reached"), "words about the server")

        port = str(urlsplit(server.url).port)
        manager = running_server(tmp_path, "--port", port, environment=brain)
        back = await visitor.now()
        await asyncio.to_thread(manager.__enter__)
        try:
            await visitor.is_live(back)
            assert await visitor.part("veil").is_hidden()
            await visitor.ask("After?")
            await visitor.hears(back)
            await visitor.answered("Here I am.")
            asked = await visitor.page.locator(".message.user .text").all_inner_texts()
            assert asked == ["Before?", "After?"], "what was said before stays readable"
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)


async def says(locator: Locator, words: str) -> bool:
    return words in await locator.inner_text()
