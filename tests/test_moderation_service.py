"""A real HTTP server that judges, well and badly; and who is asked in which order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from pipecat.frames.frames import LLMFullResponseEndFrame, LLMFullResponseStartFrame
from pipecat.tests.utils import run_test
from pipecat.utils.text.base_text_aggregator import TextType

from mien.config import ConfigError, Settings
from mien.mind_settings import ModerationService
from mien.moderation.answers import AnswerFilter
from mien.moderation.contract import ALLOWED
from mien.moderation.refusals import NOT_SAID
from mien.moderation.service import FAILED, ServiceModerator
from mien.moderation.several import make_moderator
from mien.tts.clauses import ClauseFrame

KEY = "sk-secret"


@dataclass
class Judge:
    """An endpoint of both kinds. reply: status and body for what was asked; None = hang."""

    reply: Callable[[Any], tuple[int, Any] | None]
    asked: list[Any] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0])
                self.heads.append(head)
                self.asked.append(json.loads(await reader.readexactly(length)))
                answer = self.reply(self.asked[-1])
                if answer is None:
                    await reader.read()  # until the client leaves
                    return
                status, body = answer
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                lines = f"HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\n"
                writer.write(f"{lines}content-length: {len(data)}\r\n\r\n".encode() + data)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def judge(reply: Callable[[Any], tuple[int, Any] | None]) -> AsyncIterator[Judge]:
    judge = Judge(reply)
    server = await asyncio.start_server(judge.serve, "127.0.0.1", 0)
    judge.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield judge
    finally:
        server.close()


@asynccontextmanager
async def moderator(url: str, **said: Any) -> AsyncIterator[ServiceModerator]:
    made = ServiceModerator(ModerationService.model_validate({"url": url, "key": KEY, **said}), {})
    try:
        yield made
    finally:
        await made.aclose()


def openai(body: Any) -> tuple[int, Any]:
    asked = body["input"] if isinstance(body["input"], list) else [body["input"]]
    results = [
        {"flagged": "bad" in text, "categories": {"hate": False, "violence/graphic": "bad" in text}}
        for text in asked
    ]
    return 200, {"id": "modr-1", "model": "omni", "results": results}


def hook(body: Any) -> tuple[int, Any]:
    return 200, {"allowed": "bad" not in body["text"], "code": "politics"}


async def test_openais_api() -> None:
    async with judge(openai) as server, moderator(server.url, model="omni") as asking:
        assert await asking.judge_message("Ann", "good") == ALLOWED
        assert await asking.judge_message("Ann", "good") == ALLOWED
        assert server.asked == [{"model": "omni", "input": ["good", "Ann"]}]  # asked once
        assert server.heads[0].startswith("post /v1/moderations ")
        assert f"authorization: bearer {KEY}" in server.heads[0]
        assert (await asking.judge_message("bad Ann", "good")).code == "violence/graphic"
        verdict = await asking.judge_answer("so bad")
        assert not verdict.allowed and verdict.code == "violence/graphic"
        assert server.asked[-1] == {"model": "omni", "input": "so bad"}


async def test_a_hook_of_ones_own() -> None:
    async with judge(hook) as server, moderator(server.url, api="hook", answers=False) as asking:
        assert (await asking.judge_message("Ann", "bad")).code == "politics"
        assert server.asked == [{"kind": "question", "author": "Ann", "text": "bad"}]
        assert server.heads[0].startswith("post /v1 ")
        assert await asking.judge_answer("bad") == ALLOWED  # answers are not judged
        assert len(server.asked) == 1


@pytest.mark.parametrize("fail", ["block", "allow"])
@pytest.mark.parametrize(
    "answer",
    [
        (500, b"<html>"),
        (401, {"error": {"message": f"wrong key {KEY}"}}),
        (302, b""),
        (200, b"\xff\xfe garbage"),
        (200, {"results": []}),
        (200, {"results": [{"flagged": "no"}]}),
        (200, b"[" * 100_000),
        (200, b" " * (1 << 19)),
        None,
    ],
)
async def test_what_has_not_judged(answer: tuple[int, Any] | None, fail: str) -> None:
    logged: list[str] = []
    sink = logger.add(logged.append)
    expected = ALLOWED if fail == "allow" else FAILED
    limit = 0.1 if answer is None else 60
    async with judge(lambda body: answer) as server:
        async with moderator(server.url, fail=fail, timeout_sec=min(limit, 30)) as asking:
            assert await asking.judge_message("", "anything") == expected
            assert await asking.judge_message("", "anything") == expected
            assert len(server.asked) == 2  # what was not judged is not remembered
            assert await asking.judge_message("", "else") == expected
            assert len(server.asked) == 2  # but nobody waits for it again and again
    logger.remove(sink)
    assert len(logged) == 2 and KEY not in "".join(logged)


async def test_nobody_there() -> None:
    async with moderator("http://127.0.0.1:9") as asking:
        assert await asking.judge_answer("anything") == FAILED


async def test_it_is_asked_again_after_a_pause() -> None:
    now, broken = [0.0], [True]

    def reply(body: Any) -> tuple[int, Any]:
        return (500, b"") if broken[0] else hook(body)

    async with judge(reply) as server:
        section = ModerationService(url=server.url, api="hook")
        asking = ServiceModerator(section, {}, clock=lambda: now[0])
        for _ in range(2):
            assert await asking.judge_answer("fine") == FAILED
        broken[0] = False
        assert await asking.judge_answer("fine") == FAILED
        now[0] = 6.0
        assert await asking.judge_answer("fine") == ALLOWED
        await asking.aclose()


def test_a_key_goes_to_its_own_host_only() -> None:
    environ = {"OPENAI_API_KEY": KEY, "MINE": "own"}

    def headers(**said: Any) -> dict[str, str]:
        section = ModerationService.model_validate(said)
        return ServiceModerator(section, environ)._headers

    home = "https://api.openai.com/v1/moderations"
    assert headers(url=home) == {"authorization": f"Bearer {KEY}"}
    assert headers(url="https://api.openai.com.evil.test/v1") == {}
    assert headers(url=home, api="hook") == {}
    assert headers(url="https://judge.test", key_env="MINE") == {"authorization": "Bearer own"}
    with pytest.raises(ConfigError, match="NOT_SET") as error:
        headers(url="https://judge.test", key_env="NOT_SET")
    assert "NOT_SET" in error.value.zh
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        ServiceModerator(ModerationService(url=home), {})


async def test_the_word_list_comes_first(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("spam\n", encoding="utf-8")
    assert make_moderator(Settings(), {}) is None
    async with judge(hook) as server:
        given = {
            "blocked_words": [tmp_path / "words.txt"],
            "moderation": {"url": server.url, "api": "hook"},
        }
        both = make_moderator(Settings.model_validate({"safety": given}), {})
        assert both is not None
        assert (await both.judge_message("", "spam")).code == "blocked_word"
        assert (await both.judge_answer("spam")).code == "blocked_word"
        assert server.asked == []
        assert (await both.judge_message("", "bad")).code == "politics"
        assert (await both.judge_answer("bad")).code == "politics"
        assert await both.judge_answer("good") == ALLOWED
        await both.aclose()


async def test_an_answer_is_judged_in_order_and_in_context() -> None:
    def clause(text: str) -> ClauseFrame:
        return ClauseFrame(text, TextType.SENTENCE)

    async with judge(hook) as server, moderator(server.url, api="hook") as asking:
        blocked: list[str] = []
        filter_ = AnswerFilter(asking, "en", lambda verdict: blocked.append(verdict.code))
        frames = [
            LLMFullResponseStartFrame(),
            *map(clause, ["One. ", "Two is b", "ad. ", "Three."]),
            LLMFullResponseEndFrame(),
        ]
        down, _ = await run_test(filter_, frames_to_send=frames)
    said = [frame.text for frame in down if isinstance(frame, ClauseFrame)]
    assert said == ["One. ", "Two is b", " " + NOT_SAID["en"]]
    assert blocked == ["politics"]
    assert [one["text"] for one in server.asked] == ["One. ", "One. Two is b", "One. Two is bad. "]
