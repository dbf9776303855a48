"""Gestures from the model's tag to the face, through the real pipeline and the real voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from fake_openai import FakeOpenAI, Scenario
from mien.avatar.gestures import STROKES
from mien.config import Settings
from mien.conversation import Conversation
from mien.events import Message
from mien.gestures import GESTURES
from mien.media.tick import Event, Tick
from mien.media.timeline import Timeline
from mien.painter import Painter
from mien.say import speak_text
from mien.services import open_services


def test_every_gesture_has_a_look() -> None:
    assert set(STROKES) == set(GESTURES)


@dataclass
class Watched:
    """A conversation, what it told, and on which tick each event of the performance came."""

    conversation: Conversation
    messages: list[Message] = field(default_factory=list)
    happened: list[tuple[int, Event]] = field(default_factory=list)

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message["type"] == kind]

    def ticks(self, name: str) -> list[int]:
        return [tick for tick, event in self.happened if event.name == name]

    async def until(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(90):
            while len(self.of(kind)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(fake: FakeOpenAI) -> AsyncIterator[Watched]:
    llm = {"name": "openai", "base_url": fake.url, "api_key": "k", "model": "m"}
    async with open_services(Settings.model_validate({"llm": llm})) as services:
        conversation = Conversation(services.cast("en"))
        watch = Watched(conversation)

        async def follow_messages() -> None:
            with conversation.events.listen() as queue:
                while (message := await queue.get()) is not None:
                    watch.messages.append(message)

        async def follow_ticks() -> None:
            with conversation.program.subscribe("audio"):
                await asyncio.Event().wait()

        tell = conversation.performer._on_event

        def on_event(event: Event, tick: Tick) -> None:
            watch.happened.append((tick.index, event))
            tell(event, tick)

        conversation.performer._on_event = on_event
        tasks = [
            asyncio.create_task(job)
            for job in (conversation.run(), follow_messages(), follow_ticks())
        ]
        try:
            await conversation.ready()
            yield watch
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


ANSWER = "[smile] Hello, I am glad to [nod] see you again. [laugh]"
SAID = "Hello, I am glad to see you again."


@pytest.mark.parametrize("kind", ["text", pytest.param("characters", marks=pytest.mark.thorough)])
async def test_tags_are_seen_with_their_word_and_never_read(kind: str) -> None:
    async with FakeOpenAI(Scenario(kind, text=ANSWER)) as fake, watched(fake) as watch:
        await watch.conversation.chat("Hello?")
        await watch.until("turn")
        gestures = watch.of("gesture")
        assert [message["name"] for message in gestures] == ["smile", "nod", "laugh"]
        assert all(message["turn"] == 1 for message in gestures)
        # Nothing of a tag is in captions, history, or what the model is told it said.
        clauses = {message["clause"]: str(message["text"]) for message in watch.of("clause")}
        assert "".join(clauses.values()).strip() == SAID
        assert watch.of("turn")[0]["text"] == "".join(clauses.values())
        assert str(watch.conversation.history[-1]["text"]).strip() == SAID
        spoken = [
            clauses[m["clause"]][int(str(m["begin"])) : int(str(m["stop"]))]
            for m in watch.of("word")
        ]
        assert "Hello" in spoken[0] and "again" in spoken[-1]
        await watch.conversation.chat("And now?")
        await watch.until("turn", 2)
        told = [m["content"] for m in fake.requests[1].messages if m["role"] == "assistant"]
        assert [text.strip() for text in told] == [SAID]
        # In time: with the first word, with "see", after the last word.
        smile, nod, laugh = watch.ticks("gesture")[:3]
        words = dict(zip(spoken, watch.ticks("word"), strict=False))
        see = next(tick for text, tick in words.items() if "see" in text)
        assert smile == watch.ticks("word")[0]
        assert nod == see
        assert watch.ticks("word")[len(spoken) - 1] < laugh <= watch.ticks("turn")[0]


async def test_an_interruption_drops_gestures_that_were_not_reached() -> None:
    text = "[smile] Well, this is a long sentence that goes on and on for a while [sad] until here."
    async with FakeOpenAI(Scenario(text=text)) as fake, watched(fake) as watch:
        await watch.conversation.chat("Hello?")
        await watch.until("word", 3)
        await watch.conversation.interrupt()
        await asyncio.sleep(0.5)
        assert [message["name"] for message in watch.of("gesture")] == ["smile"]
        assert watch.of("turn")[0]["complete"] is False


async def test_the_say_endpoint_and_an_answer_of_a_tag_alone() -> None:
    async with FakeOpenAI(Scenario(text="[nod]")) as fake, watched(fake) as watch:
        await watch.conversation.say("【微笑】Good morning.")
        await watch.until("turn")
        assert watch.of("turn")[0]["text"] == "Good morning."
        await watch.conversation.chat("Do you agree?")
        await watch.until("turn", 2)
        assert [message["name"] for message in watch.of("gesture")] == ["smile", "nod"]
        assert [m["text"] for m in watch.of("clause")] == ["Good morning."]
        assert not watch.of("error")


async def test_the_face_smiles_with_the_word_in_a_file_as_well() -> None:
    """``mien say``: the same tags, drawn without a clock."""
    async with open_services(Settings()) as services:
        timeline = Timeline(services.lipsync.sample_rate, services.lipsync.context)
        text = "Good morning to all of you. [smile] It is nice to see you."
        async for chunk in speak_text(services, text, "en", lambda share: None):
            assert "[" not in chunk.text
            timeline.say(chunk)
        painter = Painter(services.avatar, services.lipsync, seed=0)
        smiles, asked = [], 0
        while timeline.speech_ready:
            plan = timeline.plan()
            painter.paint([plan], "idle")
            asked = asked or (len(smiles) if any(e.name == "gesture" for e in plan.events) else 0)
            smiles.append(painter._life.pose(plan.index, 0.0, "speaking").smile)
            timeline.emit()
    assert 20 < asked < len(smiles) - 15
    assert max(smiles[:asked]) < 0.25
    assert max(smiles[asked : asked + 20]) > 0.6
