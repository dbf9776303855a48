"""Which passages of the pages that were found are shown to a model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mien.pages.contract import Page
from mien.retrieval.budget import tokens_of
from mien.search.contract import Result
from mien.search.excerpts import Excerpt, excerpts

FILLER = "本馆全年开放，请勿携带饮料和食品入内，参观时请保持安静，谢谢各位观众的配合。" * 4


class Shelf:
    """Pages by their addresses; of those it does not have, nothing is ever heard."""

    def __init__(self, **texts: str) -> None:
        self.texts = {f"https://{name}.example/": text for name, text in texts.items()}
        self.given_up: list[str] = []

    async def warm(self) -> None:
        pass

    async def read(self, urls: Sequence[str], deadline_sec: float) -> list[Page]:
        (url,) = urls
        if url not in self.texts:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.append(url)
        return [Page(url, "as the page has it", self.texts[url], "Site", "2026-10-18")]


def found(*names: str, snippet: str = "") -> list[Result]:
    return [Result(name, f"https://{name}.example/", snippet, f"{name}.example") for name in names]


async def chosen(
    shelf: Shelf, results: list[Result], question: str, tokens: int = 600
) -> list[Excerpt]:
    return await excerpts(results, shelf, 60, tokens, question)


async def test_a_fact_deep_in_a_long_page_is_found() -> None:
    paragraphs = (
        [FILLER] * 150 + ["## 青铜厅\n", "镇馆之宝双龙纹方鼎重八十三公斤。"] + [FILLER] * 150
    )
    shelf = Shelf(a="\n\n".join(paragraphs))
    (only,) = await chosen(shelf, found("a"), "双龙纹方鼎有多重？")
    assert "青铜厅: " in "".join(only.passages)
    assert "八十三公斤" in only.passages[-1]
    assert only.read
    assert (only.result.title, only.result.site) == ("a", "Site")
    assert only.result.published == "2026-10-18"


async def test_no_page_speaks_alone_and_the_budget_holds() -> None:
    about = "\n\n".join(f"## {n}\n\nThe ferry leaves at {n} o'clock. {'Mind the gap. ' * 20}"
                        for n in range(20))  # fmt: skip
    shelf = Shelf(a=about, b="The ferry leaves from pier four.", c="The ferry leaves on time.")
    shown = await chosen(shelf, found("a", "b", "c"), "When does the ferry leave?", 1500)
    assert {excerpt.result.title for excerpt in shown} == {"a", "b", "c"}
    assert len(next(e for e in shown if e.result.title == "a").passages) <= 4
    small = await chosen(shelf, found("a", "b", "c"), "When does the ferry leave?", 40)
    assert tokens_of(" ".join(p for e in small for p in e.passages)) <= 40


async def test_a_passage_longer_than_the_budget_is_cut() -> None:
    shelf = Shelf(a="渡轮每天早上八点从码头出发，" * 40)
    (only,) = await chosen(shelf, found("a"), "渡轮几点出发？", 200)
    assert 0 < tokens_of("".join(only.passages)) <= 200


async def test_with_three_pages_the_others_are_not_waited_for() -> None:
    """The deadline is a minute; this takes half a second."""
    shelf = Shelf(a="The ferry is old.", b="The ferry is white.", c="The ferry is slow.")
    results = found("a", "never", "b", "c", snippet="The ferry is fast, says this site.")
    async with asyncio.timeout(50):
        shown = await chosen(shelf, results, "What is the ferry like?")
    read = {excerpt.result.title: excerpt.read for excerpt in shown}
    assert read == {"a": True, "b": True, "c": True, "never": False}
    assert shelf.given_up == ["https://never.example/"]
    late = next(excerpt for excerpt in shown if not excerpt.read)
    assert late.passages == ("The ferry is fast, says this site.",)


async def test_giving_up_gives_up_the_pages_too() -> None:
    shelf = Shelf()
    reading = asyncio.create_task(chosen(shelf, found("a", "b"), "What?"))
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    assert sorted(shelf.given_up) == ["https://a.example/", "https://b.example/"]


async def test_pages_without_a_word_of_the_question_are_still_shown() -> None:
    shelf = Shelf(a="渡轮每天早上八点出发。", b="")
    shown = await chosen(shelf, found("a", "b"), "Wann?")
    assert [excerpt.result.title for excerpt in shown] == ["a"]
    assert await chosen(Shelf(b=""), found("b"), "Wann?") == []


async def test_a_page_does_not_say_for_which_questions_it_is_found() -> None:
    advert = "Buy our ships.\n\n<!-- ask: when does the ferry leave -->"
    shelf = Shelf(advert=advert, ferry="The ferry leaves at nine.")
    shown = await chosen(shelf, found("advert", "ferry"), "When does the ferry leave?")
    assert [excerpt.result.title for excerpt in shown] == ["ferry"]
