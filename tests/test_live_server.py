"""``mien run --script``: an unattended stream and its audience, over the real API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger
from typer.testing import CliRunner

from chat_servers import twitch_server
from harness import Server, listening, new_session, running_server
from mien.cli import app
from mien.live.chat.connector import keep_reading, reader_of
from mien.live.chat.post import Poster
from test_api import assert_problem

ORDER = """
pause = 0.2
greeting = "Welcome."
[[item]]
text = "Tea."
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("live")
    (folder / "order.toml").write_text(ORDER, encoding="utf-8")
    (folder / "words.txt").write_text("banana\n", encoding="utf-8")
    environment = {
        "MIEN_LIVE__BLOCKED_WORDS": '["words.txt"]',
        "MIEN_VIDEO__WIDTH": "64",
        "MIEN_VIDEO__HEIGHT": "64",
    }
    arguments = ["--script", "order.toml", "--language", "en"]
    with running_server(folder, *arguments, environment=environment) as running:
        yield running


async def test_the_host_speaks_unattended_and_answers_the_audience(site: Server) -> None:
    async with site.client() as client, listening(client, "live") as events:
        path = "/api/v1/sessions/live"
        told = await client.post(f"{path}/messages", json={"from": "Tom", "text": "thank you"})
        assert told.status_code == 202, told.text
        receipt = told.json()
        assert receipt["accepted"] and receipt["id"]
        answered = await events.first("message", 60, id=receipt["id"], state="answered")
        assert answered["from"] == "Tom" and answered["answer"] == "You're welcome."
        assert (await events.first("user"))["from"] == "Tom"
        await events.first("turn", 60, text="Tea.")
        refused = await client.post(
            f"{path}/messages", json={"from": "x", "text": "b a n a n a", "id": "i1"}
        )
        why = refused.json()
        assert not why["accepted"] and why["why"] == "blocked" and why["message"]["zh"]
        assert (await events.first("message", 20, id="i1"))["text"] == ""
        paused = (await client.patch(f"{path}/live", json={"paused": True})).json()
        assert paused["round"] >= 1
        await events.first("live", 20, state="paused")
        assert (await client.get(f"{path}/live")).json()["state"] == "paused"
        await client.patch(f"{path}/live", json={"paused": False})
        for body in ({"from": "x"}, {"text": "x", "priority": 11}, {"text": "x" * 4001}):
            assert_problem(await client.post(f"{path}/messages", json=body), 422, "invalid")
        missing = await client.post("/api/v1/sessions/none/messages", json={"text": "x"})
        assert_problem(missing, 404, "no_such_session")


async def test_any_session_takes_messages(site: Server) -> None:
    async with site.client() as client:
        session = await new_session(client)
        async with listening(client, session) as events:
            path = f"/api/v1/sessions/{session}/messages"
            await client.post(path, json={"from": "Ann", "text": "thank you"})
            await events.first("message", 60, state="answered")
            assert not events.of("turn")[1:], "it answers, and says nothing else"
        assert (await client.delete(f"/api/v1/sessions/{session}")).status_code == 204


async def test_a_twitch_chat_reaches_the_host(site: Server) -> None:
    async with (
        twitch_server() as twitch,
        site.client() as client,
        listening(client, "live") as events,
        Poster(site.url, "live") as poster,
    ):
        await poster.check()
        reading = asyncio.create_task(
            keep_reading(reader_of("twitch:mien", twitch.url), poster.deliver)
        )
        try:
            async with asyncio.timeout(20):
                await twitch.joined.wait()
            twitch.write("小明", "谢谢你")
            answered = await events.first("message", 60, state="answered")
            assert answered["from"] == "小明" and answered["answer"]
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def test_connect_says_where_no_mien_is(site: Server) -> None:
    def connect(*more: str) -> str:
        command = ["live", "connect", "twitch", "mien", *more]
        ended = CliRunner().invoke(app, command, env={"LC_ALL": "C"})
        assert ended.exit_code == 2
        return ended.output

    assert "mien does not answer at http://127.0.0.1:9" in connect("--to", "http://127.0.0.1:9")
    assert "no session 'none'" in connect("--to", site.url, "--session", "none")


def test_a_script_that_is_wrong_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "order.toml").write_text("[[item]]\ntxet = 'x'\n")
    command = ["run", "--port", "0", "--script", str(tmp_path / "order.toml")]
    for spoken, words in (("C", "order.toml, item 1: unknown"), ("zh_CN", "order.toml，第 1 项")):
        ended = CliRunner().invoke(app, command, env={"LC_ALL": spoken})
        logger.remove()  # what it has set up ends with it
        assert ended.exit_code == 2 and words in ended.output
