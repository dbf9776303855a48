"""Text as the tokens of a BERT, each with where it is in the text."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Protocol

from mien.tts.bert_vits2.text.extra import needs

Tokens = tuple[list[int], list[tuple[int, int]]]
"""Ids, and begin and stop of each; (0, 0) for the two that stand around the text."""

_WORD = re.compile(r"\S+")
_SPACE = "\u2581"  # what pieces have for it


class Tokenizer(Protocol):
    """size: ids are below it."""

    size: int

    def __call__(self, text: str) -> Tokens: ...


class Characters:
    """A token per character: what BERT's tokenizer makes of Chinese text and of marks."""

    def __init__(self, vocabulary: Path) -> None:
        """vocabulary: ``vocab.txt``. Raises KeyError when it is none of a BERT."""
        words = vocabulary.read_text("utf-8").rstrip().split("\n")
        self.size = len(words)
        self._ids = {word.removesuffix("\r"): index for index, word in enumerate(words)}
        self._first, self._last = self._ids["[CLS]"], self._ids["[SEP]"]
        self._unknown = self._ids["[UNK]"]

    def __call__(self, text: str) -> Tokens:
        at = [index for index, char in enumerate(text) if not char.isspace()]
        ids = [self._ids.get(text[index].lower(), self._unknown) for index in at]
        spans = [(index, index + 1) for index in at]
        return [self._first, *ids, self._last], [(0, 0), *spans, (0, 0)]


class SentencePieces:
    """The tokens of DeBERTa v2 and v3 (Kudo and Richardson 2018)."""

    def __init__(self, model: Path) -> None:
        """model: ``spm.model``. Raises VoiceError when sentencepiece is not installed."""
        self._pieces = needs("sentencepiece").SentencePieceProcessor(model_file=str(model))
        self.size = int(self._pieces.get_piece_size())
        self._first, self._last = (self._pieces.piece_to_id(p) for p in ("[CLS]", "[SEP]"))
        if self._pieces.unk_id() in (self._first, self._last):
            raise ValueError("it has no [CLS] and [SEP]")

    def __call__(self, text: str) -> Tokens:
        ids, spans = [self._first], [(0, 0)]
        # Word by word, as pieces never reach beyond a space: so where they are can be counted out,
        # and the ways in which versions of the package tell it are not needed.
        for word in _WORD.finditer(text):
            pieces = self._pieces.encode_as_pieces(word[0])
            ids += [self._pieces.piece_to_id(piece) for piece in pieces]
            spans += _counted([len(piece.strip(_SPACE)) for piece in pieces], *word.span())
        return [*ids, self._last], [*spans, (0, 0)]


def _counted(sizes: list[int], begin: int, stop: int) -> list[tuple[int, int]]:
    """Where pieces of these sizes are in ``begin…stop``, were some characters written out ("…")."""
    total = sum(sizes)
    scale = (stop - begin) / total if total else 0.0
    bounds = [begin + round(at * scale) for at in accumulate(sizes, initial=0)]
    return list(pairwise(bounds))


def tokenizer(folder: Path) -> Tokenizer:
    """The one that belongs to the BERT in ``folder``.

    Raises VoiceError, OSError, and KeyError or ValueError or RuntimeError for damaged files.
    """
    for name in ("spm.model", "spiece.model"):
        if (folder / name).is_file():
            return SentencePieces(folder / name)
    return Characters(folder / "vocab.txt")
