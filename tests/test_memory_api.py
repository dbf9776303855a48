"""Remembering over HTTP, in a server of this process whose sessions really talk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from mien.config import load_settings
from mien.memory import users
from mien.memory.store import MemoryStore, user_of
from mien.memory.user_memory import UserMemory
from mien.mind import Bookcase, Mind
from mien.personas import Personas
from mien.server.app import create_app
from mien.services import open_services

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANNA, BEN = ({"Mien-User": letter * 32} for letter in "ab")
WAIT_SEC = 60


@dataclass
class Site:
    app: FastAPI
    client: httpx.AsyncClient
    store: MemoryStore

    async def session(self) -> str:
        answer = await self.client.post("/api/v1/sessions", json={"language": "en"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def switch(self, session: str, on: bool, user: dict[str, str] | None = None) -> Any:
        return await self.client.put(
            f"/api/v1/sessions/{session}/memory", json={"on": on}, headers=user or {}
        )

    async def chat(self, session: str, text: str) -> None:
        """Asked and answered; not listened to."""
        conversation = self.app.state.sessions.get(session).conversation
        with conversation.events.listen() as events:
            await self.client.post(f"/api/v1/sessions/{session}/chat", json={"text": text})
            await heard(events, "clause")
            await self.client.post(f"/api/v1/sessions/{session}/interrupt")

    async def export(self, user: dict[str, str]) -> dict[str, Any]:
        answer = await self.client.get("/api/v1/memory", headers=user)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def heard(events: asyncio.Queue[Any], kind: str) -> dict[str, Any]:
    """The next event of this kind."""
    async with asyncio.timeout(WAIT_SEC):
        while (message := await events.get()) is not None:
            if message["type"] == kind:
                return dict(message)
    raise AssertionError("the stream is over")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    file = tmp_path_factory.mktemp("memory") / "memory.sqlite3"
    settings = load_settings(None, greet=False, language="en", memory={"file": file})
    async with open_services(settings) as services:
        app = create_app(settings, services)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=WAIT_SEC
        )
        async with app.router.lifespan_context(app), client:
            yield Site(app, client, app.state.memory)


async def test_from_the_switch_to_the_last_byte(site: Site) -> None:
    session = await site.session()
    conversation = site.app.state.sessions.get(session).conversation
    await site.chat(session, "My name is Nobody.")  # not switched on yet
    with conversation.events.listen() as events:
        answer = await site.switch(session, True, ANNA)
        assert answer.json() == {"offered": True, "on": True, "facts": 0, "turns": 0}
        assert await heard(events, "memory") == {"type": "memory", "on": True, "facts": 0}
        await site.chat(session, "My name is Annabel.")
        assert await heard(events, "memory") == {"type": "memory", "on": True, "facts": 1}
        assert (await site.switch(session, True, ANNA)).json()["facts"] == 1
        everything = await site.export(ANNA)
        assert [turn["text"] for turn in everything["turns"] if turn["role"] == "user"] == [
            "My name is Annabel."
        ]
        (fact,) = everything["facts"]
        assert fact["text"] == "Their name is Annabel." and fact["how"] == "said"
        assert (
            fact["said"] == "My name is Annabel" and fact["source"] == everything["turns"][0]["id"]
        )
        assert (await site.export(BEN))["turns"] == []
        listed = await site.client.get("/api/v1/memory/facts", headers=ANNA)
        assert [one["text"] for one in listed.json()["facts"]] == ["Their name is Annabel."]
        assert (await site.client.delete("/api/v1/memory", headers=ANNA)).status_code == 204
        assert await heard(events, "memory") == {"type": "memory", "on": False, "facts": 0}
    assert b"annabel" not in b"".join(f.read_bytes() for f in site.store.path.parent.iterdir())
    await site.chat(session, "My name is still Annabel.")
    assert (await site.export(ANNA))["turns"] == []
    assert (await site.switch(session, False)).json()["on"] is False
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_the_next_session_is_told(site: Site) -> None:
    for first in (True, False):
        session = await site.session()
        answer = (await site.switch(session, True, BEN)).json()
        if first:
            await site.chat(session, "I live in Aachen.")
            assert (await site.switch(session, False, BEN)).json()["on"] is False
        else:
            assert (answer["facts"], answer["turns"]) == (1, 1)
            memory = site.app.state.sessions.get(session).memory
            assert "They live in Aachen." in await memory.briefing()
        await site.client.delete(f"/api/v1/sessions/{session}")


async def test_erased_by_another_process_the_session_says_so(site: Site) -> None:
    session = await site.session()
    await site.switch(session, True, ANNA)
    found = site.app.state.sessions.get(session)
    other = MemoryStore(site.store.path)
    other.erase(user_of(ANNA["Mien-User"]))
    other.close()
    with found.conversation.events.listen() as events:
        await site.chat(session, "Do you hear me?")
        assert await heard(events, "memory") == {"type": "memory", "on": False, "facts": 0}
    assert found.memory is None
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_forgetting_a_fact_and_taking_it_back(site: Site) -> None:
    session = await site.session()
    await site.switch(session, True, ANNA)
    await site.chat(session, "I like marzipan.")
    everything = await site.export(ANNA)
    place = f"/api/v1/memory/facts/{everything['facts'][0]['id']}"
    assert (await site.client.delete(place, headers=BEN)).status_code == 404
    assert (await site.client.delete(place, headers=ANNA)).status_code == 204
    assert (await site.client.delete(place, headers=ANNA)).json()["error"]["code"] == "no_such_fact"
    left = await site.export(ANNA)
    assert left["facts"] == [] and "marzipan" not in json.dumps(left)
    assert site.app.state.sessions.get(session).memory.facts == 0
    given = await site.client.post("/api/v1/memory", headers=ANNA, json=everything)
    assert given.json() == {"turns": len(everything["turns"]) - len(left["turns"]), "facts": 1}
    assert site.app.state.sessions.get(session).memory.facts == 1
    again = await site.client.post("/api/v1/memory", headers=ANNA, json=everything)
    assert again.json() == {"turns": 0, "facts": 0}
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_export_is_a_file_in_utf8(site: Site) -> None:
    await site.store.run(users.enter, user_of("c" * 32), "zh", 1.0)
    answer = await site.client.get("/api/v1/memory", headers={"Mien-User": "c" * 32})
    assert answer.headers["content-disposition"] == 'attachment; filename="mien-memory.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["language"] == "zh" and answer.json()["format"] == "mien-memory"


async def test_a_session_and_its_memory_are_not_everybodys(site: Site) -> None:
    async def listed() -> dict[str, dict[str, Any]]:
        found = (await site.client.get("/api/v1/sessions")).json()
        return {one["session"]: one for one in found}

    session = await site.session()
    await site.chat(session, "My name is Annabel.")
    assert "history" not in (await listed())[session] and "Annabel" not in str(await listed())
    await site.switch(session, True, ANNA)
    assert session not in await listed()
    for on, user in ((True, BEN), (False, BEN), (False, None), (True, None)):
        refused = await site.switch(session, on, user)
        assert refused.status_code == 403 and refused.json()["error"]["code"] == "not_yours"
    memory = site.app.state.sessions.get(session).memory
    assert memory is not None and memory.user == user_of(ANNA["Mien-User"])
    assert (await site.switch(session, False, ANNA)).json()["on"] is False
    assert session in await listed()
    site.app.state.token = "t" * 32  # of all visitors from elsewhere
    try:
        bearer = {"Authorization": f"Bearer {'t' * 32}"}
        assert (await site.client.get("/api/v1/sessions", headers=bearer)).json() == []
    finally:
        site.app.state.token = None
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_erased_while_the_session_ends(site: Site) -> None:
    session = await site.session()
    await site.switch(session, True, ANNA)
    await site.chat(session, "I like marzipan.")
    found = site.app.state.sessions.get(session)
    ending, ended = asyncio.Event(), asyncio.Event()

    async def takes_its_time() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await ended.wait()

    found.accompany(takes_its_time(), "slow")
    await site.client.delete(f"/api/v1/sessions/{session}")
    await asyncio.wait_for(ending.wait(), WAIT_SEC)
    assert (await site.client.delete("/api/v1/memory", headers=ANNA)).status_code == 204
    assert await site.store.run(users.find, user_of(ANNA["Mien-User"])) is None
    ended.set()
    await asyncio.wait_for(found.ended(), WAIT_SEC)


async def test_what_is_done_is_done_though_a_session_cannot_tell(
    site: Site, tmp_path: Path
) -> None:
    other = MemoryStore(tmp_path / "other.sqlite3")
    site.app.state.memory = other
    session = await site.session()
    await site.switch(session, True, ANNA)
    await other.run(lambda db: db.execute("DROP TABLE turns").fetchall())
    site.app.state.memory = site.store
    fact = {"id": 1, "text": "They like marzipan.", "kind": "like", "how": "said", "at": 1.0}
    given = await site.client.post("/api/v1/memory", headers=ANNA, json={"facts": [fact]})
    assert given.status_code == 200 and given.json() == {"turns": 0, "facts": 1}
    (known,) = (await site.export(ANNA))["facts"]
    gone = await site.client.delete(f"/api/v1/memory/facts/{known['id']}", headers=ANNA)
    assert gone.status_code == 204
    await site.client.delete(f"/api/v1/sessions/{session}")
    await asyncio.wait_for(site.app.state.sessions.get(session).ended(), WAIT_SEC)
    await other.aclose()


@pytest.mark.parametrize("enabled", [True, False])
async def test_no_tools_at_all_are_no_tools_of_memory_either(site: Site, enabled: bool) -> None:
    settings = load_settings(None, tools={"enabled": enabled})
    memory = await UserMemory.begin(site.store, user_of(BEN["Mien-User"]), "en")
    mind = Mind(settings, Personas(), (), Bookcase(settings.knowledge), site.store)
    role = mind.role(mind.personas.load(settings.persona), "en", memory.tools)
    offered = [tool.spec.name for tool in role.tools]
    assert offered == (["remember", "recall", "forget"] if enabled else [])
    await memory.aclose()


@pytest.mark.parametrize("key", ["short", "a" * 129, "with space and more", "ünïcödé-ünïcödé", ""])
async def test_a_key_that_is_none(site: Site, key: str) -> None:
    for method, place in (("GET", "/api/v1/memory"), ("DELETE", "/api/v1/memory")):
        answer = await site.client.request(
            method, place, headers={"Mien-User": key.encode("latin-1")}
        )
        assert answer.status_code == 422, answer.text
        assert key not in answer.text or not key
    answer = await site.client.get("/api/v1/memory")
    assert answer.json()["error"]["code"] == "no_user"


async def test_what_cannot_be(site: Site) -> None:
    post = site.client.post
    for body in (b"{", b"[]", b'{"version": 9}', b"\xff\xfe"):
        answer = await post("/api/v1/memory", headers=ANNA, content=body)
        assert answer.status_code == 422 and "导出文件" in answer.json()["error"]["message"]["zh"]
    answer = await post("/api/v1/memory", headers=ANNA, content=b" " * 32_000_001)
    assert answer.json()["error"]["code"] == "too_large"
    assert (await site.switch("nobody", True, ANNA)).status_code == 404
    site.app.state.memory = None
    try:
        session = await site.session()
        for answer in (await site.switch(session, True, ANNA), await site.client.get(
            "/api/v1/memory", headers=ANNA)):  # fmt: skip
            assert answer.status_code == 403 and "memory.enabled" in answer.text
        await site.client.delete(f"/api/v1/sessions/{session}")
    finally:
        site.app.state.memory = site.store


async def test_the_file_cannot_be_read(site: Site, tmp_path: Path) -> None:
    broken = MemoryStore(tmp_path / "broken.sqlite3")
    await broken.run(lambda db: db.execute("DROP TABLE turns").fetchall())
    site.app.state.memory = broken
    try:
        await broken.run(users.enter, user_of(ANNA["Mien-User"]), "en", 1.0)
        answer = await site.client.get("/api/v1/memory", headers=ANNA)
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "memory_failed"
    finally:
        site.app.state.memory = site.store
        await broken.aclose()
