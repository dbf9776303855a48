"""Who takes over a session, with what: in a server of this process whose sessions really talk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from harness import until
from mien.config import LlmSection, load_settings
from mien.fillers import Fillers, fillers_of
from mien.llm.faq import _load
from mien.llm.persona import load_persona
from mien.server.app import create_app
from mien.server.greeter import Greeter
from mien.server.sessions import Session
from mien.services import open_services

pytestmark = pytest.mark.asyncio(loop_scope="module")

KUN = """
format = 1
languages = ["zh"]
avatar = "gone"
faq = ["kun.faq.toml"]
filler_sec = 0.5
name = { zh = "阿坤", en = "Kun" }
greeting = { zh = "你好，我是阿坤。", en = "Hi, I am Kun." }
[fillers]
zh = ["嗯。"]
"""
ANSWERS = '[[entry]]\nid = "a"\nzh = { questions = ["几点开门"], answer = "九点。" }\n'


@dataclass
class Site:
    app: FastAPI
    client: httpx.AsyncClient

    async def session(self, **wanted: str) -> Session:
        answer = await self.client.post("/api/v1/sessions", json=wanted)
        assert answer.status_code == 201, answer.text
        session: Session = self.app.state.sessions.get(answer.json()["id"])
        return session

    async def play(self, session: Session, persona: str) -> dict[str, Any]:
        path = f"/api/v1/sessions/{session.id}/persona"
        answer = await self.client.patch(path, json={"persona": persona})
        assert answer.status_code == 200, answer.text
        now: dict[str, Any] = answer.json()
        return now


async def heard(events: asyncio.Queue[Any], kind: str) -> dict[str, Any]:
    """The next event of this kind."""
    async with asyncio.timeout(60):
        while (message := await events.get()) is not None:
            if message["type"] == kind:
                return dict(message)
    raise AssertionError("the stream is over")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    personas = folder / "mien" / "personas"
    personas.mkdir(parents=True)
    (personas / "kun.toml").write_text(KUN, encoding="utf-8")
    (personas / "kun.faq.toml").write_text(ANSWERS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(home: Path) -> AsyncIterator[Site]:
    settings = load_settings(
        None,
        llm={"filler_sec": 3},
        memory={"enabled": False},
        faq=[home / "mien" / "personas" / "kun.faq.toml"],
        video={"width": 64, "height": 64},
    )
    async with open_services(settings) as services:
        app = create_app(settings, services)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=60
        )
        async with app.router.lifespan_context(app), client:
            yield Site(app, client)


async def test_a_face_that_is_gone_locks_nobody_out_and_is_told(site: Site) -> None:
    session = await site.session(persona="kun")
    assert session.look.avatar == "mei" and session.character.name == "kun"
    for wanted in ({"persona": "kun", "avatar": "nobody"}, {"avatar": "gone"}):
        refused = await site.client.post("/api/v1/sessions", json=wanted)
        assert refused.json()["error"]["code"] == "no_such_avatar", "asked for by name"
    other = await site.session()
    with other.conversation.events.listen() as events:
        now = await site.play(other, "kun")
        assert (now["persona"]["name"], now["avatar"]) == ("kun", "mei")
        told = await heard(events, "notice")
        assert told["code"] == "no_such_avatar" and "gone" in told["message"]["zh"]


async def test_the_language_is_the_visitors_wherever_it_is_spoken(site: Site) -> None:
    session = await site.session(language="en", persona="kun")
    assert session.conversation.language == "zh", "nobody greets in a language that is not theirs"
    interpreter = session.listener.interpreter
    assert (await site.play(session, "mei"))["language"] == "en"
    await session.listener.choose(engine="browser", browser=True)

    def hears() -> str | None:
        return interpreter._relay and interpreter._relay._language

    for name, language in (("kun", "zh"), ("mei", "en"), ("kun", "zh")):
        now = await site.play(session, name)
        assert now["language"] == language == session.character.role.language
        assert session.conversation.speaker.service.language == language, "numbers are read so"
        await until(lambda expected=language: hears() == expected, "another ear")
    assert now["persona"]["languages"] == ["zh"]


async def test_fillers_come_as_often_as_the_settings_say(site: Site, home: Path) -> None:
    kun, mei = (load_persona(which) for which in (home / "mien" / "personas" / "kun.toml", "mei"))
    assert fillers_of(LlmSection(), kun, "zh") == Fillers(("嗯。",), 0.5)
    assert fillers_of(LlmSection(filler_sec=3), kun, "zh") == Fillers(("嗯。",), 3)
    assert fillers_of(LlmSection(), mei, "zh").after_sec == 1.5, "and not the one's before"
    assert fillers_of(LlmSection(filler_sec=0), kun, "zh") == Fillers(), "switched off"
    assert fillers_of(LlmSection(), kun, "en").said == ()
    session = await site.session(language="zh")
    await site.play(session, "kun")
    assert session.conversation._fillers == Fillers(("嗯。",), 3), "as mien.toml says"


async def test_who_plays_when_somebody_comes_greets_and_nobody_else(site: Site) -> None:
    session = await site.session(language="zh")
    with session.conversation.events.listen() as events:
        await site.play(session, "kun")
        assert not session.conversation.answering, "nobody has come yet"
        session._greet()
        assert (await heard(events, "clause"))["text"] == "你好，我是阿坤。"
        session._greet()
        await site.play(session, "mei")
        assert "小眉" in (await heard(events, "clause"))["text"]
        await session.conversation.interrupt()
        async with asyncio.TaskGroup() as tasks:
            silent = Greeter(session.conversation, None)  # greet = false
            silent.meet(tasks)
            await silent.succeed("Hello.")
        assert not session.conversation.answering


async def test_written_answers_are_read_before_they_are_needed(site: Site) -> None:
    session = await site.session(language="zh")
    _load.cache_clear()
    name, persona = await site.app.state.casting.persona("kun")
    before = _load.cache_info().misses
    await session.character.become(name, persona)
    assert _load.cache_info().misses == before, "reading them takes a tenth of a second"
