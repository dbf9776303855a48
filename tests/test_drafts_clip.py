"""A clip becomes a face through the API of a real server; also left, cut short and refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest

from clips import encode, filmed, still, wall
from harness import Server, new_session, running_server, until
from mien.server.uploads import MAX_CLIP_BYTES
from photo_faces import models
from second_avatar import data_home
from test_api import assert_problem

BUILD = "/api/v1/avatars?title=Filmed&consent=true"


def own_cache(folder: Path) -> dict[str, str]:
    """The environment that keeps caches within ``folder``, but for the face models."""
    cache = folder / "cache" / "mien"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "face-models").symlink_to(models())
    return {"XDG_CACHE_HOME": str(folder / "cache")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("filmed")


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Server]:
    environment = {"MIEN_GREET": "false", **own_cache(home), **data_home(home)}
    with running_server(home, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "me.mp4"
    return encode(path, filmed(), sound=True).read_bytes()


@pytest.fixture
async def client(site: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as connected:
        yield connected


async def told(client: httpx.AsyncClient, body: Any) -> list[dict[str, Any]]:
    """Every line of the answer."""
    async with client.stream("POST", BUILD, content=body, timeout=120) as response:
        assert response.status_code == 200, await response.aread()
        return [json.loads(line) async for line in response.aiter_lines()]


def folders(home: Path, kind: str) -> set[str]:
    folder = home / "data" / "mien" / kind
    return {found.name for found in folder.iterdir()} if folder.is_dir() else set()


async def test_a_clip_is_a_draft_and_then_a_face_that_needs_weights(
    client: httpx.AsyncClient, home: Path, clip: bytes
) -> None:
    async def in_parts() -> AsyncIterator[bytes]:
        for at in range(0, len(clip), 5000):
            yield clip[at : at + 5000]

    *progress, last = await told(client, in_parts())
    shares = [message["share"] for message in progress]
    assert len(shares) > len(filmed()) and shares == sorted(shares) and shares[-1] == 1
    assert {message["step"] for message in progress} == {"models", "frames", "motion", "files"}
    draft = last["draft"]
    assert draft["kind"] == "clip"
    assert (
        "mien models pull wav2lip" in draft["why_not"]["en"] and "请运行" in draft["why_not"]["zh"]
    )
    seen = await client.get(draft["moments"])
    pixels = cv2.imdecode(np.frombuffer(seen.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (512, 512, 3)
    silent, spoken = pixels[:256, :256].astype(int), pixels[256:, :256].astype(int)
    assert np.abs(silent - spoken).max() > 40, "moments of the whole clip"
    assert not folders(home, "avatars"), "not kept yet"
    assert folders(home, "avatar-drafts") == {draft["name"]}, "the upload itself is gone"

    path = f"/api/v1/avatar-drafts/{draft['name']}"
    assert (await client.post(f"{path}/keep")).status_code == 204
    listed = {a["name"]: a for a in (await client.get("/api/v1/avatars")).json()}
    face = listed[draft["name"]]
    assert face["own"] and face["own_background"] and not face["ready"]
    assert face["why_not"] == draft["why_not"] and face["label"]["en"] == "Filmed"
    assert not listed["mei"]["own_background"] and listed["mei"]["ready"]
    assert (await client.get(face["preview"])).status_code == 200
    session = await new_session(client)
    change = {"avatar": draft["name"]}
    refused = await client.patch(f"/api/v1/sessions/{session}", json=change)
    assert_problem(refused, 409, "not_ready")
    assert refused.json()["error"]["message"] == face["why_not"]
    refused = await client.post("/api/v1/sessions", json=change)
    assert_problem(refused, 409, "not_ready")
    about = (home / "data/mien/avatars" / draft["name"] / "avatar.toml").read_text()
    assert "right to use this face" in about
    assert (await client.delete(f"/api/v1/avatars/{draft['name']}")).status_code == 204
    assert not folders(home, "avatars")


async def test_refusals_name_frames_in_both_languages(
    client: httpx.AsyncClient, home: Path, tmp_path: Path
) -> None:
    gone = [*filmed()[:30], *[wall()] * 10, *filmed()[30:40]]
    refused = (await told(client, encode(tmp_path / "gone.mp4", gone).read_bytes()))[-1]["error"]
    assert "frame 30" in refused["message"]["en"] and "第 30 帧" in refused["message"]["zh"]
    nobody = encode(tmp_path / "nobody.webm", [wall()] * 30, "libvpx-vp9").read_bytes()
    assert not (await told(client, nobody))[-1]["error"]["retryable"]
    cut = encode(tmp_path / "cut.mp4", [still()] * 30).read_bytes()[:4000]
    assert (await told(client, cut))[-1]["error"]["message"]["zh"]
    assert not folders(home, "avatar-drafts") and not folders(home, "avatars")


async def test_leaving_ends_the_work_and_leaves_nothing(
    client: httpx.AsyncClient, home: Path, clip: bytes
) -> None:
    async with client.stream("POST", BUILD, content=clip) as response:
        lines = response.aiter_lines()
        while json.loads(await anext(lines))["step"] != "frames":
            pass
        assert folders(home, "avatar-drafts"), "half made"
        busy = await client.post(BUILD, content=clip)
        assert_problem(busy, 409, "busy")
    await until(lambda: not folders(home, "avatar-drafts"), "nothing is left of it", 10)
    for _ in range(100):
        answer = await client.post(BUILD, content=b"no clip")
        if answer.status_code == 200:
            break
        await asyncio.sleep(0.1)
    assert answer.status_code == 200, "there is room for the next"


async def test_an_upload_that_breaks_off_leaves_nothing(
    site: Server, client: httpx.AsyncClient, home: Path, clip: bytes
) -> None:
    where = urlsplit(site.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    head = f"POST {BUILD} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(clip)}\r\n\r\n"
    writer.write(head.encode() + clip[: len(clip) // 2])
    await writer.drain()
    await until(lambda: folders(home, "avatar-drafts"), "the upload has begun")
    assert_problem(await client.post(BUILD, content=clip), 409, "busy")
    writer.close()
    await until(lambda: not folders(home, "avatar-drafts"), "the upload is gone")
    assert "Traceback" not in site.log.read_text()


async def test_too_large_a_clip_is_told_so(
    client: httpx.AsyncClient, home: Path, clip: bytes
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield clip[:1_000_000]
        for _ in range(MAX_CLIP_BYTES // 1_000_000 + 1):
            yield bytes(1_000_000)

    refused = await client.post(BUILD, content=endless(), timeout=60)
    assert_problem(refused, 413, "clip_too_large")
    assert "300 MB" in refused.json()["error"]["message"]["en"]
    assert not folders(home, "avatar-drafts")
    no_consent = await client.post("/api/v1/avatars?title=Me", content=clip)
    assert_problem(no_consent, 422, "no_consent")
    assert (await client.get("/api/v1/info")).json()["max_clip_bytes"] == MAX_CLIP_BYTES
