"""How long remembering takes when there is much to remember."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from mien.bench.figures import quantiles
from mien.memory import facts, transfer, turns, users
from mien.memory.facts import Candidate
from mien.memory.store import MemoryStore, user_of
from mien.memory.transfer import Transfer
from mien.memory.turns import Said
from mien.memory.user_memory import UserMemory
from mien.tools.contract import ToolContext

FAQ = Path(__file__).parent.parent / "assets" / "faq"
ROUNDS = 100
FACTS = 200
# As much as ten minutes of talk.
A_CONVERSATION = 40


async def run_memory(
    progress: Callable[[float], None],
    exchanges: int = 10_000,
    others: int = 4,
) -> dict[str, Any]:
    """A store with a user of so many exchanges and others of a tenth; what a session does with it.

    All times in ms, as a session waits for them: through the store's thread and back.
    """
    chance = random.Random(1)
    said = _sentences()
    with tempfile.TemporaryDirectory() as folder:
        store = MemoryStore(Path(folder) / "memory.sqlite3")
        try:
            made = time.process_time()
            for person in range(others + 1):
                count = exchanges if person == 0 else max(1, exchanges // 10)
                await store.run(_fill, user_of(str(person)), count, said, chance)
                progress(0.6 * (person + 1) / (others + 1))
            fill_cpu_sec = time.process_time() - made
            size = sum(await asyncio.to_thread(_sizes, Path(folder)))
            figures = await _session(store, said, chance, min(ROUNDS, exchanges))
            progress(0.8)
            moved = await _moved(store)
        finally:
            await store.aclose()
    progress(1.0)
    return {
        "exchanges": exchanges,
        "others": others,
        "facts": FACTS,
        "file_mb": round(size / 1e6, 1),
        "fill_cpu_sec": round(fill_cpu_sec, 2),
        **figures,
        **moved,
    }


def _sizes(folder: Path) -> list[int]:
    return [file.stat().st_size for file in folder.iterdir()]


def _sentences() -> list[str]:
    """Chinese and English ones, as people say them to it and it answers."""
    found: list[str] = []
    for file in sorted(FAQ.glob("*.toml")):
        found += _texts(tomllib.loads(file.read_text(encoding="utf-8")))
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) > 3 else []
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inside for text in _texts(each)]


def _fill(
    db: sqlite3.Connection, user: str, count: int, said: Sequence[str], chance: random.Random
) -> None:
    now = time.time()
    key = users.enter(db, user, "zh", now)
    for number in range(count):
        conversation, turn = divmod(number, A_CONVERSATION)
        at = now - 60.0 * (count - number)
        for role, later in (("user", 0.0), ("assistant", 5.0)):
            text = f"{chance.choice(said)} {chance.randrange(count)}"
            speaker: turns.Role = "user" if role == "user" else "assistant"
            turns.add(db, key, Said(f"c{conversation}", turn, speaker, text, True, at + later))
    for number in range(FACTS):
        new = Candidate(f"{number}: {chance.choice(said)}", "other", "said", now - number)
        facts.add(db, key, new, FACTS)


async def _session(
    store: MemoryStore, said: Sequence[str], chance: random.Random, rounds: int
) -> dict[str, Any]:
    memory = await UserMemory.begin(store, user_of("0"), "zh")
    remember, recall, _ = memory.tools
    returned: list[float] = []
    turn = 0

    async def note() -> None:
        nonlocal turn
        turn += 1
        began = time.perf_counter()
        message = {"role": "user", "text": chance.choice(said), "turn": turn, "complete": True}
        memory.note(message)
        returned.append(1000 * (time.perf_counter() - began))
        await memory.flush()

    async def look_up() -> None:
        await recall.run({"query": chance.choice(said)}, ToolContext("zh", ""))

    async def learn() -> None:
        told = {"fact": f"{chance.random()} {chance.choice(said)[:99]}"}
        await remember.run(told, ToolContext("zh", ""))

    await look_up()  # the dictionary is loaded when the server starts
    figures = {
        "note_ms": await _timed(note, rounds),
        "note_returns_ms": quantiles(returned, 3),
        "begin_ms": await _timed(lambda: UserMemory.begin(store, user_of("0"), "zh"), rounds),
        "briefing_ms": await _timed(memory.briefing, rounds),
        "recall_ms": await _timed(look_up, rounds),
        "remember_ms": await _timed(learn, rounds),
    }
    await memory.aclose()
    return figures


async def _moved(store: MemoryStore) -> dict[str, Any]:
    """Once each: what people do once."""
    user = user_of("0")
    began = time.perf_counter()
    everything = await store.run(transfer.export, user)
    text = await asyncio.to_thread(everything.model_dump_json)
    exported = time.perf_counter()
    whole = await asyncio.to_thread(Transfer.model_validate_json, text)
    checked = time.perf_counter()
    await transfer.take_in(store, user_of("somebody new"), whole)
    imported = time.perf_counter()
    await store.erase_soon(user)
    erased = time.perf_counter()
    await store.erase_soon(user_of("1"))
    return {
        "export_ms": round(1000 * (exported - began), 1),
        "export_mb": round(len(text.encode()) / 1e6, 1),
        "check_ms": round(1000 * (checked - exported), 1),
        "import_ms": round(1000 * (imported - checked), 1),
        "erase_ms": round(1000 * (erased - imported), 1),
        "erase_small_ms": round(1000 * (time.perf_counter() - erased), 1),
    }


async def _timed(do: Callable[[], Awaitable[object]], rounds: int) -> dict[str, Any]:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        await do()
        took.append(1000 * (time.perf_counter() - began))
    return dict(quantiles(took, 2))
