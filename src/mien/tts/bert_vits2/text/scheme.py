"""How the text of a voice was prepared when it was trained; it must be prepared so again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fill = Literal["zeros", "uniform", "normal"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a voice wants its text; see ``scheme_of``.

    add_blank: symbols have blanks between them. consonant_tone: of English consonants; 2.3
    tells them from marks. fill: the features a language's BERT has where another one is spoken.
    """

    add_blank: bool = True
    consonant_tone: int = 0
    fill: Fill = "zeros"


def scheme_of(variant: str, version: str = "", add_blank: bool = True) -> Scheme:
    """What a network (``Variant.name``) was trained with, by ``version`` of its config.json.

    2.0 and 2.3 are the same network and were trained with different texts. Released 2.3 voices
    call themselves "2.2", which has another network; one without a version is taken for 2.3.
    """
    if variant == "2.2":
        return Scheme(add_blank, fill="uniform")
    if variant == "2.1" or (variant == "2.0" and version.startswith(("2.0", "2.1"))):
        return Scheme(add_blank)
    return Scheme(add_blank, consonant_tone=3, fill="normal")
