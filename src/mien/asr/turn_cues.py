"""What the words so far say about whether there are more to come. Tables for Chinese and English.

Recognisers hand out words without punctuation, or put a full stop behind everything, also in
mid-sentence. So it is the last words that tell, hardly the marks: nobody stops at "because the".
"""

from __future__ import annotations

import re
from typing import Literal

from mien.language import Language, detect_language

Reading = Literal["nothing", "open", "digits", "plain", "finished"]
"""nothing: no words yet. open: more must come. digits: a number is being dictated, in groups.
plain: may be all. finished: reads as a whole question, request or answer."""


def reading(text: str, language: Language) -> Reading:
    """How the words read that were said so far, as a recogniser gives them.

    language: of the conversation. Words that end in the other one are read in that.
    """
    trailing_off = re.search(r"[,，、:：;；—–-]\s*$|(?:…|\.{2,}|。{2,})\s*$", text)
    words = _words(text)
    if not words:
        return "nothing"
    digits = _trailing_digits(text)
    if digits:
        return "plain" if digits in _WHOLE_NUMBERS else "digits"
    language = detect_language(words[-1], language)
    read = _chinese("".join(words)) if language == "zh" else _english(words)
    if trailing_off and read != "finished":
        return "open"
    return read if read != "plain" or not re.search(r"[?？]\s*$", text) else "finished"


def _words(text: str) -> list[str]:
    """Lower-case words without marks; an apostrophe belongs to its word."""
    return re.findall(r"[a-z]+(?:['’][a-z]+)*|[0-9]+|[\u3400-\u9fff]+", text.lower())


def _set(table: str) -> frozenset[str]:
    """Entries lie on lines and between commas."""
    return frozenset(entry.strip() for entry in re.split(r"[,\n]", table) if entry.strip())


# Digits, said one by one. Lengths that are whole: phone numbers, here and there.
_DIGIT_WORDS = r"zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple"
_SPELLED = re.compile(rf"(?:(?:^|\s)(?:{_DIGIT_WORDS})){{2,}}[\s.,]*$", re.I)
_SPELLED_ZH = re.compile(r"[零〇一二三四五六七八九幺]{2,}[\s。，、]*$")
_NUMERALS = re.compile(r"\d(?:[\s-]?\d){4,}[\s.,。，、-]*$")  # a year or a price has no more than 4
_WHOLE_NUMBERS = frozenset({7, 8, 10, 11})


def _trailing_digits(text: str) -> int:
    """How many digits somebody has just dictated; 0 if they do not."""
    if spelled := _SPELLED.search(text):
        return len(re.findall(rf"\b(?:{_DIGIT_WORDS})\b", spelled.group(), re.I))
    if spelled := _SPELLED_ZH.search(text):
        return len(re.findall(r"[零〇一二三四五六七八九幺]", spelled.group()))
    if numerals := _NUMERALS.search(text):
        return len(re.findall(r"\d", numerals.group()))
    return 0


# --- English -----------------------------------------------------------------------------------

