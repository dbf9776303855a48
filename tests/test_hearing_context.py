"""What was heard before an interruption is what the context holds, to the word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from heard import ANSWERS, Talk, heard_words, hearing, talking, words_of
from mien.language import Language
from mien.services import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with hearing(tmp_path_factory.mktemp("hearing")) as opened:
        yield opened


async def cut(services: Services, language: Language, at: float, held: float) -> None:
    question, answer = next(iter(ANSWERS[language].items()))
    async with talking(services, language) as talk:
        turn = await talk.conversation.chat(question)
        await talk.first("word")
        await asyncio.sleep(at)
        if held:
            assert talk.conversation.hold()
            await asyncio.sleep(held)
        heard = await talk.conversation.interrupt()
        await asyncio.sleep(0.1)
        check(talk, question, answer, heard.text)
        assert (await talk.first("turn", turn=turn))["text"] == heard.text
        assert talk.conversation.history[-1]["text"] == heard.text
        assert not talk.conversation.history[-1]["complete"]


def check(talk: Talk, question: str, answer: str, told: str) -> None:
    sounded = heard_words(talk.wire.sound, answer)
    remembered = words_of(told)
    assert [word for word, _ in sounded] == remembered, (told, sounded, talk.messages)
    assert talk.context == [("user", question), ("assistant", told)], (sounded, talk.messages)
    assert answer.startswith(told)


async def test_words_are_remembered_if_and_only_if_they_were_heard(services: Services) -> None:
    cuts = [
        cut(services, language, at, held)
        for language in ("en", "zh")
        for at in (0.05, 0.4, 0.83, 1.27, 1.9, 2.6)
        for held in (0.0, 0.2)
    ]
    async with asyncio.TaskGroup() as tasks:
        for each in cuts:
            tasks.create_task(each)
