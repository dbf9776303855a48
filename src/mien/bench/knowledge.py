"""How well questions in people's own words find the passages of the documents that answer them."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from mien.language import Language
from mien.retrieval.chunking import chunks_of
from mien.retrieval.collection import Collection
from mien.retrieval.contract import Chunk, Passage
from mien.retrieval.thesaurus import thesaurus

#: Of the questions; ``all`` in the figures is the first two.
PARTS = ("tuning", "held_out", "fresh")
#: The documents in each language, as they are shipped.
PAGES: dict[Language, tuple[str, ...]] = {
    "zh": ("README.zh-CN.md", "docs/zh/*.md"),
    "en": ("README.md", "docs/*.md"),
}
_LIMIT = 4


class KnowledgeBenchError(Exception):
    """There is nothing to measure; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """sections: "file#heading" or "file" that answer it; none for a question out of scope."""

    text: str
    language: Language
    part: str
    sections: tuple[str, ...] = ()


def read_questions(path: Path) -> list[Asked]:
    """Raises KnowledgeBenchError."""
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
        return [*_in_scope(listed), *_out_of_scope(listed)]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise KnowledgeBenchError(f"cannot read the questions in {path}: {error}") from error


def _in_scope(listed: dict[str, Any]) -> Iterator[Asked]:
    for language in get_args(Language):
        for part in PARTS:
            for text, sections in listed[language].get(part, {}).items():
                yield Asked(text, language, part, tuple(sections))


def _out_of_scope(listed: dict[str, Any]) -> Iterator[Asked]:
    for language in get_args(Language):
        for part in PARTS:
            for text in listed["out_of_scope"].get(part, {}).get(language, ()):
                yield Asked(text, language, part)


def read_pages(root: Path, language: Language) -> list[Chunk]:
    """The documents in one language, cut up; the address of each is its path below the root.

    Raises KnowledgeBenchError if there are none.
    """
    found: list[Chunk] = []
    for pattern in PAGES[language]:
        for page in sorted(root.glob(pattern)):
            text = page.read_text(encoding="utf-8")
            title = re.search(r"^# (.+)$", text, re.MULTILINE)
            url = page.relative_to(root).as_posix()
            found += chunks_of(text, title.group(1) if title else page.stem, url)
    if not found:
        wanted = " or ".join(PAGES[language])
        raise KnowledgeBenchError(f"there is no {wanted} in {root}; run this in a checkout of mien")
    return found


async def run_knowledge(
    root: Path,
    questions: Sequence[Asked],
    progress: Callable[[float], None],
    *,
    phrasings: bool = True,
) -> dict[str, Any]:
    """Of each part and language: shares (0…1) of ``top_1``, ``top_4`` and ``refused_wrongly`` among
    questions with an answer, ``refused`` among those without; CPU ms per question. phrasings:
    whether what the pages say about how people ask is used.
    """
    thesaurus()  # read once, by no question
    result: dict[str, Any] = {"misses": []}
    for language in get_args(Language):
        chunks = read_pages(root, language)
        if not phrasings:
            chunks = [replace(chunk, asked=()) for chunk in chunks]
        began = time.process_time()
        collection = Collection(chunks)
        built = time.process_time() - began
        result[language] = {"chunks": len(chunks), "build_ms": round(built * 1000, 1)}
        for part in PARTS:
            asked = [q for q in questions if q.language == language and q.part == part]
            result[language][part] = await _measure(collection, asked, result["misses"])
        progress(0.5 + 0.5 * (language == "en"))
        result[language]["all"] = _together([result[language][part] for part in PARTS[:2]])
    return result


async def _measure(
    collection: Collection, asked: Sequence[Asked], misses: list[dict[str, Any]]
) -> dict[str, Any]:
    counts = dict.fromkeys(("top_1", "top_4", "refused_wrongly", "refused"), 0)
    began = time.process_time()
    found = [await collection.search(q.text, q.language, _LIMIT) for q in asked]
    spent = time.process_time() - began
    for question, passages in zip(asked, found, strict=True):
        right = [_answers(p, question.sections) for p in passages]
        counts["refused"] += not question.sections and not passages
        counts["refused_wrongly"] += bool(question.sections) and not passages
        counts["top_1"] += any(right[:1])
        counts["top_4"] += any(right)
        if not (any(right[:1]) if question.sections else not passages):
            misses.append(_miss(question, passages))
    inside = sum(bool(q.sections) for q in asked)
    return {
        "questions": inside,
        "out_of_scope": len(asked) - inside,
        **{key: counts[key] / max(inside, 1) for key in ("top_1", "top_4", "refused_wrongly")},
        "refused": counts["refused"] / max(len(asked) - inside, 1),
        "ms": spent * 1000 / max(len(asked), 1),
    }


def _answers(passage: Passage, sections: Sequence[str]) -> bool:
    """Whether a passage stands in one of the sections: below its heading, or on its page."""
    headings = {_bare(heading) for heading in passage.heading or (passage.title,)}
    for section in sections:
        page, _, heading = section.partition("#")
        if passage.url == page and (not heading or _bare(heading) in headings):
            return True
    return False


def _bare(heading: str) -> str:
    return heading.replace("`", "")


def _miss(question: Asked, passages: Sequence[Passage]) -> dict[str, Any]:
    return {
        "question": question.text,
        "part": question.part,
        "wanted": question.sections,
        "found": [
            {"score": round(p.score, 2), "page": p.url, "heading": p.heading} for p in passages
        ],
    }


def _together(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for key, by in (
        ("top_1", "questions"),
        ("top_4", "questions"),
        ("refused_wrongly", "questions"),
        ("refused", "out_of_scope"),
    ):
        weights = [p[by] for p in parts]
        whole[by] = sum(weights)
        whole[key] = sum(p[key] * w for p, w in zip(parts, weights, strict=True)) / max(
            sum(weights), 1
        )
    asked = [p["questions"] + p["out_of_scope"] for p in parts]
    whole["ms"] = sum(p["ms"] * n for p, n in zip(parts, asked, strict=True)) / max(sum(asked), 1)
    return whole
