"""The store of memories: what survives, what is gone, who sees what."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mien.knowledge import schema as knowledge
from mien.memory import chores, facts, turns, users, word_index
from mien.memory import store as store_module
from mien.memory.errors import Erased, MemoryStoreError
from mien.memory.facts import Candidate
from mien.memory.keeper import keep
from mien.memory.store import MemoryStore, user_of
from mien.memory.turns import Said

DAY = 86_400.0
ANNA, BEN = user_of("a" * 32), user_of("b" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "memory.sqlite3"


def said(text: str, turn: int = 1, at: float = 1e9, role: turns.Role = "user") -> Said:
    return Said("c", turn, role, text, True, at)


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def texts(store: MemoryStore, user: str) -> list[str]:
    key = store.call(users.find, user)
    return [] if key is None else [one.text for one in store.call(turns.every, key)]


def test_what_was_said_is_there_after_a_restart_and_nobody_elses(path: Path) -> None:
    store = MemoryStore(path)
    anna, ben = (store.call(users.enter, user, "en", 1e9) for user in (ANNA, BEN))
    store.call(turns.add, anna, said("I keep bees."))
    store.call(turns.add, ben, said("I keep goats."))
    store.close()
    store.close()
    store = MemoryStore(path)
    assert texts(store, ANNA) == ["I keep bees."] and texts(store, BEN) == ["I keep goats."]
    assert store.call(word_index.search, ben, "bees", 5) == []
    (hit,) = store.call(word_index.search, anna, "Which bees?", 5)
    (goats,) = store.call(turns.every, ben)
    assert store.call(turns.exchange, anna, goats.id) is None
    assert store.call(turns.exchange, anna, hit.id) is not None
    store.close()


def test_it_is_its_owners_alone_and_the_key_is_not_in_it(path: Path) -> None:
    store = MemoryStore(path)
    store.call(users.enter, user_of("a-secret-key-of-a-user"), "en", 1e9)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert b"a-secret-key" not in bytes_of(path)
    store.close()


CHILD = """
import sys
from pathlib import Path
from mien.memory import turns, users
from mien.memory.store import MemoryStore
store = MemoryStore(Path(sys.argv[1]))
key = store.call(users.enter, "u", "en", 1.0)
for number in range(100_000):
    said = turns.Said("c", number, "user", f"message {number} of bees", True, float(number))
    store.submit(turns.add, key, said).result()
    print(number, flush=True)
