"""Export and import of what is remembered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mien.memory import facts, recall, summaries, transfer, turns, users
from mien.memory.facts import Candidate
from mien.memory.store import MemoryStore, user_of
from mien.memory.summaries import Summary
from mien.memory.transfer import Transfer
from mien.memory.turns import Said
from mien.memory.user_memory import UserMemory

ANNA, BEN = user_of("a" * 32), user_of("b" * 32)


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    store = MemoryStore(tmp_path / "memory.sqlite3", lambda: 500.0)
    key = store.call(users.enter, ANNA, "zh", 100.0)
    for turn, text in enumerate(["我叫安娜。", "I like 🍵 tea\nand “quotes”.", "叫我娜娜"]):
        said = Said("first", turn, "user", text, True, 101.25 + turn)
        source = store.call(turns.add, key, said)
        answer = Said("first", turn, "assistant", "好的", turn != 1, 101.5 + turn)
        store.call(turns.add, key, answer)
        for fact in (
            Candidate(f"用户叫{text}", "name", "said", said.at, text, source),
            Candidate(f"Fact {turn}.", "other", "tool", said.at, text, source, "x"),
        ):
            store.call(facts.add, key, fact, 50)
    store.call(facts.add, key, Candidate("From nowhere.", "other", "summary", 120.0), 50)
    store.call(summaries.put, key, Summary("• tea\n• 猫", 102.0, 130.0))
    return store


def exported(store: MemoryStore, user: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.call(transfer.export, user).model_dump_json())
    return found


def renumbered(everything: dict[str, Any]) -> dict[str, Any]:
    """With ids that count from one: which they are is the store's own business."""
    moved = {
        kind: {one["id"]: number for number, one in enumerate(everything[kind], 1)}
        for kind in ("turns", "facts")
    }
    for turn in everything["turns"]:
        turn["id"] = moved["turns"][turn["id"]]
    for fact in everything["facts"]:
        fact["id"] = moved["facts"][fact["id"]]
        fact["source"] = moved["turns"].get(fact["source"])
        fact["superseded_by"] = moved["facts"].get(fact["superseded_by"])
    return everything


def take_in(store: MemoryStore, user: str, given: dict[str, Any]) -> tuple[int, int]:
    whole = Transfer.model_validate_json(json.dumps(given))
    return asyncio.run(transfer.take_in(store, user, whole))


def test_out_erased_and_in_again_it_is_the_same(store: MemoryStore) -> None:
    before = exported(store, ANNA)
    assert len(before["turns"]) == 6 and len(before["facts"]) == 7
    assert sum(fact["superseded_by"] is not None for fact in before["facts"]) == 4
    assert [fact["source"] is None for fact in before["facts"]].count(True) == 1
    store.erase(ANNA)
    assert exported(store, ANNA)["turns"] == []
    assert store.call(users.find, ANNA) is None
    assert take_in(store, ANNA, before) == (6, 7)
    assert renumbered(exported(store, ANNA)) == renumbered(before)
    key = store.call(users.find, ANNA)
    assert key is not None and store.call(recall.search, key, "tea", 3, ("", 0)).exchanges


def test_the_same_once_more_adds_nothing(store: MemoryStore) -> None:
    before = exported(store, ANNA)
    assert take_in(store, ANNA, before) == (0, 0)
    assert exported(store, ANNA) == before
    assert take_in(store, BEN, before) == (6, 7)
    assert take_in(store, BEN, exported(store, BEN)) == (0, 0)
    assert renumbered(exported(store, BEN)) == renumbered(before)


def test_what_is_newer_there_holds(store: MemoryStore) -> None:
    """Somebody goes on elsewhere, and comes back with what they took along."""
    taken = exported(store, ANNA)
    key = store.call(users.find, ANNA)
    assert key is not None
    store.call(turns.add, key, Said("second", 1, "user", "Now I am Ann.", True, 300.0))
    store.call(facts.add, key, Candidate("They are Ann.", "name", "tool", 300.0), 50)
    store.call(summaries.put, key, Summary("newer", 103.0, 300.0))
    elsewhere = {**taken, "facts": [*taken["facts"]]}
    elsewhere["facts"].append(
        {**taken["facts"][0], "id": 999, "text": "他叫老王", "at": 200.0, "superseded_by": None}
    )
    assert take_in(store, ANNA, elsewhere) == (0, 1)
    names = [fact for fact in exported(store, ANNA)["facts"] if fact["kind"] == "name"]
    assert [fact["text"] for fact in names if fact["superseded_by"] is None] == ["They are Ann."]
    assert store.call(summaries.of, key).text == "newer"
    assert [one.at for one in store.call(turns.newest, key, 1)] == [300.0]


async def test_whatever_is_kept_can_be_taken_along(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path / "long.sqlite3")
    memory = await UserMemory.begin(store, ANNA, "en")
    memory.note({"role": "assistant", "text": "And then? " * 5000, "turn": 1, "complete": True})
    await memory.learn("They like long words.", "like", "word" * 500)
    await memory.aclose()
    everything = await store.run(transfer.export, ANNA)
    assert len(everything.turns) == len(everything.facts) == 1
    await store.aclose()


def test_whoever_imports_is_here_now_and_not_in_the_year_4800(store: MemoryStore) -> None:
    given = {"turns": [{**TURN, "at": 9e10}], "facts": [{**FACT, "at": 9e10, "source": 5}]}
    take_in(store, BEN, given)
    (ben,) = store.call(users.listed, BEN)
    assert ben.last_seen == 500.0 and ben.facts == ben.turns == 1


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("version", {"version": 2}),
    ("format", {"format": "another"}),
    ("no_such", {"no_such": 1}),
    ("language", {"language": "fr"}),
    ("same id", {"turns": "twice"}),
    ("not there", {"facts": [{"source": 77}]}),
    ("superseded by one that is not there", {"facts": [{"superseded_by": 77}]}),
    ("circle", {"facts": [{"id": 1, "superseded_by": 2}, {"id": 2, "superseded_by": 1}]}),
    ("needs words", {"facts": [{"text": "!?"}]}),
    ("needs words", {"facts": [{"text": "___"}]}),
    ("finite", {"facts": [{"at": float("nan")}]}),
    ("role", {"turns": [{"role": "system"}]}),
    ("conversation", {"turns": [{"conversation": "a b"}]}),
    ("how", {"facts": [{"how": "guessed"}]}),
]
TURN = {"id": 5, "conversation": "c", "turn": 1, "role": "user", "text": "x", "complete": True,
        "at": 1.0}  # fmt: skip
FACT = {"id": 6, "text": "A fact.", "kind": "other", "how": "said", "at": 1.0}


@pytest.mark.parametrize(("why", "wrong"), WRONG)
def test_what_is_no_export_is_refused_whole(
    store: MemoryStore, why: str, wrong: dict[str, Any]
) -> None:
    given = dict(wrong)
    if given.get("turns") == "twice":
        given["turns"] = [TURN, TURN]
    elif "turns" in given:
        given["turns"] = [{**TURN, **one} for one in given["turns"]]
    given["facts"] = [{**FACT, **one} for one in given.get("facts", [])]
    with pytest.raises(ValidationError, match=why):
        Transfer.model_validate_json(json.dumps(given))
    assert Transfer.model_validate({"turns": [TURN], "facts": [{**FACT, "source": 5}]})
