"""The product as a visitor meets it: a real browser, a real server, decoded picture and sound."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from playwright.async_api import Browser

from browser import CHROMIUM, NO_CHROMIUM, Visitor, eventually, visiting
from fake_openai import FakeOpenAI, RecordedRequest, Scenario
from harness import Server

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

HELLO = "Hello, I am Mei. It is a pleasure to meet you today."
STORY = (
    "Once upon a time, there was a small lighthouse on a quiet island. "
    "Every evening it told the ships where the rocks were. "
    "One night the light went out, and nobody knew what to do. "
    "So the fishermen lit fires on the beach until the morning came."
)


async def test_the_picture_runs_at_25_frames_per_second_of_media(
    browser: Browser, site: Server
) -> None:
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        since = await visitor.now()

        async def enough() -> bool:
            frames = (await visitor.seen(since)).frames
            return len(frames) > 1 and frames[-1]["rtp"] - frames[0]["rtp"] >= 5 * 90_000

        await eventually(enough, "five seconds of picture")
        frames = (await visitor.seen(since)).frames
        media = (frames[-1]["rtp"] - frames[0]["rtp"]) / 90_000
        # Against the time of the media: a busy machine shows frames late, but decodes each.
        decoded = frames[-1]["decoded"] - frames[0]["decoded"]
        assert decoded / media == pytest.approx(25, abs=0.3 + 1 / media)
        steps = {(b["rtp"] - a["rtp"]) % 3600 for a, b in pairwise(frames)}
        assert steps == {0}, "every frame lies on the 40 ms grid"
        assert len(frames) > 12 * media, "and most of them were shown"
        first = (await visitor.seen()).frames[0]
        assert first["grey"] > frames[-1]["grey"] / 2, "a person from the first frame on"


async def test_a_typed_question_is_answered_in_sound_lips_captions_and_text(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario("text", text=HELLO, token_delay_s=0.05)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        energy = await visitor.stat("audio", "totalAudioEnergy")
        resting = await visitor.now()
        await asyncio.sleep(2)
        asked = await visitor.now()
        await visitor.ask("Who are you?")
        await visitor.answered(HELLO)

        idle, answer = await visitor.seen(resting, asked), await visitor.seen(asked)
        assert not idle.loud, "silent until asked"
        assert len(answer.loud) > 40, "at least a second of voice"
        spoken = await visitor.seen(answer.loud[0], answer.loud[-1])
        assert spoken.mouth > 3 * idle.mouth, "the lips move with the voice"
        assert await visitor.stat("audio", "totalAudioEnergy") > energy + 0.01
        assert "".join(await visitor.captions()).strip() == HELLO
        assert fake.requests[0].messages[-1]["content"] == "Who are you?"
        assert "s" in await visitor.page.locator(".latency-total").inner_text()
        assert await visitor.page.evaluate("__probe.errors") == []


async def test_a_reload_keeps_the_conversation(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    answers = {"First?": "The first answer.", "Second?": "And the second one."}
    fake.scenario = lambda request: Scenario(text=answers[question(request)], token_delay_s=0.02)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        session = await visitor.session()
        await visitor.ask("First?")
        await visitor.answered(answers["First?"])

        await visitor.page.reload()
        await visitor.is_live()
        assert await visitor.session() == session
        assert await visitor.said() == [answers["First?"]]
        assert await visitor.page.locator(".message.user .text").all_inner_texts() == ["First?"]
        asked = await visitor.now()
        await visitor.ask("Second?")
        await visitor.hears(asked)
        await visitor.answered(answers["Second?"])
        assert await visitor.said() == list(answers.values())
        said = [m["content"] for m in fake.requests[-1].messages if m["role"] == "assistant"]
        assert said == [answers["First?"]], "the model remembers as well"


async def test_escape_silences_at_once_and_says_what_was_cut(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario("text", text=STORY, token_delay_s=0.02)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        asked = await visitor.now()
        await visitor.ask("Tell me a story.")
        await visitor.hears(asked)
        await eventually(lambda: enough_words(visitor, 30), "some words of the story")
        await visitor.page.keyboard.press("Escape")
        stopped = await visitor.now()
        await visitor.state("idle")
        await asyncio.sleep(3)

        after = await visitor.seen(stopped + 1000)
        assert len(after.frames) > 10 and len(after.levels) > 20, "the connection lives"
        assert not after.loud, "silent for good"
        (heard,) = await visitor.said()
        assert STORY.startswith(heard) and 5 < len(heard) < len(STORY) / 2
        assert await visitor.page.locator(".message.assistant .cut").inner_text() == "interrupted"
        assert await visitor.part("caption").is_hidden()

        fake.scenario = Scenario("text", text="Gladly.")
        await visitor.ask("Something else, please.")
        await visitor.answered("Gladly.")


@pytest.mark.thorough
async def test_two_tabs_never_hear_each_other(
    browser: Browser, site: Server, fake: FakeOpenAI
) -> None:
    alpha = "Alpha is the first. Alpha never stops. Alpha is the last."
    bravo = "Bravo, bravo. Bravo bravo."
    fake.scenario = lambda request: Scenario(
        text=alpha if question(request) == "One?" else bravo, token_delay_s=0.01
    )
    async with visiting(browser) as one:
        two = await one.another_tab()
        await one.arrives(site.url)
        await two.arrives(site.url)
        assert await one.session() != await two.session()
        asked_one, asked_two = await one.now(), await two.now()
        await one.ask("One?")
        await one.hears(asked_one)
        await asyncio.sleep(1)
        assert not (await two.seen(asked_two)).loud, "the other tab stays silent"
        assert await two.captions() == [] == await two.said()

        await two.ask("Two?")  # now both speak at once
        await two.hears(asked_two)
        await two.answered(bravo)
        await one.answered(alpha)
        assert "".join(await one.captions()).strip() == alpha
        assert "".join(await two.captions()).strip() == bravo


@pytest.mark.thorough
async def test_a_closed_tab_frees_its_place(browser: Browser, site: Server) -> None:
    async with visiting(browser) as visitor, site.client() as client:
        await visitor.arrives(site.url)
        path = f"/api/v1/sessions/{await visitor.session()}"
        assert (await client.get(path)).status_code == 200
        await visitor.page.close()

        async def gone() -> bool:
            return (await client.get(path)).status_code == 404

        await eventually(gone, "the session has ended", 20)


def question(request: RecordedRequest) -> str:
    return str(request.messages[-1]["content"])


async def enough_words(visitor: Visitor, characters: int) -> bool:
    spoken = visitor.page.locator(".caption .spoken")
    return len(await spoken.text_content() or "") > characters
