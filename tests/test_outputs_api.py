"""Outputs over HTTP and the live session, in a server of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from mien.config import SessionsSection, Settings, load_settings
from mien.conversation import Conversation
from mien.media.output import OutputError
from mien.media.rendition import Rendition
from mien.server import live as live_session
from mien.server.air_log import AirLog
from mien.server.app import create_app
from mien.server.outputs import MOST_OUTPUTS
from mien.server.targets import Target
from mien.services import Services, open_services
from rtmp_server import real_server
from tcp_output import TcpOutput, TcpServer, TcpTape, tcp_server

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = "a-stream-key-nobody-may-see"
ADDRESS = "http://127.0.0.1"


@dataclass
class Site:
    """A server of this process, and the program's receiver at the other end of its outputs."""

    app: FastAPI
    client: httpx.AsyncClient
    receiver: TcpServer
    told: list[str]

    async def session(self) -> str:
        answer = await self.client.post("/api/v1/sessions", json={})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def add(self, session: str, name: str = "one", **more: object) -> httpx.Response:
        body = {"url": f"tcp://receiver/{name}", "key": KEY, **more}
        return await self.client.post(f"/api/v1/sessions/{session}/outputs", json=body)

    async def outputs(self, session: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]]
        found = (await self.client.get(f"/api/v1/sessions/{session}/outputs")).json()
        return found

    async def is_in(self, session: str, *states: str) -> list[dict[str, Any]]:
        """Wait until the outputs are in these states."""
        found: list[dict[str, Any]] = []
        for _ in range(1000):
            found = await self.outputs(session)
            if [output["state"] for output in found] == [*states]:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{found}, expected {states}")

    async def metrics(self) -> str:
        return (await self.client.get("/metrics")).text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services() -> AsyncIterator[Services]:
    async with open_services(load_settings(None, greet=False)) as opened:
        yield opened


@asynccontextmanager
async def serving(services: Services, settings: Settings | None = None) -> AsyncIterator[Site]:
    told: list[str] = []
    log = AirLog(lambda line, bad: told.append(line))
    async with tcp_server() as receiver:
        makers = {"tcp": tcp_maker(receiver)}
        app = create_app(settings or services.settings, services, log, makers)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client,
        ):
            yield Site(app, client, receiver, told)


def tcp_maker(receiver: TcpServer) -> Callable[[Target, Rendition | None], TcpOutput]:
    def make(target: Target, rendition: Rendition | None) -> TcpOutput:
        if target.key == "bad":
            raise OutputError("No such key.", code="bad_key", zh="密钥无效。", retryable=False)
        return (TcpTape if "tape" in target.url else TcpOutput)(receiver.port, target.key or "")

    return make


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(services: Services) -> AsyncIterator[Site]:
    async with serving(services) as running:
        yield running
        assert KEY not in "".join(running.told)


