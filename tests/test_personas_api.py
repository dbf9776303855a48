"""Choosing who a session is played by, over HTTP."""

import asyncio

import pytest

from harness import Server, listening

pytestmark = pytest.mark.asyncio


async def test_a_session_goes_on_as_somebody_else(server: Server) -> None:
    async with server.client() as client:
        listed = {each["name"]: each for each in (await client.get("/api/v1/personas")).json()}
        assert {"mei", "lin"} <= set(listed)
        assert listed["lin"]["label"] == {"en": "Lin", "zh": "小林"} and not listed["lin"]["own"]
        assert listed["lin"]["avatar"] == "lin" and listed["lin"]["why_not"] is None
        id = (await client.post("/api/v1/sessions", json={"language": "en"})).json()["id"]
        assert (await client.get(f"/api/v1/sessions/{id}")).json()["persona"]["name"] == "mei"
        path = f"/api/v1/sessions/{id}/persona"
        async with listening(client, id) as events:
            changed = await client.patch(path, json={"persona": "lin"})
            assert changed.status_code == 200, changed.text
            now = changed.json()
            label = {"en": "Lin", "zh": "小林"}
            assert now["persona"] == {"name": "lin", "label": label, "languages": ["zh", "en"]}
            assert (now["avatar"], now["voice"]["wanted"]) == ("lin", "lin")
            await events.first("persona", name="lin")
            await events.first("avatar", avatar="lin")
        for wrong in ("nobody", "../mei", "/etc/hostname"):
            refused = await client.patch(path, json={"persona": wrong})
            assert refused.status_code == 404, wrong
            assert refused.json()["error"]["code"] == "no_such_persona"
        assert (await client.get(f"/api/v1/sessions/{id}")).json()["persona"]["name"] == "lin"
        back = (await client.patch(path, json={"persona": "mei"})).json()
        assert (back["persona"]["name"], back["avatar"], back["voice"]["wanted"]) == (
            "mei",
            "mei",
            "espeak",
        )
        await client.delete(f"/api/v1/sessions/{id}")


async def test_two_that_are_asked_for_at_once_do_not_mix(server: Server) -> None:
    async with server.client() as client:
        id = (await client.post("/api/v1/sessions", json={"language": "en"})).json()["id"]
        path = f"/api/v1/sessions/{id}"
        for names in (("lin", "mei"), ("lin", "nobody", "mei"), ("mei", "lin", "mei", "lin")):
            changes = [client.patch(f"{path}/persona", json={"persona": name}) for name in names]
            assert {answer.status_code for answer in await asyncio.gather(*changes)} <= {200, 404}
            now = (await client.get(path)).json()
            who = (now["persona"]["name"], now["avatar"], now["voice"]["wanted"])
            assert who in (("mei", "mei", "espeak"), ("lin", "lin", "lin"))
        await client.delete(path)


async def test_a_session_can_begin_as_anybody(server: Server) -> None:
    async with server.client() as client:
        wanted = {"language": "zh", "persona": "lin"}
        id = (await client.post("/api/v1/sessions", json=wanted)).json()["id"]
        now = (await client.get(f"/api/v1/sessions/{id}")).json()
        assert now["persona"]["name"] == "lin" and now["face"]["name"] == "lin"
        await client.delete(f"/api/v1/sessions/{id}")
        refused = await client.post("/api/v1/sessions", json={"persona": "nobody"})
        assert refused.status_code == 404 and "lin" in refused.json()["error"]["message"]["zh"]
