"""Bases answer together, and also what was added to them a moment ago."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from loguru import logger

from embeddings_server import embeddings_server
from mien.knowledge.adding import add_file, embed_missing
from mien.knowledge.errors import KnowledgeError
from mien.knowledge.places import base_path
from mien.knowledge.retriever import Knowledge, open_knowledge
from mien.knowledge.store import Base
from mien.llm.persona import load_persona
from mien.mind import Bookcase
from mien.mind_settings import EmbeddingsSection, KnowledgeSection
from mien.retrieval.embeddings import Embedder, EmbeddingError

TEXTS = {
    "hours.md": "# Opening hours\n\nThe museum is open from nine to five, except on Mondays.",
    "tickets.md": "# 门票\n\n成人票十元，六岁以下儿童免票。",
}


def put(section: KnowledgeSection, name: str, file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with Base(base_path(section, name), create=True) as base:
        assert add_file(base, file).state in ("added", "replaced")


async def until(found: Callable[[], Awaitable[bool]], knowledge: Knowledge) -> None:
    async with asyncio.timeout(60):
        while not await found():
            await knowledge.settled()


@pytest.fixture
def section(tmp_path: Path) -> KnowledgeSection:
    return KnowledgeSection(folder=tmp_path / "bases")


async def test_several_bases_answer_as_one(section: KnowledgeSection, tmp_path: Path) -> None:
    put(section, "museum", tmp_path / "a" / "hours.md", TEXTS["hours.md"])
    put(section, "shop", tmp_path / "b" / "tickets.md", TEXTS["tickets.md"])
    knowledge = open_knowledge(section, ["museum", "default", "shop", "museum"])
    assert len(knowledge) == 2
    (hours,) = await knowledge.search("When is the museum open?", "en")
    assert (hours.title, hours.answer) == (
        "Opening hours",
        "The museum is open from nine to five, except on Mondays.",
    )
    (tickets,) = await knowledge.search("门票多少钱？", "zh")
    assert tickets.title == "门票"
    assert await knowledge.search("What does a black hole weigh?", "en") == []
    await knowledge.aclose()
    await knowledge.aclose()


async def test_the_same_words_about_another_place_are_found(
    section: KnowledgeSection, tmp_path: Path
) -> None:
    hours = "## Opening hours\n\nThe shop is open on weekdays from nine to five."
    parking = "\n\n".join(
        f"# {city} branch\n\n## Parking\n\nBehind the house." for city in ("Oslo", "Rome")
    )
    for name in ("Berlin", "Paris"):
        put(section, "default", tmp_path / "files" / f"{name}.md", f"# {name}\n\n{hours}")
    put(section, "default", tmp_path / "files" / "branches.md", f"# Us\n\n{parking}")
    knowledge = open_knowledge(section)
    for question, title, place in (
        ("When does the Berlin shop open?", "Berlin", "Opening hours"),
        ("When does the Paris shop open?", "Paris", "Opening hours"),
        ("Where is the parking of the Oslo branch?", "Us", "Oslo branch"),
        ("Where is the parking of the Rome branch?", "Us", "Rome branch"),
    ):
        first, *_ = await knowledge.search(question, "en")
        assert (first.title, first.heading[0]) == (title, place)
    both = await knowledge.search("When do the shops in Berlin and Paris open?", "en")
    assert {passage.title for passage in both[:2]} == {"Berlin", "Paris"}
    await knowledge.aclose()


async def test_a_base_that_is_named_has_to_be_there(
    section: KnowledgeSection, tmp_path: Path
) -> None:
    assert len(open_knowledge(section)) == 0
    with pytest.raises(KnowledgeError, match="'museum'"):
        open_knowledge(section, ["museum"])
    with pytest.raises(KnowledgeError, match="letters"):
        open_knowledge(section, ["../museum"])


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    section = KnowledgeSection(folder=tmp_path / ("long" * 100))
    for names in ["default"], ["museum"]:
        with pytest.raises(KnowledgeError, match="cannot be looked into: File name too long"):
            open_knowledge(section, names)


async def test_what_is_added_meanwhile_is_found(section: KnowledgeSection, tmp_path: Path) -> None:
    knowledge = open_knowledge(section)
    assert await knowledge.search("门票多少钱？", "zh") == []

    async def found(text: str) -> bool:
        await asyncio.sleep(0)
        return any(text in each.text for each in await knowledge.search("门票多少钱？", "zh"))

    file = tmp_path / "files" / "tickets.md"
    put(section, "default", file, TEXTS["tickets.md"])
    await until(lambda: found("十元"), knowledge)
    put(section, "default", file, TEXTS["tickets.md"].replace("十元", "二十五元"))
    # Until the new text is read, the old one answers.
    assert await knowledge.search("门票多少钱？", "zh")
    await until(lambda: found("二十五元"), knowledge)
    base_path(section, "default").unlink()
    await knowledge.search("门票多少钱？", "zh")
    await knowledge.settled()
    assert not await found("二十五元")
    await knowledge.aclose()


async def test_a_base_that_breaks_still_answers(section: KnowledgeSection, tmp_path: Path) -> None:
    put(section, "default", tmp_path / "files" / "tickets.md", TEXTS["tickets.md"])
    knowledge = open_knowledge(section)
    path = base_path(section, "default")
    path.write_bytes(b"broken" * 1000)
    said: list[str] = []
    listening = logger.add(said.append, level="WARNING")
    for _ in range(3):
        assert await knowledge.search("门票多少钱？", "zh")
        await knowledge.settled()
    logger.remove(listening)
    assert len(said) == 1 and "could not be read again" in said[0]
    await knowledge.aclose()


async def test_a_base_that_could_not_be_read_is_tried_again(
    section: KnowledgeSection, tmp_path: Path
) -> None:
    file = tmp_path / "files" / "tickets.md"
    put(section, "default", file, TEXTS["tickets.md"])
    knowledge = open_knowledge(section)
    put(section, "default", file, TEXTS["tickets.md"].replace("十元", "三十元"))
    path = base_path(section, "default")
    whole, times = path.read_bytes(), path.stat()
    for data, price in ((b"x" * len(whole), "十元"), (whole, "三十元")):  # as it is being copied
        path.write_bytes(data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        await knowledge.search("门票多少钱？", "zh")
        await knowledge.settled()
        (found,) = await knowledge.search("门票多少钱？", "zh")
        assert f"票{price}" in found.text
        await knowledge.settled()
    await knowledge.aclose()


async def test_a_base_that_was_built_anew_or_copied_is_noticed(
    section: KnowledgeSection, tmp_path: Path
) -> None:
    file = tmp_path / "files" / "tickets.md"
    path, other = base_path(section, "default"), base_path(section, "other")

    def add(base: str, price: str) -> None:
        put(section, base, file, TEXTS["tickets.md"].replace("十元", price))

    async def found() -> str:
        await knowledge.search("门票多少钱？", "zh")
        await knowledge.settled()
        return (await knowledge.search("门票多少钱？", "zh"))[0].text

    add("default", "十元")
    knowledge = open_knowledge(section)
    add("other", "三十元")
    other.replace(path)  # built anew, by as many steps
    assert "三十元" in await found()
    other.write_bytes(path.read_bytes())
    add("default", "五十元")
    assert "五十元" in await found()
    add("other", "七十元")
    other.replace(path)  # both were changed as often since one was copied from the other
    assert "七十元" in await found()
    await knowledge.aclose()


async def test_files_that_nobody_has_changed_are_not_read_again(
    section: KnowledgeSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(section, "default", tmp_path / "files" / "tickets.md", TEXTS["tickets.md"])
    knowledge = open_knowledge(section)
    reads = 0
    read = Knowledge._read

    def counted(self: Knowledge) -> None:
        nonlocal reads
        reads += 1
        read(self)

    monkeypatch.setattr(Knowledge, "_read", counted)
    collection = knowledge._collection
    for _ in range(5):
        await knowledge.search("门票多少钱？", "zh")
        await knowledge.settled()
    assert reads == 0
    os.utime(base_path(section, "default"), (1, 1))  # as a backup may
    for _ in range(5):
        await knowledge.search("门票多少钱？", "zh")
        await knowledge.settled()
    assert reads == 1
    assert knowledge._collection is collection
    await knowledge.aclose()


async def test_a_base_in_a_folder_that_is_read_only(
    section: KnowledgeSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(section, "default", tmp_path / "files" / "tickets.md", TEXTS["tickets.md"])
    folder = base_path(section, "default").parent
    folder.chmod(0o500)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write all the same
    try:
        knowledge = open_knowledge(section)
        assert await knowledge.search("门票多少钱？", "zh")
        assert [path.name for path in folder.iterdir()] == ["default.sqlite3"]
        await knowledge.aclose()
    finally:
        folder.chmod(0o700)


async def test_meaning_is_used_where_it_was_computed(tmp_path: Path) -> None:
    with embeddings_server() as server:
        embeddings = EmbeddingsSection(base_url=server.url, model="counts")
        section = KnowledgeSection(folder=tmp_path / "bases", embeddings=embeddings)
        put(section, "default", tmp_path / "files" / "hours.md", TEXTS["hours.md"])
        embedder = Embedder(embeddings)
        with Base(base_path(section, "default")) as base:
            assert await embed_missing(base, embedder) == 1
        await embedder.aclose()
        put(section, "default", tmp_path / "files" / "tickets.md", TEXTS["tickets.md"])
        knowledge = open_knowledge(section)
        assert await knowledge.search("When is the museum open?", "en")
        assert server.asked[-1] == ["When is the museum open?"]
        assert await knowledge.search("门票多少钱？", "zh")  # one without a vector is found, too
        await knowledge.aclose()
    broken = KnowledgeSection(
        embeddings=EmbeddingsSection(
            base_url=server.url, model="counts", key_env="MIEN_TEST_NO_SUCH_KEY"
        )
    )
    with pytest.raises(EmbeddingError, match="MIEN_TEST_NO_SUCH_KEY"):
        open_knowledge(broken, [])


async def test_bases_that_several_ask_for_at_once_are_read_once(
    section: KnowledgeSection, tmp_path: Path
) -> None:
    put(section, "default", tmp_path / "a" / "hours.md", TEXTS["hours.md"])
    bookcase, persona = Bookcase(section), load_persona()
    begin = threading.Barrier(8)

    def fetched() -> Knowledge | None:
        begin.wait(60)
        bookcase.fetch(persona)
        return bookcase.of(persona)

    with ThreadPoolExecutor(8) as threads:
        found = [asked.result(60) for asked in [threads.submit(fetched) for _ in range(8)]]
    assert found[0] is not None and all(each is found[0] for each in found)
    await bookcase.aclose()
