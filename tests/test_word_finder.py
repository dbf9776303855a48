from mien.tts.voice import Run
from mien.tts.word_finder import WordFinder, joined


def spans(runs: list[Run], *words: tuple[str, float, float | None]) -> list[tuple[str, float]]:
    finder = WordFinder(runs)
    for word in words:
        finder.add(*word)
    found = finder.take(0, 1e9)
    return [(runs[w.run].text[w.begin : w.stop], round(w.start, 3)) for w in found]


def test_runs_are_joined_so_that_words_stay_apart() -> None:
    assert joined([Run("zh", "你用"), Run("en", "GPT four o"), Run("zh", "吗？")]) == (
        "你用GPT four o吗？"
    )
    assert joined([Run("en", "one"), Run("en", "two")]) == "one two"
    assert joined([Run("en", "one "), Run("en", ""), Run("en", "two")]) == "one two"


def test_a_chinese_word_becomes_its_characters() -> None:
    runs = [Run("zh", "今天，天气好。")]
    assert spans(runs, ("今天", 0.1, 0.5), ("天气", 0.7, 1.1), ("好", 1.1, 1.3)) == [
        ("今", 0.1),
        ("天", 0.3),
        ("天", 0.7),
        ("气", 0.9),
        ("好", 1.1),
    ]


def test_merged_escaped_and_differently_written_words() -> None:
    runs = [Run("en", "Salt & Pepper, don't e-mail O'Brien!")]
    words = [("salt &amp; pepper", 0.0, 1.0), ("don’t", 1.0, 1.4), ("E-MAIL", 1.5, 1.9)]
    assert spans(runs, *words, ("O&apos;Brien", 2.0, 2.5)) == [
        ("Salt", 0.0),
        ("Pepper", 0.4),
        ("don't", 1.0),
        ("e-mail", 1.5),
        ("O'Brien", 2.0),
    ]


def test_a_word_over_two_runs() -> None:
    runs = [Run("zh", "我用"), Run("en", "Python写")]
    assert spans(runs, ("用Python", 0.0, 0.7), ("写", 0.7, 0.9)) == [
        ("用", 0.0),
        ("Python", 0.1),
        ("写", 0.7),
    ]


def test_what_is_not_in_the_text_is_passed_over() -> None:
    runs = [Run("en", "one two three " + "filling " * 20 + "a end")]
    assert spans(
        runs, ("um", 0.0, None), ("one", 0.1, None), ("...", 0.2, None), ("three", 0.3, None)
    ) == [("one", 0.1), ("three", 0.3)]
    assert spans(runs, ("a", 0.0, None), ("one", 0.1, None)) == [("one", 0.1)]


def test_times_never_go_back_but_words_may_be_told_late() -> None:
    runs = [Run("en", "one two three")]
    finder = WordFinder(runs)
    finder.add("one", 0.5)
    assert finder.take(0.0, 0.4) == ()
    finder.add("two", 0.3, 0.2)
    finder.add("three", 2.0)
    one, two = finder.take(0.8, 1.0)
    assert [round(t, 6) for t in (one.start, two.start, two.end)] == [-0.3, -0.3, -0.3]
    (three,) = finder.take(1.5, 2.5)
    assert round(three.start, 6) == 0.5 and three.end > three.start
    assert finder.take(0, 1e9) == ()
