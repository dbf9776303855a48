"""How much of a model's context a text takes, without the model's tokenizer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from mien.retrieval.index import Hit

# DeepSeek's documentation ("Token & Token Usage") gives 0.6 tokens for a Chinese character, Qwen's
# and GLM's tokenizers are near it; OpenAI's rule of thumb is 0.75 English words for a token. On the
# safe side: a budget is a limit.
_PER_HAN = 0.7
_PER_WORD = 1.3
_PER_MARK = 0.6
_CHARACTERS_OF_A_WORD = 8  # a longer one is several tokens

_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORD = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_MARK = re.compile(r"[^\w\s]")


def tokens_of(text: str) -> int:
    """About how many tokens a text is to a language model, a little more rather than less."""
    words = sum(1 + (len(w) - 1) // _CHARACTERS_OF_A_WORD for w in _WORD.findall(text))
    han, marks = len(_HAN.findall(text)), len(_MARK.findall(text))
    return math.ceil(_PER_HAN * han + _PER_WORD * words + _PER_MARK * marks)


def cut(hits: Iterable[Hit], tokens: int) -> list[Hit]:
    """The first hits that fit together; one that does not fit is left out for a shorter one."""
    kept: list[Hit] = []
    left = tokens
    for hit in hits:
        cost = tokens_of(hit.chunk.text)
        if cost <= left:
            kept.append(hit)
            left -= cost
    return kept
