"""The page for OBS in a real Chromium: the presenter alone, over whatever lies below."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Browser, Page

from browser import CHROMIUM, LOUD, NO_CHROMIUM, PATIENCE, eventually, mouth_of
from harness import Server, new_session, watching

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

SIDE = 480
GREEN = (0, 255, 0)
FIRST = "The weather is fine today."
TEXT = f"{FIRST} I have nothing but time to talk to you about it. " + "Blue above, warm below. " * 5
MS = PATIENCE * 1000

#: Loudness of what the page plays, from the element that plays it.
LISTEN = """async () => {
  const video = document.querySelector("video");
  const context = new AudioContext();
  const analyser = new AnalyserNode(context);
  context.createMediaStreamSource(video.srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  window.__loudness = () => {
    analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  };
}"""

#: All captions there were.
READ = """() => {
  const caption = document.querySelector("[data-testid=caption]");
  window.__captions = new Set();
  const read = () => caption.hidden || __captions.add(caption.textContent);
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(read).observe(caption, all);
}"""


@asynccontextmanager
async def stage(browser: Browser, server: Server, address: str) -> AsyncIterator[Page]:
    """The page as OBS opens it, without anybody clicking anything."""
    page = await browser.new_page(viewport={"width": SIDE, "height": SIDE})
    try:
        await page.goto(f"{server.url}/stage/{address}")
        yield page
    finally:
        await page.close()


async def is_shown(page: Page) -> None:
    await page.wait_for_function("document.documentElement.dataset.stage === 'shown'", timeout=MS)


async def seen(page: Page) -> NDArray[np.int_]:
    """What OBS composes: [SIDE, SIDE, 4] RGBA, straight alpha."""
    png = await page.screenshot(omit_background=True)
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    opaque = picture.shape[2] == 3  # a PNG without alpha
    code = cv2.COLOR_BGR2RGBA if opaque else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(picture, code), int)


def check_transparency(picture: NDArray[np.int_]) -> None:
    alpha, (red, green, blue) = picture[..., 3], np.moveaxis(picture[..., :3], -1, 0)
    assert not alpha[:40, :40].any() and not alpha[:40, -40:].any(), "nobody in the corners"
    assert alpha[SIDE // 3 : SIDE // 2, SIDE * 2 // 5 : SIDE * 3 // 5].min() == 255, "a whole face"
    edge = (alpha > 24) & (alpha < 255)
    assert edge.sum() > SIDE, "the presenter has an outline"
    excess = (green - np.maximum(red, blue))[edge]
    assert excess.max() < 40, "the session's green must not tint the edge"


async def test_the_presenter_stands_alone_and_speaks_while_others_see_the_background(
    browser: Browser, server: Server
) -> None:
    async with server.client() as client:
        session = await new_session(client)
        green = await client.patch(f"/api/v1/sessions/{session}", json={"background": "#00ff00"})
        assert green.json()["transparent"] == {"ready": True, "why_not": None}
        async with (
            watching(client, session) as other,
            stage(browser, server, f"{session}?captions=1") as page,
        ):
            await is_shown(page)
            check_transparency(await seen(page))
            rest = [await mouth(page) for _ in range(3)]
            unrest = max(difference(look, rest[0]) for look in rest)
            await page.evaluate(LISTEN)
            await page.evaluate(READ)
            await client.post(f"/api/v1/sessions/{session}/say", json={"text": TEXT})
            await page.wait_for_function(f"__loudness() > {LOUD}", timeout=MS)

            async def open_mouth() -> bool:
                return difference(await mouth(page), rest[0]) > 2 * unrest + 4

            await eventually(open_mouth, "lips that move")
            await page.wait_for_function("(text) => __captions.has(text)", arg=FIRST, timeout=MS)
            assert np.abs(other.pictures[-1][1][8, 8].astype(int) - GREEN).max() < 40
        async with stage(browser, server, f"{session}?path=ws") as page:
            await is_shown(page)
            check_transparency(await seen(page))


async def mouth(page: Page) -> NDArray[np.int_]:
    x, y, width, height = (round(part * SIDE) for part in mouth_of())
    return (await seen(page))[y : y + height, x : x + width, :3]


def difference(a: NDArray[np.int_], b: NDArray[np.int_]) -> float:
    """In grey levels, on average."""
    return float(np.abs(a - b).mean())


async def test_a_page_with_a_session_of_its_own_always_has_one(
    browser: Browser, server: Server
) -> None:
    async with server.client() as client:
        others = await ids(client)
        async with stage(browser, server, "new?background=session&mute=1") as page:
            await is_shown(page)
            assert (await seen(page))[..., 3].min() == 255, "with its background when asked for"
            (first,) = await ids(client) - others
            await client.delete(f"/api/v1/sessions/{first}")

            async def another() -> set[str]:
                return await ids(client) - others - {first}

            await eventually(another, "another session in place of the one that ended")
            (second,) = await another()
            await eventually(lambda: watched(client, second), "the page to watch it")
            await page.goto("about:blank")
        await eventually(lambda: is_over(client, second), "the session to end with its page")


async def test_whoever_sets_the_page_up_is_told_why_it_is_empty(
    browser: Browser, server: Server
) -> None:
    async with stage(browser, server, "nobody") as page:
        why = page.get_by_test_id("why")
        await why.wait_for(state="visible", timeout=MS)
        assert 'There is no session "nobody" yet' in await why.inner_text()


async def ids(client: httpx.AsyncClient) -> set[str]:
    return {session["session"] for session in (await client.get("/api/v1/sessions")).json()}


async def watched(client: httpx.AsyncClient, session: str) -> bool:
    return bool((await client.get(f"/api/v1/sessions/{session}")).json()["viewers"])


async def is_over(client: httpx.AsyncClient, session: str) -> bool:
    return (await client.get(f"/api/v1/sessions/{session}")).status_code == 404
