"""A base keeps what it was given, once, whatever happens to the process that adds to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mien.knowledge.adding import add_file, embed_missing
from mien.knowledge.errors import KnowledgeError
from mien.knowledge.files import find_files
from mien.knowledge.fingerprint import fingerprint
from mien.knowledge.places import base_path
from mien.knowledge.schema import VERSION
from mien.knowledge.store import Base
from mien.memory.schema import open_database
from mien.mind_settings import KnowledgeSection
from mien.retrieval.contract import Chunk


@pytest.fixture
def base(tmp_path: Path) -> Base:
    with Base(tmp_path / "kept" / "museum.sqlite3", create=True) as base:
        yield base


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_document_is_kept_with_its_chunks_in_order(base: Base, tmp_path: Path) -> None:
    path = written(tmp_path / "a.md", "# Guide\n\n## Hours\n\nNine to five.\n\n## 门票\n\n十元。")
    outcome = add_file(base, path, url="https://m.example")
    assert (outcome.state, outcome.title, outcome.chunks) == ("added", "Guide", 2)
    (stored,) = base.documents()
    assert (stored.id, stored.path, stored.kind, stored.chunks) == (outcome.id, str(path), "md", 2)
    assert (stored.bytes, stored.language) == (path.stat().st_size, "en")
    with Base(base.path) as again:
        assert [chunk for _, chunk in again.chunks()] == [
            Chunk("Nine to five.", "Guide", ("Hours",), "https://m.example"),
            Chunk("十元。", "Guide", ("门票",), "https://m.example"),
        ]


def test_the_same_again_is_left_alone_and_changes_replace(base: Base, tmp_path: Path) -> None:
    path = written(tmp_path / "a.md", "Nine to five.\n\n# Tickets\n\nTen euros.")
    first = add_file(base, path, title="The guide", url="https://m.example")
    revision = base.revision()
    kept = {chunk.text: number for number, chunk in base.chunks()}
    assert add_file(base, path).state == "unchanged"
    copy = written(tmp_path / "copy.md", path.read_text())
    outcome = add_file(base, copy)
    assert (outcome.state, outcome.notes[0][0]) == ("unchanged", f"the same as {path}")
    assert base.revision() == revision
    written(path, "Nine to four.\n\n# Tickets\n\nTen euros.")
    outcome = add_file(base, path)
    # It keeps its number and what its owner called it; what has not changed is not computed again.
    assert (outcome.state, outcome.id, outcome.title) == ("replaced", first.id, "The guide")
    assert base.documents()[0].url == "https://m.example"
    now = {chunk.text: number for number, chunk in base.chunks()}
    assert list(now) == ["Nine to four.", "Ten euros."]
    assert now["Ten euros."] == kept["Ten euros."]
    assert add_file(base, path, title="Another").state == "replaced"
    assert base.documents()[0].title == "Another"


def test_a_file_that_was_moved_is_the_same_document(base: Base, tmp_path: Path) -> None:
    old = written(tmp_path / "a.md", "Nine to five.")
    first = add_file(base, old, title="Hours")
    new = old.rename(tmp_path / "b.md")
    outcome = add_file(base, new)
    assert (outcome.state, outcome.id, outcome.title) == ("replaced", first.id, "Hours")
    assert [each.path for each in base.documents()] == [str(new)]


def test_a_file_that_becomes_like_another(base: Base, tmp_path: Path) -> None:
    one, other = written(tmp_path / "a.md", "One."), written(tmp_path / "b.md", "Two.")
    for path in (one, other):
        add_file(base, path)
    written(other, "One.")
    assert add_file(base, other).state == "replaced"
    assert [chunk.text for _, chunk in base.chunks()] == ["One."]


def test_what_several_documents_say_is_kept_once_and_stays_with_the_last(
    base: Base, tmp_path: Path
) -> None:
    paths = [
        written(tmp_path / "a.md", "# Shop\n\n## Fees\n\nNo refunds, ever!"),
        written(tmp_path / "b.md", "# Shop\n\n## Fees\n\nNO REFUNDS  ever."),
    ]
    first, second = (add_file(base, path, url=f"https://m.example/{path.stem}") for path in paths)
    assert [chunk.url[-1] for _, chunk in base.chunks()] == ["a"]
    assert [chunk.url[-1] for _, chunk in base.chunks(second.id)] == ["b"]
    base.remove(first.id or 0)
    assert [chunk.url[-1] for _, chunk in base.chunks()] == ["b"]
    base.remove(second.id or 0)
    assert base.chunks() == base.documents() == []
    assert b"REFUNDS" not in base.path.read_bytes().upper()
    assert not Path(f"{base.path}-wal").read_bytes()


def test_what_says_the_same() -> None:
    def same(one: str, other: str) -> bool:
        return fingerprint(Chunk(one, "a", ("h",))) == fingerprint(Chunk(other, "A", ("H",), "u"))

    assert same("九点开门，５点关门。", "九点开门 5点关门")
    assert same("Ａ ticket: “ten euros”", 'a Ticket; "ten  euros"')
    for one, other in (("-5 °C", "5 °C"), ("1.5 kg", "15 kg"), ("10%", "10"), ("a b", "ab")):
        assert not same(one, other)
    assert not same("> 10 kg", "< 10 kg") and not same("C#", "C")
    stands = [("a", ("g", "h")), ("b", ("g", "h")), ("a", ("f", "h")), ("a", ("g", "i")), ("a", ())]
    assert len({fingerprint(Chunk("x", title, heading)) for title, heading in stands}) == 5


def test_corrections_are_kept_however_small(base: Base, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    for text in (
        "# Prices\n\n## Winter 2024\n\nParcels > 10 kg are free",
        "# Prices\n\n## Winter 2025\n\nParcels < 10 kg are free",
        "# Prices!\n\n## Winter, 2025\n\nParcels < 10 kg: are free?",
    ):
        add_file(base, written(path, text))
        (_, chunk), *others = base.chunks()
        title, heading, said = (part.lstrip("# ") for part in text.split("\n\n"))
        assert (chunk.title, chunk.heading, chunk.text, others) == (title, (heading,), said, [])


async def test_vectors_are_computed_for_what_has_none(base: Base, tmp_path: Path) -> None:
    class Counting:
        name = "counting"

        def __init__(self) -> None:
            self.asked: list[str] = []

        async def embed(self, texts: list[str]) -> np.ndarray:
            self.asked += texts
            return np.array([[len(text), 1] for text in texts], np.float32)

    path = written(tmp_path / "a.md", "# Guide\n\n## Hours\n\nNine.\n\n## Fees\n\nTen.")
    add_file(base, path)
    embedder = Counting()
    assert await embed_missing(base, embedder) == 2  # type: ignore[arg-type]
    assert embedder.asked == ["Guide\nHours\nNine.", "Guide\nFees\nTen."]
    written(path, "# Guide\n\n## Hours\n\nNine.\n\n## Fees\n\nEleven.")
    add_file(base, path)
    assert await embed_missing(base, embedder) == 1  # type: ignore[arg-type]
    assert embedder.asked[2:] == ["Guide\nFees\nEleven."]
    assert await embed_missing(base, embedder) == 0  # type: ignore[arg-type]
    vectors = base.vectors("counting")
    assert [vectors[number].tolist() for number, _ in base.chunks()] == [[17, 1], [18, 1]]
    assert (base.models(), base.vectors("other")) == ({"counting": 2}, {})


def test_files_that_are_no_base_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"not a database, but long enough to have a header" * 9)
    with pytest.raises(KnowledgeError, match="not a database"):
        Base(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(KnowledgeError, match="not made by mien"):
        Base(path, create=True)
    assert path.read_bytes() == before
    with pytest.raises(KnowledgeError, match="mien knowledge add"):
        Base(tmp_path / "missing.sqlite3")
    with pytest.raises(KnowledgeError, match="cannot be made"):
        Base(path / "inside" / "a.sqlite3", create=True)


def test_only_what_is_damaged_may_be_deleted(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.knowledge.schema._BUSY_SEC", 0.01)
    file = written(tmp_path / "a.md", "Nine to five.")
    with Base(base.path) as other:
        base._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(KnowledgeError, match="try again") as caught:
            add_file(other, file)
        base._db.execute("ROLLBACK")
        assert "delete" not in str(caught.value) and "删除" not in caught.value.zh
        other._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(KnowledgeError, match="room on the disk"):
            add_file(other, written(file, "Nine to five. " * 50_000))
        other._db.execute("PRAGMA query_only = ON")
        with pytest.raises(KnowledgeError, match="writable"):
            add_file(other, written(file, "Nine to five."))
    damaged = tmp_path / "damaged.sqlite3"
    base._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged.write_bytes(base.path.read_bytes()[:9000])
    with pytest.raises(KnowledgeError, match="delete it and add"), Base(damaged) as cut:
        cut.documents()


def test_memories_are_no_base_and_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite3"
    open_database(path).close()
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(KnowledgeError, match=r"remembers of its users .*Leave it") as caught:
            Base(path, create=create)
        assert "请勿删除" in caught.value.zh
    assert path.read_bytes() == before


def test_a_base_of_a_newer_version_is_refused(base: Base) -> None:
    db = sqlite3.connect(base.path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(KnowledgeError, match="newer mien") as caught:
        Base(base.path)
    assert "升级" in caught.value.zh


def test_names_of_bases(tmp_path: Path) -> None:
    section = KnowledgeSection(folder=tmp_path)
    assert base_path(section, "博物馆-2").parent == tmp_path
    for name in ("", "../x", "a/b", "a.b", "-x", "x" * 65):
        with pytest.raises(KnowledgeError):
            base_path(section, name)


def test_folders_are_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.md", "a.txt", "in/c.pdf", "in/d.png", ".git/e.md", "in/~$f.docx", "in/.g.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path / name, name)
    (tmp_path / "in" / "again").symlink_to(tmp_path, target_is_directory=True)
    found = find_files([tmp_path, tmp_path / "b.md"])
    assert [each.path.name for each in found] == ["a.txt", "b.md", "c.pdf", "d.png"]
    assert [each.path.name for each in found if each.why_not] == ["d.png"]
    # What cannot be looked into is said, the rest is found all the same.
    scandir = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("/in"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)  # root may look everywhere
    found = find_files([tmp_path])
    assert [(each.path.name, each.failed) for each in found] == [
        ("a.txt", False),
        ("b.md", False),
        ("in", True),
    ]
    # What is named is tried: that it is missing is found then.
    assert find_files([tmp_path / "missing.md"])[0].why_not is None


ADD_ALL = """
import sys
from pathlib import Path
from mien.knowledge.adding import add_file
from mien.knowledge.store import Base
with Base(Path(sys.argv[1]), create=True) as base:
    for path in sorted(Path(sys.argv[2]).iterdir()):
        add_file(base, path)
