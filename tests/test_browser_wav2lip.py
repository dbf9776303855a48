"""A filmed presenter in a real browser: the painted mouth's place, its timing and its rest.

The weights are seeded numbers, so the mouth is coloured noise; what is tested is all around it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import cv2
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from browser import CHROMIUM, NO_CHROMIUM, Visitor, visiting
from clip_scene import MOVED, SIZE, Scene, Sight, scene
from fake_openai import FakeOpenAI, Scenario
from harness import Server, running_server

__all__ = ["scene"]

pytest_plugins = ["browser_fixtures"]
# Painted mouths over WebRTC without a browser: test_clip_sessions.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

STORY = "A filmed face says this, and its lips are painted anew for every single picture of it."

GRAB = """() => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/png");
}"""

# The mean colour of the mouth in every frame the browser shows.
WATCH = """([x, y, w, h]) => {
  const video = document.querySelector("video");
  const brush = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true });
  const seen = (window.__mouth = []);
  video.requestVideoFrameCallback(function look() {
    brush.drawImage(video, x, y, w, h, 0, 0, w, h);
    const { data } = brush.getImageData(0, 0, w, h);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.length; i++) if (i % 4 < 3) sum[i % 4] += data[i];
    seen.push([performance.now(), ...sum.map((total) => total / (w * h))]);
    video.requestVideoFrameCallback(look);
  });
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filmed_site(
    scene: Scene, brain: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("filmed")
    manager = running_server(folder, *scene.arguments, environment=brain | scene.environment)
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def look(visitor: Visitor, scene: Scene) -> Sight:
    data = base64.b64decode((await visitor.page.evaluate(GRAB)).partition(",")[2])
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture.shape[1::-1] == SIZE, "a clip is shown in its own size"
    return scene.eye.see(np.asarray(picture, np.uint8))


async def test_a_filmed_presenter_answers_with_a_painted_mouth(
    browser: Browser, filmed_site: Server, scene: Scene, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario("text", text=STORY)
    async with visiting(browser) as visitor:
        await visitor.arrives(filmed_site.url)
        resting = [await look(visitor, scene) for _ in range(4)]
        await visitor.page.evaluate(WATCH, scene.eye.mouth_box)
        began = await visitor.now()
        await asyncio.sleep(1)
        asked = await visitor.now()
        await visitor.ask("Say something.")
        await visitor.hears(asked)
        await asyncio.sleep(0.5)
        speaking = [await look(visitor, scene) for _ in range(4)]
        await visitor.answered(STORY)
        await asyncio.sleep(3)  # until the clip is back in its silent passage
        after = [await look(visitor, scene) for _ in range(3)]

        assert max(sight.outside for sight in resting + speaking + after) < 5, "only the mouth"
        assert max(sight.moved for sight in resting + after) < MOVED, "closed in silence"
        assert sorted(sight.moved for sight in speaking)[2] > MOVED, "and moved by speech"

        watched = np.array(await visitor.page.evaluate("__mouth"))
        silent = watched[(watched[:, 0] > began) & (watched[:, 0] < asked), 1:]
        shift = np.abs(watched[:, 1:] - np.median(silent, 0)).max(1)
        threshold = 2 * np.abs(silent - np.median(silent, 0)).max() + 1
        moved = watched[(watched[:, 0] > asked) & (shift > threshold), 0]
        heard = (await visitor.seen(asked)).loud
        assert abs(moved[0] - heard[0]) < 400, "the mouth begins with the sound"
        assert await visitor.page.evaluate("__probe.errors") == []
