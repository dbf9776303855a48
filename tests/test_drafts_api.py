"""A photo becomes a face through the API of a real server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from harness import Server, running_server
from mien.avatar.background import Background
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from second_avatar import data_home
from test_api import assert_problem

BUILD = "/api/v1/avatars?title=Me&consent=true"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Server]:
    # The face models are fetched once per machine, not once per test.
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment = {"MIEN_GREET": "false", "XDG_CACHE_HOME": cache, **data_home(home)}
    with running_server(home, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def photo() -> bytes:
    picture = load_avatar("mei", (768, 768), Background.parse("#d8b890")).compose(0, None, Pose())
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


async def told(client: httpx.AsyncClient, photo: bytes) -> list[dict[str, Any]]:
    """Every line of the answer."""
    async with client.stream("POST", BUILD, content=photo) as response:
        assert response.status_code == 200, await response.aread()
        return [json.loads(line) async for line in response.aiter_lines()]


def avatars(home: Path) -> set[str]:
    folder = home / "data" / "mien" / "avatars"
    return {found.name for found in folder.iterdir()} if folder.is_dir() else set()


async def test_a_draft_is_seen_and_then_kept(site: Server, home: Path, photo: bytes) -> None:
    async with site.client() as client:
        *progress, last = await told(client, photo)
        shares = [message["share"] for message in progress]
        assert len(shares) > 10 and shares == sorted(shares) and shares[-1] == 1
        assert {message["step"] for message in progress} >= {"face", "mouth", "eyes"}
        draft = last["draft"]
        seen = await client.get(draft["moments"])
        pixels = cv2.imdecode(np.frombuffer(seen.content, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (512, 512, 3)
        rest, spoken = pixels[:256, :256].astype(int), pixels[:256, 256:].astype(int)
        assert np.abs(rest - spoken).max() > 60, "the mouth opens"
        assert not avatars(home), "not kept yet"
        listed = (await client.get("/api/v1/avatars")).json()
        assert draft["name"] not in {avatar["name"] for avatar in listed}

        path = f"/api/v1/avatar-drafts/{draft['name']}"
        assert (await client.post(f"{path}/keep")).status_code == 204
        assert avatars(home) == {draft["name"]}
        listed = {a["name"]: a for a in (await client.get("/api/v1/avatars")).json()}
        assert listed[draft["name"]]["own"] and listed[draft["name"]]["label"]["en"] == "Me"
        assert_problem(await client.post(f"{path}/keep"), 404, "no_such_draft")

        again = (await told(client, photo))[-1]["draft"]
        assert again["name"] not in listed, "a second one of the same title has a name of its own"
        path = f"/api/v1/avatar-drafts/{again['name']}"
        assert (await client.delete(path)).status_code == 204
        assert_problem(await client.get(again["moments"]), 404, "no_such_draft")
        assert avatars(home) == {draft["name"]}


async def test_refusals_name_their_reason(site: Server, photo: bytes) -> None:
    async with site.client() as client:
        refused = await client.post("/api/v1/avatars?title=Me", content=photo)
        assert_problem(refused, 422, "no_consent")
        assert_problem(await client.post(BUILD, content=b""), 422, "no_picture")
        assert_problem(
            await client.post(BUILD, content=bytes(10_000_001)), 413, "picture_too_large"
        )
        letter = (await told(client, b"Dear Sir or Madam,"))[-1]["error"]
        assert letter["message"]["en"] and letter["message"]["zh"] and not letter["retryable"]
        wall = bytes(cv2.imencode(".jpg", np.full((600, 600, 3), 150, np.uint8))[1])
        assert "face" in (await told(client, wall))[-1]["error"]["message"]["en"]
        for path in ("nobody", "..", "%2e%2e"):
            response = await client.get(f"/api/v1/avatar-drafts/{path}/moments.jpg")
            assert response.status_code == 404


async def test_one_photo_at_a_time_and_leaving_ends_the_work(
    site: Server, home: Path, photo: bytes
) -> None:
    drafts = home / "data" / "mien" / "avatar-drafts"
    before = set(drafts.glob("*"))
    async with site.client() as client:
        async with client.stream("POST", BUILD, content=photo) as first:
            lines = first.aiter_lines()
            while json.loads(await anext(lines))["step"] != "mouth":
                pass
            busy = await client.post(BUILD, content=photo)
            assert_problem(busy, 409, "busy")
            assert busy.json()["error"]["retryable"]
        # The visitor is gone; soon there is room for the next.
        for _ in range(200):
            answer = await client.post(BUILD, content=b"no photo")
            if answer.status_code == 200:
                break
            await asyncio.sleep(0.1)
        assert answer.status_code == 200
        assert set(drafts.glob("*")) == before, "nothing is left of it"
