"""Bert-VITS2 from the model's folder to the visitor's ears and eyes, in a real browser.

The weights are seeded numbers, so the voice is noise; its times, its streaming and the lips that
follow it are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bert_vits2_seeded import tiny
from browser import CHROMIUM, NO_CHROMIUM, Visitor, eventually, visiting
from fake_openai import FakeOpenAI, Scenario
from harness import Server, listening, running_server

for package in ("torch", "rjieba", "pypinyin", "safetensors"):
    pytest.importorskip(package, reason=f"needs {package}: pip install 'mien[bert-vits2]'")

pytest_plugins = ["browser_fixtures"]
# Without a browser: test_bert_vits2_voice.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

ANSWER = "Hello, I am Mei. 很高兴见到你，我们今天来谈谈天气吧。"
STORY = (
    "Once upon a time, there was a small lighthouse on a quiet island. "
    "Every evening it told the ships where the rocks were. "
    "One night the light went out, and nobody knew what to do."
)
# Nobody behind it: what is heard is this voice or nothing.
TOML = """
voice = ["anna"]
[voices.anna]
service = "bert-vits2"
model = "anna"
speaker = "bert"
bert = "off"
backend = "torch"
device = "cpu"
threads = 1
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    brain: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    tiny(folder / "anna")
    (folder / "mien.toml").write_text(TOML, encoding="utf-8")
    manager = running_server(folder, environment=brain)
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def test_its_speech_is_heard_its_words_advance_and_its_lips_move(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario("text", text=ANSWER, token_delay_s=0.02)
    async with visiting(browser) as visitor, site.client() as client:
        await visitor.arrives(site.url)
        assert "anna (Bert-VITS2)" in await visitor.part("chip-voice").inner_text()
        async with listening(client, await visitor.session()) as events:
            energy = await visitor.stat("audio", "totalAudioEnergy")
            resting = await visitor.now()
            await asyncio.sleep(2)
            asked = await visitor.now()
            await visitor.ask("Who are you?")
            await visitor.answered(ANSWER)

        idle, answer = await visitor.seen(resting, asked), await visitor.seen(asked)
        assert not idle.loud, "silent until asked"
        assert len(answer.loud) > 20, "a voice of random numbers, loud only here and there"
        assert await visitor.stat("audio", "totalAudioEnergy") > energy + 0.01
        spoken = await visitor.seen(answer.loud[0], answer.loud[-1])
        assert spoken.mouth > 3 * idle.mouth, "the lips move with the voice"
        assert "".join(await visitor.captions()).strip() == ANSWER
        clauses = {clause["clause"]: clause["text"] for clause in events.of("clause")}
        words = [(word["clause"], word["begin"], word["stop"]) for word in events.of("word")]
        assert all(a < b for a, b in pairwise(words)), "each word once, in order"
        said = "".join(clauses[clause][begin:stop] for clause, begin, stop in words)
        assert said == "".join(c for c in ANSWER if c.isalpha())
        assert {event["name"] for event in events.of("voice")} <= {"anna"}
        assert not events.of("error")
        assert await visitor.page.evaluate("__probe.errors") == []


async def test_an_interruption_silences_it_and_the_next_answer_is_spoken(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario("text", text=STORY, token_delay_s=0.02)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        asked = await visitor.now()
        await visitor.ask("Tell me a story.")
        await visitor.hears(asked)
        await eventually(lambda: spoken(visitor, 30), "some words of the story")
        await visitor.page.keyboard.press("Escape")
        stopped = await visitor.now()
        await visitor.state("idle")
        await asyncio.sleep(3)
        assert not (await visitor.seen(stopped + 1000)).loud, "silent for good"
        (heard,) = await visitor.said()
        assert STORY.startswith(heard) and 5 < len(heard) < len(STORY)

        fake.scenario = Scenario("text", text="Gladly.")
        again = await visitor.now()
        await visitor.ask("Something else, please.")
        await visitor.answered("Gladly.")
        assert (await visitor.seen(again)).loud


async def spoken(visitor: Visitor, characters: int) -> bool:
    """Whether the caption has got so far."""
    text = await visitor.page.locator(".caption .spoken").text_content()
    return len(text or "") > characters
