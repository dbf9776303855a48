"""Where conversations are remembered: one SQLite file, in which each user is alone."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import platformdirs
from loguru import logger

from mien.memory import chores, users
from mien.memory.errors import MemoryStoreError
from mien.memory.schema import BUSY_SEC, damaged, open_database

P = ParamSpec("P")
T = TypeVar("T")

# A reader in another process (a backup) is soon done; whoever waits for an erasure waits so long.
SCRUB_SEC = 20.0
SCRUB_AGAIN_SEC = 0.1


def usual_file() -> Path:
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "memory.sqlite3"


def user_of(key: str) -> str:
    """What stands for a user in the store: SHA-256 of their key, in hex. The key is not kept."""
    return hashlib.sha256(key.encode()).hexdigest()


class MemoryStore:
    """Runs functions that take a connection, each in a transaction of its own.

    ``call`` does so here and now, from any thread. ``submit`` and ``run`` leave it to the store's
    own thread, one after the other, so that nothing waits for a disk and what is read is what was
    written before. Committed is safe from the death of the process, see ``open_database``.

    now: Unix seconds.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.time) -> None:
        """Raises MemoryStoreError."""
        self.path = (path or usual_file()).expanduser()
        self.now = now
        self._db = open_database(self.path)
        self._lock = threading.RLock()
        self._closed = False
        self._worker = ThreadPoolExecutor(1, "memory")
        self._cleaner = ThreadPoolExecutor(1, "memory-cleaner")  # takes long, and may wait

    def call(
        self, do: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **more: P.kwargs
    ) -> T:
        """What ``do(connection, …)`` returns. What it raises undoes what it did.

        Raises MemoryStoreError for what is wrong with the file.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    done = do(self._db, *args, **more)
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._in_words(error) from error
        return done

    def submit(
        self, do: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **more: P.kwargs
    ) -> Future[T]:
        """``call`` in the store's thread, some time soon and in order."""
        return self._worker.submit(lambda: self.call(do, *args, **more))

    async def run(
        self, do: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **more: P.kwargs
    ) -> T:
        """``call`` in the store's thread."""
        return await asyncio.wrap_future(self.submit(do, *args, **more))

    # -- forgetting --------------------------------------------------------------------

    def erase(self, user: str) -> bool:
        """Forget a user (see ``user_of``): afterwards no file holds a byte of it.

        Returns whether there was one. Raises MemoryStoreError, retryable when somebody else reads
        the file for too long; then nobody finds it any more, but it is still in the log.
        """
        there = self.call(users.erase, user)
        self.scrub()
        return there

    def expire(self, keep_days: float) -> int:
        """Forget the users who have not been here for so long. Returns how many."""
        gone = self.call(users.expire, self.now() - keep_days * 86_400)
        self.scrub()
        return gone

    def scrub(self) -> None:
        """Rid the files of what was deleted, if anything was.

        secure_delete alone does not: cells that moved within or between pages leave copies behind
        that SQLite does not know of. VACUUM writes the file anew from what is alive; then the log
        is emptied, for which nobody else may be reading.

        Raises MemoryStoreError.
        """
        chore = self.call(chores.next_chore)
        if chore is None:
            return
        try:
            with self._lock:
                self._db.execute("VACUUM")
            until = time.monotonic() + SCRUB_SEC
            while not self._log_emptied():
                if time.monotonic() > until:
                    raise _still_read(self.path)
                time.sleep(SCRUB_AGAIN_SEC)
        except sqlite3.Error as error:
            raise self._in_words(error) from error
        self.call(chores.done, chore)

    def _log_emptied(self) -> bool:
        with self._lock:  # not for as long as others read: conversations go on
            self._db.execute("PRAGMA busy_timeout = 0")
            try:
                (busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self._db.execute(f"PRAGMA busy_timeout = {round(BUSY_SEC * 1000)}")
        return not busy

    async def erase_soon(self, user: str) -> bool:
        """``erase``, besides what the store's thread does."""
        return await asyncio.wrap_future(self._cleaner.submit(self.erase, user))

    async def scrub_soon(self) -> None:
        """``scrub``, besides what the store's thread does."""
        await asyncio.wrap_future(self._cleaner.submit(self.scrub))

    def submit_scrub(self) -> Future[int | None]:
        """``scrub``, besides what the store's thread does, some time soon."""
        return self._cleaner.submit(self.scrub)

    async def expire_soon(self, keep_days: float) -> int:
        """``expire``, besides what the store's thread does."""
        return await asyncio.wrap_future(self._cleaner.submit(self.expire, keep_days))

    def close(self) -> None:
        """Everything submitted is written first; again does nothing."""
        self._worker.shutdown(wait=True)
        self._cleaner.shutdown(wait=True)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self.scrub()
            except MemoryStoreError as error:
                logger.warning(f"memory: {error}")
            self._db.close()

    async def aclose(self) -> None:
        await asyncio.to_thread(self.close)

    def _in_words(self, error: sqlite3.Error) -> MemoryStoreError:
        if isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError):
            busy = error.args[:1] in (("database is locked",), ("database table is locked",))
            return MemoryStoreError(
                f"What is remembered could not be read or written: {error}.",
                f"读写记忆失败：{error}。",
                retryable=busy,
            )
        return damaged(self.path, error)


def _still_read(path: Path) -> MemoryStoreError:
    return MemoryStoreError(
        f"It is forgotten, but another program has been reading {path} for more than "
        f"{SCRUB_SEC:.0f} s, so that its bytes are not gone from the disk yet. Erase "
        "again when that has ended; it is also tried when mien ends and starts.",
        f"内容已不再被记住，但另一个程序正在读取 {path}，磁盘上的字节尚未清除。"
        "请在它结束后再次删除；mien 退出和启动时也会重试。",
        retryable=True,
    )
