"""Recordings over HTTP: made by an output of a session, listed, fetched in parts, deleted."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import av
import httpx
import pytest
import pytest_asyncio

from encoded import recorded
from mien.config import load_settings
from mien.server.app import create_app
from mien.services import open_services
from played import decoded

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIST = "/api/v1/recordings"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "recordings"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = load_settings(
        None, greet=False, recordings={"folder": str(folder)}, video={"width": 160, "height": 160}
    )
    async with open_services(settings) as services:
        app = create_app(settings, services)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            yield client


async def _until(client: httpx.AsyncClient, address: str, state: str) -> None:
    for _ in range(1500):
        answer = (await client.get(address)).json()
        if answer["state"] == state and answer["figures"].get("seconds", 0) >= 0.4:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{answer}, expected {state}")


async def test_from_the_first_picture_to_the_trash(client: httpx.AsyncClient) -> None:
    assert (await client.get(LIST)).json() == []
    session = (await client.post("/api/v1/sessions", json={})).json()["id"]
    outputs = f"/api/v1/sessions/{session}/outputs"
    made = [await client.post(outputs, json={"url": url}) for url in ("record:mp4", "record:webm")]
    assert [answer.status_code for answer in made] == [201, 201], made[0].text
    mp4, webm = (f"{outputs}/{answer.json()['id']}" for answer in made)
    await _until(client, mp4, "live")
    await _until(client, webm, "live")

    during = {one["name"].rpartition(".")[2]: one for one in (await client.get(LIST)).json()}
    assert set(during) == {"mp4", "webm"}
    assert all(one["recording"] and one["bytes"] and one["seconds"] for one in during.values())
    name = during["mp4"]["name"]
    refused = await client.delete(f"{LIST}/{name}")
    assert refused.status_code == 409 and refused.json()["error"]["code"] == "still_recording"
    growing = (await client.get(f"{LIST}/{name}")).content
    with av.open(io.BytesIO(growing)) as container:
        assert next(container.decode(video=0)).width == 160

    paused = await client.patch(mp4, json={"paused": True})
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert (await client.patch(mp4, json={"paused": False})).json()["state"] == "live"
    for output in (mp4, webm):
        assert (await client.delete(output)).status_code == 204
    after = (await client.get(LIST)).json()
    assert len(after) == 2 and not any(one["recording"] for one in after)
    for one in after:
        answer = await client.get(f"{LIST}/{one['name']}")
        kind = one["name"].rpartition(".")[2]
        assert answer.headers["content-type"] == f"video/{kind}"
        assert len(answer.content) == one["bytes"]
        with av.open(io.BytesIO(answer.content)) as container:
            assert container.duration is not None
            assert container.duration / 1e6 == pytest.approx(one["seconds"], abs=0.05)
            tags = {key.lower(): value for key, value in container.metadata.items()}
            assert tags["mien:avatar"] == "Mei (mei)" and '"Label":"1"' in tags["aigc"]
            assert tags["encoder"].startswith("mien ") and tags["title"].startswith("mien 20")
        assert (await client.delete(f"{LIST}/{one['name']}")).status_code == 204
    assert (await client.get(LIST)).json() == []
    await client.delete(f"/api/v1/sessions/{session}")


async def test_parts_of_a_file(client: httpx.AsyncClient, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    await recorded(folder / "Ü 1.mp4", 0.1)
    whole = await client.get(f"{LIST}/Ü 1.mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].startswith("inline")
    part = await client.get(f"{LIST}/Ü 1.mp4", headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    end = await client.get(f"{LIST}/Ü 1.mp4", headers={"range": "bytes=-10"})
    assert end.content == whole.content[-10:]
    beyond = await client.get(f"{LIST}/Ü 1.mp4", headers={"range": "bytes=99999999-"})
    assert beyond.status_code == 416
    saved = await client.get(f"{LIST}/Ü 1.mp4?download=1")
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.content == whole.content


async def test_cut_off_and_foreign_files_are_listed(
    client: httpx.AsyncClient, folder: Path
) -> None:
    await asyncio.to_thread(shutil.rmtree, folder, True)
    await asyncio.to_thread(folder.mkdir)
    await recorded(folder / "whole.mp4", 0.1)
    await recorded(folder / "cut.mp4", 0.1, finish=False)

    def spoil() -> None:
        data = (folder / "cut.mp4").read_bytes()
        (folder / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
        (folder / "foreign.webm").write_bytes(b"no video at all")
        (folder / "empty.mp4").write_bytes(b"")
        (folder / "note.txt").write_text("not a recording")
        (folder / ".hidden.mp4").write_bytes(data)
        (folder / "folder.mp4").mkdir()

    await asyncio.to_thread(spoil)
    listed = {one["name"]: one for one in (await client.get(LIST)).json()}
    assert set(listed) == {"whole.mp4", "cut.mp4", "foreign.webm", "empty.mp4"}
    assert listed["whole.mp4"]["seconds"] == pytest.approx(8, abs=0.05)
    assert listed["foreign.webm"]["seconds"] is listed["empty.mp4"]["seconds"] is None
    assert 4 < listed["cut.mp4"]["seconds"] < 7
    cut = await client.get(f"{LIST}/cut.mp4")
    with av.open(io.BytesIO(cut.content)) as container:
        seen = sum(1 for _ in decoded(container, container.streams.video[0]))
    assert seen / 25 == pytest.approx(listed["cut.mp4"]["seconds"], abs=0.05)


@pytest.mark.parametrize(
    "name",
    ["..%2Fsecret.mp4", "%2e%2e%2fsecret.mp4", "secret.mp4", ".hidden.mp4", "a%00.mp4", "x" * 400],
)
async def test_nothing_beside_the_folder_is_served(
    client: httpx.AsyncClient, folder: Path, name: str
) -> None:
    await asyncio.to_thread((folder.parent / "secret.mp4").write_bytes, b"secret")
    for method in ("GET", "DELETE"):
        answer = await client.request(method, f"{LIST}/{name}")
        assert answer.status_code in (404, 405) and b"secret" != answer.content
    assert await asyncio.to_thread((folder.parent / "secret.mp4").exists)


async def test_a_folder_that_cannot_be_written_is_an_exact_reason(
    client: httpx.AsyncClient, folder: Path
) -> None:
    await asyncio.to_thread(shutil.rmtree, folder, True)
    await asyncio.to_thread(folder.write_text, "a file is in the way")
    assert (await client.get(LIST)).json() == []
    session = (await client.post("/api/v1/sessions", json={})).json()["id"]
    outputs = f"/api/v1/sessions/{session}/outputs"
    assert (await client.post(outputs, json={"url": "record:avi"})).status_code == 422
    made = (await client.post(outputs, json={"url": "record:mp4"})).json()
    for _ in range(1000):
        made = (await client.get(f"{outputs}/{made['id']}")).json()
        if made["state"] == "failed":
            break
        await asyncio.sleep(0.02)
    assert made["reason"]["code"] == "no_folder"
    assert str(folder) not in str(made)
    answered = await client.post(f"/api/v1/sessions/{session}/chat", json={"text": "Hello"})
    assert answered.status_code == 202
    await client.delete(f"/api/v1/sessions/{session}")
