"""Answers begun ahead, and what happens in the middle of something: nothing is left of either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from heard import ANSWERS, Talk, heard_words, hearing, talking, together, words_of
from mien.moderation.contract import ALLOWED, Verdict
from mien.services import Services
from mien.trace import Trace

pytestmark = pytest.mark.asyncio(loop_scope="module")

(FIRST, FIRST_ANSWER), (SECOND, SECOND_ANSWER), *_ = ANSWERS["en"].items()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with hearing(tmp_path_factory.mktemp("hearing")) as opened:
        yield opened


async def proposed(talk: Talk, text: str) -> None:
    """Until there is sound of the answer that could be heard."""
    before = len(talk.voice.heard)
    assert await talk.conversation.propose(text)
    await talk.until(
        lambda: len(talk.voice.heard) > before and talk.conversation.performer.queued_sec > 1,
        "the voice of a proposal",
    )
    await asyncio.sleep(0.1)


def nothing(talk: Talk) -> None:
    """Nobody could tell that anything was ever said."""
    assert talk.messages == [] and talk.conversation.history == [] and talk.context == []
    assert not talk.wire.sound.any() and talk.conversation.state == "idle"


async def test_a_proposal_that_fits_is_the_answer(services: Services) -> None:
    async with talking(services, "en") as talk:
        await proposed(talk, "where is the lighthouse")
        nothing(talk)
        trace = Trace.spoken(asyncio.get_running_loop().time())
        turn = await talk.conversation.chat(FIRST, trace=trace)
        assert (await talk.first("turn", turn=turn))["text"] == FIRST_ANSWER
        assert talk.context == [("user", FIRST), ("assistant", FIRST_ANSWER)]
        assert [m["text"] for m in talk.conversation.history] == [FIRST, FIRST_ANSWER]
        assert [w for w, _ in heard_words(talk.wire.sound, FIRST_ANSWER)] == words_of(FIRST_ANSWER)
        assert len(talk.voice.heard) == len(talk.of("clause")), "it was made once"
        stages = (await talk.first("latency", turn=turn))["stages"]
        assert trace.speculated and stages["tts_first_pcm"] == 0 < stages["first_packet"]


async def test_one_that_differs_leaves_nothing_behind(services: Services) -> None:
    async with talking(services, "en") as talk:
        await proposed(talk, FIRST)
        trace = Trace.spoken(asyncio.get_running_loop().time())
        turn = await talk.conversation.chat(SECOND, trace=trace)
        assert (await talk.first("turn"))["turn"] == turn
        assert talk.context == [("user", SECOND), ("assistant", SECOND_ANSWER)]
        assert [m["text"] for m in talk.conversation.history] == [SECOND, SECOND_ANSWER]
        assert [c["text"] for c in talk.of("clause")] and not trace.speculated
        assert "".join(c["text"] for c in talk.of("clause")) == SECOND_ANSWER
        assert not heard_words(talk.wire.sound, FIRST_ANSWER)
        assert [w for w, _ in heard_words(talk.wire.sound, SECOND_ANSWER)] == words_of(
            SECOND_ANSWER
        )


async def test_one_that_is_withdrawn_leaves_nothing_behind(services: Services) -> None:
    async with talking(services, "en") as talk:
        for text in (FIRST, SECOND):
            await proposed(talk, text)
        await talk.conversation.withdraw()
        await talk.conversation.withdraw()
        await asyncio.sleep(0.2)
        nothing(talk)
        turn = await talk.conversation.chat(SECOND)
        assert (await talk.first("turn", turn=turn))["text"] == SECOND_ANSWER


Moment = Callable[[Talk], Awaitable[object]]


async def interrupt_held(talk: Talk) -> None:
    talk.conversation.hold()
    await asyncio.sleep(0.05)
    await talk.conversation.interrupt()


async def interrupt_while_it_fades_out(talk: Talk) -> None:
    talk.conversation.hold()
    await talk.conversation.interrupt()


async def interrupt_while_it_fades_in(talk: Talk) -> None:
    talk.conversation.hold()
    await asyncio.sleep(0.1)
    talk.conversation.release()
    await talk.until(lambda: not talk.conversation.performer.silent, "speech")
    await asyncio.sleep(0.03)
    await talk.conversation.interrupt()


async def hold_twice_and_ask(talk: Talk) -> None:
    assert talk.conversation.hold() and talk.conversation.hold()
    talk.conversation.release()
    talk.conversation.hold()
    await talk.conversation.chat(SECOND)
    assert not talk.conversation.held
    assert (await talk.first("turn", complete=True))["text"] == SECOND_ANSWER


async def hold_nothing(talk: Talk) -> None:
    await talk.conversation.interrupt()
    assert not talk.conversation.hold() and not talk.conversation.held
    talk.conversation.release()


async def close_held(talk: Talk) -> None:
    talk.conversation.hold()


async def close_proposed(talk: Talk) -> None:
    await talk.conversation.interrupt()
    await talk.conversation.propose(SECOND)


MOMENTS: tuple[Moment, ...] = (
    interrupt_held,
    interrupt_while_it_fades_out,
    interrupt_while_it_fades_in,
    hold_twice_and_ask,
    hold_nothing,
    close_held,
    close_proposed,
)


async def test_in_the_middle_of_anything_nothing_hangs_and_nothing_goes_on(
    services: Services,
) -> None:
    async def one(moment: Moment) -> None:
        async with talking(services, "en") as talk:
            await talk.conversation.chat(FIRST)
            await talk.until(lambda: len(talk.of("word")) >= 2, "two words")
            await moment(talk)
            if moment not in (close_held, close_proposed):
                told = (await talk.first("turn"))["text"]
                assert talk.context[:2] == [("user", FIRST), ("assistant", told)]
                sounded = [word for word, _ in heard_words(talk.wire.sound, FIRST_ANSWER)]
                assert sounded[: len(words_of(told))] == words_of(told)
                assert len(sounded) <= len(words_of(told)) + 1
                assert talk.conversation.state == "idle"

    before = asyncio.all_tasks()
    await together(*(one(moment) for moment in MOMENTS))
    async with asyncio.timeout(60):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


class Deliberate:
    """Judges questions when it is told to, in any order."""

    def __init__(self) -> None:
        self.judging: dict[str, asyncio.Future[Verdict]] = {}

    async def judge_message(self, author: str, text: str) -> Verdict:
        self.judging[text] = asyncio.get_running_loop().create_future()
        return await self.judging[text]

    async def judge_answer(self, text: str) -> Verdict:
        return ALLOWED


async def test_a_question_that_is_being_judged_gives_way(services: Services) -> None:
    moderator = Deliberate()
    async with talking(services, "en", moderator=moderator) as talk:

        async def asked(text: str) -> asyncio.Task[int]:
            asking = asyncio.create_task(talk.conversation.chat(text))
            await talk.until(lambda: text in moderator.judging, "a judge")
            return asking

        stopped = await asked(FIRST)
        await talk.conversation.interrupt()
        moderator.judging[FIRST].set_result(ALLOWED)
        turn = await stopped
        assert (await talk.first("turn", turn=turn))["complete"] is False
        assert await talk.first("user", turn=turn, text=FIRST), "it was said"
        assert not talk.conversation.answering and talk.context == []
        assert talk.messages[-1] == {"type": "state", "state": "idle"}, "whoever waits may stop"

        older, newer = await asked(FIRST), await asked(SECOND)
        moderator.judging[SECOND].set_result(ALLOWED)
        answered = await newer
        moderator.judging[FIRST].set_result(Verdict(False, "late"))
        given_up = await older
        assert (await talk.first("turn", turn=answered))["text"] == SECOND_ANSWER
        assert (await talk.first("turn", turn=given_up))["text"] == ""
        assert talk.context == [("user", SECOND), ("assistant", SECOND_ANSWER)]
        said = [message["text"] for message in talk.conversation.history]
        assert said == [FIRST, SECOND, SECOND_ANSWER], "what may not be asked is not kept"