"""


def test_what_was_written_survives_being_killed(path: Path) -> None:
    """As often as not in the middle of the next transaction."""
    kept = -1
    for count in (1, 40, 97):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        noted = [int(child.stdout.readline()) for _ in range(count)]
        child.kill()
        child.wait(60)
        child.stdout.close()
        store = MemoryStore(path)
        found = texts(store, "u")
        assert len(found) >= kept + 1 + len(noted)
        assert f"message {noted[-1]} of bees" in found[kept + 1 :]
        kept = len(found) - 1
        (check,) = store.call(lambda db: db.execute("PRAGMA integrity_check").fetchall())
        assert check == ("ok",)
        store.close()


def fill(store: MemoryStore, people: int, messages: int) -> dict[int, str]:
    """Texts of all lengths, so that pages split and cells move. Returns a word of each person."""
    chance = random.Random(0)  # without VACUUM, this one leaves pieces of two people
    keys = {
        store.call(users.enter, user_of(str(n)), "en", 1e9): f"SECRET{n:02d}" for n in range(people)
    }
    for number in range(messages):
        key, secret = chance.choice(list(keys.items()))
        length = chance.choice([2, 10, 40, 200])
        words = " ".join(f"{secret}w{chance.randrange(900)}" for _ in range(length))
        store.call(turns.add, key, said(words, number, 1e9 + number))
        if number % 9 == 0:
            store.call(facts.add, key, Candidate(words[:99], "other", "said", 1e9, words), 99)
    return keys


def test_nothing_of_whoever_is_erased_is_left_in_any_file(path: Path) -> None:
    store = MemoryStore(path)
    secrets = fill(store, people=6, messages=300)
    for person in (0, 1, 2):
        secret = f"SECRET{person:02d}".encode()
        assert secret in bytes_of(path)
        assert store.erase(user_of(str(person)))
        left = bytes_of(path).lower()
        assert secret.lower() not in left and user_of(str(person)).encode() not in left
        assert not store.erase(user_of(str(person)))
    assert all(secret.encode() in bytes_of(path) for secret in list(secrets.values())[5:])
    key = store.call(users.find, user_of("3"))
    assert key is not None and store.call(word_index.search, key, "SECRET03w5", 3)
    store.close()


def test_a_crash_between_deleting_and_cleaning_up_is_made_good(path: Path) -> None:
    store = MemoryStore(path)
    fill(store, people=2, messages=40)
    store.call(users.erase, user_of("1"))
    assert b"SECRET01" in bytes_of(path)  # in the log, at least
    again = MemoryStore(path)  # as another process would
    again.expire(365_000)
    assert b"SECRET01" not in bytes_of(path) and again.call(chores.next_chore) is None
    again.close()
    store.close()


def test_erasing_waits_for_who_else_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(path)
    fill(store, people=2, messages=20)
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turns").fetchone()
    monkeypatch.setattr(store_module, "SCRUB_SEC", 0.0)
    with pytest.raises(MemoryStoreError, match="another program has been reading") as caught:
        store.erase(user_of("1"))
    assert caught.value.retryable and "另一个程序" in caught.value.zh
    assert texts(store, user_of("1")) == []
    monkeypatch.setattr(store_module, "SCRUB_SEC", 60.0)
    threading.Timer(0.2, lambda: reader.execute("COMMIT")).start()
    store.erase(user_of("1"))
    assert b"SECRET01" not in bytes_of(path)
    reader.close()
    store.close()


def test_whoever_holds_an_erased_user_finds_nobody(path: Path) -> None:
    store, other = MemoryStore(path), MemoryStore(path)
    key = store.call(users.enter, ANNA, "en", 1e9)
    other.erase(ANNA)
    with pytest.raises(Erased):
        store.call(turns.add, key, said("Still there?"))
    with pytest.raises(Erased):
        store.call(facts.add, key, Candidate("Is there.", "other", "said", 1e9), 9)
    assert store.call(users.enter, BEN, "en", 1e9) != key
    other.close()
    store.close()


def test_many_threads_and_two_processes_write_at_once(path: Path) -> None:
    store = MemoryStore(path)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.replace("100_000", "50"), str(path)], stdout=subprocess.DEVNULL
    )
    keys = [store.call(users.enter, user_of(str(n)), "zh", 1.0) for n in range(4)]

    def write(key: int) -> None:
        for number in range(25):
            store.call(turns.add, key, said(f"第{number}句，我养蜜蜂", number))

    threads = [threading.Thread(target=write, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert child.wait(60) == 0
    assert [len(texts(store, user_of(str(n)))) for n in range(4)] == [25] * 4
    assert len(texts(store, "u")) == 50
    store.close()


def test_who_does_not_come_back_is_forgotten(path: Path) -> None:
    now = 1e9
    store = MemoryStore(path, lambda: now)
    anna = store.call(users.enter, ANNA, "en", now)
    store.call(users.enter, BEN, "en", now)
    now += 20 * DAY
    store.call(turns.add, anna, said("Back again, with honey.", at=now))
    now += 20 * DAY
    assert store.expire(30) == 1
    assert [user.hash for user in store.call(users.listed)] == [ANNA]
    now += 11 * DAY
    assert store.expire(30) == 1 and store.expire(30) == 0
    assert b"honey" not in bytes_of(path)
    store.close()


def test_a_file_that_is_not_ours_is_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all, but 40 pages of notes " * 99)
    before = path.read_bytes()
    with pytest.raises(MemoryStoreError, match=r"is damaged .*\.recover.*move it away") as caught:
        MemoryStore(path)
    assert "已损坏" in caught.value.zh and path.read_bytes() == before
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE somebody_elses(x)")
    db.close()
    with pytest.raises(MemoryStoreError, match="another program's database"):
        MemoryStore(path)
    path.unlink()
    knowledge.opened(path, create=True).close()
    with pytest.raises(MemoryStoreError, match="something else of mien's"):
        MemoryStore(path)


def test_a_file_of_a_newer_mien_is_left_as_it_is(path: Path) -> None:
    MemoryStore(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(MemoryStoreError, match=r"newer mien \(its version 99, ours 1\)"):
        MemoryStore(path)


def test_a_file_damaged_later_says_so(path: Path) -> None:
    store = MemoryStore(path)
    fill(store, people=2, messages=60)
    store.close()
    torn = bytearray(path.read_bytes())
    torn[4096 * 3 :] = b"\xff" * (len(torn) - 4096 * 3)
    path.write_bytes(torn)
    store = MemoryStore(path)
    with pytest.raises(MemoryStoreError, match="is damaged"):
        for number in range(2):
            texts(store, user_of(str(number)))
    store.close()


def test_a_place_that_cannot_be_written_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MemoryStoreError, match=r"Set memory\.file to a place"):
        MemoryStore(tmp_path / "file" / "memory.sqlite3")


async def test_a_server_keeps_letting_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1e9
    store = MemoryStore(path, lambda: now)
    await store.run(users.enter, ANNA, "en", now)
    gone: asyncio.Queue[int] = asyncio.Queue()

    failing = True

    async def expire(days: float) -> int:
        nonlocal failing
        if failing:
            failing = False
            raise MemoryStoreError("Not today.", "今天不行。")
        gone.put_nowait(await MemoryStore.expire_soon(store, days))
        return 0

    monkeypatch.setattr(store, "expire_soon", expire)
    keeping = asyncio.create_task(keep(store, 30, every_sec=0.05))
    async with asyncio.timeout(60):
        assert await gone.get() == 0
        assert len(await store.run(users.listed)) == 1
        now += 31 * DAY
        while await gone.get() != 1:
            pass
    assert await store.run(users.listed) == []
    keeping.cancel()
    await store.aclose()
