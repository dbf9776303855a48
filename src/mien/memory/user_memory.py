"""What one session remembers of its user, and adds to that."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from loguru import logger

from mien.language import Language
from mien.memory import facts, patterns, recall, turns, users
from mien.memory.briefing import TOKENS, briefing, exchange_lines, fact_line, remembered
from mien.memory.digester import Digester, Summarise
from mien.memory.errors import Erased, MemoryStoreError
from mien.memory.facts import Candidate, Kind
from mien.memory.store import MemoryStore
from mien.memory.tools import tools_of
from mien.memory.turns import Said
from mien.mind_settings import MemorySection
from mien.tools.contract import Tool

# A model that sums up must not slow down one that answers.
QUIET_SEC = 3.0
RECALLED = 6


class UserMemory:
    """Made by ``begin``. Erased by somebody (the user in another tab, the operator), it falls
    silent: nothing is remembered or told any more.

    facts: how many hold. on_change: called when that changes, or when it was erased.
    """

    def __init__(
        self,
        store: MemoryStore,
        user: str,
        key: int,
        language: Language,
        summarise: Summarise | None,
        section: MemorySection,
        quiet_sec: float = QUIET_SEC,
    ) -> None:
        """key: the user's id in the store."""
        self.user = user
        self.language = language
        self.erased = False
        self.facts = 0
        self.on_change: Callable[[], None] = lambda: None
        self.conversation = secrets.token_hex(8)
        self.tools: tuple[Tool, ...] = tools_of(self)
        self._store, self._key, self._section = store, key, section
        self._summarise = summarise
        self._quiet_sec = quiet_sec
        self._turn = 0
        self._unsaid: int | None = None  # the turn in which something was forgotten
        self._closed = False
        self._news = asyncio.Event()
        self._news.set()  # there may be something left over from the time before
        self._pending: set[asyncio.Future[int | None]] = set()
        self._digester = Digester(store, key, language, summarise, section)

    @classmethod
    async def begin(
        cls,
        store: MemoryStore,
        user: str,
        language: Language,
        summarise: Summarise | None = None,
        section: MemorySection | None = None,
        quiet_sec: float = QUIET_SEC,
    ) -> UserMemory:
        """Remember this user (see ``user_of``) from now on. Raises MemoryStoreError."""
        key = await store.run(users.enter, user, language, store.now())
        memory = cls(store, user, key, language, summarise, section or MemorySection(), quiet_sec)
        memory.facts, _ = await memory.counts()
        return memory

    # -- what the conversation does ----------------------------------------------------

    def note(self, message: Mapping[str, object]) -> None:
        """Remember a message of the history. Returns at once; it is in the store, safe from the
        death of the process, a few milliseconds later."""
        role, text, turn = message.get("role"), message.get("text"), message.get("turn")
        if self.erased or self._closed or message.get("from"):
            return  # what an audience says is not this user's
        if not isinstance(text, str) or not text.strip() or not isinstance(turn, int):
            return
        if role not in ("user", "assistant") or turn == self._unsaid:
            return  # "I have forgotten that you like jazz" would tell it again
        complete = message.get("complete") is not False
        self._turn = turn
        speaker: turns.Role = "user" if role == "user" else "assistant"
        short = text[: turns.MOST_CHARS]
        said = Said(self.conversation, turn, speaker, short, complete, self._store.now())
        try:
            self._own(self._store.submit(self._write, said))
        except RuntimeError:  # the server is ending
            logger.warning("memory: something was said after the store was closed")

    async def briefing(self, tokens: int = TOKENS) -> str:
        """What a brain should know of the user; "" for nothing. Never raises."""
        try:
            known = await self._store.run(
                remembered, self._key, self._section.window, self.conversation
            )
        except MemoryStoreError as error:
            logger.warning(f"memory: {error}")
            return ""
        return "" if self.erased else briefing(known, self.language, self._store.now(), tokens)

    async def run(self) -> None:
        """Sum up what was said a while ago, whenever there is enough of it and nobody speaks.

        Until cancelled; what goes wrong is logged and tried again later.
        """
        while True:
            await self._news.wait()
            await self._quiet()
            try:
                while not self.erased and await self._digester.digest():
                    await self.recount()
            except Erased:
                self._end()
            except MemoryStoreError as error:
                logger.warning(f"memory: {error}")
            except Exception:  # whatever a model came up with, the next conversations count, too
                logger.exception("memory: nothing was summed up")
                self._digester.put_off()
            if pause := self._digester.pause_sec:
                await asyncio.sleep(pause)
                self._news.set()

    async def flush(self) -> None:
        """Return when all that was noted is in the store."""
        while self._pending:
            await asyncio.wait(list(self._pending))

    async def aclose(self) -> None:
        """Note nothing more; what was noted is written."""
        self._closed = True
        await self.flush()

    async def counts(self) -> tuple[int, int]:
        """Facts that hold and turns, earlier conversations included. Raises MemoryStoreError."""
        try:
            return await self._store.run(users.counts, self._key)
        except Erased:
            self._end()
            return 0, 0

    async def recount(self) -> None:
        """Somebody else may have added or forgotten facts. Raises MemoryStoreError."""
        self._now_holding((await self.counts())[0])

    # -- what the model does -----------------------------------------------------------

    async def learn(self, fact: str, kind: Kind, about: str = "", question: str = "") -> bool:
        """Whether it is new. question: the user's words, if they are not noted yet.

        Raises Erased, MemoryStoreError; ValueError for a fact without words.
        """
        self._must_be_on()
        new = await self._store.run(self._learn, fact, kind, about, question)
        await self.recount()
        return new

    async def recall(self, question: str) -> str:
        """What is remembered about it, in lines; "" for nothing.

        Raises Erased, MemoryStoreError.
        """
        self._must_be_on()
        here = (self.conversation, self._turn)
        found = await self._store.run(recall.search, self._key, question, RECALLED, here)
        now = self._store.now()
        lines = [fact_line(fact, self.language, now) for fact in found.facts]
        for exchange in found.exchanges:
            lines += exchange_lines(exchange, self.language, now)
        return "\n".join(lines)

    async def known_facts(self) -> str:
        """The newest, in lines. Raises Erased, MemoryStoreError."""
        self._must_be_on()
        known = await self._store.run(facts.holding, self._key, 30)
        return "\n".join(fact_line(fact, self.language, self._store.now()) for fact in known)

    async def forget(self, what: str, everything: bool = False) -> int:
        """How many facts and exchanges it were, besides the one that asks for it; that goes, too,
        and its answer is not noted, if there were any. Raises Erased, MemoryStoreError."""
        self._must_be_on()
        turn = self._turn
        if everything:
            gone = await self._store.run(recall.forget_everything, self._key)
        else:
            here = (self.conversation, turn)
            gone = await self._store.run(recall.forget, self._key, what, here)
        self._own(self._store.submit_scrub())  # of a summary's line, if of nothing else
        if gone:
            self._unsaid = turn
            await self.recount()
        return gone

    # -- helpers -----------------------------------------------------------------------

    def _must_be_on(self) -> None:
        """An answer that began before it was switched off has the tools still. Raises Erased."""
        if self._closed:
            raise Erased

    def _write(self, db: sqlite3.Connection, said: Said) -> int | None:
        """How many facts hold, if that may have changed."""
        source = turns.add(db, self._key, said)
        if self._summarise is not None or said.role == "assistant":
            return None
        found = patterns.facts_in(said.text, said.at, source)
        for fact in found:
            facts.add(db, self._key, fact, self._section.facts)
        return users.counts(db, self._key)[0] if found else None

    def _learn(
        self, db: sqlite3.Connection, fact: str, kind: Kind, about: str, question: str
    ) -> bool:
        source = turns.last_of_user(db, self._key, self.conversation)
        said, key = (source.text, source.id) if source else (question, None)
        if self._turn == self._unsaid:
            said, key = "", None
        new = Candidate(fact, kind, "tool", self._store.now(), said, key, about)
        return facts.add(db, self._key, new, self._section.facts) == "new"

    def _own(self, future: Future[int | None]) -> None:
        written = asyncio.wrap_future(future)
        self._pending.add(written)
        written.add_done_callback(self._written)

    def _written(self, written: asyncio.Future[int | None]) -> None:
        self._pending.discard(written)
        error = None if written.cancelled() else written.exception()
        if isinstance(error, Erased):
            self._end()
        elif error is not None:
            logger.warning(f"memory: {error}")
        else:
            self._news.set()
            if not written.cancelled() and (holding := written.result()) is not None:
                self._now_holding(holding)

    def _now_holding(self, count: int) -> None:
        if count != self.facts and not self.erased:
            self.facts = count
            self.on_change()

    async def _quiet(self) -> None:
        """Wait until nothing was said for a while."""
        while self._news.is_set():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), self._quiet_sec)
            except TimeoutError:
                return

    def _end(self) -> None:
        if not self.erased:
            self.erased = True
            self.facts = 0
            self.on_change()