_EN_ANSWERS = _set("""
    yes, yes please, yeah, yep, no, nope, no thanks, no thank you, okay, ok, sure, of course, right
    all right, alright, exactly, great, good, fine, perfect, maybe, not yet, not really, i see
    thanks, thank you, thank you very much, thanks a lot, please, never mind, forget it, i do
    hello, hi, hey, good morning, good evening, good night, good afternoon, bye, goodbye, see you
    stop, wait, continue, go on, repeat, again, help, why, really, sorry what, and then what
    that's all, that's it, that is all, nothing, i don't know, i am, it is, they are, of course not
""")
# Nobody stops after these.
_EN_OPEN = _set("""
    um, uh, uhm, er, erm, hmm, mm, ah, like, well, so, actually, basically, anyway, also, plus
    and, or, but, because, cause, if, than, although, though, since, unless, until, while
    whether, as, then, which, whose, how, what, who, where, when
    of, to, for, from, with, in, at, by, into, onto, about, between, without, during, among
    through, against, via, per, near, behind, beside, except, despite, toward, towards
    the, a, an, my, your, his, our, their, its, every, some, any, another, these, those
    i, we, they, he, she, you're, we're, they're, i'm, i'll, i'd, i've, we'll, we've, you'll
    is, are, am, was, were, be, will, would, can, could, should, shall, must, might, may
    does, did, has, had, gonna, wanna, very, quite, too, such, even, just, almost, maybe, really
""")
_EN_OPEN_PHRASES = _set("""
    you know, i mean, i think, i guess, i want, i have, i like, i wonder, i was wondering
    would like, tell me, let me think, let me see, do you have, do you know, can you, could you
    would you, will you, do you, there is, what about, how about, sort of
    kind of, for example, first of all, i wanted to ask, i want to ask, i'd like to ask, do i
    think that, know that, so that, mean that, said that, sure that, such that
    how do, what do, where do, when do, why do, what does, how does, where does, how did, what did
    can i, could i, may i, should i, is there, are there, i need, not, the most
    please can you, could you please, can you please
""")
# Ends that only look open: verbs with a particle, what a question leaves behind, set phrases.
_EN_CLOSED_PHRASES = _set("""
    come in, log in, sign in, check in, go on, come on, hold on, what for, where to, where from
    i think so, me too, not really, how so, what then, by then, and you, what is that, who is that
    like that, about that, of that, do that, did that, want that, with that, this and that, to that
    how is she, how is he, who is she, who is he, who am i, where am i, yes i am, i do too
""")
# "What do I need to look at": in a question for a thing, these may stand at the end.
_EN_ASKS_FOR_A_THING = _set("what, what's, who, which, where")
_EN_LEFT_BEHIND = _set("at, for, from, about, with, to, in, on, of, like, need, there")
_EN_QUESTION = _set("""
    what, what's, who, who's, where, where's, when, why, how, how's, which, whose, is, are, am, do
    does, did, can, could, would, will, should, may, have, has, shall, isn't, aren't, don't, can't
""")
_EN_SUBORDINATE = frozenset({"if", "when", "although", "because", "while", "since", "once"})
_EN_MAIN = _EN_QUESTION | _set("i'll, i'd, will, let's, please, then")


def _english(words: list[str]) -> Reading:
    words = [word.replace("’", "'") for word in words]
    said, last = " ".join(words), words[-1]
    if said in _EN_ANSWERS or _ends(words, _EN_CLOSED_PHRASES):
        return "finished"
    asked = bool(_EN_ASKS_FOR_A_THING & set(words[:-1])) and "how" not in words
    if asked and last in _EN_LEFT_BEHIND:
        return "plain"
    if last in _EN_OPEN or last.endswith("'s") or _ends(words, _EN_OPEN_PHRASES):
        return "open"
    if words[0] in _EN_SUBORDINATE and not _EN_MAIN & set(words[1:]):
        return "open" if len(words) < 7 else "plain"
    if last in ("please", "thanks") or words[-2:] == ["thank", "you"]:
        return "finished"
    return "finished" if words[0] in _EN_QUESTION and len(words) >= 4 else "plain"


def _ends(words: list[str], phrases: frozenset[str]) -> bool:
    return any(" ".join(words[-n:]) in phrases for n in (1, 2, 3, 4))


# --- Chinese -----------------------------------------------------------------------------------

