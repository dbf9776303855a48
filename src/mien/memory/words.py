"""The words of a text that it can be found by, in Chinese and English."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import snowballstemmer

_RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[^\W_]+(?:['’][^\W_]+)?")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
# Words that every text has; questions are not asked about them.
_STOP_ZH = frozenset(
    "的 了 吗 呢 吧 啊 呀 哦 嘛 么 我 你 您 他 她 它 我们 你们 他们 她们 咱们 自己 用户 这 那 这个 "
    "那个 是 在 有 没有 和 跟 与 也 都 就 还 很 不 没 要 会 能 可以 想 去 来 到 说 叫 给 对 从 把 "
    "被 让 一 个 一个 一下 一些 些 什么 怎么 怎样 怎么样 为什么 哪里 哪儿 哪个 谁 多少 几 如果 "
    "因为 所以 但是 但 而 或者 还是 然后 现在 今天 知道 觉得 告诉 请 请问 谢谢 你好 您好 好 好的 "
    "嗯 记得 还记得 记住 忘记 忘 关于 上 下 里 着 过 地 得 之 其".split()
)
_STOP_EN = frozenset(
    "a about all also am an and any are as at be been being but by can could did do does doing "
    "don for from had has have having he her hers him his how i if in into is it its just know "
    "like me mine more my no not now of on or our out please remember say said she should so "
    "some tell than thank thanks that the their them then there these they this those to too up "
    "us user user's very want was we were what when where which who whom whose why will with "
    "would yes you your yours hello hi forget everything ok okay yeah well let got get".split()
)
_MAX_CHARS = 40  # what is longer is no word but an address or a hash


def words_of(text: str) -> list[str]:
    """In order, repeated as they are; English ones as stems, common ones left out."""
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _HAN.match(run):
            found += _segmented(run)
        elif run not in _STOP_EN and len(run) <= _MAX_CHARS:
            found.append(_stem(run.replace("’", "'").removesuffix("'s")))
    return found


def whole_words_of(text: str) -> list[str]:
    """Words as people write them, for people to read: no stems, no parts, no single characters."""
    import rjieba

    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text)):
        words: list[str] = rjieba.cut(run) if _HAN.match(run) else [run]
        stop = _STOP_ZH | _STOP_EN
        found += [word for word in words if 2 <= len(word) <= _MAX_CHARS]
        found = [word for word in found if word.casefold() not in stop and not word.isdigit()]
    return found


def one_line(text: str, limit: int) -> str:
    """Without line breaks and what cannot be seen, at most ``limit`` characters."""
    shown = (c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return " ".join("".join(shown).split())[:limit].strip()


def warm_up() -> None:
    """The dictionary of Chinese words takes 0.15 s and 30 MB, once."""
    _segmented("你好")


def _segmented(han: str) -> list[str]:
    """Words, the words in them, and each character: who asks may cut a name otherwise."""
    import rjieba

    words = [word for word in rjieba.cut_for_search(han) if word not in _STOP_ZH]
    parts = [character for word in words if len(word) > 1 for character in word]
    return words + [character for character in parts if character not in _STOP_ZH]


@cache
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))
