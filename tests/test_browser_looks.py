"""Choosing face and background in the page, judged by the pictures the browser decodes."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, eventually, visiting
from fake_openai import FakeOpenAI, Scenario
from harness import Server, running_server
from mien.avatar.background import Background
from mien.avatar.contract import Pose
from mien.avatar.library import BUILT_IN, load_avatar
from second_avatar import add_avatar, break_avatar, data_home

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

# The first one speaks in all the other tests.
PRESENTERS = [
    pytest.param(folder.name, marks=[pytest.mark.thorough] if folder.name == "mei" else [])
    for folder in sorted(BUILT_IN.iterdir())
    if folder.is_dir()
]
STORY = "One by one the boats came home, most of them full of fish."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looks")
    add_avatar(folder)
    break_avatar(add_avatar(folder, "broken", "Broken"))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(brain: dict[str, str], home: Path) -> AsyncIterator[Server]:
    # The face models are fetched once per machine, not once per test.
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment = {**brain, **data_home(home), "XDG_CACHE_HOME": cache}
    manager = running_server(home, environment=environment)
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def shown(visitor: Visitor, x: float, y: float) -> list[int]:
    """Red, green, blue of a twentieth of the decoded picture around a place (parts of it)."""
    return list(
        await visitor.page.evaluate(
            """([x, y]) => {
              const video = document.querySelector("video");
              const [w, h] = [video.videoWidth, video.videoHeight];
              const brush = new OffscreenCanvas(1, 1).getContext("2d");
              brush.imageSmoothingQuality = "high";
              brush.drawImage(video, (x - 0.025) * w, (y - 0.025) * h, w / 20, h / 20, 0, 0, 1, 1);
              return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
            }""",
            [x, y],
        )
    )


async def sees(visitor: Visitor, what: str, place: tuple[float, float], test: object) -> None:
    async def right() -> bool:
        return bool(test(*await shown(visitor, *place)))  # type: ignore[operator]

    await eventually(right, f"{what} at {place}", describe=visitor.describe)


CHEEK, CORNER = (0.5, 0.5), (0.04, 0.04)


def is_mei(red: int, green: int, blue: int) -> bool:
    return red > blue + 20


def is_ruby(red: int, green: int, blue: int) -> bool:
    return blue > red + 20


async def peers(visitor: Visitor) -> int:
    return int(await visitor.page.evaluate("__probe.peers.length"))


async def look_panel(visitor: Visitor) -> None:
    await visitor.part("look").click()
    await visitor.part("face-photo").wait_for()


@pytest.mark.thorough
async def test_another_face_appears_and_speaks_without_a_new_connection(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = Scenario(text=STORY, token_delay_s=0.02)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await visitor.page.evaluate("window.stillHere = true")
        await sees(visitor, "Mei", CHEEK, is_mei)
        before, session = await peers(visitor), await visitor.session()
        await look_panel(visitor)
        await visitor.part("face-ruby").click()
        await sees(visitor, "Ruby", CHEEK, is_ruby)
        assert await visitor.part("face-ruby").get_attribute("aria-pressed") == "true"
        assert await visitor.part("face-mei").get_attribute("aria-pressed") == "false"
        await visitor.picture_of("look-panel", tmp_path)
        await visitor.part("look-close").click()

        resting = await visitor.now()
        await asyncio.sleep(1.5)
        asked = await visitor.now()
        await visitor.ask("Tell me something.")
        await visitor.answered(STORY)
        answer = await visitor.seen(asked)
        spoken = await visitor.seen(answer.loud[0], answer.loud[-1])
        assert spoken.mouth > 2 * (await visitor.seen(resting, asked)).mouth, "she speaks"
        assert "Ruby" in await visitor.part("chip-face").inner_text()
        assert await visitor.page.evaluate("window.stillHere"), "no reload"
        assert (await peers(visitor), await visitor.session()) == (before, session)
        assert await visitor.page.evaluate("__probe.errors") == []


@pytest.mark.thorough
async def test_a_choice_is_for_ones_own_tabs_and_the_next_session(
    browser: Browser, site: Server
) -> None:
    async with visiting(browser) as visitor, visiting(browser) as stranger:
        await visitor.arrives(site.url)
        await stranger.arrives(site.url)
        session = await visitor.session()
        follower = await visitor.another_tab()
        await follower.page.goto(site.url)
        await follower.page.evaluate(f"sessionStorage.setItem('mien.session', '{session}')")
        await follower.page.reload()
        await follower.is_live()
        assert await follower.session() == session
        await look_panel(follower)
        await look_panel(visitor)
        await visitor.part("face-ruby").click()
        await visitor.part("backdrop-#1d1f26").click()
        for one in (visitor, follower):
            await sees(one, "Ruby", CHEEK, is_ruby)
            await sees(one, "the night", CORNER, lambda *rgb: max(rgb) < 60)
        pressed = await follower.part("face-ruby").get_attribute("aria-pressed")
        assert pressed == "true", "the other tab's panel follows"
        await sees(stranger, "Mei", CHEEK, is_mei)
        await visitor.page.evaluate("sessionStorage.clear()")
        await visitor.page.reload()
        await visitor.is_live()
        assert await visitor.session() != session
        await sees(visitor, "Ruby", CHEEK, is_ruby)
        await sees(visitor, "the night", CORNER, lambda *rgb: max(rgb) < 60)


async def test_backgrounds_by_click_by_upload_and_out_of_focus(
    browser: Browser, site: Server, tmp_path: Path
) -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[::2] = (0, 0, 255)  # blue, green, red: every other line
    cv2.imwrite(str(tmp_path / "stripes.png"), stripes)
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await look_panel(visitor)
        await visitor.part("backdrop-green").click()
        await sees(visitor, "green", CORNER, lambda r, g, b: g > 140 and r < 60 and b < 110)
        assert await visitor.part("blur").is_disabled(), "a colour has no focus"
        await visitor.part("backdrop-file").set_input_files(tmp_path / "stripes.png")
        await sees(visitor, "red stripes", CORNER, lambda r, g, b: r > 80 and g < 60 and b < 60)
        await visitor.part("blur").fill("100")
        own = visitor.page.locator("[data-backdrop][aria-pressed=true]")
        name = await own.get_attribute("data-backdrop")
        kept = "JSON.parse(localStorage.getItem('mien.look'))"
        await visitor.page.wait_for_function(f"{kept}.blur === 1", timeout=PATIENCE * 1000)
        assert await visitor.page.evaluate(f"{kept}.background") == name
        await visitor.part("backdrop-soft").click()
        await sees(visitor, "the gradient", CORNER, lambda r, g, b: b > r > 60)

        remove = visitor.page.locator(f".card-place:has([data-backdrop='{name}']) .remove")
        await visitor.part("look-close").click()
        await look_panel(visitor)
        await remove.click()
        assert await remove.inner_text() == "Delete?"
        await remove.click()
        await visitor.page.locator(f"[data-backdrop='{name}']").wait_for(state="detached")


async def test_refusals_are_told_and_change_nothing(
    browser: Browser, site: Server, tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_text("Dear Sir or Madam,")
    async with visiting(browser, locale="zh-CN") as visitor:
        await visitor.arrives(site.url)
        await look_panel(visitor)
        await visitor.part("face-broken").click()
        assert "无法显示" in await visitor.toast("broken_look")
        above = "document.elementFromPoint(x + 40, y + height / 2).closest('.toast') !== null"
        box = "const {x, y, height} = document.querySelector('.toast').getBoundingClientRect();"
        assert await visitor.page.evaluate(f"(() => {{ {box} return {above}; }})()"), "in view"
        assert await visitor.part("face-mei").get_attribute("aria-pressed") == "true"
        await visitor.part("backdrop-file").set_input_files(tmp_path / "letter.png")
        assert "无法使用这张图片" in await visitor.toast("bad_picture")
        await sees(visitor, "Mei", CHEEK, is_mei)

        await visitor.page.evaluate(
            "localStorage.setItem('mien.look', JSON.stringify({ avatar: 'who-was-that' }))"
        )
        await visitor.page.evaluate("sessionStorage.clear()")
        await visitor.page.reload()
        await visitor.is_live()
        await sees(visitor, "Mei", CHEEK, is_mei)


async def test_the_panel_is_usable_by_keyboard_alone(browser: Browser, site: Server) -> None:
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await visitor.part("look").focus()
        await visitor.page.keyboard.press("Enter")
        await visitor.part("face-photo").wait_for()
        focused = "document.activeElement.dataset.testid"
        assert await visitor.page.evaluate(focused) == "look-close"
        for _ in range(12):
            await visitor.page.keyboard.press("Tab")
            if await visitor.page.evaluate(focused) == "face-ruby":
                break
        await visitor.page.keyboard.press("Enter")
        await sees(visitor, "Ruby", CHEEK, is_ruby)
        assert await visitor.page.evaluate(focused) == "face-ruby", "focus stays where it was"
        await visitor.page.keyboard.press("Escape")
        assert await visitor.part("look-panel").is_hidden()
        assert await visitor.page.evaluate(focused) == "look"


@pytest.mark.thorough
async def test_previews_are_seen_where_a_token_is_needed(browser: Browser, tmp_path: Path) -> None:
    manager = running_server(tmp_path, environment={"MIEN_TOKEN": "correct horse"})
    guarded = await asyncio.to_thread(manager.__enter__)
    try:
        async with visiting(browser) as visitor:
            await visitor.arrives(f"{guarded.url}/?token=correct horse")
            await look_panel(visitor)
            loaded = "document.querySelector('[data-face=mei] img').naturalWidth === 192"
            await visitor.page.wait_for_function(loaded, timeout=PATIENCE * 1000)
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


@pytest.mark.thorough
@pytest.mark.parametrize("presenter", PRESENTERS)
async def test_every_presenter_speaks(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path, presenter: str
) -> None:
    fake.scenario = Scenario(text=STORY, token_delay_s=0.02)
    async with visiting(browser, presenter=presenter) as visitor:
        await visitor.arrives(site.url)
        await look_panel(visitor)
        await visitor.part(f"face-{presenter}").click()
        chosen = f"[data-face={presenter}][aria-pressed=true]"
        await visitor.page.locator(chosen).wait_for(timeout=PATIENCE * 1000)
        await visitor.part("look-close").click()
        await asyncio.sleep(1)
        resting = await visitor.now()
        await asyncio.sleep(2)
        asked = await visitor.now()
        await visitor.ask("Tell me something.")
        await visitor.hears(asked)
        await asyncio.sleep(1.5)
        await visitor.picture_of(f"presenter-{presenter}-speaking", tmp_path)
        await visitor.answered(STORY)
        answer = await visitor.seen(asked)
        spoken = await visitor.seen(answer.loud[0], answer.loud[-1])
        assert spoken.mouth > 2 * (await visitor.seen(resting, asked)).mouth


async def photo_form(visitor: Visitor, photo: Path) -> None:
    await look_panel(visitor)
    await visitor.part("face-photo").click()
    await visitor.part("photo-file").set_input_files(photo)


@pytest.mark.parametrize(
    ("device", "width", "height"),
    [pytest.param("desktop", 1280, 800, marks=pytest.mark.thorough), ("phone", 390, 844)],
)
async def test_a_photo_becomes_a_face_that_speaks(
    browser: Browser,
    site: Server,
    fake: FakeOpenAI,
    home: Path,
    tmp_path: Path,
    device: str,
    width: int,
    height: int,
) -> None:
    fake.scenario = Scenario(text=STORY, token_delay_s=0.02)
    photo = portrait(tmp_path / "me.jpg")
    avatars = home / "data" / "mien" / "avatars"
    there = {folder.name for folder in avatars.iterdir()}
    async with visiting(browser, viewport={"width": width, "height": height}) as visitor:
        await visitor.arrives(site.url)
        await photo_form(visitor, photo)
        assert await visitor.part("photo-create").is_disabled(), "not without consent"
        await visitor.part("photo-title").fill("My Twin")
        await visitor.part("photo-consent").check()
        await visitor.part("photo-create").click()
        await visitor.part("photo-keep").wait_for(timeout=PATIENCE * 1000)
        seen = "document.querySelector('.photo-moments').naturalWidth"
        assert await visitor.page.evaluate(seen) == 2 * 256
        await visitor.picture_of(f"{device}-photo-preview", tmp_path)
        assert {folder.name for folder in avatars.iterdir()} == there, "not kept before it is seen"
        await visitor.part("photo-keep").click()
        # The photo's plain wall is what the avatar brings as its background.
        await sees(visitor, "the photo", CORNER, lambda r, g, b: r > g + 15 > b + 30)
        (new,) = {folder.name for folder in avatars.iterdir()} - there
        assert "right to use this face" in (avatars / new / "avatar.toml").read_text()
        await visitor.part("look-close").click()
        asked = await visitor.now()
        await visitor.ask("Tell me something.")
        await visitor.hears(asked)
        await visitor.picture_of(f"{device}-photo-speaking", tmp_path)
        await visitor.answered(STORY)
        assert "My Twin" in await visitor.part("chip-face").inner_text()


@pytest.mark.thorough
async def test_a_photo_can_be_refused_discarded_and_cancelled(
    browser: Browser, site: Server, home: Path, tmp_path: Path
) -> None:
    wall = tmp_path / "wall.jpg"
    cv2.imwrite(str(wall), np.full((600, 600, 3), 150, np.uint8))
    avatars, drafts = (home / "data" / "mien" / name for name in ("avatars", "avatar-drafts"))
    there = {folder.name for folder in avatars.iterdir()}
    async with visiting(browser) as visitor:
        await visitor.arrives(site.url)
        await photo_form(visitor, wall)
        await visitor.part("photo-consent").check()
        await visitor.part("photo-create").click()
        said = visitor.part("photo-said")
        await eventually(said.inner_text, "a refusal")
        assert "face" in await said.inner_text()
        await visitor.part("language").click()
        assert "脸" in await said.inner_text()
        await visitor.part("language").click()

        await visitor.part("photo-file").set_input_files(portrait(tmp_path / "me.jpg"))
        await visitor.part("photo-create").click()
        await visitor.part("photo-discard").click(timeout=PATIENCE * 1000)
        await visitor.part("photo-create").wait_for()

        async def no_drafts() -> bool:
            return not list(drafts.glob("*/avatar.toml"))

        await eventually(no_drafts, "the draft is gone")
        await visitor.part("photo-create").click()
        await visitor.part("photo-progress").wait_for()
        await visitor.part("photo-cancel").click()
        await visitor.part("photo-create").wait_for()
        assert await said.inner_text() == "", "who cancels knows why"
        assert {folder.name for folder in avatars.iterdir()} == there


async def test_a_transparent_recording_lies_over_any_page(browser: Browser, tmp_path: Path) -> None:
    out = tmp_path / "out.webm"
    command = ("say", "Hello.", "--transparent", "--size", "320x320", "-o", str(out))
    run = await asyncio.create_subprocess_exec(sys.executable, "-m", "mien", *command)
    assert await run.wait() == 0
    source = "data:video/webm;base64," + base64.b64encode(out.read_bytes()).decode()
    async with visiting(browser) as visitor:
        await visitor.page.set_content(
            f"<body style='margin:0;background:#c020a0'><video muted src='{source}'></video>"
        )
        seek = "(v) => new Promise((done) => { v.onseeked = done; v.currentTime = 0.3; })"
        await visitor.page.eval_on_selector("video", seek)
        shot = np.frombuffer(await visitor.page.locator("video").screenshot(), np.uint8)
        picture = cv2.imdecode(shot, cv2.IMREAD_COLOR_RGB).astype(int)
        assert np.abs(picture[:20, :20] - (0xC0, 0x20, 0xA0)).max() <= 3, "the page shows through"
        red, green, blue = picture[150:170, 150:170].mean(axis=(0, 1))
        assert red > green > blue > 60, "but not through the face"


def portrait(path: Path) -> Path:
    """A photo of nobody: a presenter before a sand-coloured wall."""
    wall = Background.parse("#d8b890")
    picture = load_avatar("mei", (768, 768), wall).compose(0, None, Pose())
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return path
