"""What was heard before an interruption is what the context holds, to the word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from heard import ANSWERS, Talk, heard_words, hearing, talking, together, words_of
from mien.language import Language
from mien.media.fade import FADE_SAMPLES
from mien.services import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with hearing(tmp_path_factory.mktemp("hearing")) as opened:
        yield opened


async def cut(services: Services, language: Language, words: int, later: float, held: bool) -> None:
    """Interrupt so many seconds after the word of that number is told of, held before or not."""
    question, answer = next(iter(ANSWERS[language].items()))
    async with talking(services, language) as talk:
        turn = await talk.conversation.chat(question)
        await talk.until(lambda: len(talk.of("word")) >= words, f"{words} words")
        await asyncio.sleep(later)
        if held:
            assert talk.conversation.hold()
            await asyncio.sleep(0.1)
        heard = await talk.conversation.interrupt()
        await asyncio.sleep(0.1)
        assert (await talk.first("turn", turn=turn))["text"] == heard.text
        check(talk, question, answer, heard.text)


def check(talk: Talk, question: str, answer: str, told: str) -> None:
    """What sounded is remembered, what did not is not; a word cut off as it began may be."""
    sounded = heard_words(talk.wire.sound, answer)
    clearly = [word for word, samples in sounded if samples > FADE_SAMPLES]
    # The last samples of a fade are so faint that they may be taken for any tone.
    at_most = [word for word, _ in sounded][: len(clearly) + 1]
    remembered = words_of(told)
    assert remembered in (clearly, at_most), (told, sounded)
    assert answer.startswith(told)
    assert talk.context == [("user", question), ("assistant", told)]
    (_, last) = talk.conversation.history
    assert (last["role"], last["text"], last["complete"]) == ("assistant", told, False)


async def test_words_are_remembered_if_and_only_if_they_were_heard(services: Services) -> None:
    """Cuts right as a word begins are the ones to miss it by: within the tick that tells of it."""
    cuts = [(words, 0.0, False) for words in range(2, 7)]
    cuts += [(words, 0.008, False) for words in range(2, 7, 2)]
    cuts += [(words, 0.07 * words, held) for words in (1, 3, 6) for held in (False, True)]
    await together(*(cut(services, language, *one) for language in LANGUAGES for one in cuts))


async def test_an_answer_interrupted_before_it_sounds_was_never_given(services: Services) -> None:
    async def ask(language: Language) -> None:
        question = next(iter(ANSWERS[language]))
        async with talking(services, language) as talk:
            turn = await talk.conversation.chat(question)
            await talk.conversation.interrupt()
            await asyncio.sleep(0.2)
            assert (await talk.first("turn", turn=turn))["text"] == ""
            assert talk.context == [("user", question)] and not talk.wire.sound.any()
            second, answer = list(ANSWERS[language].items())[1]
            turn = await talk.conversation.chat(second)
            assert (await talk.first("turn", turn=turn))["complete"]
            assert talk.context[1:] == [("user", second), ("assistant", answer)]

    await together(*(ask(language) for language in LANGUAGES))
