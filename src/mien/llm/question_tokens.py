"""Cuts short spoken questions, Chinese and English, into weighted tokens for a search."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

import snowballstemmer

# Everyday words that fit any topic: not finding one in the FAQ says little.
_COMMON_WEIGHT = 0.3
_COMMON_ZH = (
    "步骤 方法 办法 怎么回事 回事 原因 情况 公司 内部 提供 行不行 好不好 好听 有点 多少 除了 "
    "别的 其他 这样 那样 简单 明白 看看 说说 试试 申请 打开 进去 出来 起来 一般 平时 每天 大概 "
    "有人 别人 打算 准备 开始 继续 以后 之后 之前 刚刚 刚才 老板 客户 朋友 同事 必须 最好 比较 "
    "真的 一直 已经 关于 为 行 老 旧 新 最 先 跑 拿 找 看 放 进 听 说 问"
).split()
_COMMON_EN = frozenset(
    "give take put come keep hold happen mean find say said work run start open look seem old new "
    "good great nice bad best better real big small easy hard quick next first last kind sort type "
    "part bit end step one two anyone everybody somebody always never often maybe allow able "
    "possible try show let call handle people build built much many place long well enough around "
    "away back off down through within between under before after while until because since only "
    "even though again sound believe think bring buy page product stuff today simple proper".split()
)
# Question words and politeness tell little about the subject, but all of "who are you" is such.
STOP_WEIGHT = 0.12
# Chinese bigrams across a word boundary are noise; half of them are, roughly.
_BIGRAM_WEIGHT = 0.5

_STOP_ZH = (
    "是不是 能不能 可不可以 有没有 要不要 需不需要 会不会 怎么样 为什么 怎么 怎样 如何 什么 "
    "哪个 哪些 哪里 哪儿 可以 能够 能 可 会 要 想 应该 需要 请问 请 麻烦 告诉 我们 我 你们 你 "
    "您 它 他 她 这个 那个 这 那 一下 一个 一点 一些 的话 的 地 得 了 着 过 吗 呢 吧 啊 呀 哦 "
    "嘛 么 和 跟 与 或者 还是 也 都 就 才 再 还 在 把 被 让 给 对 从 到 用 来 去 是 有 没有 "
    "不 很 太 多 几 谁 啥 咋 现在 目前 今天 如果 因为 所以 但是 然后 该 弄 搞 知道 觉得 帮 做 "
    "上 下 里 自己 直接 到底 究竟 其实 好 些 个 只 用来 时候 东西 小眉"
).split()
_STOP_EN = frozenset(
    "mei a an the i me my we our you your yourself it its this that these those he she they "
    "them is are am was were be been being do does did done doing have has had having can "
    "could will would shall should may might must what which who whom whose where when why "
    "how of in on at to for with about from by as into and or but if then so than too very "
    "just also not no there here please tell know want need like get got let some any all "
    "more actually really exactly right now still ever go goes going don "
    "doesn didn won isn aren couldn shouldn wouldn way thing make made give something anything "
    "someone up out".split()
)
_CONTRACTIONS = (
    (re.compile(r"\b(can|won|don|doesn|didn|isn|aren|couldn|shouldn|wouldn)['’]?t\b"), r"\1 not"),
    (re.compile(r"['’](s|re|m|ll|ve|d)\b"), " "),
)
_EN_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_stemmer = snowballstemmer.stemmer("english")

_COMMON_SET_ZH = frozenset(_COMMON_ZH)
_COMMON_STEMS = frozenset(str(_stemmer.stemWord(w)) for w in _COMMON_EN)

Tokens = Mapping[str, float]


class Tokenizer:
    """Cuts a question into weighted tokens.

    Args:
        concepts: Concept name to the words and phrases, in either language, that stand for it.
            All of them become the token ``#name``.
    """

    def __init__(self, concepts: Mapping[str, Sequence[str]]) -> None:
        han: dict[str, str] = dict.fromkeys([*_STOP_ZH, *_COMMON_ZH], "")
        latin: dict[tuple[str, ...], str] = {}
        for name, phrases in concepts.items():
            for phrase in phrases:
                text = normal(phrase)
                if _HAN_RUN.search(text):
                    han[text.replace(" ", "")] = name
                elif words := tuple(_stem(text)):
                    latin[words] = name
        self._han = han
        self._han_pattern = re.compile("|".join(map(re.escape, sorted(han, key=len)[::-1])))
        self._latin = latin
        self._longest = max((len(k) for k in latin), default=1)

    def __call__(self, text: str) -> Tokens:
        tokens: dict[str, float] = {}
        text = normal(text)
        # Concepts may be half Latin ("ai模型"), so Chinese phrases are looked up before anything.
        rest = self._take_phrases(text, tokens)
        for run in _HAN_RUN.findall(rest):
            for gram in [run] if len(run) == 1 else map("".join, pairwise(run)):
                tokens[gram] = _BIGRAM_WEIGHT
        self._take_words(_stem(rest), tokens)
        return tokens

    def _take_phrases(self, text: str, tokens: dict[str, float]) -> str:
        if not _HAN_RUN.search(text):
            return text

        def take(match: re.Match[str]) -> str:
            phrase = match.group()
            concept = self._han[phrase]
            if concept:
                tokens[f"#{concept}"] = 1.0
            else:
                tokens[phrase] = _COMMON_WEIGHT if phrase in _COMMON_SET_ZH else STOP_WEIGHT
            return " "

        return self._han_pattern.sub(take, text)

    def _take_words(self, words: list[str], tokens: dict[str, float]) -> None:
        at = 0
        while at < len(words):
            for n in range(min(self._longest, len(words) - at), 0, -1):
                if concept := self._latin.get(tuple(words[at : at + n])):
                    tokens[f"#{concept}"] = 1.0
                    at += n
                    break
            else:
                word = words[at]
                if word in _STOP_EN:
                    tokens[word] = STOP_WEIGHT
                else:
                    tokens[word] = _COMMON_WEIGHT if word in _COMMON_STEMS else 1.0
                at += 1


def normal(text: str) -> str:
    """Lower case, half-width, punctuation as single spaces."""
    text = unicodedata.normalize("NFKC", text).lower()
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return " ".join(re.findall(r"[\w.]*\w", text))


def _stem(text: str) -> list[str]:
    """English words of a text; stems, except stop words, which stay as they are."""
    return [
        w if w in _STOP_EN else str(_stemmer.stemWord(w)) for w in _EN_WORD.findall(text.lower())
    ]
