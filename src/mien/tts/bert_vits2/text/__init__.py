"""Text for Bert-VITS2: what a clause sounds like, in the symbols its voices are trained with.

``analyse`` does the work; ``FrontEnd`` also asks espeak-ng how words are said that no dictionary
has. What BERT makes of the text is in ``bert.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mien.tts.bert_vits2.text import chinese, english
from mien.tts.bert_vits2.text.arpabet import from_ipa
from mien.tts.bert_vits2.text.berts import Berts, bert_names
from mien.tts.bert_vits2.text.english import Pronunciations
from mien.tts.bert_vits2.text.phonemes import BertText, Phonemes, Unit, WordSpan, assemble
from mien.tts.bert_vits2.text.scheme import Scheme, scheme_of
from mien.tts.bert_vits2.text.symbols import VoiceLanguage
from mien.tts.espeak import EspeakVoice
from mien.tts.voice import Run, VoiceError

__all__ = [
    "BertText",
    "Berts",
    "FrontEnd",
    "Phonemes",
    "Scheme",
    "WordSpan",
    "analyse",
    "bert_names",
    "scheme_of",
]
_REMEMBERED = 10_000  # words asked about


def analyse(
    runs: Sequence[Run], scheme: Scheme, pronounced: Pronunciations | None = None
) -> Phonemes:
    """The symbols of a clause, 0.3 ms for a sentence; the first one costs 0.5 s and 60 MB.

    scheme: see ``scheme_of``.
    pronounced: CMU phones of English words (in lower case) that the dictionary lacks; those that
        are not in it either are spelt.

    Raises VoiceError when a package is missing.
    """
    found: list[tuple[int, VoiceLanguage, list[Unit]]] = []
    for number, run in enumerate(runs):
        if run.language == "zh":
            found.append((number, "zh", chinese.units(run.text)))
        else:
            units = english.units(run.text, scheme.consonant_tone, pronounced)
            found.append((number, "en", units))
    return assemble(found, scheme.add_blank)


class FrontEnd:
    """``analyse`` off the event loop, with espeak-ng for words that are in no dictionary."""

    def __init__(self, scheme: Scheme, speller: EspeakVoice | None = None) -> None:
        """speller: the caller's own, which is then not closed here."""
        self._scheme = scheme
        self._speller = speller or EspeakVoice()
        self._owned = speller is None
        self._pronounced: dict[str, tuple[str, ...]] = {}

    async def analyse(self, runs: Sequence[Run]) -> Phonemes:
        """See the function. Without espeak-ng unknown words are spelt."""
        texts = [run.text for run in runs if run.language == "en"]
        words = await asyncio.to_thread(lambda: [w for t in texts for w in english.unknown(t)])
        for word in dict.fromkeys(words):
            if word not in self._pronounced:
                await self._ask(word)
        return await asyncio.to_thread(analyse, runs, self._scheme, self._pronounced)

    async def _ask(self, word: str) -> None:
        try:
            said = await self._speller.phonemes([Run("en", word)], stress=True)
        except VoiceError:
            return
        if len(self._pronounced) >= _REMEMBERED:
            self._pronounced.clear()
        self._pronounced[word] = from_ipa(symbol for part in said for symbol in part)

    async def aclose(self) -> None:
        if self._owned:
            await self._speller.aclose()
