"""Models through the API of a real server: listed, pulled with progress, cancelled, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import Server, running_server
from model_server import ModelServer, model_server
from own_models import OwnVoice, own_voice
from second_avatar import data_home
from test_api import assert_problem
from test_models_pull import WHOLE, files_in

TOKEN = "correct-horse"
VOICE = "/api/v1/models/tiny-voice"
TAKE = {"accept_licence": True}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Server]:
    environment = {
        "MIEN_GREET": "false",
        "MIEN_TOKEN": TOKEN,
        "MIEN_MODELS": str(home / "models"),
        "MIEN_CATALOGUE": str(home / "models.toml"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **data_home(home),
    }
    with running_server(home, environment=environment) as running:
        yield running


@pytest.fixture
def voice(server: ModelServer, home: Path) -> OwnVoice:
    found = own_voice(server, home)
    found.write(licence=True)
    return found


def client(site: Server) -> httpx.AsyncClient:
    return site.client(headers={"Authorization": f"Bearer {TOKEN}"})


async def entry(asked: httpx.AsyncClient) -> dict[str, Any]:
    response = await asked.get("/api/v1/models")
    assert response.status_code == 200, response.text
    return {one["name"]: one for one in response.json()}["tiny-voice"]


async def comes_to(asked: httpx.AsyncClient, *states: str) -> list[dict[str, Any]]:
    """What was told on the way, the end last."""
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not told or told[-1]["state"] not in states:
            told.append((await asked.get(f"{VOICE}/pull")).json())
            assert told[-1]["state"] in {"running", "cancelling", *states}, told[-1]
            await asyncio.sleep(0.01)
    return told


async def has(asked: httpx.AsyncClient, count: int) -> None:
    """Wait until so many bytes have come."""
    async with asyncio.timeout(60):
        while (await asked.get(f"{VOICE}/pull")).json()["done"] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_voice_is_pulled_with_progress_and_deleted(
    site: Server, voice: OwnVoice, home: Path
) -> None:
    async with client(site) as asked:
        before = await entry(asked)
        assert not before["ready"] and "mien models pull tiny-voice" in before["why_not"]["en"]
        assert before["label"] == {"en": "a tiny voice", "zh": "微型声音"}
        assert before["kind"] == "tts" and before["own"] and before["pull"] is None
        assert before["size"] == len(voice.archive.data) + len(voice.vocoder.data)
        licence = before["licence"]
        assert "No commercial use" in licence["text"]["en"] and "商业" in licence["text"]["zh"]
        assert licence["non_commercial"] and not licence["accepted"] and licence["url"]
        assert_problem(await asked.get(f"{VOICE}/pull"), 404, "no_such_pull")

        refused = await asked.post(f"{VOICE}/pull", json={})
        assert_problem(refused, 422, "licence")
        assert voice.archive.asked == [], "nothing is fetched before"
        voice.archive.chunk_sec, voice.archive.chunk = 0.05, 40_000
        begun = await asked.post(f"{VOICE}/pull", json=TAKE)
        assert begun.status_code == 202 and begun.json()["state"] == "running"
        told = await comes_to(asked, "done")
        done = [one["done"] for one in told]
        shares = [one["share"] for one in told if one["step"] == "fetch"]
        assert done == sorted(done) and len(set(done)) > 3 and shares == sorted(shares)
        assert any(0 < share < 1 for share in shares)
        assert {one["host"] for one in told} >= {voice.server.url[len("http://") :]}

        after = await entry(asked)
        assert after["ready"] and after["why_not"] is None and after["licence"]["accepted"]
        assert after["pull"]["state"] == "done"
        assert files_in(home / "models" / "tiny-voice") == WHOLE

        assert (await asked.delete(VOICE)).status_code == 204
        assert not (await entry(asked))["ready"]
        assert not (home / "models" / "tiny-voice").exists()


async def test_one_at_a_time_cancelled_and_gone_on_with(
    site: Server, voice: OwnVoice, home: Path
) -> None:
    voice.archive.chunk_sec, voice.archive.chunk = 0.4, 30_000
    async with client(site) as asked:
        first = await asked.post(f"{VOICE}/pull", json=TAKE)
        assert first.status_code == 202
        await has(asked, 60_000)
        again = await asked.post(f"{VOICE}/pull", json=TAKE)
        assert again.status_code == 202 and again.json()["state"] == "running", "the same one"
        other = await asked.post("/api/v1/models/deberta-v3-large/pull", json=TAKE)
        assert_problem(other, 409, "busy")
        assert_problem(await asked.delete(VOICE), 409, "busy")

        assert (await asked.delete(f"{VOICE}/pull")).status_code == 204
        await comes_to(asked, "cancelled")
        half = await entry(asked)
        assert not half["ready"] and half["half_fetched"] >= 60_000
        assert len(voice.archive.asked) == 1

        voice.archive.chunk_sec = 0
        assert (await asked.post(f"{VOICE}/pull", json={})).status_code == 202, "accepted before"
        await comes_to(asked, "done")
        assert int((voice.archive.asked[1] or "")[len("bytes=") : -1]) >= 60_000, "not from nothing"
        assert files_in(home / "models" / "tiny-voice") == WHOLE
        assert (await asked.delete(VOICE)).status_code == 204


async def test_what_went_wrong_is_told_in_both_languages(site: Server, voice: OwnVoice) -> None:
    voice.archive.status = 404
    async with client(site) as asked:
        await asked.post(f"{VOICE}/pull", json=TAKE)
        last = (await comes_to(asked, "failed"))[-1]
        assert last["error"]["code"] == "unreachable" and last["error"]["retryable"]
        assert "HTTP 404" in last["error"]["message"]["en"]
        assert "无法获取" in last["error"]["message"]["zh"]
        assert (await entry(asked))["pull"]["state"] == "failed", "also after a reload"
        voice.archive.status = 200
        await asked.post(f"{VOICE}/pull", json={})
        await comes_to(asked, "done")
        await asked.delete(VOICE)


async def test_refusals(site: Server, voice: OwnVoice) -> None:
    async with client(site) as asked:
        for method, path in (("POST", "nobody/pull"), ("DELETE", "nobody"), ("DELETE", "..%2fx")):
            body = {"json": TAKE} if method == "POST" else {}
            response = await asked.request(method, f"/api/v1/models/{path}", **body)
            assert response.status_code == 404, response.text
        assert_problem(await asked.post(f"{VOICE}/pull"), 422, "invalid")
        form = {"Content-Type": "text/plain"}  # what another web site could send unasked
        sent = await asked.post(f"{VOICE}/pull", content='{"accept_licence": true}', headers=form)
        assert_problem(sent, 422, "invalid")
        voice.catalogue.write_text("[models")
        assert_problem(await asked.get("/api/v1/models"), 500, "catalogue")
    async with site.client() as stranger:
        for method, path in (
            ("GET", "/api/v1/models"),
            ("POST", f"{VOICE}/pull"),
            ("GET", f"{VOICE}/pull"),
            ("DELETE", f"{VOICE}/pull"),
            ("DELETE", VOICE),
        ):
            assert_problem(await stranger.request(method, path), 401, "no_token")
    assert voice.archive.asked == []
