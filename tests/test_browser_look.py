"""How the page looks and when it sounds: browsers' autoplay rules, phones, both languages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, chromium, eventually, visiting
from fake_openai import FakeOpenAI, RecordedRequest, Scenario
from harness import Server

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

ANSWERS = {
    "en": "Hello, I am Mei. It is a pleasure to meet you today. What would you like to talk about?",
    "zh": "你好，我是小美。很高兴今天能见到你，我们聊点什么好呢？",
}
LONG = (
    "In a conversation like this one I would rather tell you a long story about a small "
    "lighthouse on a quiet island than answer briefly and be done with it."
)
#: What a visitor needs at all times.
PARTS = ["presenter", "chat", "composer", "send", "stop", "mic", "language", "connection"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict() -> AsyncIterator[Browser]:
    """A browser that keeps pages silent until the visitor does something."""
    async with chromium(autoplay=False) as running:
        yield running


async def test_where_sound_is_refused_one_tap_brings_it(
    strict: Browser, site: Server, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario(text="Now you can hear me.")
    async with visiting(strict, listen=False) as visitor:
        # Until the tap nothing is evaluated: for the browser that would be a gesture. The page's
        # own console tells instead.
        await visitor.page.goto(site.url, wait_until="commit")
        await eventually(lambda: told(visitor, "tap for sound shown"), "the button")
        await visitor.part("sound").wait_for(state="visible")
        assert await visitor.page.evaluate("document.querySelector('video').muted")
        await visitor.is_live()  # muted, but moving
        await visitor.part("sound").click()
        await visitor.part("sound").wait_for(state="hidden")
        energy = await visitor.stat("audio", "totalAudioEnergy")
        await visitor.ask("Hello?")
        await visitor.answered("Now you can hear me.")
        assert await visitor.stat("audio", "totalAudioEnergy") > energy + 0.01
        sounding = "({ muted, paused, volume }) => !muted && !paused && volume === 1"
        assert await visitor.page.eval_on_selector("video", sounding)


async def test_any_other_gesture_brings_sound_as_well(strict: Browser, site: Server) -> None:
    async with visiting(strict, listen=False) as visitor:
        await visitor.page.goto(site.url, wait_until="commit")
        await eventually(lambda: told(visitor, "tap for sound shown"), "the button")
        await visitor.part("composer").click()
        await visitor.part("sound").wait_for(state="hidden")
        assert not await visitor.page.evaluate("document.querySelector('video').muted")


async def test_where_sound_is_allowed_nobody_is_asked(browser: Browser, site: Server) -> None:
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        assert not await told(visitor, "tap for sound shown")
        assert await visitor.part("sound").is_hidden()
        assert not await visitor.page.evaluate("document.querySelector('video').muted")


@pytest.mark.parametrize(
    ("device", "width", "height", "language"),
    [
        ("desktop", 1440, 900, "en"),
        ("phone", 390, 844, "zh"),
        pytest.param("desktop", 1440, 900, "zh", marks=pytest.mark.thorough),
        pytest.param("phone", 390, 844, "en", marks=pytest.mark.thorough),
    ],
)
async def test_everything_fits_while_she_speaks(
    browser: Browser,
    site: Server,
    fake: FakeOpenAI,
    tmp_path: Path,
    device: str,
    width: int,
    height: int,
    language: str,
) -> None:
    fake.scenario = answer
    locale = "zh-CN" if language == "zh" else "en-US"
    size = {"width": width, "height": height}
    async with visiting(browser, locale=locale, viewport=size) as visitor:
        await visitor.arrives(site.url)
        await visitor.picture_of(f"{device}-{language}-ready", tmp_path)
        await everything_is_visible(visitor, width, height)
        await visitor.ask("你是谁？" if language == "zh" else "Who are you?")
        await visitor.state("speaking")
        await asyncio.sleep(2)
        await visitor.picture_of(f"{device}-{language}-speaking", tmp_path)
        await everything_is_visible(visitor, width, height)
        await visitor.part("caption").wait_for(state="visible")
        assert await below_the_lips(visitor)


@pytest.mark.parametrize(
    ("width", "height"), [pytest.param(360, 640, marks=pytest.mark.thorough), (844, 390)]
)
async def test_a_small_phone_keeps_lips_and_composer_free(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path, width: int, height: int
) -> None:
    fake.scenario = Scenario(text=LONG)
    size = {"width": width, "height": height}
    async with visiting(browser, viewport=size) as visitor:
        await visitor.arrives(site.url)
        await visitor.ask("Tell me everything in one sentence.")
        await eventually(visitor.captions, "a caption")
        first = (await visitor.captions())[0]
        spoken = visitor.page.locator(".caption .spoken")
        await eventually(lambda: longer(spoken, len(first) // 2), "half of a long caption")
        assert await below_the_lips(visitor)
        assert await last_word_is_visible(visitor)
        fake.scenario = Scenario("error", status=401)
        await visitor.ask("And now?")
        await visitor.toast("llm_auth")
        await visitor.picture_of(f"small-{width}x{height}-error", tmp_path)
        await everything_is_visible(visitor, width, height)


async def test_switching_the_language_changes_every_word_and_is_remembered(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = answer
    size = {"width": 390, "height": 844}
    async with visiting(browser, viewport=size) as visitor:
        await visitor.arrives(site.url)
        assert "Say hello" in await visitor.part("chat").inner_text()
        switched = await visitor.now()
        await visitor.part("language").click()
        assert "打个招呼吧" in await visitor.part("chat").inner_text()
        assert await visitor.page.evaluate("document.documentElement.lang") == "zh-CN"
        await visitor.is_live(switched + 1000)
        await everything_is_visible(visitor, 390, 844)
        words = "header, .panel"
        shown = " ".join(await visitor.page.locator(words).all_inner_texts())
        for english in ("Ready", "Live", "Speak", "Stop", "Response", "Brain", "Voice"):
            assert not re.search(rf"\b{english}\b", shown), english
        await visitor.page.reload()
        await visitor.is_live()
        assert await visitor.page.evaluate("document.documentElement.lang") == "zh-CN"
        asked = await visitor.now()
        await visitor.ask("你是谁？")
        await visitor.hears(asked)
        await eventually(visitor.captions, "a caption")
        assert ANSWERS["zh"].startswith((await visitor.captions())[0].strip())


def answer(request: RecordedRequest) -> Scenario:
    asked = str(request.messages[-1]["content"])
    return Scenario(text=ANSWERS["zh" if "谁" in asked else "en"], token_delay_s=0.03)


async def told(visitor: Visitor, what: str) -> bool:
    return any(what in line for line in visitor.consoled)


async def longer(element: Locator, characters: int) -> bool:
    return len(await element.text_content() or "") > characters


async def last_word_is_visible(visitor: Visitor) -> bool:
    """Whether a caption of many lines has scrolled to the word being said."""
    return bool(
        await visitor.page.evaluate(
            """() => {
              const lines = document.querySelector(".caption p").getBoundingClientRect();
              const word = [...document.querySelector(".caption .spoken").getClientRects()].at(-1);
              return word.top >= lines.top - 3 && word.bottom <= lines.bottom + 3;
            }"""
        )
    )


async def everything_is_visible(visitor: Visitor, width: int, height: int) -> None:
    for name in PARTS:
        box = await visitor.part(name).bounding_box(timeout=PATIENCE * 1000)
        assert box is not None, name
        if name == "presenter":
            continue  # may be cropped on purpose; its face is looked at below
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5, (name, box)
        assert box["y"] >= 0 and box["y"] + box["height"] <= height + 0.5, (name, box)
        assert box["width"] > 20 and box["height"] > 10, (name, box)
    scrolls = "document.scrollingElement.scrollWidth > innerWidth"
    assert not await visitor.page.evaluate(scrolls), "no horizontal scrolling"


async def below_the_lips(visitor: Visitor) -> bool:
    """Whether the caption leaves the mouth free (the picture is cropped by object-fit)."""
    return bool(
        await visitor.page.evaluate(
            """() => {
              const video = document.querySelector("video");
              const box = video.getBoundingClientRect();
              const scale = Math.max(box.width / video.videoWidth, box.height / video.videoHeight);
              const place = getComputedStyle(video).objectPosition.split(" ")[1];
              const cut = (box.height - video.videoHeight * scale) * (parseFloat(place) / 100);
              const lips = box.top + cut + CHIN * video.videoHeight * scale;
              const caption = document.querySelector("[data-testid=caption]");
              return caption.getBoundingClientRect().top >= lips;
            }""".replace("CHIN", "0.66")
        )
    )