async def test_an_output_from_its_beginning_to_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    session = await site.session()
    with site.app.state.sessions.get(session).conversation.events.listen() as events:
        created = await site.add(session)
        assert created.status_code == 201
        shape = created.json()
        assert shape["id"] == "tcp-1" and shape["state"] == "connecting"
        (shown,) = await site.is_in(session, "live")
        assert shown["label"].endswith("/****") and shown["profile"] == "source"
        one = f"/api/v1/sessions/{session}/outputs/tcp-1"
        assert (await site.client.get(one)).json()["state"] == "live"
        snapshot = (await site.client.get(f"/api/v1/sessions/{session}")).json()
        assert [o["id"] for o in snapshot["outputs"]] == ["tcp-1"]
        assert 'mien_outputs{kind="tcp",state="live"} 1.0' in await site.metrics()

        site.receiver.hang_up()
        (lost,) = await site.is_in(session, "waiting")
        assert lost["reason"]["code"] == "lost" and lost["reason"]["message"]["zh"]
        assert 0 <= lost["retry_in"] <= 0.5
        assert (await site.client.post(f"{one}/retry")).status_code == 202
        (back,) = await site.is_in(session, "live")
        assert back["reconnects"] == 1 and "reason" not in back
        assert 'mien_output_reconnects_total{kind="tcp"} 1.0' in await site.metrics()

        assert (await site.client.delete(one)).status_code == 204
        assert site.receiver.said_bye == 1, "answered when leave is taken"
        assert await site.outputs(session) == []
        assert (await site.client.get(one)).json()["error"]["code"] == "no_such_output"
        states = [events.get_nowait() for _ in range(events.qsize())]
    assert [m["state"] for m in states if m and m["type"] == "output"] == [
        *("connecting", "live", "waiting", "connecting", "live", "ended")
    ]
    metrics = await site.metrics()
    assert 'mien_output_reconnects_total{kind="tcp"} 1.0' in metrics, "totals outlive outputs"
    assert 'mien_outputs{kind="tcp"' not in metrics
    assert KEY not in created.text + str(states) + str(snapshot) + metrics
    heard = [line.partition(": ")[2].split(" after")[0] for line in site.told[-4:]]
    assert heard == [
        *("on the air", "The connection was lost. (it is tried again by itself)", "back", "ended")
    ]
    await site.client.delete(f"/api/v1/sessions/{session}")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": f"ftp://server/{KEY}"}, 422, "bad_url"),
        ({"url": KEY}, 422, "bad_url"),
        ({"url": "tcp://x/y", "profile": "9p"}, 422, "no_such_profile"),
        ({"url": "tcp://x/y", "key": "bad"}, 422, "bad_key"),
        ({"url": "tcp://x/y", "key": [KEY]}, 422, "invalid"),
        ({"url": "tcp://x/y", "key": KEY * 100}, 422, "invalid"),
        ({"url": f"tcp://x/{KEY}", "Key": KEY}, 422, "invalid"),
        ({"key": KEY}, 422, "invalid"),
        ([KEY], 422, "invalid"),
    ],
)
async def test_what_cannot_be_an_output_is_refused_without_repeating_it(
    site: Site, body: object, status: int, code: str
) -> None:
    session = await site.session()
    answer = await site.client.post(f"/api/v1/sessions/{session}/outputs", json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code and error["message"]["en"] and error["message"]["zh"]
    assert KEY not in answer.text
    assert await site.outputs(session) == []
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_each_place_once_and_not_too_many(site: Site) -> None:
    session = await site.session()
    assert (await site.add(session)).status_code == 201
    for same in ({"url": f"tcp://RECEIVER/one/{KEY}", "key": None}, {"profile": "360p"}):
        again = await site.add(session, **same)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "duplicate")
    assert (await site.add(session, key="another")).status_code == 201
    for number in range(MOST_OUTPUTS - 2):
        assert (await site.add(session, str(number))).status_code == 201
    one_more = await site.add(session, "more")
    assert (one_more.status_code, one_more.json()["error"]["code"]) == (429, "too_many_outputs")
    await site.client.delete(f"/api/v1/sessions/{session}/outputs/tcp-1")
    assert (await site.add(session, "more")).status_code == 201
    before = site.receiver.said_bye
    await site.is_in(session, *["live"] * MOST_OUTPUTS)
    await site.client.delete(f"/api/v1/sessions/{session}")
    await site.app.state.sessions.all()[-1].ended()
    assert site.receiver.said_bye == before + MOST_OUTPUTS, "a session that ends takes leave of all"


