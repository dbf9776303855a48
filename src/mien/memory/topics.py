"""What was talked about, in single words; for when no model can sum it up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mien.language import Language
from mien.memory.turns import Exchange
from mien.memory.words import whole_words_of

MOST = 20
_TITLE = {"zh": "聊过的话题：", "en": "Topics: "}
_COMMA = {"zh": "、", "en": ", "}


def topics(before: str, new: Sequence[Exchange], language: Language) -> str:
    """One line of the newest ``MOST`` words; ``before``: what an earlier call returned, or another
    summary, which stays in front."""
    *lines, last = before.splitlines() or [""]
    earlier: list[str] = []
    if title := next((title for title in _TITLE.values() if last.startswith(title)), ""):
        earlier = [word for word in re.split(r"[、,]\s*", last.removeprefix(title)) if word]
    elif last:
        lines.append(last)
    counted = Counter(
        word
        for exchange in new
        for said in exchange.said
        if said.role == "user"
        for word in whole_words_of(said.text)
    )
    found = [word for word, _ in counted.most_common(MOST // 2)]
    kept = [*(word for word in earlier if word not in found), *found][-MOST:]
    if kept:
        lines.append(_TITLE[language] + _COMMA[language].join(kept))
    return "\n".join(lines)
