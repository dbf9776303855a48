"""Facts: found in what people say, each once, the newer in place of what it contradicts."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.memory import facts, recall, summaries, turns, users, word_index
from mien.memory.facts import KINDS, SINGLE, Candidate
from mien.memory.patterns import MOST_PER_TEXT, facts_in
from mien.memory.store import MemoryStore
from mien.memory.summaries import Summary
from mien.memory.turns import Said
from mien.memory.words import one_line, words_of

TOLD = [
    ("Hello, my name is Anna. I live in Berlin and I like jazz.",
     ["Their name is Anna.", "They live in Berlin.", "They like jazz."]),
    ("Please call me Max!", ["They want to be called Max."]),
    ("I’m a teacher, and I don't like tea.", ["They are a teacher.", "They do not like tea."]),
    ("My cat's name is Mochi.", ["Their cat is called Mochi."]),
    ("I am 34 years old", ["They are 34 years old."]),
    ("你好，我叫李雷，今年三十岁。", ["用户的名字是李雷。", "用户三十岁。"]),
    ("叫我小李就行", ["用户希望被称呼为小李。"]),
    ("我特别喜欢吃火锅！我讨厌香菜。", ["用户喜欢吃火锅。", "用户不喜欢香菜。"]),
    ("我是一名程序员，我住在上海浦东", ["用户是程序员。", "用户住在上海浦东。"]),
    ("我的猫叫年糕呀", ["用户的猫叫年糕。"]),
    ("我对花生过敏", ["用户对花生过敏。"]),
]  # fmt: skip
NOT_TOLD = [
    "What is my name?", "Do I like jazz?", "I'm a bit tired.", "I like it.", "I love you",
    "Who am I", "They say my name is legion", "my name is what?",
    "我叫什么名字？", "我叫什么，你知道吗？", "我是说你很好", "我爱你", "我喜欢你的声音",
    "我喜欢这个", "他说我叫李雷", "",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "memory.sqlite3")


@pytest.fixture
def user(store: MemoryStore) -> int:
    return store.call(users.enter, "u", "en", 1.0)


def fact(text: str, kind: facts.Kind = "other", about: str = "", at: float = 2.0) -> Candidate:
    return Candidate(text, kind, "tool", at, about=about)


def hold(store: MemoryStore, user: int) -> list[str]:
    return [one.text for one in store.call(facts.holding, user)]


@pytest.mark.parametrize(("text", "found"), TOLD)
def test_what_people_say_of_themselves(text: str, found: list[str]) -> None:
    told = facts_in(text, 5.0, 7)
    assert [one.text for one in told] == found
    for one in told:
        assert one.said.rstrip("。.!！") in text.replace("’", "'") and one.how == "said"
        assert (one.at, one.source) == (5.0, 7)


@pytest.mark.parametrize("text", NOT_TOLD)
def test_what_they_do_not_say_of_themselves(text: str) -> None:
    assert facts_in(text, 5.0) == []


@given(st.text(alphabet="我叫喜欢是I'm like my name is call me.,?！。吗 " + string.ascii_letters))
def test_any_text_has_few_facts_and_each_has_words(text: str) -> None:
    found = facts_in(text, 1.0)
    assert len(found) <= MOST_PER_TEXT
    for one in found:
        assert words_of(one.text) and len(one.said) <= len(text) and one.kind in KINDS


@pytest.mark.timeout(120)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["Anna", "anna.", "Ben", "喜欢 茶", "喜欢茶！", "Likes tea", "LIKES TEA"]
            ),
            st.sampled_from(KINDS),
            st.sampled_from(["", "tea", "Tea.", "cat"]),
        ),
        max_size=12,
    )
)
def test_no_two_facts_say_the_same_or_contradict_each_other(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, facts.Kind, str]]
) -> None:
    store = _shared(tmp_path_factory)
    user = store.call(users.enter, "u", "en", 1.0)
    store.call(recall.forget_everything, user)
    for at, (text, kind, about) in enumerate(told):
        store.call(facts.add, user, fact(text, kind, about, float(at)), 50)
    holding = store.call(facts.holding, user)
    plain = [facts.plain(one.text) for one in holding]
    slots = [one.slot for one in holding if one.slot]
    assert len(set(plain)) == len(plain) and len(set(slots)) == len(slots)
    assert {one.kind for one in holding if one.slot == one.kind} <= SINGLE
    every = {one.id: one for one in store.call(facts.every, user)}
    for (
        one
    ) in every.values():  # whatever was said last holds, and all else says what took its place
        while one.superseded_by is not None:
            one = every[one.superseded_by]
        assert one in holding
    if told:
        assert facts.plain(told[-1][0]) in plain


_stores: list[MemoryStore] = []


def _shared(folders: pytest.TempPathFactory) -> MemoryStore:
    if not _stores:
        _stores.append(MemoryStore(folders.mktemp("facts") / "memory.sqlite3"))
    return _stores[0]


def test_a_new_name_and_a_changed_mind(store: MemoryStore, user: int) -> None:
    store.call(facts.add, user, fact("Their name is Anna.", "name", at=2), 50)
    store.call(facts.add, user, fact("They like coffee.", "like", "coffee", at=3), 50)
    store.call(facts.add, user, fact("They like tea.", "like", "tea", at=4), 50)
    store.call(facts.add, user, fact("Their name is Anne.", "name", at=5), 50)
    store.call(facts.add, user, fact("They do not like coffee.", "dislike", "Coffee", at=6), 50)
    assert hold(store, user) == [
        "They do not like coffee.", "Their name is Anne.", "They like tea.",
    ]  # fmt: skip
    (anna,) = [one for one in store.call(facts.every, user) if one.text == "Their name is Anna."]
    (anne,) = [one for one in store.call(facts.holding, user) if one.kind == "name"]
    assert anna.superseded_by == anne.id
    assert store.call(facts.remove, user, anne.id)  # and Anna does not come back
    assert hold(store, user) == ["They do not like coffee.", "They like tea."]


def test_what_is_found_late_in_old_words_does_not_hold(store: MemoryStore, user: int) -> None:
    """A model sums up what was said a while ago."""
    store.call(facts.add, user, fact("They live in Bonn.", "home", at=9), 50)
    assert store.call(facts.add, user, fact("They live in Ulm.", "home", at=5), 50) == "new"
    assert hold(store, user) == ["They live in Bonn."]
    (ulm, bonn) = store.call(facts.every, user)
    assert (ulm.text, ulm.superseded_by) == ("They live in Ulm.", bonn.id)
    store.call(facts.add, user, fact("They live in Kiel.", "home", at=10), 50)
    assert hold(store, user) == ["They live in Kiel."]


def test_of_facts_that_go_with_another_no_word_stays(store: MemoryStore, user: int) -> None:
    for at, text in ((1, "Alpha is theirs."), (2, "Beta is theirs."), (3, "Gamma is theirs.")):
        store.call(facts.add, user, fact(text, "name", at=float(at)), 50)
    # As an export from elsewhere may have it: what was superseded is the newer one.
    store.call(
        lambda db: db.execute("UPDATE facts SET at = 2.5 WHERE text LIKE 'Alpha%'").fetchall()
    )
    store.call(facts.add, user, fact("Something else.", at=4.0), 3)
    assert [one.text for one in store.call(facts.every, user)] == [
        "Gamma is theirs.", "Something else.",
    ]  # fmt: skip
    left = store.call(lambda db: db.execute("SELECT DISTINCT word FROM words").fetchall())
    assert {word for (word,) in left} == {"gamma", *words_of("theirs something else")}


def test_the_oldest_go_superseded_ones_first(store: MemoryStore, user: int) -> None:
    for at in range(6):
        store.call(facts.add, user, fact(f"Number {at} is theirs.", "name", at=float(at)), 4)
    every = [one.text for one in store.call(facts.every, user)]
    assert every == [f"Number {at} is theirs." for at in (2, 3, 4, 5)]
    for at in range(10, 14):
        store.call(facts.add, user, fact(f"Thing {at}.", at=float(at)), 4)
    assert hold(store, user) == [f"Thing {at}." for at in (13, 12, 11, 10)]
    assert [hit.place for hit in store.call(word_index.search, user, "number thing", 9)] == [
        "fact"
    ] * 4


def test_forgetting_takes_what_it_came_from_and_what_the_summary_says(
    store: MemoryStore, user: int
) -> None:
    for turn, (question, answer) in enumerate(
        [("I moved to Leipzig.", "Leipzig is lovely!"), ("What is HTTP?", "A protocol.")]
    ):
        told = store.call(turns.add, user, Said("c", turn, "user", question, True, 10.0 + turn))
        store.call(turns.add, user, Said("c", turn, "assistant", answer, True, 10.5 + turn))
        if turn == 0:
            new = Candidate("They live in Leipzig.", "home", "summary", 11.0, question, told)
            store.call(facts.add, user, new, 50)
            bees = Candidate("They keep bees.", "other", "summary", 11.0, question, told)
            store.call(facts.add, user, bees, 50)
    store.call(summaries.put, user, Summary("They asked about HTTP.\nMoving to Leipzig.", 12, 12))
    assert store.call(recall.forget, user, "Leipzig", ("c", 99)) == 1
    (left,) = store.call(facts.holding, user)
    assert (left.text, left.said, left.source) == ("They keep bees.", "", None)
    assert [one.text for one in store.call(turns.every, user)] == ["What is HTTP?", "A protocol."]
    assert store.call(summaries.of, user).text == "They asked about HTTP."
    for nothing in ("the", "Bonn"):
        assert store.call(recall.forget, user, nothing, ("c", 99)) == 0
    store.scrub()
    assert b"leipzig" not in b"".join(f.read_bytes() for f in store.path.parent.iterdir()).lower()


def test_words_that_chinese_and_english_are_found_by() -> None:
    assert set(words_of("My cats' names are Mochi and Ｌuna")) == {"cat", "name", "mochi", "luna"}
    assert {"年糕", "糕"} <= set(words_of("我的猫叫年糕"))
    assert words_of("你还记得我吗？ What is it?") == []
    assert one_line("a\x00b\u202e\n\n c " + "d" * 99, 6) == "ab c d"


def test_recall_finds_what_was_said_in_both_languages(store: MemoryStore, user: int) -> None:
    for turn, text in enumerate(["我养了一只猫，叫年糕", "今天天气怎么样", "My bike is red."] * 2):
        store.call(turns.add, user, Said("c", turn, "user", text, True, float(turn)))
    found = store.call(recall.search, user, "猫叫什么？年糕吗", 6, ("c", 99))
    assert {one.said[0].text for one in found.exchanges} == {"我养了一只猫，叫年糕"}
    (one,) = store.call(recall.search, user, "the bike", 6, ("c", 5)).exchanges
    assert one.said[0].turn == 2
    assert store.call(recall.search, user, "Wasserball", 6, ("c", 5)) == recall.Found()
