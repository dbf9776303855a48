"""Faces and backgrounds through the API of a real server, judged by what a viewer decodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from harness import Server, Viewer, listening, new_session, running_server, until, watching
from mien.avatar.library import load_avatar
from second_avatar import add_avatar, break_avatar, data_home
from test_api import assert_problem

GREEN = (0, 177, 64)
# Long enough to be still speaking when another face has been loaded on a busy machine.
COUNTING = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looks")
    add_avatar(folder)
    break_avatar(add_avatar(folder, "broken", "Broken"))
    return folder


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Server]:
    environment = {"MIEN_GREET": "false", **data_home(home)}
    with running_server(home, environment=environment) as running:
        yield running


def corner(viewer: Viewer) -> np.ndarray:
    """int[3] RGB behind the presenter, in the newest picture."""
    return viewer.pictures[-1][1][4:24, 4:24].mean(axis=(0, 1)).round().astype(int)


def like(colour: tuple[int, ...], other: np.ndarray, by: int = 12) -> bool:
    return bool(np.abs(np.array(colour) - other).max() <= by)


def redness(viewer: Viewer) -> float:
    """Red over blue in the middle of the face: above 0 for people, below for Ruby."""
    face = viewer.pictures[-1][1][220:300, 220:290].reshape(-1, 3).mean(axis=0)
    return float(face[0] - face[2])


def picture(width: int, height: int, colour: tuple[int, int, int], ending: str = ".png") -> bytes:
    image = np.full((height, width, 3), colour[::-1], np.uint8)
    return bytes(cv2.imencode(ending, image)[1])


async def look(client: httpx.AsyncClient, session: str, **change: object) -> httpx.Response:
    return await client.patch(f"/api/v1/sessions/{session}", json=change)


async def test_another_face_speaks_on_in_the_same_stream(site: Server) -> None:
    async with site.client() as client:
        session, bystander = await new_session(client), await new_session(client)
        path = f"/api/v1/sessions/{session}"
        async with (
            watching(client, session) as viewer,
            watching(client, bystander) as other,
            listening(client, session) as events,
        ):
            await until(lambda: redness(viewer) > 20, "Mei")
            await client.post(f"{path}/say", json={"text": COUNTING})
            await until(lambda: bool(viewer.loud_times()), "the voice")
            changed = await look(client, session, avatar="ruby")
            assert changed.status_code == 200, changed.text
            assert changed.json()["avatar"] == "ruby" and changed.json()["state"] == "speaking"
            await until(lambda: redness(viewer) < -20, "Ruby")
            since = viewer.pictures[-1][0]
            await until(lambda: viewer.pictures[-1][0] > since + 1.5, "a second of Ruby")
            told = await events.first("avatar", avatar="ruby")
            assert told["face"]["label"]["en"] == "Ruby" and told["background"] == "soft"
            await events.first("turn", complete=True)
            x, y, w, h = load_avatar("mei").stage.mouth_place
            mouth = np.stack([p[y : y + h, x : x + w] for t, p in viewer.pictures if t > since])
            assert np.abs(np.diff(mouth.astype(int), axis=0)).mean(axis=(1, 2, 3)).max() > 2
            assert redness(other) > 20, "nobody else's presenter changes"
            assert (await client.get(path)).json()["face"]["name"] == "ruby"
        for one in (session, bystander):
            await client.delete(f"/api/v1/sessions/{one}")


async def test_backgrounds_are_laid_behind_and_uploaded_ones_kept(site: Server, home: Path) -> None:
    async with site.client() as client:
        session = await new_session(client)
        async with watching(client, session) as viewer:
            await look(client, session, background="green")
            await until(lambda: like(GREEN, corner(viewer)), "the green screen")
            await look(client, session, background="#203040")
            await until(lambda: like((32, 48, 64), corner(viewer)), "the colour")
            body = picture(2400, 300, (200, 120, 40))
            added = await client.post("/api/v1/backgrounds", content=body)
            assert added.status_code == 201, added.text
            name = added.json()["name"]
            await look(client, session, background=name, blur=0.5)
            await until(lambda: like((200, 120, 40), corner(viewer)), "the picture")
            await look(client, session, background="soft")
            await until(lambda: not like((200, 120, 40), corner(viewer), 30), "the gradient")
        listed = {b["name"]: b for b in (await client.get("/api/v1/backgrounds")).json()}
        assert {"soft", "green", "studio", "office", "evening", name} <= set(listed)
        assert listed[name]["own"] and not listed["studio"]["own"]
        again = await client.post("/api/v1/backgrounds", content=body)
        assert again.json()["name"] == name, "the same picture is the same background"
        stored = home / "data" / "mien" / "backgrounds" / f"{name}.jpg"
        assert cv2.imread(str(stored)).shape == (240, 1920, 3), "no larger than of use"
        for one in (listed[name], listed["studio"]):
            small = await client.get(one["preview"])
            assert small.headers["content-type"] == "image/jpeg" and len(small.content) < 20_000
        assert (await client.delete(f"/api/v1/backgrounds/{name}")).status_code == 204
        assert not stored.exists()
        gone = await look(client, session, background=name)
        assert_problem(gone, 404, "no_such_background")
        refused = await client.delete("/api/v1/backgrounds/studio")
        assert_problem(refused, 403, "not_yours")
        await client.delete(f"/api/v1/sessions/{session}")


async def test_a_session_can_begin_with_another_look(site: Server) -> None:
    async with site.client() as client:
        wanted = {"language": "en", "avatar": "ruby", "background": "green"}
        session = (await client.post("/api/v1/sessions", json=wanted)).json()["id"]
        async with watching(client, session) as viewer:
            assert redness(viewer) < -20 and like(GREEN, corner(viewer)), "from the first picture"
        await client.delete(f"/api/v1/sessions/{session}")
        refused = await client.post("/api/v1/sessions", json={"avatar": "nobody"})
        assert_problem(refused, 404, "no_such_avatar")


async def test_the_list_shows_every_face_and_a_broken_one_says_why(site: Server) -> None:
    async with site.client() as client:
        listed = {avatar["name"]: avatar for avatar in (await client.get("/api/v1/avatars")).json()}
        assert {"mei", "ruby", "broken"} <= set(listed)
        assert listed["ruby"]["own"] and not listed["mei"]["own"]
        png = await client.get(listed["ruby"]["preview"])
        image = cv2.imdecode(np.frombuffer(png.content, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (192, 192, 3) and image[90:110, 85:105, 0].mean() > 120
        session = await new_session(client)
        refused = await look(client, session, avatar="broken")
        assert_problem(refused, 409, "broken_look")
        why = refused.json()["error"]["message"]["en"]
        assert ".webp" in why and "data" not in why, "which file, but not where"
        unknown = await look(client, session, avatar="nobody")
        assert_problem(unknown, 404, "no_such_avatar")
        assert "mei" in unknown.json()["error"]["message"]["en"]
        shown = (await client.get(f"/api/v1/sessions/{session}")).json()
        assert (shown["avatar"], shown["background"], shown["blur"]) == ("mei", "soft", 0.0)
        await client.delete(f"/api/v1/sessions/{session}")


@pytest.mark.parametrize(
    "change",
    [{"blur": 2}, {"avatar": 7}, {"background": ["soft"]}],
)
async def test_changes_that_are_none_are_refused(site: Server, change: dict[str, object]) -> None:
    async with site.client() as client:
        session = await new_session(client)
        assert_problem(await look(client, session, **change), 422, "invalid")
        await client.delete(f"/api/v1/sessions/{session}")


@pytest.mark.parametrize("name", ["/etc/hostname", "../../mien.toml", "server.log", "#12345"])
async def test_a_visitor_cannot_open_files_of_the_server(site: Server, name: str) -> None:
    async with site.client() as client:
        session = await new_session(client)
        refused = await look(client, session, background=name)
        assert_problem(refused, 404, "no_such_background")
        refused = await look(client, session, avatar=name)
        assert_problem(refused, 404, "no_such_avatar")
        await client.delete(f"/api/v1/sessions/{session}")


async def test_pictures_that_cannot_be_used_are_refused_and_not_kept(
    site: Server, home: Path
) -> None:
    bomb = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452000186a0000186a00802000000")
    async with site.client() as client:
        for body, status, code in (
            (b"", 422, "no_picture"),
            (b"GIF89a no picture at all", 422, "bad_picture"),
            (picture(600, 400, (1, 2, 3))[:200], 422, "bad_picture"),
            (bomb + bytes(60), 422, "bad_picture"),
            (bytes(10_000_001), 413, "picture_too_large"),
        ):
            refused = await client.post("/api/v1/backgrounds", content=body)
            assert_problem(refused, status, code)
            assert str(home) not in refused.text and "/tmp" not in refused.text
        for path in ("/api/v1/sessions", "/api/v1/sessions/any/chat"):
            refused = await client.post(path, content=bytes(300_000))
            assert refused.status_code == 413, "elsewhere the limit is as small as ever"
    kept = home / "data" / "mien" / "backgrounds"
    assert not kept.exists() or not list(kept.iterdir())


async def test_only_ones_own_avatars_can_be_deleted(site: Server, home: Path) -> None:
    folder = add_avatar(home, "short-lived")
    async with site.client() as client:
        assert_problem(await client.delete("/api/v1/avatars/mei"), 403, "not_yours")
        session = await new_session(client)
        assert (await look(client, session, avatar="short-lived")).status_code == 200
        assert (await client.delete("/api/v1/avatars/short-lived")).status_code == 204
        assert not folder.exists()
        async with watching(client, session) as viewer:
            assert redness(viewer) < -20, "whoever shows it goes on to"
        again = await client.delete("/api/v1/avatars/short-lived")
        assert_problem(again, 404, "no_such_avatar")
        await client.delete(f"/api/v1/sessions/{session}")


@pytest.mark.thorough
async def test_what_the_settings_say_is_one_of_the_choices(tmp_path: Path) -> None:
    elsewhere = add_avatar(tmp_path / "elsewhere", "opal", "Opal")
    (tmp_path / "wall.png").write_bytes(picture(640, 640, (200, 120, 40)))
    arguments = ("--avatar", str(elsewhere), "--background", "wall.png", "--blur", "0.3")
    with running_server(tmp_path, *arguments, environment=data_home(tmp_path)) as configured:
        async with configured.client() as client:
            session = await new_session(client)
            path = f"/api/v1/sessions/{session}"
            shown = (await client.get(path)).json()
            assert (shown["avatar"], shown["background"]) == ("opal", "configured")
            assert shown["blur"] == 0.3 and shown["face"]["label"]["en"] == "Opal"
            names = {one["name"] for one in (await client.get("/api/v1/avatars")).json()}
            assert names >= {"mei", "opal"}
            async with watching(client, session) as viewer:
                assert redness(viewer) < -20 and like((200, 120, 40), corner(viewer))
                await look(client, session, avatar="mei", background="green")
                await until(lambda: redness(viewer) > 20 and like(GREEN, corner(viewer)), "Mei")
                await look(client, session, avatar="opal", background="configured")
                await until(lambda: redness(viewer) < -20, "and back")
                assert like((200, 120, 40), corner(viewer))
