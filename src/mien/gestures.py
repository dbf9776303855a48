"""The gestures an answer may ask for, and how they are written: ``[smile]``, ``【微笑】``.

The set is closed: only what is listed here is taken out of an answer, so that ``[1]``,
``[label](address)`` and any other bracket stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

GESTURES = ("smile", "laugh", "nod", "shake", "think", "surprised", "sad", "serious")

# A wink would need an eye of its own to close; presenters close both, so it is shown as a smile.
_ALIASES = {
    "smile": "smiles smiling grin grins wink winks winking 微笑 笑 笑笑 轻笑 輕笑 笑着 眨眼 眨眨眼",
    "laugh": "laughs laughing laughter chuckle chuckles giggle giggles 大笑 笑出声 笑出聲 哈哈",
    "nod": "nods nodding 点头 点点头 點頭 點點頭",
    "shake": "shakes shaking 摇头 摇摇头 搖頭 搖搖頭",
    "think": "thinks thinking pensive 思考 思索 沉思 想一想",
    "surprised": "surprise amazed 惊讶 吃惊 惊喜 驚訝 吃驚 驚喜",
    "sad": "sadly sorry 难过 伤心 悲伤 難過 傷心 悲傷",
    "serious": "seriously frown frowns frowning 严肃 认真 皱眉 嚴肅 認真 皺眉",
}
_NAMES = {alias: name for name in GESTURES for alias in (name, *_ALIASES[name].split())}
_BEGINNINGS = frozenset(alias[:n] for alias in _NAMES for n in range(len(alias) + 1))
_LONGEST = 24  # characters of a tag with blanks inside its brackets
_CLOSERS = {"[": "]", "［": "］", "【": "】"}
_TAG = re.compile(rf"\[[^\]]{{1,{_LONGEST}}}\]|［[^］]{{1,{_LONGEST}}}］|【[^】]{{1,{_LONGEST}}}】")

OPENERS = frozenset(_CLOSERS)


def gesture_of(tag: str) -> str | None:
    """The gesture a whole tag asks for, in any language and case; None if it is no tag."""
    if _CLOSERS.get(tag[:1]) != tag[-1:]:
        return None
    return _NAMES.get(tag[1:-1].strip(" ").lower())


def may_become_tag(text: str) -> bool:
    """Whether ``text``, an opening bracket and what follows, is the beginning of a tag."""
    return (
        text[:1] in _CLOSERS and len(text) < _LONGEST and text[1:].strip(" ").lower() in _BEGINNINGS
    )


def is_label(tag: str, following: str) -> bool:
    """Whether the brackets are a link's, as the character behind them tells."""
    return tag[0] == "[" and following == "("


def tag_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where tags stand that are not said: their beginnings and ends."""
    for match in _TAG.finditer(text):
        label = is_label(match[0], text[match.end() : match.end() + 1])
        if not label and gesture_of(match[0]) is not None:
            yield match.span()


def without_tags(text: str) -> str:
    """``text`` as it is said; the blanks around a tag stay."""
    kept, at = "", 0
    for begin, stop in tag_spans(text):
        kept, at = kept + text[at:begin], stop
    return kept + text[at:]