_ZH_ANSWERS = _set("""
    是, 是的, 对, 对的, 对啊, 好, 好的, 好吧, 行, 可以, 不可以, 不, 不是, 不用, 不要, 没有
    不用了, 没事, 没关系, 谢谢, 谢谢你, 你好, 您好, 喂, 再见, 拜拜, 早上好, 下午好, 晚上好, 晚安
    停, 等一下, 继续, 再来一次, 算了, 知道了, 明白, 明白了, 怎么了, 然后呢, 当然, 没错
    就这样, 就是这样, 这样, 不知道, 我不知道, 不会, 不能, 我也是
""")
# Nobody stops after these.
_ZH_OPEN = _set("""
    嗯, 呃, 额, 就是, 就是说, 然后, 因为, 所以, 但是, 可是, 不过, 而且, 或者, 还有, 以及, 如果, 要是
    虽然, 其实, 比如, 比如说, 首先, 另外, 其次, 那么, 也就是, 并且, 甚至, 除了, 只要, 只有
    我想, 我觉得, 我认为, 我以为, 我想问, 想问一下, 想问问, 请问, 请问一下, 让我想想, 我想想, 我看看
    怎么说呢, 和, 与, 跟, 或, 给, 把, 被, 让, 从, 向, 往, 对于, 关于, 按照, 为了, 由于, 通过, 在
    很, 太, 最, 更, 比较, 非常, 特别, 不太, 有点, 有点儿, 越来越, 稍微, 挺, 十分
    就, 也, 还, 又, 才, 只, 都是, 正在, 应该, 可能, 必须, 需要, 想要, 打算, 希望, 能不能, 可不可以
    是不是, 要不要, 有没有, 是否, 怎么, 如何, 请, 请你, 请您, 帮我, 麻烦你, 你能, 你可以, 你能不能
    以后, 之后, 之前, 的时候, 从来, 一直, 已经, 正好, 而是, 并不是, 我叫, 问题是, 意思是, 不知道怎么
""")
_ZH_CLOSED = _set(
    "我也是, 他也是, 不都是, 怎么办, 也不是, 我都是, 拜托请, 在不在, 还在, 都在, 不在"
)
# "那个" is a filler after these and at the beginning, and means a thing elsewhere.
_ZH_FILLER = re.compile(r"(?:^|就是|然后|嗯|呃|一下|那个|这个|因为|所以)(?:这个|那个|这|那)$")
_ZH_SUBJECT = re.compile(
    r"(?:^|其实|首先|因为|所以|但是|可是|然后|如果|而且|不过|虽然|要是|那么)(?:我|你|您|他|她|它|我们|你们|他们)$"
)
_ZH_COPULA = re.compile(r"(?<![也不都就还老可总])是$")
_ZH_SUBORDINATE = re.compile(r"^(?:如果|要是|虽然|由于|除了|当)(?!.*[就吗呢吧那但会能要])")
_ZH_POSSESSOR = re.compile(r"^(?:是?关于|因为|是因为|由于).*的$")
_ZH_IN_CASE = re.compile(r"(?<![你我他她说个才])的话$")
# From A to B; 到 after a verb is part of it (看到, 找到).
_ZH_FROM_TO = re.compile(r"从[^到]+到$")
_ZH_PARTICLE = re.compile(r"[吗呢吧呀啊啦嘛了哦]$")
_ZH_HANGING = re.compile(r"(?:什么|[的地得到对跟你我])$|^为什么")  # a noun or a verb may follow
_ZH_QUESTION = re.compile(
    r"什么|怎么|多少|多大|多久|多远|哪|谁|几[个点岁年月天号位]|为何|有没有|是不是|能不能|可不可以"
)


def _chinese(said: str) -> Reading:
    if said in _ZH_ANSWERS or any(said.endswith(end) for end in _ZH_CLOSED):
        return "finished"
    if any(said.endswith(end) for end in _ZH_OPEN) or any(
        pattern.search(said)
        for pattern in (
            _ZH_FILLER,
            _ZH_SUBJECT,
            _ZH_COPULA,
            _ZH_SUBORDINATE,
            _ZH_POSSESSOR,
            _ZH_IN_CASE,
            _ZH_FROM_TO,
        )
    ):
        return "open"
    if _ZH_PARTICLE.search(said) or said.endswith("谢谢"):
        return "finished"
    asks = _ZH_QUESTION.search(said) and not _ZH_HANGING.search(said)
    return "finished" if asks else "plain"
