"""Several conversations with filmed presenters at once: each hears its own voice alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio

from clip_scene import MOVED, Scene, scene
from harness import Server, Viewer, new_session, running_server, until, watching
from mien.painter import VEIL_TICKS

__all__ = ["scene"]

SENTENCES = (
    "One small voice moves one small mouth, and nobody else's.",
    "A second voice speaks at the same time, about something else.",
)


@pytest.fixture(scope="module")
def stage(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = scene.environment | {"MIEN_GREET": "false"}
    folder = tmp_path_factory.mktemp("stage")
    with running_server(folder, *scene.arguments, environment=environment) as running:
        yield running


@pytest_asyncio.fixture
async def client(stage: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.client() as running:
        yield running


async def say(client: httpx.AsyncClient, viewer: Viewer, text: str) -> float:
    """Returns when it was asked for."""
    asked = time.monotonic()
    answer = await client.post(f"/api/v1/sessions/{viewer.session}/say", json={"text": text})
    assert answer.status_code < 300, answer.text
    return asked


def moved(scene: Scene, viewer: Viewer, since: float, every: int = 2) -> list[tuple[float, bool]]:
    """When pictures arrived, and whether their mouth was another than the resting one."""
    seen = [(at, picture) for at, picture in viewer.pictures if at >= since]
    return [(at, scene.eye.see(picture).moved > MOVED) for at, picture in seen[::every]]


def opened(scene: Scene, viewer: Viewer, since: float) -> list[float]:
    """When pictures with another mouth than the resting one arrived."""
    return [at for at, open_ in moved(scene, viewer, since) if open_]


@pytest.mark.thorough
async def test_three_at_once_have_a_mouth_each(client: httpx.AsyncClient, scene: Scene) -> None:
    async with AsyncExitStack() as stack:
        viewers = []
        for _ in range(3):
            session = await new_session(client)
            viewers.append(await stack.enter_async_context(watching(client, session)))
        silent, *speaking = viewers
        asked = [
            await say(client, viewer, text)
            for viewer, text in zip(speaking, SENTENCES, strict=True)
        ]
        for viewer, since in zip(speaking, asked, strict=True):
            await until(lambda v=viewer, s=since: len(v.loud_times(s)) > 60, "the voice", 30)
            await until(lambda v=viewer, s=since: opened(scene, v, s), "the mouth", 10)
        for viewer, since in zip(speaking, asked, strict=True):
            loud = viewer.loud_times(since)
            first = opened(scene, viewer, since)[0]
            # Pictures on a busy machine may come late; sound never does.
            assert loud[0] - 0.4 < first < loud[0] + 1.5
            mouths = [open_ for at, open_ in moved(scene, viewer, loud[10]) if at < loud[-1]]
            assert sum(mouths) > len(mouths) / 2
        assert not silent.loud_times(min(asked)), "nobody's voice reaches another conversation"
        assert not any(open_ for _, open_ in moved(scene, silent, min(asked))), "nor does a mouth"


async def test_an_interruption_closes_the_mouth(client: httpx.AsyncClient, scene: Scene) -> None:
    async with watching(client, await new_session(client)) as viewer:
        asked = await say(client, viewer, " ".join(3 * SENTENCES))
        await until(lambda: len(viewer.loud_times(asked)) > 25, "the voice")
        await client.post(f"/api/v1/sessions/{viewer.session}/interrupt")
        await asyncio.sleep(1.5)
        since = time.monotonic()
        await asyncio.sleep(0.5)
        assert not viewer.loud_times(since)
        after = moved(scene, viewer, since, every=1)
        # Coming back to the clip's silent passage, the painted mouth gives way to the filmed one.
        assert after and sum(open_ for _, open_ in after) <= VEIL_TICKS


async def test_only_the_mouth_is_painted_in_a_stream(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    async with watching(client, await new_session(client)) as viewer:
        asked = await say(client, viewer, SENTENCES[0])
        await until(lambda: len(viewer.loud_times(asked)) > 40, "the voice")
        pictures = [picture for at, picture in viewer.pictures if at >= asked]
        assert max(scene.eye.see(picture).outside for picture in pictures[::3]) < 5
