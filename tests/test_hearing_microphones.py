"""Spoken into microphones, recognised, answered: whole listeners, with every network that hears."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from difflib import SequenceMatcher

import numpy as np
import pytest
import pytest_asyncio
import soxr

from heard import ANSWERS, Talk, heard_words, hearing, missing, talking, together, words_of
from listened import listening_site
from mien.bench.mouth_noises import cough, hum
from mien.bench.spoken import SpokenQuestion, spoken_question
from mien.language import Language
from mien.listener import Listener
from mien.media.fade import FADE_SAMPLES
from mien.media.intake import Intake
from mien.media.microphone import RATE, Sink
from mien.media.tick import Pcm
from mien.services import Services
from tiny_asr import SETTINGS, plain

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIECE_SEC = 0.02


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    # A turn may be over before the voice activity detector has given up hoping for more of it.
    ears = {**SETTINGS, "patience": 0.8, "echo": False}  # nothing leaks from tones on a wire
    async with hearing(tmp_path_factory.mktemp("hearing"), ears=ears) as opened:
        await opened.hearing.warm_up("en")
        yield opened


class Microphone:
    """Always on, in a quiet room; brings sound to ``sink`` in real time, at its own rate."""

    def __init__(self, sink: Sink, rate: int) -> None:
        self._sink = sink
        self._rate = rate
        self._room = np.random.default_rng(0)
        self._next: list[Pcm] = []

    def say(self, pcm: Pcm) -> None:
        """int16[n] mono 16 kHz, from now on."""
        if self._rate != RATE:
            pcm = soxr.resample(pcm, RATE, self._rate)
        piece = round(PIECE_SEC * self._rate)
        self._next += np.array_split(pcm, range(piece, len(pcm), piece))

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            piece = self._room.normal(0, 8, round(PIECE_SEC * self._rate)).astype(np.int16)
            if self._next:
                said = self._next.pop(0)
                piece[: len(said)] += np.clip(said, -32_000, 32_000)
            self._sink(piece)
            due += PIECE_SEC
            await asyncio.sleep(due - loop.time())


Path = Callable[[Sink], tuple[Sink, int]]


def direct(sink: Sink) -> tuple[Sink, int]:
    return sink, RATE


def telephone(sink: Sink) -> tuple[Sink, int]:
    return Intake(8_000, sink, slack_sec=60).put, 8_000


def studio(sink: Sink) -> tuple[Sink, int]:
    return Intake(48_000, sink, slack_sec=60).put, 48_000


@asynccontextmanager
async def microphone(
    services: Services, talk: Talk, path: Path = direct
) -> AsyncIterator[Microphone]:
    listener = Listener(talk.conversation, services.hearing, services.hearing.wake_words)
    speaker = Microphone(*path(listener.hear))
    tasks = [asyncio.create_task(listener.run())]
    try:
        listener.connected("a test")
        assert (await talk.first("ears", microphone=True))["engine"] == "tiny"
        tasks.append(asyncio.create_task(speaker.run()))
        yield speaker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def nearest(text: str) -> str:
    """The question that was probably meant: the tests' recogniser is hard of hearing."""
    questions = [q for answers in ANSWERS.values() for q in answers]
    return max(questions, key=lambda q: SequenceMatcher(None, plain(q), plain(text)).ratio())


def answer_to(question: SpokenQuestion) -> str:
    return ANSWERS[question.language][question.text]


