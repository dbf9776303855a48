"""Blocked words, however they are dressed up; and answers that hold one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.moderation.word_list import WordList, WordListError, load_words

WORDS = WordList(["spam", "buy now", "微信", "Scam*", "hell", "傻 瓜", "加vx", "naïve"])


@pytest.mark.parametrize(
    "text",
    [
        "spam",
        "SPAM!",
        "ｓｐａｍ",
        "s p a m",
        "s. p. a. m",
        "s-p-a-m",
        "s.p*a_m",
        "sp\u200bam",
        "spám",
        "快来spam网站",
        "come:spam",
        "Buy  NOW",
        "buy, now",
        "微信",
        "加 微 信 吧",
        "微-信",
        "微\n信",
        "微😀信",
        "scammers",
        "h e l l",
        "你这傻瓜",
        "加VX",
        "加 v x",
        "naive",
    ],
)
def test_blocked(text: str) -> None:
    assert WORDS.finds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spammer",
        "he'll come",
        "hello",
        "shell",
        "now buy",
        "buynow",
        "as pam said",
        "微笑的信",
        "傻",
        "escam",
        "class",
        "I am a spa manager",
    ],
)
def test_not_blocked(text: str) -> None:
    assert not WORDS.finds(text)


def test_a_long_list_costs_little_per_message() -> None:
    words = WordList([f"词语{n}号" for n in range(20_000)] + [f"word{n}" for n in range(20_000)])
    text = "这是一条普通的弹幕 with some ordinary words in it " * 4
    assert len(words) == 40_000 and not words.finds(text) and words.finds(text + "词语777号")


def test_files_of_words(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_bytes("\ufeff# comment\r\nspam\r\n\r\n   \r\n".encode())
    two.write_text("微信\n***\n", encoding="utf-8")
    words = load_words([one, two])
    assert len(words) == 2 and words.finds("Spam") and words.finds("微信")
    assert not len(load_words([]))
    with pytest.raises(WordListError, match="one word per line") as error:
        load_words([tmp_path / "none.txt"])
    assert error.value.zh
    (tmp_path / "gbk.txt").write_bytes("微信".encode("gbk"))
    with pytest.raises(WordListError):
        load_words([tmp_path / "gbk.txt"])
