"""A filmed clip becomes a face in the page: sent, followed, cancelled, refused, kept and worn."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, eventually, visiting
from clips import encode, wall
from fake_openai import FakeOpenAI, Scenario
from harness import Server, running_server
from mien.avatar.background import Background
from mien.avatar.library import load_avatar
from mien.media.tick import Image
from second_avatar import data_home
from test_browser_looks import CORNER, look_panel, sees
from test_drafts_clip import own_cache
from wav2lip_seeded import seeded

pytest_plugins = ["browser_fixtures"]
# Without a browser: test_drafts_clip.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

STORY = "One by one the boats came home."
SIZE = (480, 480)
FRAMES = 40


@cache
def filmed() -> list[Image]:
    """A presenter before an orange wall, silent."""
    person = load_avatar("mei", SIZE, Background.parse("#c87830"))
    life = person.life(3)
    return [person.compose(tick, None, life.pose(tick, 0.0, "idle")) for tick in range(FRAMES)]


def is_orange(red: int, green: int, blue: int) -> bool:
    return red > green + 40 > blue + 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clip(home: Path) -> Path:
    return encode(home / "me.mp4", filmed())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(brain: dict[str, str], home: Path) -> AsyncIterator[Server]:
    places = {**data_home(home), **own_cache(home), "MIEN_MODELS": str(home / "models")}
    manager = running_server(home, environment={**brain, **places})
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def folders(home: Path, kind: str) -> set[str]:
    folder = home / "data" / "mien" / kind
    return {found.name for found in folder.iterdir()} if folder.is_dir() else set()


async def choose(visitor: Visitor, clip: Path, title: str = "") -> None:
    await look_panel(visitor)
    await visitor.part("face-photo").click()
    await visitor.part("photo-file").set_input_files(clip)
    await visitor.part("photo-title").fill(title)
    await visitor.part("photo-consent").check()


async def step(visitor: Visitor, words: str) -> None:
    """Wait until the page says what is being done."""
    await visitor.page.wait_for_function(
        "(words) => document.querySelector('.photo-step').textContent.includes(words)",
        arg=words,
        timeout=PATIENCE * 1000,
    )


async def test_a_clip_is_followed_and_can_be_cancelled(
    browser: Browser, site: Server, home: Path, clip: Path, tmp_path: Path
) -> None:
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await choose(visitor, clip)
        shown = "document.querySelector('video.photo-shown').videoWidth"
        await visitor.page.wait_for_function(f"{shown} === {SIZE[0]}", timeout=PATIENCE * 1000)
        assert "me.mp4" in await visitor.part("photo").inner_text()
        await visitor.part("photo-create").click()
        await step(visitor, "frame by frame")
        await visitor.picture_of("clip-progress", tmp_path)
        bar = "document.querySelector('.photo-progress progress').value"
        first = await visitor.page.evaluate(bar)
        await visitor.page.wait_for_function(f"{bar} > {first}", timeout=PATIENCE * 1000)
        assert folders(home, "avatar-drafts"), "half made"
        await visitor.part("language").click()
        await step(visitor, "逐帧")
        await visitor.part("photo-cancel").click()
        await visitor.part("photo-create").wait_for()
        assert await visitor.part("photo-said").inner_text() == "", "who cancels knows why"

        async def gone() -> bool:
            return not folders(home, "avatar-drafts")

        await eventually(gone, "nothing is left of it")
        assert not folders(home, "avatars")
        assert await visitor.page.evaluate("__probe.errors") == []


async def test_what_is_wrong_with_a_clip_is_told_with_its_frames(
    browser: Browser, site: Server, home: Path, tmp_path: Path
) -> None:
    cut = encode(tmp_path / "cut.mp4", [*filmed()[:25], *[wall(SIZE)] * 10])
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await choose(visitor, cut)
        await visitor.part("photo-create").click()
        said = visitor.part("photo-said")

        async def refused() -> bool:
            return "frame 25" in await said.inner_text()

        await eventually(refused, "the frame", describe=said.inner_text)
        await visitor.part("language").click()
        assert "第 25 帧" in await said.inner_text()
        await visitor.page.evaluate("document.querySelector('.photo-file').value = ''")
        assert not folders(home, "avatar-drafts")


async def test_too_large_a_clip_is_not_sent(browser: Browser, site: Server, clip: Path) -> None:
    async with visiting(browser) as visitor:
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.method + request.url))
        await visitor.page.route(
            "**/api/v1/info", lambda route: with_limit(route, clip.stat().st_size - 1)
        )
        await visitor.arrives(site.url)
        await choose(visitor, clip)
        assert "larger than" in await visitor.part("photo-said").inner_text()
        assert await visitor.part("photo-create").is_disabled()
        assert not [one for one in asked if one.startswith("POST") and "avatars" in one]


async def with_limit(route: object, limit: int) -> None:
    response = await route.fetch()  # type: ignore[attr-defined]
    await route.fulfill(json={**await response.json(), "max_clip_bytes": limit})  # type: ignore[attr-defined]


async def test_kept_it_waits_for_weights_and_then_speaks(
    browser: Browser, site: Server, fake: FakeOpenAI, home: Path, clip: Path, tmp_path: Path
) -> None:
    fake.scenario = Scenario(text=STORY, token_delay_s=0.02)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await choose(visitor, clip, "Filmed Me")
        await visitor.part("photo-create").click()
        await visitor.part("photo-keep").wait_for(timeout=PATIENCE * 1000)
        assert await visitor.page.evaluate("document.querySelector('.photo-moments').naturalWidth")
        assert "mien models pull wav2lip" in await visitor.part("photo-said").inner_text()
        await visitor.picture_of("clip-preview", tmp_path)
        await visitor.part("photo-keep").click()
        card = visitor.part("face-filmed-me")
        await card.wait_for(timeout=PATIENCE * 1000)
        assert folders(home, "avatars") == {"filmed-me"} and not folders(home, "avatar-drafts")
        assert "not ready" in await card.inner_text()
        why = visitor.part("faces-why")
        assert "mien models pull wav2lip" in await why.inner_text(), "told at once"
        await visitor.part("look-close").click()
        await look_panel(visitor)
        assert await why.is_hidden()
        await card.click(force=True)
        assert "Filmed Me: " in await why.inner_text(), "told when it is chosen"
        assert await card.get_attribute("aria-pressed") == "false", "not before it is ready"
        await visitor.picture_of("clip-not-ready", tmp_path)

        await install_weights(home)
        await visitor.part("look-close").click()
        await look_panel(visitor)
        await visitor.part("backdrop-green").click()
        await sees(visitor, "green", CORNER, lambda r, g, b: g > 140 and r < 60 and b < 110)
        assert not await inert(visitor)
        await card.click()
        pressed = "[data-face=filmed-me][aria-pressed=true]"
        await visitor.page.locator(pressed).wait_for(timeout=3 * PATIENCE * 1000)  # its first time
        await sees(visitor, "the clip's wall", CORNER, is_orange)
        assert await inert(visitor), "a clip keeps its own background"
        assert await visitor.part("backdrops-kept").is_visible()
        await visitor.picture_of("clip-shown", tmp_path)
        asked = await visitor.now()
        await visitor.ask("Tell me something.")
        await visitor.hears(asked)
        await visitor.picture_of("clip-speaking", tmp_path)
        await visitor.answered(STORY)
        assert "Filmed Me" in await visitor.part("chip-face").inner_text()
        await visitor.part("face-mei").click()
        await sees(visitor, "green again", CORNER, lambda r, g, b: g > 140 and r < 60 and b < 110)
        assert not await inert(visitor)
        assert await visitor.page.evaluate("__probe.errors") == []


async def inert(visitor: Visitor) -> bool:
    return bool(await visitor.page.evaluate("document.querySelector('.backdrops').inert"))


async def install_weights(home: Path) -> None:
    """Seeded ones, as a user installs a file."""
    pytest.importorskip("safetensors", reason="needs pip install 'mien[wav2lip]'")
    from safetensors.numpy import save_file

    file = home / "seeded.safetensors"
    save_file({key: np.asarray(value) for key, value in seeded(96).state.items()}, file)
    command = ("models", "pull", "wav2lip", "--from", str(file), "--i-accept-the-licence")
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mien", *command, env={"MIEN_MODELS": str(home / "models")}
    )
    assert await run.wait() == 0
