"""A visitor whose presenter's voice dies: speech goes on, the page says so, and it comes back."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from browser import CHROMIUM, NO_CHROMIUM, eventually, visiting
from fake_openai import FakeOpenAI, Scenario
from harness import listening, running_server
from voice_dialects import Asked, Reply, Speech, gpt_sovits
from voice_servers import VoiceServer

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

SENTENCES = [
    "The old lighthouse stood on a quiet island. ",
    "Every evening it told the ships where the rocks were. ",
    "One night the light went out. ",
    "So the fishermen lit fires on the beach.",
]
ANSWER = "".join(SENTENCES)


def toml(url: str) -> str:
    return f"""
voice = ["anna", "espeak"]
[voices.anna]
service = "gpt-sovits"
url = "{url}"
ref_audio_path = "a.wav"
prompt_text = "b"
"""


@pytest.mark.thorough
async def test_a_voice_that_dies_is_replaced_named_and_used_again(
    browser: Browser, brain: dict[str, str], fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = Scenario(text=ANSWER, token_delay_s=0.01)
    async with VoiceServer(lambda asked: dying(asked)) as anna:

        def dying(asked: Asked) -> Speech | Reply:
            """It breaks off within the third sentence, and is gone."""
            speech = gpt_sovits(asked)
            if isinstance(speech, Speech) and speech.text.startswith("One night"):
                anna.fault = "cut"
            return speech

        (tmp_path / "mien.toml").write_text(toml(anna.url), encoding="utf-8")
        manager = running_server(tmp_path, environment=brain)
        server = await asyncio.to_thread(manager.__enter__)
        try:
            async with (
                visiting(browser) as visitor,
                visiting(browser, locale="zh-CN", listen=False) as watcher,
                server.client() as client,
            ):
                await visitor.arrives(server.url)
                session = await visitor.session()
                chip = visitor.part("chip-voice")
                assert "anna (GPT-SoVITS)" in await chip.inner_text()
                async with listening(client, session) as events:
                    await visitor.ask("Tell me a story.")
                    words = await visitor.toast("voice")
                    assert re.match(r"anna .* cannot speak .*eSpeak NG.* goes on", words), words
                    await visitor.answered(ANSWER)
                    assert anna.fault == "cut"
                    clauses = [clause["text"] for clause in events.of("clause")]
                    assert "".join(clauses) == ANSWER, "each once, in order"
                    told = [event["name"] for event in events.of("voice")]
                    assert told == ["espeak"], "said once, not with every clause"
                    assert await visitor.part("error").locator(".error").count() == 0

                    await anna.stop()

                    # What the page shows while it is away; for whoever comes now, too.
                    assert "eSpeak NG" in await chip.inner_text()
                    await chip.click()
                    more = visitor.page.locator(".who-more")
                    await more.locator("li").first.wait_for()
                    shown = await more.inner_text()
                    assert "stands in for anna" in shown and "not ready" in shown
                    assert anna.url in shown
                    await visitor.picture_of("voice-stands-in", tmp_path)
                    await chip.click()
                    await watcher.arrives(server.url)  # else its own session comes later, and stays
                    await watcher.page.evaluate(
                        "(id) => sessionStorage.setItem('mien.session', id)", session
                    )
                    await watcher.page.reload()
                    await watcher.is_live()
                    assert "eSpeak NG（内置）" in await watcher.part("chip-voice").inner_text()

                    # Back: looked at beside the first clause of an answer, used from the next on.
                    anna.fault = None
                    fake.scenario = Scenario(text=ANSWER.replace("One night", "Then"))
                    await anna.start()

                    async def back() -> bool:
                        state = "document.documentElement.dataset.state"
                        if await visitor.page.evaluate(state) == "idle":
                            await visitor.ask("And again?")
                        return [e["name"] for e in events.of("voice")][-1:] == ["anna"]

                    await eventually(back, "its own voice", 60)
                    assert "anna" in await chip.inner_text()
                    assert "已恢复" in await watcher.toast("voice")
                    assert await visitor.page.evaluate("__probe.errors") == []
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)
