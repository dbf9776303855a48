"""Whole conversations through a real server, a real LLM wire format and a real WebRTC client."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import httpx
import numpy as np
import psutil
import pytest
import pytest_asyncio

from child_processes import children_with
from fake_openai import FakeOpenAI, Scenario
from harness import (
    Events,
    Server,
    listening,
    new_session,
    running_server,
    until,
    watching,
)

STORY = (
    "Once upon a time, there was a small lighthouse on a quiet island. "
    "Every evening it told the ships where the rocks were. "
    "One night the light went out, and nobody knew what to do. "
    "So the fishermen lit fires on the beach until the morning came."
)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
def fake(model: FakeOpenAI) -> FakeOpenAI:
    """The model, with nothing left of the test before."""
    model.requests.clear()
    model.scenario = Scenario("text", text=STORY, token_delay_s=0.01)
    return model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    model: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """A server whose brain is the fake model; started in a thread, the fake runs on our loop."""
    environment = {
        "MIEN_SESSIONS__MAX": "20",
        "MIEN_LLM__FIRST_TOKEN_TIMEOUT_SECS": "6",  # one that hangs is waited for in full
        "MIEN_LLM__IDLE_TIMEOUT_SECS": "6",
        "MIEN_LLM__NAME": "openai",
        "MIEN_LLM__BASE_URL": model.url,
        "MIEN_LLM__API_KEY": "test-key",
        "MIEN_LLM__MODEL": "fake",
        "MIEN_GREET": "false",
    }
    folder = tmp_path_factory.mktemp("conversations")
    manager = running_server(folder, environment=environment)
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as opened:
        yield opened
        for session in (await opened.get("/api/v1/sessions")).json():
            await opened.delete(f"/api/v1/sessions/{session['session']}")


async def ask(client: httpx.AsyncClient, session: str, text: str) -> int:
    response = await client.post(f"/api/v1/sessions/{session}/chat", json={"text": text})
    assert response.status_code == 202, response.text
    return int(response.json()["turn"])


async def test_a_question_is_answered_in_sound_picture_and_captions(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.enqueue(Scenario("text", text="Hello, I am here. Nice to meet you.", token_delay_s=0.03))
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session) as viewer:
        asked = time.monotonic()
        turn = await ask(client, session, "Who are you?")
        closed = await events.first("turn", turn=turn)
        assert closed["complete"] and closed["text"] == "Hello, I am here. Nice to meet you."
        assert "".join(clause["text"] for clause in events.of("clause")) == closed["text"]
        words = events.of("word")
        assert len(words) >= 6, "espeak-ng times a few word pairs as one"
        assert viewer.loud_times(asked), "the answer was heard"
        stages = (await events.first("latency", turn=turn))["stages"]
        assert list(stages) == [
            "llm_first_token",
            "first_clause",
            "tts_first_pcm",
            "first_mouth",
            "first_packet",
        ]
        assert list(stages.values()) == sorted(stages.values())
        await events.first("state", state="idle")
        states = [message["state"] for message in events.of("state")]
        assert states == ["thinking", "speaking", "idle"]
        assert fake.requests[0].messages[-1] == {"role": "user", "content": "Who are you?"}
        assert fake.requests[0].headers["authorization"] == "Bearer test-key"


async def test_an_interruption_silences_everything_and_keeps_what_was_heard(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session) as viewer:
        await ask(client, session, "Tell me a story.")
        await until(lambda: len(events.of("word")) >= 9, "nine words")
        response = await client.post(f"/api/v1/sessions/{session}/interrupt")
        heard = response.json()["heard"]
        stopped = time.monotonic()
        words_heard = len(events.of("word"))
        assert STORY.startswith(heard) and 20 < len(heard) < len(STORY)
        closed = await events.first("turn")
        assert closed["text"] == heard and not closed["complete"]
        await asyncio.sleep(1.0)
        assert not viewer.loud_times(stopped + 0.3), "no sound after the interruption"
        assert len(events.of("word")) <= words_heard + 1
        # What was heard, to the word, is what the model is told it said.
        await ask(client, session, "Go on.")
        await until(lambda: len(fake.requests) == 2, "a second request")
        spoken = [m["content"] for m in fake.requests[1].messages if m["role"] == "assistant"]
        assert spoken == [heard]


async def test_an_interruption_hangs_up_on_the_model(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.enqueue(Scenario("text", text=STORY * 20, token_delay_s=0.05))
    session = await new_session(client)
    async with listening(client, session) as events:
        await ask(client, session, "Tell me a very long story.")
        await until(lambda: bool(fake.requests and fake.requests[0].tokens_sent > 3), "tokens")
        await client.post(f"/api/v1/sessions/{session}/interrupt")
        await fake.wait_idle(2)
        assert fake.requests[0].disconnected
        sent = len(events.of("clause"))
        await asyncio.sleep(0.5)
        assert len(events.of("clause")) == sent, "nothing of the old answer is said later"


async def test_a_new_question_replaces_the_answer_being_given(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.enqueue(
        Scenario("text", text=STORY, token_delay_s=0.02),
        Scenario("text", text="Blue.", token_delay_s=0.02),
    )
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session):
        first = await ask(client, session, "Tell me a story.")
        await events.first("word", turn=first)
        second = await ask(client, session, "What colour is the sky?")
        closed = await events.first("turn", turn=second)
        assert closed["text"] == "Blue." and closed["complete"]
        assert not (await events.first("turn", turn=first))["complete"]
        after = events.messages[events.messages.index(events.of("user")[1]) :]
        assert all(message.get("turn", second) == second for message in after)


async def test_rapid_questions_leave_only_the_last_answer(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.scenario = lambda request: Scenario(
        "text", text=f"Answer to {request.messages[-1]['content'].split()[-1]}.", token_delay_s=0.01
    )
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session):
        for number in range(8):
            turn = await ask(client, session, f"question {number}")
            await asyncio.sleep(0.02 * number)
        closed = await events.first("turn", turn=turn, complete=True)
        assert closed["text"] == "Answer to 7."
        await fake.wait_idle()


FAILURES = {
    "llm_auth": Scenario("error", status=401),
    "llm_rate_limit": Scenario("error", status=429),
    "llm_server": Scenario("error", status=500),
    "llm_malformed": Scenario("garbage"),
    "llm_connection": Scenario("close_unanswered"),
    "llm_empty": Scenario("empty"),
    "llm_cut_off": Scenario("cut", text="I was about to say, "),
}


async def test_a_failing_model_is_told_in_words_and_the_session_lives_on(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session) as viewer:
        for code, scenario in FAILURES.items():
            fake.scenario = scenario
            asked = time.monotonic()
            turn = await ask(client, session, "Hello?")
            error = await events.first("error", code=code)
            assert error["stage"] == "llm", code
            assert error["message"]["en"] and error["message"]["zh"], code

            def apology(turn: int = turn) -> bool:
                said = [c["text"] for c in events.of("clause") if c["turn"] == turn]
                return "orry" in "".join(said)

            await until(apology, f"{code}: the avatar apologises")
            await until(lambda since=asked: bool(viewer.loud_times(since)), f"{code}: aloud")
            # The next question interrupts the apology.
        fake.scenario = Scenario("text", text="All is well again.")
        turn = await ask(client, session, "And now?")
        well = await events.first("turn", turn=turn)
        assert well["text"] == "All is well again."
        assert len(events.of("error")) == len(FAILURES)


async def test_a_hanging_model_is_interruptible(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    session = await new_session(client)
    async with listening(client, session) as events:
        fake.enqueue(Scenario("hang"), Scenario("text", text="Back again."))
        await ask(client, session, "Hello?")
        await until(lambda: len(fake.requests) == 1, "a request")
        turn = await ask(client, session, "Still there?")
        assert (await events.first("turn", turn=turn))["text"] == "Back again."
        assert fake.requests[0].disconnected


async def test_a_slow_model_is_bridged_by_a_word_that_nobody_remembers(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    session = await new_session(client, language="en")
    async with listening(client, session) as events, watching(client, session):
        fake.enqueue(Scenario("text", text="It is blue.", first_delay_s=3.5))
        turn = await ask(client, session, "What colour is the sky?")
        assert (await events.first("turn", turn=turn))["text"] == "It is blue."
        clauses = events.of("clause")
        assert [clause.get("aside", False) for clause in clauses] == [True, False]
        assert clauses[0]["text"] in ("Let me think.", "One moment.")
        states = [event["state"] for event in events.of("state")]
        assert states[:4] == ["thinking", "speaking", "thinking", "speaking"], "it thinks on"
        stages = (await events.first("latency", turn=turn))["stages"]
        assert stages["first_packet"] > 3000, "what counts is the answer"
        await ask(client, session, "And the sea?")
        await until(lambda: len(fake.requests) == 2, "the next request")
    told = [message["content"] for message in fake.requests[1].messages]
    assert told[-3:] == ["What colour is the sky?", "It is blue.", "And the sea?"]


def voice_workers(server: Server) -> list[psutil.Process]:
    return children_with("espeak_worker", of=server.process.pid)


async def test_a_voice_killed_in_the_middle_of_a_sentence_is_not_noticed(
    client: httpx.AsyncClient, server: Server, fake: FakeOpenAI
) -> None:
    text = "Here is the first one. This is the second. And a third one. Here is the last."
    fake.scenario = Scenario("text", text=text, token_delay_s=0.3)
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session):
        turn = await ask(client, session, "Tell me a story.")
        for number in range(3):  # the model is still writing: the next clause needs the voice
            await until(lambda: bool(voice_workers(server)), "a voice worker")
            for worker in voice_workers(server):
                os.kill(worker.pid, signal.SIGKILL)
            await until(lambda n=number: len(events.of("clause")) > n, "the next clause")
        closed = await events.first("turn", 90, turn=turn)
        assert closed["complete"] and closed["text"] == text
        assert len(voice_workers(server)) == 1


async def test_two_sessions_share_neither_sound_nor_text_nor_state(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.scenario = lambda request: Scenario(
        "text",
        text="ALPHA alpha alpha. " * 6 if "first" in str(request.messages[-1]) else "BRAVO bravo. ",
        token_delay_s=0.005,
    )
    one, two = await new_session(client), await new_session(client)
    async with (
        listening(client, one) as events_one,
        listening(client, two) as events_two,
        watching(client, one) as viewer_one,
        watching(client, two) as viewer_two,
    ):
        start = time.monotonic()
        await ask(client, one, "I am the first.")
        await events_one.first("word")
        assert events_two.messages == events_two.of("hello"), "the other session noticed nothing"
        await until(lambda: bool(viewer_one.loud_times(start)), "the first voice")
        began = viewer_one.loud_times(start)[0]
        await until(
            lambda: all(
                sum(t > began for t, _ in v.pictures) > 20 for v in (viewer_one, viewer_two)
            ),
            "pictures of both",
        )
        assert not viewer_two.loud_times(start)
        still = [picture for t, picture in viewer_two.pictures if t > began]
        moved = [picture for t, picture in viewer_one.pictures if t > began]
        assert mouth_motion(moved) > 2 * mouth_motion(still)
        await ask(client, two, "I am the second.")
        await asyncio.gather(events_one.first("turn"), events_two.first("turn"))
        assert "BRAVO" not in str(events_one.messages)
        assert "ALPHA" not in str(events_two.messages)
        await ask(client, two, "What did I say?")
        await until(lambda: len(fake.requests) == 3, "a third request")
        said = [m["content"] for m in fake.requests[2].messages if m["role"] == "user"]
        assert said == ["I am the second.", "What did I say?"]
        await client.post(f"/api/v1/sessions/{two}/interrupt")
        shown = (await client.get(f"/api/v1/sessions/{one}")).json()
        assert shown["state"] == "idle" and len(shown["history"]) == 2


def mouth_motion(pictures: list[np.ndarray]) -> float:
    """Mean change from picture to picture where the mouth is."""
    if len(pictures) < 2:
        return 0.0
    height, width = pictures[0].shape[:2]
    rows = slice(int(height * 0.5), int(height * 0.66))
    columns = slice(int(width * 0.4), int(width * 0.6))
    grey = np.stack([p[rows, columns].mean(axis=2) for p in pictures])
    return float(np.abs(np.diff(grey, axis=0)).mean())


async def test_say_speaks_word_for_word_without_the_model(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    session = await new_session(client, "zh")
    async with listening(client, session) as events, watching(client, session):
        text = "今天是3月5日，气温23.5℃。Welcome!"
        response = await client.post(f"/api/v1/sessions/{session}/say", json={"text": text})
        closed = await events.first("turn", turn=response.json()["turn"])
        assert closed["text"] == text and closed["complete"]
        assert not fake.requests
        clauses = {c["clause"]: c["text"] for c in events.of("clause")}
        for word in events.of("word"):
            assert 0 <= word["begin"] < word["stop"] <= len(clauses[word["clause"]])


async def test_word_offsets_are_javascript_offsets(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    session = await new_session(client)
    async with listening(client, session) as events, watching(client, session):
        await client.post(f"/api/v1/sessions/{session}/say", json={"text": "😀😀 hello."})
        await events.first("turn")
        clause, word = events.of("clause")[0]["text"], events.of("word")[-1]
        units = clause.encode("utf-16-le")
        assert units[2 * word["begin"] : 2 * word["stop"]].decode("utf-16-le") == "hello"


async def test_events_can_be_followed_from_the_middle(
    client: httpx.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.scenario = Scenario("text", text="Hello.")
    session = await new_session(client)
    async with listening(client, session) as events:
        await ask(client, session, "Hello?")
        await events.first("turn", 90)
    late: Events
    async with listening(client, session) as late:
        history = late.of("hello")[0]["history"]
        assert [entry["role"] for entry in history] == ["user", "assistant"]
