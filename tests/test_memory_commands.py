"""``mien memory …`` and ``mien bench memory``, as typed."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from command_line import mien
from mien.memory import facts, turns, users
from mien.memory import store as store_module
from mien.memory.facts import Candidate
from mien.memory.store import MemoryStore, user_of
from mien.memory.turns import Said

ANNA, BEN = user_of("a" * 32), user_of("b" * 32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "memory.sqlite3"
    store = MemoryStore(path)
    for user, at in ((ANNA, 1e9), (BEN, 1.7e9)):
        key = store.call(users.enter, user, "en", at)
        said = Said("c", 1, "user", f"My secret is {user[:8]}.", True, at)
        source = store.call(turns.add, key, said)
        fact = Candidate("They have a secret.", "other", "said", at, said.text, source)
        store.call(facts.add, key, fact, 9)
    store.close()
    return path


def memory(file: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    environment = {"MIEN_MEMORY__FILE": str(file), "LC_ALL": "C", **environment}
    done = mien("memory", *arguments, **environment)
    return done.exit_code, done.stdout, done.stderr


def test_list_tells_who_but_not_what(file: Path) -> None:
    code, told, _ = memory(file, "list", "--json")
    assert code == 0 and "secret" not in told
    first, second = json.loads(told)
    assert first == {
        "user": BEN,
        "created": 1.7e9,
        "last_seen": 1.7e9,
        "language": "en",
        "facts": 1,
        "messages": 1,
    }
    assert second["user"] == ANNA
    code, told, noted = memory(file, "list")
    assert code == 0 and ANNA[:12] in told and ANNA[:13] not in told and "365 days" in noted
    _, told, noted = memory(file, "list", LC_ALL="zh_CN.UTF-8")
    assert "365 天" in noted and "最近来访" in told and "last here" not in told


def test_export_is_what_the_page_takes(file: Path, tmp_path: Path) -> None:
    code, told, _ = memory(file, "export", ANNA[:6])
    assert code == 0 and json.loads(told)["facts"][0]["text"] == "They have a secret."
    into = tmp_path / "anna.json"
    assert memory(file, "export", ANNA[:6].upper(), "-o", str(into))[0] == 0
    assert json.loads(into.read_text("utf-8")) == json.loads(told)
    assert into.stat().st_mode & 0o077 == 0
    code, _, why = memory(file, "export", "zz")
    assert code == 2 and "no user begins with 'zz'" in why


def test_an_export_is_nobody_elses_from_its_first_byte_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "anna.json"
    monkeypatch.setattr(Path, "chmod", lambda path, mode: None)
    before = os.umask(0)
    try:
        assert memory(file, "export", ANNA[:6], "-o", str(into))[0] == 0
    finally:
        os.umask(before)
    assert into.stat().st_mode & 0o777 == 0o600


def test_everybody_goes_even_if_somebody_reads(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SCRUB_SEC", 0.0)
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turns").fetchone()
    code, _, why = memory(file, "erase", "--all", "--yes")
    assert code == 2 and "another program has been reading" in why
    reader.close()
    assert json.loads(memory(file, "list", "--json")[1]) == []
    assert memory(file, "erase", "--all", "--yes")[0] == 0
    left = b"".join(one.read_bytes() for one in file.parent.iterdir())
    assert b"secret" not in left


def test_erase_asks_first_and_leaves_nothing(file: Path) -> None:
    code, _, why = memory(file, "erase", ANNA[:6])
    assert code == 2 and "--yes" in why
    assert memory(file, "erase")[0] == memory(file, "erase", ANNA, "--all")[0] == 2
    code, told, _ = memory(file, "erase", ANNA[:6], "--yes", "--json")
    assert code == 0 and json.loads(told) == {"erased": 1}
    left = b"".join(one.read_bytes() for one in file.parent.iterdir())
    assert ANNA[:8].encode() not in left and BEN[:8].encode() in left
    code, _, told = memory(file, "erase", "--all", "-y", LC_ALL="zh_CN.UTF-8")
    assert code == 0 and "已删除 1 位用户" in told
    assert json.loads(memory(file, "list", "--json")[1]) == []


def test_expire(file: Path) -> None:
    code, told, _ = memory(file, "expire", "--days", "8000", "--json")
    assert code == 0 and json.loads(told) == {"erased": 1}
    assert [one["user"] for one in json.loads(memory(file, "list", "--json")[1])] == [BEN]
    code, _, why = memory(file, "expire", "--days", "0")
    assert code == 2 and "--yes" in why
    assert [one["user"] for one in json.loads(memory(file, "list", "--json")[1])] == [BEN]
    assert "1 user(s) erased" in memory(file, "expire", "--days", "0", "--yes")[2]
    assert "0 user(s) erased" in memory(file, "expire")[2]


def test_where_nobody_was_remembered_yet_nothing_is_made(tmp_path: Path) -> None:
    for arguments in (["list", "--json"], ["expire"], ["erase", "--all", "--yes"]):
        assert memory(tmp_path / "none.sqlite3", *arguments)[0] == 0
    assert memory(tmp_path / "none.sqlite3", "export", "a")[0] == 2
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "torn").write_bytes(b"not a database" * 99)
    code, _, why = memory(tmp_path / "torn", "list")
    assert code == 2 and "is damaged" in why


def test_bench() -> None:
    done = mien("bench", "memory", "--turns", "20", "--users", "2", "--json")
    figures = json.loads(done.stdout)
    assert figures["exchanges"] == 20 and figures["recall_ms"]["n"] == 20
    assert figures["note_ms"]["p50"] >= figures["note_returns_ms"]["p50"] > 0
    assert figures["erase_ms"] > 0 and figures["import_ms"] > 0
