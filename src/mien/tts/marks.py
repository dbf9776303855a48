"""The marks that Chinese and English sentences end and pause with."""

from __future__ import annotations

SENTENCE = frozenset("。！？!?.…｡\n")
COMMA = frozenset("，、；：～,;:—–")
RUNS = frozenset("！？!?…—")  # which, with ".", are never split
CLOSERS = frozenset("”’」』）)】]》〉\"'*_~`")


def ends_sentence(text: str) -> bool:
    """Whether a clause that was cut here is the last one of its sentence."""
    return text.rstrip(" ").rstrip("".join(CLOSERS))[-1:] in SENTENCE if text else False
