"""Which words only say "I am listening" (backchannels), and which say "stop".

By table: the set is small and the same for everybody (Yngve 1970, "On getting a word in edgewise";
for Mandarin, Clancy et al. 1996, "The conversational use of reactive tokens").
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Each is a run of tokens: Latin words apart by spaces, Chinese by characters. Spellings that
# differ in repeated letters only ("hm", "hmmm") are the same.
_BACKCHANNELS = """
uh huh|uhuh|uh|ah|aha|ah ha|oh|um|er|erm|em|eh|huh|ha|haha|hahaha|he|hehe|hm|mm|mm hm|mhm|um hum
yeah|yea|yah|ya|yep|yup|yes|right|alright|all right|ok|okay|o k|k|sure|of course|exactly|indeed|true
thats right|that is right|thats true|i see|got it|i got it|i get it|gotcha|i know|i understand
understood|makes sense|that makes sense|fair enough|good|great|nice|cool|fine|perfect|wow|really
oh really|is it|no way|go on|interesting|good to know|very good|very nice|absolutely|definitely
totally|amazing|awesome
嗯|恩|哦|噢|喔|啊|呃|额|唔|诶|欸|哎|唉|呀|哟|哇|哈|呵|嘿|哼|嗯哼|唔嗯|呣|吧|嘛|呢
对|对的|对啊|对呀|对吧|对了|好|好的|好吧|好啊|好呀|好嘞|好哒|好滴|是|是的|是啊|是呀|是吗|是吧|行|行吧|行啊
可以|没错|没事|没问题|明白|明白了|我明白|我明白了|知道|知道了|我知道|我知道了|懂了|我懂了|了解|了解了|收到
原来如此|原来是这样|原来这样|这样|这样啊|这样子|是这样|是这样啊|当然|真的|真的吗|真的啊|真是|不错|厉害
确实|确实是|有道理|有意思|棒|太好了|很好|挺好|挺好的|太棒了|继续|你继续|你说|你继续说|然后呢
"""

_STOPS = """
stop|stop it|stop there|stop that|stop talking|wait|wait a minute|wait a moment|wait a second
wait up|hold on|hang on|hold it|one moment|one second|just a moment|just a second|just a minute
a moment|pause|shut up|be quiet|quiet|silence|enough|thats enough|that is enough
let me talk|let me speak|excuse me|no stop|no wait|cancel|never mind|nevermind
停|停下|停下来|停一下|停一停|停止|暂停|打住|等|等等|等一下|等一等|等会|等会儿|等下|稍等|稍等一下|且慢|慢着
别说|别说了|别讲了|不要说|不要说了|不要讲了|不用说了|不说了|不必说了|别再说了|闭嘴|安静|够了|行了|好了|可以了
打断一下|我打断一下|听我说|你听我说|先听我说|让我说|让我说一句|先停|先停一下|先等|先等一下|先别说|先别说了
"""

# Around "stop", they make it no less of one.
_SOFTENERS = """
please|now|hey|second|moment|minute|there|sec|sorry|ok|okay|no|oh|yeah
just|for|a|mien|right|well|so|thank you|thanks
请|你|先|快|哎|诶|欸|嗯|哦|喂|不好意思|抱歉|对不起|好|好的|麻烦|一下|吧|啊|了|谢谢
"""

# What recognisers make of a cough or of laughter. Nobody says nothing but these.
_FRAGMENTS = """
the|a|an|i|if|of|and|that|to|in|it|is|at|on|or|as|out|have|had|he|her|his|be|by|about|up|my|we
are|was|were|him|she|they|them|for|from|with|but|our|us|than|then|this|these|am|been
的|了|我|是|一|在|那|这|他|她|它|个|呀|地|得
"""

Phrase = tuple[str, ...]

_TOKEN = re.compile(r"[㐀-鿿]|[a-z0-9]+")
# What recognisers put in place of sounds: "[noise]", "(laughs)", "<unk>", "【咳嗽】".
_REMARK = re.compile(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>|【[^】]*】")
_APOSTROPHES = re.compile(r"(?<=[a-z])['’](?=[a-z])")
_REPEATED = re.compile(r"([a-z])\1+")


def tokens(text: str) -> list[str]:
    """``text`` as the tables hold it: small, without marks, "hmmm" and "hm" alike."""
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = _APOSTROPHES.sub("", _REMARK.sub(" ", plain))
    return _TOKEN.findall(_REPEATED.sub(r"\1", plain))


def is_backchannel(text: str) -> bool:
    """Whether all of it is backchannels, one or several. False when there are no words at all."""
    found = tokens(text)
    return bool(found) and _length(found, _phrases(_BACKCHANNELS)) == len(found)


def words_beyond(text: str) -> int:
    """How many words (Chinese characters) there are after the backchannels it begins with.

    0 when these are fragments only, such as "the".
    """
    found = tokens(text)
    beyond = found[_length(found, _phrases(_BACKCHANNELS)) :]
    return 0 if all((word,) in _phrases(_FRAGMENTS) for word in beyond) else len(beyond)


def is_stop(text: str) -> bool:
    """Whether it says no more than that the other is to stop talking."""
    found = tokens(text)
    stops = _phrases(_STOPS)
    if _length(found, stops | _phrases(_SOFTENERS)) < len(found):
        return False
    starts = range(len(found))
    return any(tuple(found[i : i + n]) in stops for i in starts for n in range(1, len(found) + 1))


@cache
def _phrases(table: str) -> frozenset[Phrase]:
    rows = table.replace("\n", "|").split("|")
    return frozenset(phrase for phrase in (tuple(tokens(row)) for row in rows) if phrase)


def _length(found: list[str], phrases: frozenset[Phrase]) -> int:
    """How many of the first tokens are made up of whole phrases, at most."""
    longest = max(len(phrase) for phrase in phrases)
    reached = {0}
    for end in range(1, len(found) + 1):
        begins = range(max(0, end - longest), end)
        if any(begin in reached and tuple(found[begin:end]) in phrases for begin in begins):
            reached.add(end)
    return max(reached)
