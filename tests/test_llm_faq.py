"""How often the FAQ finds the right entry, on questions its author did not write phrasings for."""

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mien.gestures import without_tags
from mien.llm.faq import FAQ, THRESHOLD, Answers, Entry, FAQError, load_faq

QUESTIONS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("llm_faq_questions.toml").read_text(encoding="utf-8")
)


SAYS_NO = ("no-model", "weather")  # entries whose answer is that there is none


def hit(question: str, wanted: str) -> bool:
    match = load_faq().search(question)
    return match is not None and match.score >= THRESHOLD and match.entry.id in wanted.split("|")


def refused(question: str) -> bool:
    match = load_faq().search(question)
    return match is None or match.score < THRESHOLD or match.entry.id in SAYS_NO


# Measured when the files were finished. held_out: zh 28/30 (26 at the first look), en 30/30,
# refused 23/25 (21 at the first look); unseen: refused 30/30; tuning: zh 113/115, en 111/114,
# refused 87/87; hard: zh 22/30, en 24/30, refused 25/25.
@pytest.mark.parametrize(
    ("part", "language", "at_least"),
    [
        ("held_out", "zh", 0.85),
        ("held_out", "en", 0.85),
        ("tuning", "zh", 0.95),
        ("tuning", "en", 0.95),
        ("hard", "zh", 0.65),
        ("hard", "en", 0.65),
    ],
)
def test_paraphrases_find_their_entry(part: str, language: str, at_least: float) -> None:
    questions: dict[str, str] = QUESTIONS[part][language]
    misses = [q for q, wanted in questions.items() if not hit(q, wanted)]
    rate = 1 - len(misses) / len(questions)
    print(f"{part} {language}: {rate:.0%}; missed: {misses}")
    assert rate >= at_least, misses


@pytest.mark.parametrize("part", ["held_out", "unseen", "tuning", "hard"])
def test_out_of_scope_is_refused(part: str) -> None:
    questions: list[str] = QUESTIONS[part]["out_of_scope"]
    answered = [q for q in questions if not refused(q)]
    assert len(answered) <= 0.1 * len(questions), answered


def test_no_test_question_is_a_phrasing() -> None:
    def bare(question: str) -> str:
        return "".join(c for c in question.lower() if c.isalnum())

    phrasings = {
        bare(q)
        for entry in load_faq().entries
        for side in (entry.zh, entry.en)
        for q in (side.questions if side else ())
    }
    for part in QUESTIONS.values():
        for language in ("zh", "en"):
            for question in part.get(language, ()):
                assert bare(question) not in phrasings, question


def test_every_phrasing_finds_its_own_entry() -> None:
    faq = load_faq()
    for entry in faq.entries:
        for side in (entry.zh, entry.en):
            for question in side.questions if side else ():
                match = faq.search(question)
                assert match is not None and match.entry.id == entry.id, question


def test_entries_are_bilingual_and_speakable() -> None:
    entries = load_faq().entries
    assert len(entries) >= 45
    for entry in entries:
        assert entry.zh and entry.en, entry.id
        for written in (*entry.zh.answers, *entry.en.answers):
            answer = without_tags(written).strip()
            assert not set(answer) & set("*#`<>[]|\\"), entry.id
            assert "http" not in answer and "www" not in answer, entry.id
            assert answer[-1] in "。？！.?!", entry.id
            assert len(answer) < 260, entry.id


def test_a_search_is_fast() -> None:
    faq = load_faq()
    questions = [*QUESTIONS["held_out"]["zh"], *QUESTIONS["held_out"]["en"]]
    start = time.process_time()
    for question in questions:
        faq.search(question)
    ms = (time.process_time() - start) * 1000 / len(questions)
    print(f"{ms:.2f} ms of CPU time per question")
    assert ms < 20  # about 1 ms; the limit is for slow and busy machines


def test_numbers_symbols_and_nonsense_match_nothing() -> None:
    for question in ("", "   ", "？！", "12345", "😀", "ÄÖÜ", "a" * 5000):
        match = load_faq().search(question)
        assert match is None or match.score < THRESHOLD


def test_an_empty_faq_matches_nothing() -> None:
    assert FAQ([]).search("你好") is None


def test_pleasantries_do_not_hide_the_question() -> None:
    for question in ("你好，请问怎么换声音？", "Hello, could you tell me how to change the voice?"):
        assert hit(question, "change-voice")


def test_users_entries_come_first_and_replace_ours(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(
        """
        [concepts]
        shop = ["门店", "店铺", "shop", "store"]
        [[entry]]
        id = "hours"
        zh = { questions = ["门店几点开门"], answer = "我们九点开门。" }
        [[entry]]
        id = "who"
        zh = { questions = ["你是谁"], answer = "我是店员。" }
        en = { questions = ["who are you"], answer = "I work here." }
        """,
        encoding="utf-8",
    )
    faq = load_faq([file])
    match = faq.search("你们店铺什么时候开门")
    assert match and match.entry.id == "hours" and match.score >= THRESHOLD
    assert match.entry.answers("en") == ("我们九点开门。",)  # better than no answer
    who = faq.search("who are you")
    assert who and who.entry.answers("en") == ("I work here.",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[entry]]\nid = 'x'\nen = { questions = [], answer = 'y' }", "entry.0.en.questions"),
        ("[[entry]]\nid = 'x'\nen = { questions = ['q'], answer = [] }", "entry.0.en.answer"),
        ("[[entry]]\nid = 'x'", "needs zh, en or both"),
        ("[[entry]]\nid = 'x'\nen = { question = ['q'], answer = 'y' }", "en.question"),
        ("[[entry", "not valid TOML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "faq.toml"
    file.write_text(text)
    with pytest.raises(FAQError, match=r"faq\.toml") as error:
        load_faq([file])
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FAQError, match=r"nope\.toml"):
        load_faq([tmp_path / "nope.toml"])


def test_an_entry_may_have_several_answers() -> None:
    side = Answers(questions=("q",), answer=("a", "b"))
    assert Entry(id="x", en=side).answers("en") == ("a", "b")
