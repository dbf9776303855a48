"""Reasoning inside the answer is never spoken."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mien.llm.think_filter import ThinkFilter


def filtered(text: str, cuts: list[int], starts_inside: bool = False) -> str:
    think = ThinkFilter(starts_inside)
    edges = [0, *sorted(c % (len(text) + 1) for c in cuts), len(text)]
    parts = [text[a:b] for a, b in pairwise(edges)]
    return "".join(map(think.feed, parts)) + think.close()


CASES = [
    ("<think>x</think>\n\nHello", "Hello"),
    ("Hello", "Hello"),
    ("a < b and <b>c</b> <thin", "a < b and <b>c</b> <thin"),
    ("<THINK>x</Think>A<thinking>y</thinking>B", "AB"),
    ("<think>never closed", ""),
    ("<think>a < b </thin </think>ok", "ok"),
    ("<think></think>", ""),
]


@given(st.sampled_from(CASES), st.lists(st.integers(0, 60), max_size=12))
def test_think_is_removed_however_it_is_cut(case: tuple[str, str], cuts: list[int]) -> None:
    assert filtered(case[0], cuts) == case[1]


@given(st.lists(st.integers(0, 60), max_size=12))
def test_a_model_that_starts_inside(cuts: list[int]) -> None:
    assert filtered("hm hm</think> Hello", cuts, starts_inside=True) == "Hello"
    assert filtered("<think>hm</think>Hello", cuts, starts_inside=True) == "Hello"
    assert filtered("Hello, no thought", cuts, starts_inside=True) == "Hello, no thought"


def test_separate_reasoning_ends_the_waiting() -> None:
    think = ThinkFilter(starts_inside=True)
    think.reasoning_is_separate()
    assert think.feed("Hello") == "Hello"
