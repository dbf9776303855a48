"""Working what was said a while ago into a user's summary and facts."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from loguru import logger

from mien.language import Language
from mien.memory import facts, patterns, summaries, topics, turns
from mien.memory.digest import Digest, NoDigest, digest_of, prompt_for
from mien.memory.facts import Candidate, Fact
from mien.memory.store import MemoryStore
from mien.memory.summaries import Summary
from mien.memory.turns import Exchange
from mien.mind_settings import MemorySection

#: Asks a model. Returns its answer, None if there is none; what it raises is logged.
Summarise = Callable[[str], Awaitable[str | None]]

# So many exchanges beyond the window make it worth while to ask a model; many at once, after an
# import, fit into its context.
LEAST, MOST = 8, 40
MOST_CHARS = 12_000
# A model that does not answer is left alone for twice as long each time.
PAUSE_SEC, LONGEST_PAUSE_SEC = 30.0, 900.0
# An answer that is no digest may be so for what was said; then it is done without the model.
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Pile:
    summary: Summary
    known: Sequence[Fact]
    batch: Sequence[Exchange]


class Digester:
    """pause_sec: for how long not to try again; 0 when all went well."""

    def __init__(
        self,
        store: MemoryStore,
        user: int,
        language: Language,
        summarise: Summarise | None,
        section: MemorySection,
    ) -> None:
        self.pause_sec = 0.0
        self._store, self._user, self._language = store, user, language
        self._summarise, self._section = summarise, section
        self._tries = 0

    async def digest(self) -> bool:
        """Take the next pile. Whether there may be another. Raises Erased, MemoryStoreError, and
        whatever else a model's answer can lead to."""
        pile = await self._store.run(self._pile)
        if not pile.batch:
            self.pause_sec = 0.0
            return False
        made = await self._made(pile)
        if made is None:
            self.put_off()
            return False
        await self._store.run(self._keep, pile, made)
        self.pause_sec, self._tries = 0.0, 0
        return True

    def put_off(self) -> None:
        """It did not work: not again soon."""
        self.pause_sec = min(2 * self.pause_sec or PAUSE_SEC, LONGEST_PAUSE_SEC)

    async def _made(self, pile: _Pile) -> Digest | None:
        if self._summarise is None or self._tries >= MOST_TRIES:
            return self._without_a_model(pile)
        prompt = prompt_for(pile.batch, pile.summary.text, pile.known, self._language)
        try:
            answer = await self._summarise(prompt)
        except Exception as error:  # whatever model it is, the conversation goes on
            logger.warning(f"memory: nothing was summed up: {type(error).__name__}: {error}")
            return None
        if answer is None:
            return None
        try:
            return digest_of(answer, pile.batch)
        except NoDigest as error:
            self._tries += 1
            logger.warning(f"memory: the model's summary cannot be used: {error}")
            return None

    def _without_a_model(self, pile: _Pile) -> Digest:
        found: list[Candidate] = []
        if self._summarise is not None:  # else they were found when they were said
            for said in (said for exchange in pile.batch for said in exchange.said):
                if said.role == "user":
                    found += patterns.facts_in(said.text, said.at, said.id)
        summary = topics.topics(pile.summary.text, pile.batch, self._language)
        return Digest(summary, tuple(found))

    def _pile(self, db: sqlite3.Connection) -> _Pile:
        """Empty while there is not enough beyond the window."""
        summary = summaries.of(db, self._user)
        window = self._section.window
        new = turns.after(db, self._user, summary.up_to, window + MOST)
        batch = new[:-window] if len(new) >= window + LEAST else []
        chars = 0
        for count, exchange in enumerate(batch):
            chars += sum(len(said.text) for said in exchange.said)
            if count and chars > MOST_CHARS:
                batch = batch[:count]
                break
        return _Pile(summary, facts.holding(db, self._user), batch)

    def _keep(self, db: sqlite3.Connection, pile: _Pile, made: Digest) -> None:
        if summaries.of(db, self._user) != pile.summary or self._forgotten(db, pile):
            return  # somebody forgot or imported something meanwhile: look again
        up_to = pile.batch[-1].said[-1].at
        # A model that has nothing to add may say so with nothing at all.
        text = made.summary or pile.summary.text
        summaries.put(db, self._user, Summary(text, up_to, self._store.now()))
        for fact in made.facts:
            facts.add(db, self._user, fact, self._section.facts)

    def _forgotten(self, db: sqlite3.Connection, pile: _Pile) -> bool:
        """Whether the model was told of anything that is gone: it may be in its words."""
        return any(
            turns.exchange(db, self._user, exchange.said[0].id) is None for exchange in pile.batch
        ) or any(facts.find(db, self._user, fact.id) is None for fact in pile.known)
