"""What the writer of a document notes about how people ask for its passages."""

from pathlib import Path

from mien.knowledge.reading import load, read
from mien.knowledge.store import Base
from mien.retrieval.chunking import chunks_of
from mien.retrieval.contract import Chunk
from mien.retrieval.index import Index

GUIDE = """# Guide

<!-- a comment of another kind -->

## Lockers

<!-- ask: where can I leave my rucksack | 包放哪儿 -->

Lockers are beside the entrance.

## Tickets

Adults pay forty.
<!-- 问：带娃便宜吗｜老人
学生证有用吗 -->

    <!-- ask: an example -->

## Rest

<!-- ask: of nothing -->
"""


def asked_of(text: str) -> dict[str, tuple[str, ...]]:
    return {chunk.text: chunk.asked for chunk in chunks_of(text, "Guide")}


def test_comments_belong_to_the_passage_before_them_or_the_first_below_the_heading() -> None:
    assert asked_of(GUIDE) == {
        "Lockers are beside the entrance.": ("where can I leave my rucksack", "包放哪儿"),
        "Adults pay forty.": ("带娃便宜吗", "老人", "学生证有用吗"),
        "Rest": ("of nothing",),
    }


def test_each_part_of_a_long_section_has_its_own() -> None:
    paragraphs = [f"{word} " * 80 for word in ("alpha", "beta", "gamma")]
    text = "\n\n".join(f"{p}\n\n<!-- ask: {p[:5]}? -->" for p in paragraphs)
    chunks = chunks_of(f"# Guide\n\n{text}", "Guide")
    assert [chunk.asked for chunk in chunks] == [("alpha?",), ("beta ?",), ("gamma?",)]
    assert not any("ask" in chunk.text or "?" in chunk.text for chunk in chunks)


def test_the_blocks_around_a_comment_stay_what_they_are() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n<!-- ask: q | r -->"
    assert asked_of(table) == {"| a | b |\n| 1 | 2 |": ("q", "r")}
    assert asked_of("- x\n<!-- ask: q -->\n- y") == {"- x\n- y": ("q",)}
    assert asked_of("a\n\n<!-- ask: never closed") == {"a\n<!-- ask: never closed": ()}


def test_what_nearly_is_a_phrasing_finds_its_passage() -> None:
    chunks = chunks_of(GUIDE, "Guide")
    for question in ("where to leave a rucksack", "我的包放哪儿"):
        (best, *_) = Index(chunks).search(question)
        assert best.chunk.text.startswith("Lockers") and best.score > 0.6
    assert Index([Chunk(c.text, c.title, c.heading) for c in chunks]).search("rucksack") == []


def test_one_everyday_word_of_a_phrasing_is_not_enough() -> None:
    hits = Index(chunks_of(GUIDE, "Guide")).search("where can I leave the motorway to Hamburg")
    assert all(hit.score < 0.48 for hit in hits)


def test_a_base_keeps_them_and_notices_that_only_they_changed(tmp_path: Path) -> None:
    page = tmp_path / "guide.md"
    with Base(tmp_path / "base.db", create=True) as base:
        for phrasing in ("包放哪儿", "how about my bag"):
            page.write_text(f"# G\n\nLockers.\n\n<!-- ask: {phrasing} -->", encoding="utf-8")
            file = load(page)
            base.put(file, read(file))
            assert [chunk.asked for _, chunk in base.chunks()] == [(phrasing,)]


def test_long_code_is_cut_at_its_empty_lines() -> None:
    code = "\n\n".join(f"[section{n}]\n" + "key = 1\n" * 12 for n in range(20))
    texts = [chunk.text for chunk in chunks_of(f"```toml\n{code}\n```", "Settings")]
    assert all(len(text) <= 800 for text in texts)
    assert all(f"[section{n}]" in "\n".join(texts) for n in range(20))
