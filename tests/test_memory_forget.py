"""What a user asks to be forgotten is gone, from wherever it could come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mien.memory import facts, summaries, turns
from mien.memory.digester import Digester, Summarise
from mien.memory.errors import Erased
from mien.memory.facts import Candidate
from mien.memory.store import MemoryStore, user_of
from mien.memory.summaries import Summary
from mien.memory.turns import Said
from mien.memory.user_memory import UserMemory
from mien.mind_settings import MemorySection
from mien.tools.contract import ToolContext, ToolError

USER = user_of("u" * 32)
WINDOW = MemorySection(window=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(tmp_path / "memory.sqlite3")
    yield store
    await store.aclose()


async def summed_up(prompt: str) -> str | None:
    return None


async def begun(store: MemoryStore, summarise: Summarise = summed_up) -> UserMemory:
    return await UserMemory.begin(store, USER, "en", summarise, WINDOW)


def note(memory: UserMemory, turn: int, text: str, role: str = "user") -> None:
    memory.note({"role": role, "text": text, "turn": turn, "complete": True})


def bytes_of(store: MemoryStore) -> bytes:
    return b"".join(file.read_bytes() for file in store.path.parent.iterdir()).lower()


async def test_asking_for_it_is_not_what_is_forgotten(store: MemoryStore) -> None:
    before = await begun(store)
    note(before, 1, "Kind of Blue is my favourite record.")
    await before.learn("They enjoy Miles Davis.", "like")
    await before.aclose()
    memory = await begun(store)
    asked = "Please forget that I like jazz."
    note(memory, 1, "Good morning.")
    note(memory, 2, asked)
    forget, context = memory.tools[2], ToolContext("en", asked)
    told = (await forget.run({"what": "jazz"}, context)).text
    assert told.startswith("Nothing matches") and "They enjoy Miles Davis." in told
    told = (await forget.run({"what": "Miles Davis"}, context)).text
    assert told == "Forgotten for good (1 entries)."
    note(memory, 2, "Fine, I have forgotten that you like jazz.", "assistant")
    await memory.learn("They love cheese.", "like")
    note(memory, 3, "And now?")
    await memory.aclose()
    told = await (await begun(store)).briefing()
    assert "Good morning." in told and "And now?" in told
    (cheese,) = await store.run(facts.holding, 1)
    assert (cheese.text, cheese.said, cheese.source) == ("They love cheese.", "", None)
    await store.scrub_soon()
    for word in (b"jazz", b"miles", b"blue"):
        assert word not in bytes_of(store)


async def test_all_of_it_goes_however_much_was_said(store: MemoryStore) -> None:
    memory = await begun(store)
    for turn in range(260):  # more than word_index looks through to find something
        note(memory, turn, f"Jazz, part {turn}.")
        note(memory, turn, "Jazz it is.", "assistant")
    note(memory, 260, "Tell me of trains.")
    note(memory, 261, "Forget all I said of jazz.")
    await memory.flush()
    await store.run(summaries.put, 1, Summary("They asked for jazz.\nThey plan a trip.", 0.5, 1.0))
    assert await memory.forget("jazz") == 260
    assert [one.text for one in await store.run(turns.every, 1)] == ["Tell me of trains."]
    assert (await store.run(summaries.of, 1)).text == "They plan a trip."
    await memory.aclose()
    assert b"jazz" not in bytes_of(store)


async def test_everything_is_forgotten_with_the_answer_that_says_so(store: MemoryStore) -> None:
    memory = await begun(store)
    note(memory, 1, "Forget everything, jazz above all.")
    assert await memory.forget("", everything=True) == 1
    note(memory, 1, "Your love of jazz is forgotten.", "assistant")
    await memory.aclose()
    assert await store.run(turns.every, 1) == []


async def test_only_the_summary_has_it(store: MemoryStore) -> None:
    memory = await begun(store)
    await store.run(summaries.put, 1, Summary("They enjoy jazz.\nThey plan a trip.", 0.5, 1.0))
    assert await memory.forget("jazz") == 0
    await memory.aclose()
    assert (await store.run(summaries.of, 1)).text == "They plan a trip."
    assert b"jazz" not in bytes_of(store)


@pytest.mark.parametrize("which", ["an exchange", "a fact"])
async def test_a_summary_in_flight_does_not_bring_it_back(store: MemoryStore, which: str) -> None:
    memory = await begun(store)
    asked, go_on = asyncio.Event(), asyncio.Event()
    answers = ["They play chess and the zither.", "They play chess."]
    prompts = []

    async def summarise(prompt: str) -> str | None:
        prompts.append(prompt)
        asked.set()
        await go_on.wait()
        return json.dumps({"summary": [answers.pop(0)]})

    if which == "a fact":
        await memory.learn("They play the zither.", "other")
    for turn in range(9):
        note(memory, turn, "A zither!" if which == "an exchange" and turn == 3 else "Chess.")
    await memory.flush()
    digester = Digester(store, 1, "en", summarise, WINDOW)
    work = asyncio.create_task(digester.digest())
    await asyncio.wait_for(asked.wait(), 60)
    assert await memory.forget("zither") == 1
    note(memory, 20, "Chess again.")
    note(memory, 21, "Chess once more.")
    await memory.flush()
    go_on.set()
    assert await work and await store.run(summaries.of, 1) == Summary()
    assert await digester.digest()
    assert (await store.run(summaries.of, 1)).text == "They play chess."
    assert "zither" in prompts[0] and "zither" not in prompts[1]
    await memory.aclose()


async def test_a_model_that_adds_nothing_takes_nothing_away(store: MemoryStore) -> None:
    async def summarise(prompt: str) -> str | None:
        return '{"summary": [], "facts": []}'

    memory = await begun(store)
    for turn in range(10):
        note(memory, turn, "Hm.")
    await memory.flush()
    before = Summary("They build a boat.", 0.5, 1.0)
    await store.run(summaries.put, 1, before)
    assert await Digester(store, 1, "en", summarise, WINDOW).digest()
    after = await store.run(summaries.of, 1)
    assert after.text == before.text and after.up_to > before.up_to
    await memory.aclose()


async def test_switched_off_during_an_answer_its_tools_do_nothing(store: MemoryStore) -> None:
    memory = await begun(store)
    await store.run(facts.add, 1, Candidate("They keep bees.", "other", "tool", 1.0), 9)
    await store.run(turns.add, 1, Said("c", 1, "user", "I keep bees.", True, 1.0))
    await memory.aclose()
    remember, recall, forget = memory.tools
    told = {"fact": "They keep goats.", "query": "bees", "what": "bees"}
    for tool in (remember, recall, forget):
        with pytest.raises(ToolError, match="is off now"):
            await tool.run(told, ToolContext("en", "Bees?"))
    with pytest.raises(Erased):
        await memory.known_facts()
    assert [one.text for one in await store.run(facts.every, 1)] == ["They keep bees."]
    assert len(await store.run(turns.every, 1)) == 1