"""
SECTIONS = 40


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_kill_in_the_middle_leaves_whole_documents(tmp_path: Path) -> None:
    folder, path = tmp_path / "documents", tmp_path / "base.sqlite3"
    folder.mkdir()
    for number in range(300):
        parts = (f"# Part {n}\n\nOf document {number} this is part {n}." for n in range(SECTIONS))
        written(folder / f"{number:03}.md", "\n\n".join(parts))
    adding = subprocess.Popen([sys.executable, "-c", ADD_ALL, str(path), str(folder)])
    deadline = time.monotonic() + 120
    while _documents(path) < 5:
        assert adding.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    adding.send_signal(signal.SIGKILL)
    assert adding.wait(60) == -signal.SIGKILL
    with Base(path) as base:
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
        documents = base.documents()
        assert 5 <= len(documents) < 300
        assert {document.chunks for document in documents} == {SECTIONS}
        assert len(base.chunks()) == SECTIONS * len(documents)
        # And it goes on where it was.
        files = sorted(folder.iterdir())[: len(documents) + 2]
        states = [add_file(base, each).state for each in files]
        assert states == ["unchanged"] * len(documents) + ["added"] * 2


def _documents(path: Path) -> int:
    if not path.exists():
        return 0
    db = sqlite3.connect(path)
    try:
        return int(db.execute("SELECT count(*) FROM documents").fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return 0
    finally:
        db.close()
