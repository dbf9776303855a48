"""Facts that people tell of themselves in so many words; for when no model can be asked.

Rather too few than wrong ones: whole sentences that begin with "I" or "my", no questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mien.memory.facts import Candidate, Kind

MOST_PER_TEXT = 5


class _Rule(NamedTuple):
    """fact: with {0}, {1} for what the pattern's groups found. about: likewise, see Candidate."""

    pattern: re.Pattern[str]
    kind: Kind
    fact: str
    about: str = ""


def _en(pattern: str, kind: Kind, fact: str, about: str = "") -> _Rule:
    start = r"^(?:(?:hi|hello|hey|well|and|so|oh|yes|no|actually|by the way|you know)[,\s]+)*"
    return _Rule(re.compile(start + pattern + "$", re.IGNORECASE), kind, fact, about)


def _zh(pattern: str, kind: Kind, fact: str, about: str = "") -> _Rule:
    start = r"^(?:你好|您好|嗨|嗯|那个|其实|对了|哦|是的|不)*"
    return _Rule(re.compile(f"{start}{pattern}$"), kind, fact, about)


_AM = r"i(?:'m| am)"
_KIN = (
    "wife|husband|son|daughter|brother|sister|mother|mum|mom|father|dad|partner|girlfriend|"
    "boyfriend|friend|boss|dog|cat"
)
_KIN_ZH = (
    "老婆|妻子|老公|丈夫|儿子|女儿|哥哥|弟弟|姐姐|妹妹|妈妈|爸爸|女朋友|男朋友|朋友|老板|同事|狗|猫"
)
_LIKES_ZH = r"我(?:也|很|最|特别|非常|比较|挺|真的)*(?:喜欢|喜爱|爱)(?P<a>.{1,20})"
_DISLIKES_ZH = r"我(?:也|很|最|特别|非常|比较|挺|真的)*(?:不喜欢|讨厌|不爱)(?P<a>.{1,20})"
_CALLED_ZH = r"[你您]?(?:可以|就)?(?:叫|称呼)我(?P<a>[^的]{1,12}?)(?:就好|就行|就可以|好了)?"
_RULES: tuple[_Rule, ...] = (
    _en(r"my name(?:'s| is) (?P<a>[^,]{1,40})", "name", "Their name is {a}."),
    _en(r"i(?:'m| am) called (?P<a>[^,]{1,40})", "name", "Their name is {a}."),
    _en(r"(?:please |you can |just )*call me (?P<a>[^,]{1,40}?)(?: please)?", "called",
        "They want to be called {a}."),
    _en(rf"{_AM} (?P<a>\d{{1,3}})(?: years old)?", "age", "They are {a} years old."),
    _en(r"my birthday(?:'s| is)(?: on)? (?P<a>.{3,30})", "birthday", "Their birthday is {a}."),
    _en(r"i live in (?P<a>.{2,40})", "home", "They live in {a}."),
    _en(rf"(?:i come|{_AM}) from (?P<a>.{{2,40}})", "origin", "They come from {a}."),
    _en(r"i work (?P<a>(?:as|at|for|in) .{2,50})", "work", "They work {a}.", "work"),
    _en(rf"{_AM} allergic to (?P<a>.{{2,40}})", "health", "They are allergic to {a}.", "{a}"),
    _en(r"i (?:really |also )*(?:like|love|enjoy) (?P<a>.{2,60})", "like", "They like {a}.",
        "{a}"),
    _en(r"i (?:really |also )*(?:don't|do not) (?:like|enjoy) (?P<a>.{2,60})", "dislike",
        "They do not like {a}.", "{a}"),
    _en(r"i (?:really |also )*(?:hate|can't stand) (?P<a>.{2,60})", "dislike",
        "They do not like {a}.", "{a}"),
    _en(rf"my (?P<b>{_KIN})(?:'s name is| is called| is named|'s called) (?P<a>.{{1,40}})",
        "relation", "Their {b} is called {a}.", "{b}"),
    _zh(r"(?:我叫|我的名字叫|我的名字是|我名叫)(?P<a>[^的]{1,12}?)", "name", "用户的名字是{a}。"),
    _zh(_CALLED_ZH, "called", "用户希望被称呼为{a}。"),
    _zh(r"我姓(?P<a>.{1,3})", "called", "用户姓{a}。"),
    _zh(r"(?:我|我今年|今年)(?P<a>[\d一二三四五六七八九十百]{1,4})岁", "age", "用户{a}岁。"),
    _zh(r"我的?生日是(?P<a>.{2,12})", "birthday", "用户的生日是{a}。"),
    _zh(r"我(?:现在)?住在?(?P<a>.{2,16})", "home", "用户住在{a}。"),
    _zh(r"我(?:来自|是从)(?P<a>.{2,12}?)(?:来的)?", "origin", "用户来自{a}。"),
    _zh(r"我是(?P<a>[\u3400-\u9fff]{2,6})人", "origin", "用户是{a}人。"),
    _zh(r"我在(?P<a>.{2,16})(?:工作|上班)", "work", "用户在{a}工作。", "work"),
    _zh(r"我是(?:一名|一位|一个|个|做|搞)(?P<a>.{2,12})", "work", "用户是{a}。", "job"),
    _zh(r"我对(?P<a>.{1,10})过敏", "health", "用户对{a}过敏。", "{a}"),
    _zh(_LIKES_ZH, "like", "用户喜欢{a}。", "{a}"),
    _zh(_DISLIKES_ZH, "dislike", "用户不喜欢{a}。", "{a}"),
    _zh(rf"我的?(?P<b>{_KIN_ZH})(?:的名字)?叫(?P<a>.{{1,12}})", "relation",
        "用户的{b}叫{a}。", "{b}"),
)  # fmt: skip
# What stands for something else tells nothing by itself.
_POINTS = re.compile(
    r"(?:you|it|that|this|them|him|her|these|those|both|[你您他她它]们?|[这那]个?|你的.*)"
    r"(?: (?:too|a lot|very much|so much))?$",
    re.IGNORECASE,
)
# "I am a teacher" is a fact, "I am a bit tired" is not.
_JOB = re.compile(rf"^{_AM} an? (?P<a>[a-z]+(?: [a-z]+){{0,2}})$", re.IGNORECASE)
_NO_JOB = re.compile(
    r"^(?:bit|little|lot|few|big|huge|fan|person|man|woman|human)\b", re.IGNORECASE
)