async def test_what_failed_for_good_may_be_asked_for_again(site: Site) -> None:
    session = await site.session()
    site.receiver.answer = "never"
    try:
        await site.add(session)
        await site.is_in(session, "failed")
    finally:
        site.receiver.answer = "ok"
    assert (await site.add(session)).status_code == 201
    await site.is_in(session, "live")
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_only_what_can_be_paused_is(site: Site) -> None:
    session = await site.session()
    await site.add(session)
    await site.add(session, "tape")
    await site.is_in(session, "live", "live")
    outputs = f"/api/v1/sessions/{session}/outputs"
    refused = await site.client.patch(f"{outputs}/tcp-1", json={"paused": True})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "cannot_pause")
    paused = await site.client.patch(f"{outputs}/tcp-2", json={"paused": True})
    assert paused.json()["state"] == "paused" and paused.json()["can_pause"]
    again = await site.client.patch(f"{outputs}/tcp-2", json={"paused": False})
    assert again.json()["state"] == "live"
    await site.client.delete(f"/api/v1/sessions/{session}")


async def test_a_session_nobody_watches_stays_while_it_is_on_the_air(services: Services) -> None:
    impatient = SessionsSection.model_construct(max=8, idle_sec=1.5)
    settings = services.settings.model_copy(update={"sessions": impatient})
    async with serving(services, settings) as site:
        on_air = await site.session()
        await site.add(on_air)
        abandoned = await site.session()
        async with asyncio.timeout(20):
            await site.app.state.sessions.get(abandoned).ended()
        assert [o["state"] for o in await site.outputs(on_air)] == ["live"]
        freed = site.app.state.sessions.get(on_air)
        await site.client.delete(f"/api/v1/sessions/{on_air}/outputs/tcp-1")
        async with asyncio.timeout(20):
            await freed.ended()


async def test_the_live_session_is_there_from_the_start_and_begins_anew_when_it_fails(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_session, "RESTART_SEC", (0.05,))
    monkeypatch.setenv("ONE_KEY", KEY)
    one = {"url": "tcp://receiver/one", "key_env": "ONE_KEY"}
    settings = load_settings(None, greet=False, sessions={"max": 1}, outputs=[one])
    async with serving(services, settings) as site:
        live = site.app.state.live
        async with asyncio.timeout(20):
            first = await live.session()
        await site.is_in("live", "live")
        guest = await site.session()
        assert guest, "it takes no visitor's place"
        refused = await site.client.delete("/api/v1/sessions/live")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "live_session")
        await site.add("live", "two")
        await site.is_in("live", "live", "live")

        first.accompany(fail(first.conversation), "a fault of the conversation")
        async with asyncio.timeout(20):
            await first.ended()
            second = await live.session()
        assert second is not first and live.conversation is second.conversation
        await site.is_in("live", "live", "live")
        assert site.receiver.said_bye == 2, "the first took leave"
    assert site.receiver.said_bye == 4, "and the second"


async def test_a_real_server_is_lost_and_found_and_says_why_it_refuses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    site.told.clear()
    with real_server() as server:
        session = await site.session()
        outputs = f"/api/v1/sessions/{session}/outputs"
        address = f"rtmp://127.0.0.1:{server.port}/live"
        added = await site.client.post(outputs, json={"url": address, "key": KEY})
        assert added.status_code == 201 and added.json()["label"] == f"{address}/****"
        wrong = await site.client.post(
            outputs, json={"url": f"{address}/wrong-{KEY}", "profile": "360p"}
        )
        assert wrong.status_code == 201
        good, refused = await site.is_in(session, "live", "waiting")
        assert refused["reason"]["code"] == "rejected" and refused["retry_in"] > 1
        await asyncio.to_thread(server.kill)
        lost, _ = await site.is_in(session, "waiting", "waiting")
        assert lost["reason"]["message"]["en"] and lost["figures"]["bytes"] > 0
        await asyncio.to_thread(server.start)
        back, _ = await site.is_in(session, "live", "waiting")
        assert back["reconnects"] == 1
        # The first attempt is on the air, or on a busy machine the second one is "back".
        assert any(line.startswith(f"{address}/****：已") for line in site.told)
        assert any("已恢复，中断" in line for line in site.told)
        assert KEY not in str([good, refused, lost, back])
        await site.client.delete(f"/api/v1/sessions/{session}")


async def fail(conversation: Conversation) -> None:
    await conversation.ready()
    raise RuntimeError("as a pipeline does that ends by itself")
