"""Words that say little about what a question is about."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

#: Question words and politeness tell little about the subject, but all of "who are you" is such.
STOP_WEIGHT = 0.12
#: Everyday words that fit any topic: not finding one says little.
COMMON_WEIGHT = 0.3

STOP_ZH = (
    "是不是 能不能 可不可以 有没有 要不要 需不需要 会不会 怎么样 为什么 怎么 怎样 如何 什么 "
    "哪个 哪些 哪里 哪儿 可以 能够 能 可 会 要 想 应该 需要 请问 请 麻烦 告诉 我们 我 你们 你 "
    "您 它 他 她 这个 那个 这 那 一下 一个 一点 一些 的话 的 地 得 了 着 过 吗 呢 吧 啊 呀 哦 "
    "嘛 么 和 跟 与 或者 还是 也 都 就 才 再 还 在 把 被 让 给 对 从 到 用 来 去 是 有 没有 "
    "不 很 太 多 几 谁 啥 咋 现在 目前 今天 如果 因为 所以 但是 然后 该 弄 搞 知道 觉得 帮 做 "
    "上 下 里 自己 直接 到底 究竟 其实 好 些 个 只 用来 时候 东西"
).split()
STOP_EN = frozenset(
    "a an the i me my we our you your yourself it its this that these those he she they "
    "them is are am was were be been being do does did done doing have has had having can "
    "could will would shall should may might must what which who whom whose where when why "
    "how of in on at to for with about from by as into and or but if then so than too very "
    "just also not no there here please tell know want need like get got let some any all "
    "more actually really exactly right now still ever go goes going don "
    "doesn didn won isn aren couldn shouldn wouldn way thing make made give something anything "
    "someone up out".split()
)
COMMON_ZH = (
    "步骤 方法 办法 怎么回事 回事 原因 情况 公司 内部 提供 行不行 好不好 好听 有点 多少 除了 "
    "别的 其他 这样 那样 简单 明白 看看 说说 试试 申请 打开 进去 出来 起来 一般 平时 每天 大概 "
    "有人 别人 打算 准备 开始 继续 以后 之后 之前 刚刚 刚才 老板 客户 朋友 同事 必须 最好 比较 "
    "真的 一直 已经 关于 为 行 老 旧 新 最 先 跑 拿 找 看 放 进 听 说 问"
).split()
_COMMON_EN = (
    "give take put come keep hold happen mean find say said work run start open look seem old new "
    "good great nice bad best better real big small easy hard quick next first last kind sort type "
    "part bit end step one two anyone everybody somebody always never often maybe allow able "
    "possible try show let call handle people build built much many place long well enough around "
    "away back off down through within between under before after while until because since only "
    "even though again sound believe think bring buy page product stuff today simple proper"
).split()

_CONTRACTIONS = (
    (re.compile(r"\b(can|won|don|doesn|didn|isn|aren|couldn|shouldn|wouldn)['’]?t\b"), r"\1 not"),
    (re.compile(r"['’](s|re|m|ll|ve|d)\b"), " "),
)
_PLEASANTRY = re.compile(
    r"^(?:(?:你好啊?呀?|您好|嗨|哈喽|喂|请问(?:一下)?|麻烦(?:问)?一下|我想(?:问|知道)(?:一下)?|"
    r"(?:你?能不?能?|可以|请)?告诉我(?:一下)?|"
    r"(?:hi there|hi|hello|hey|excuse me|ok(?:ay)?|so|well|um+|uh|please|i was wondering(?: if)?|"
    r"by the way|could you tell me|can you tell me|i(?:'d| would) like to know)\b)"
    r"[\s,，。.!！?？、:：~～]*)+",
    re.IGNORECASE,
)
_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The Snowball stem of an English word in lower case; stop words stay as they are."""
    return word if word in STOP_EN else str(_stemmer.stemWord(word))


COMMON_STEMS = frozenset(map(stem, _COMMON_EN))


def folded(text: str) -> str:
    """Lower case, full-width forms as half-width ones, contractions as two words."""
    text = unicodedata.normalize("NFKC", text).lower()
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return text


def without_pleasantry(question: str) -> str:
    """The question itself, without the greeting or "could you tell me" that it begins with."""
    return _PLEASANTRY.sub("", question).strip()