_CLAUSE = re.compile(r"[^。！？!?；;，,\n]+[。！？!?；;，,\n]?")
_EN_STOP = re.compile(r"\.(?=\s|$)| (?:and|but) (?=(?:i|my)\b)", re.IGNORECASE)
_ASKS = re.compile(r"[?？]\s*$|[吗呢么]\s*[。.！!？?，,]?\s*$")
_PARTICLE = re.compile(r"[\s。.!！,，;；~～]+$|(?<=.)[啊哦呀呢吧啦的了]+$")


def facts_in(text: str, at: float, source: int | None = None) -> list[Candidate]:
    """What is told in it, in the order of telling. source: the turn it is."""
    found = list(_found(text, at, source))
    return found[:MOST_PER_TEXT]


def _found(text: str, at: float, source: int | None) -> Iterator[Candidate]:
    for clause in _clauses(text):
        for rule in _RULES:
            if match := rule.pattern.match(clause):
                groups = {key: _trimmed(value) for key, value in match.groupdict().items()}
                if not any(not told or _POINTS.match(told) for told in groups.values()):
                    fact, about = rule.fact.format(**groups), rule.about.format(**groups)
                    yield Candidate(fact, rule.kind, "said", at, clause, source, about)
                break
        else:
            job = _JOB.match(clause)
            if job and not _NO_JOB.match(job["a"]):
                yield Candidate(
                    f"They are a {job['a']}.", "work", "said", at, clause, source, "job"
                )


def _clauses(text: str) -> Iterator[str]:
    """Without the questions: of what is asked nothing is known."""
    for sentence in _EN_STOP.split(text.replace("’", "'")):
        pieces: list[str] = _CLAUSE.findall(sentence)
        for piece in pieces:
            if not _ASKS.search(piece) and not _question_ahead(pieces, piece):
                if clause := _trimmed(piece):
                    yield clause


def _question_ahead(pieces: list[str], piece: str) -> bool:
    """Whether a piece that ends with a comma belongs to a question ("我叫什么，你知道吗？")."""
    after = pieces[pieces.index(piece) :]
    end = next((p for p in after if not p.rstrip().endswith(("，", ","))), after[-1])
    asks_which = re.search(r"什么|谁|哪|几|多少|\bwhat\b|\bwho\b|\bwhich\b", piece)
    return bool(asks_which) or (end is not piece and bool(_ASKS.search(end)) and len(after) < 3)


def _trimmed(text: str) -> str:
    before = None
    while text != before:
        before, text = text, _PARTICLE.sub("", text).strip()
    return text