async def test_three_microphones_at_once_never_cross(services: Services) -> None:
    """Each session hears its own words, by whatever rate they come, and gives its own answer."""

    async def converse(name: str, path: Path) -> None:
        question = spoken_question(name)
        async with (
            talking(services, question.language) as talk,
            microphone(services, talk, path) as speaker,
        ):
            speaker.say(question.pcm)
            asked = await talk.first("user")
            assert nearest(asked["text"]) == question.text
            final = [m["text"] for m in talk.of("transcript", final=True)]
            assert final == [asked["text"]]
            assert talk.of("transcript", final=False), "words are shown as they are said"
            closed = await talk.first("turn")
            assert closed["text"] == answer_to(question) and closed["complete"]
            words = heard_words(talk.wire.sound, answer_to(question))
            assert [word for word, _ in words] == words_of(answer_to(question))
            assert talk.context == [("user", asked["text"]), ("assistant", closed["text"])]
            assert [m["speaking"] for m in talk.of("hearing")] == [True, False]
            assert not talk.of("barge_in"), "the end of a question does not interrupt its answer"

    await together(
        converse("en-digital-human", direct),
        converse("en-my-own-photo", telephone),
        converse("zh-zenme-huan-shengyin", studio),
    )


async def test_talked_over_it_stops_and_knows_what_was_heard(services: Services) -> None:
    """The words that sounded before somebody spoke, and no other, are what was said."""

    async def converse(language: Language, name: str) -> None:
        question, answer = next(iter(ANSWERS[language].items()))
        spoken = spoken_question(name)
        async with talking(services, language) as talk, microphone(services, talk) as speaker:
            first = await talk.conversation.chat(question)
            await talk.until(lambda: len(talk.of("word")) >= 2, "two words")
            speaker.say(spoken.pcm)
            told = (await talk.first("turn", turn=first))["text"]
            assert [m["what"] for m in talk.of("barge_in")][-2:] == ["hold", "interrupt"]
            sounded = heard_words(talk.wire.sound, answer)
            await talk.until(lambda: len(talk.of("user")) == 2, "the second question")
            second = talk.of("user")[-1]["turn"]
            closed = await talk.first("turn", turn=second)
            clearly = [word for word, samples in sounded if samples > FADE_SAMPLES]
            assert words_of(told) in (clearly, [word for word, _ in sounded])
            assert 0 < len(told) < len(answer) and answer.startswith(told)
            asked = talk.of("user")[-1]["text"]
            assert nearest(asked) == spoken.text
            assert talk.context == [
                ("user", question),
                ("assistant", told),
                ("user", asked),
                ("assistant", closed["text"]),
            ]

    await together(converse("en", "en-my-own-photo"), converse("zh", "zh-zenme-huan-shengyin"))


async def test_a_sound_that_is_no_word_leaves_the_answer_whole(services: Services) -> None:
    question, answer = next(iter(ANSWERS["en"].items()))
    noises = [noise(np.random.default_rng(5)) for noise in (cough, hum)]
    async with talking(services, "en") as talk, microphone(services, talk) as speaker:
        turn = await talk.conversation.chat(question)
        for number, noise in enumerate(noises):
            words = 1 + 3 * number
            await talk.until(lambda n=words: len(talk.of("word")) >= n, f"{words} words")
            speaker.say(noise)
            await talk.until(
                lambda n=number: len(talk.of("barge_in", what="resume")) > n, "it goes on"
            )
        closed = await talk.first("turn", turn=turn)
        assert closed["complete"] and closed["text"] == answer
        assert not missing(talk.said, talk.wire.sound).any()
        told = [m["what"] for m in talk.of("barge_in")]
        assert len(told) >= 4 and told == ["hold", "resume"] * (len(told) // 2)
        assert [m["text"] for m in talk.of("user")] == [question]


async def test_a_recording_is_answered_as_if_it_had_been_said(services: Services) -> None:
    question = spoken_question("en-digital-human")
    async with listening_site(services) as site:
        ear = await site.ear()
        recording = _wav(soxr.resample(question.pcm, RATE, 8_000), 8_000)
        reply = await site.http.post(f"/api/v1/sessions/{ear.id}/audio", content=recording)
        assert reply.status_code == 202, reply.text
        assert nearest(reply.json()["text"]) == question.text
        history = ear.session.conversation.history
        assert [(m["text"], m["turn"]) for m in history] == [
            (reply.json()["text"], reply.json()["turn"])
        ]


def _wav(pcm: Pcm, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()
