"""All that is remembered of a user as one JSON document, out of the store and into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mien.language import Language
from mien.memory import facts, summaries, turns, users, word_index
from mien.memory.facts import How, Kind
from mien.memory.store import MemoryStore
from mien.memory.summaries import Summary
from mien.memory.turns import Role, Said

# Someone who talks to it an hour a day for ten years says about so much.
MOST_TURNS = 500_000
MOST_FACTS = 20_000
# Some tens of milliseconds.
AT_ONCE = 200
# From the year 1970 on; what is later than the year 5000 is no time.
Time = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=turns.MOST_CHARS)]
Key = Annotated[int, Field(ge=1, le=2**62)]


def _in_words(text: str) -> str:
    if not facts.plain(text):
        raise ValueError("a fact needs words")
    return text


FactText = Annotated[
    str, Field(min_length=1, max_length=facts.MAX_CHARS), AfterValidator(_in_words)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TurnRecord(_Part):
    """id: what facts refer to."""

    id: Key
    conversation: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    turn: Annotated[int, Field(ge=0, le=2**31)]
    role: Role
    text: Text
    complete: bool
    at: Time


class FactRecord(_Part):
    """source: the id of the turn it comes from. superseded_by: of the fact that holds instead."""

    id: Key
    text: FactText
    kind: Kind
    slot: Annotated[str, Field(max_length=400)] = ""
    source: Key | None = None
    said: Annotated[str, Field(max_length=facts.MAX_CHARS)] = ""
    how: How
    at: Time
    superseded_by: Key | None = None


class SummaryRecord(_Part):
    """up_to: all that was said until then is in it."""

    text: Text
    up_to: Time
    at: Time


class Transfer(_Part):
    """An export, as GET /api/v1/memory gives it and POST takes it. Times are Unix seconds."""

    format: Literal["mien-memory"] = "mien-memory"
    version: Literal[1] = 1
    language: Language = "zh"
    created: Time = 0.0
    facts: Annotated[list[FactRecord], Field(max_length=MOST_FACTS)] = []
    summary: SummaryRecord | None = None
    turns: Annotated[list[TurnRecord], Field(max_length=MOST_TURNS)] = []

    @model_validator(mode="after")
    def _whole(self) -> Transfer:
        spoken = {turn.id for turn in self.turns}
        newer = {fact.id: fact.superseded_by for fact in self.facts}
        if len(spoken) != len(self.turns) or len(newer) != len(self.facts):
            raise ValueError("two entries have the same id")
        for fact in self.facts:
            if fact.source is not None and fact.source not in spoken:
                raise ValueError(f"fact {fact.id} comes from a turn that is not there")
            if fact.superseded_by is not None and fact.superseded_by not in newer:
                raise ValueError(f"fact {fact.id} is superseded by one that is not there")
        if _goes_round(newer):
            raise ValueError("facts supersede each other in a circle")
        return self


def _goes_round(after: Mapping[int, int | None]) -> bool:
    """Whether following the arrows anywhere never ends."""
    ends: set[int] = set()
    for start in after:
        path: set[int] = set()
        at: int | None = start
        while at is not None and at not in ends:
            if at in path:
                return True
            path.add(at)
            at = after[at]
        ends |= path
    return False


def export(db: sqlite3.Connection, user: str) -> Transfer:
    """An empty one for a user who is not there."""
    key = users.find(db, user)
    if key is None:
        return Transfer()
    (about,) = users.listed(db, user)
    summary = summaries.of(db, key)
    return Transfer(
        language=about.language,
        created=about.created,
        facts=[_fact_record(fact) for fact in facts.every(db, key)],
        summary=SummaryRecord(text=summary.text, up_to=summary.up_to, at=summary.at)
        if summary.at
        else None,
        turns=[_turn_record(said) for said in turns.every(db, key)],
    )


async def take_in(store: MemoryStore, user: str, given: Transfer) -> tuple[int, int]:
    """Add what is not there yet; the same once more adds nothing, so what was interrupted can be
    begun again. How many turns and facts were new.

    Raises Erased, MemoryStoreError.
    """
    key = await store.run(_enter, user, given, store.now())
    moved: dict[int, int] = {}
    new = 0
    for start in range(0, len(given.turns), AT_ONCE):  # others want to be remembered meanwhile
        new += await store.run(_take_turns, key, given.turns[start : start + AT_ONCE], moved)
    return new, await store.run(_take_rest, key, given, moved)


def _enter(db: sqlite3.Connection, user: str, given: Transfer, now: float) -> int:
    key = users.enter(db, user, given.language, now)
    created = given.created or now
    db.execute("UPDATE users SET created = min(created, ?) WHERE id = ?", (created, key))
    return key


def _take_turns(
    db: sqlite3.Connection, key: int, records: Sequence[TurnRecord], moved: dict[int, int]
) -> int:
    """moved: from their ids to ours; grows. How many were new."""
    users.seen(db, key, 0.0)  # of the file's own times none says when the user was here
    new = 0
    for record in records:
        said = Said(
            record.conversation, record.turn, record.role, record.text, record.complete, record.at
        )
        known = db.execute(
            "SELECT id FROM turns WHERE user = ? AND conversation = ? AND turn = ? AND role = ?"
            " AND at = ? AND text = ?",
            (key, said.conversation, said.turn, said.role, said.at, said.text),
        ).fetchone()
        new += known is None
        moved[record.id] = turns.enter(db, key, said) if known is None else known[0]
    return new


def _take_rest(db: sqlite3.Connection, key: int, given: Transfer, moved: dict[int, int]) -> int:
    """How many facts were new."""
    users.seen(db, key, 0.0)
    held = summaries.of(db, key)
    if given.summary is not None and given.summary.at > held.at:
        newer = given.summary
        summaries.put(db, key, Summary(newer.text, newer.up_to, newer.at))
    return _take_facts(db, key, given, moved)


def _take_facts(db: sqlite3.Connection, key: int, given: Transfer, moved: dict[int, int]) -> int:
    """As they are, with what superseded them; of two that hold for one slot the newer one does."""
    known = {(fact.text, fact.at): fact.id for fact in facts.every(db, key)}
    before = set(known.values())
    place = {
        record.id: known.get((record.text, record.at)) or _add_fact(db, key, record, moved)
        for record in given.facts
    }
    for record in given.facts:
        if record.superseded_by is not None and place[record.id] not in before:
            db.execute(
                "UPDATE facts SET superseded_by = ? WHERE id = ?",
                (place[record.superseded_by], place[record.id]),
            )
    db.execute(
        "UPDATE facts SET superseded_by = newer.id FROM (SELECT id, slot, at FROM facts"
        " WHERE user = ?1 AND slot != '' AND superseded_by IS NULL) AS newer"
        " WHERE facts.user = ?1 AND facts.superseded_by IS NULL AND facts.slot = newer.slot"
        " AND (newer.at, newer.id) > (facts.at, facts.id)",
        (key,),
    )
    return len(set(place.values()) - before)


def _add_fact(db: sqlite3.Connection, user: int, record: FactRecord, moved: dict[int, int]) -> int:
    source = None if record.source is None else moved[record.source]
    added = db.execute(
        "INSERT INTO facts(user, text, plain, kind, slot, source, said, how, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            user, record.text, facts.plain(record.text), record.kind, record.slot, source,
            record.said, record.how, record.at,
        ),
    )  # fmt: skip
    key = int(added.lastrowid or 0)
    word_index.add(db, user, "fact", key, record.text)
    return key


def _turn_record(said: Said) -> TurnRecord:
    return TurnRecord(
        id=said.id,
        conversation=said.conversation,
        turn=said.turn,
        role=said.role,
        text=said.text,
        complete=said.complete,
        at=said.at,
    )


def _fact_record(fact: facts.Fact) -> FactRecord:
    return FactRecord(
        id=fact.id,
        text=fact.text,
        kind=fact.kind,
        slot=fact.slot,
        source=fact.source,
        said=fact.said,
        how=fact.how,
        at=fact.at,
        superseded_by=fact.superseded_by,
    )
