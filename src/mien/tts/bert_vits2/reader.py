"""Text made ready for one model: symbols, their sounds, and what the BERTs say of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.models.errors import ModelError
from mien.models.store import find_folder
from mien.tts.bert_vits2.backends import available
from mien.tts.bert_vits2.described import Described
from mien.tts.bert_vits2.settings import BertVits2Settings
from mien.tts.bert_vits2.text import Berts, FrontEnd, Phonemes, bert_names, scheme_of
from mien.tts.bert_vits2.text.bert import BertMissing
from mien.tts.bert_vits2.text.berts import Folder
from mien.tts.bert_vits2.text.extra import needs
from mien.tts.bert_vits2.text.ipa import ipa
from mien.tts.bert_vits2.text.symbols import VoiceLanguage
from mien.tts.voice import Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Reading:
    """A text for the network. bert: float32[width, n] by input. symbols: see ``Timing``."""

    phonemes: Phonemes
    bert: Mapping[str, NDArray[np.float32]]
    symbols: tuple[str | None, ...]

    @property
    def lead(self) -> int:
        """Symbols before the first sound."""
        return next((at for at, symbol in enumerate(self.symbols) if symbol), len(self.symbols))


class Reader:
    """Front end and BERTs of a model."""

    def __init__(self, described: Described, settings: BertVits2Settings) -> None:
        """Looks for a GPU, so not for the event loop."""
        variant, config = described.variant, described.config
        scheme = scheme_of(variant.name, config.version, config.add_blank)
        self._loaded = False
        self._front_end = FrontEnd(scheme)
        names = bert_names(variant.name).items()
        folders = {language: _folder(language, name, settings) for language, name in names}
        _do_without(folders, dict(names))
        pieces = () if folders.get("en", "off") == "off" else ("sentencepiece",)
        self._packages = ("rjieba", "pypinyin", *pieces)
        widths, device = variant.bert_widths, _device(settings)
        self._berts = Berts(variant.name, widths, scheme, folders, device)

    def check(self) -> None:
        """Loads no BERT. Raises VoiceError for what is not there: a package, a BERT."""
        for package in self._packages:
            needs(package)
        self._berts.check()

    def load(self) -> None:
        """Load the BERTs that are there; takes seconds. Raises VoiceError when one is damaged."""
        if self._loaded:
            return
        for language in self._berts.languages:
            try:
                self._berts.load(language)
            except BertMissing:
                pass  # who needs it will be told
        self._loaded = True

    def speaks(self, runs: Sequence[Run]) -> bool:
        """Whether the model was trained with all these languages."""
        return all(run.language in self._berts.languages for run in runs if run.text.strip())

    async def read(self, runs: Sequence[Run]) -> Reading | None:
        """None where there is nothing to be said.

        Raises VoiceError: a package or a BERT is missing.
        """
        phonemes = await self._front_end.analyse(runs)
        if not len(phonemes):
            return None
        bert = await asyncio.to_thread(self._berts.features, phonemes)
        pairs = zip(phonemes.phones, phonemes.spoken, strict=True)
        symbols = tuple(ipa(phone, language) if phone else None for phone, language in pairs)
        return Reading(phonemes, bert, symbols)

    async def aclose(self) -> None:
        await self._front_end.aclose()


def _folder(language: str, name: str, settings: BertVits2Settings) -> Folder:
    if settings.bert == "off":
        return "off"
    for key, folder in settings.bert.items():
        if key == language:
            return folder if folder == "off" else folder.expanduser()
    try:
        return find_folder(name)
    except ModelError:
        return None


def _do_without(folders: dict[VoiceLanguage, Folder], names: Mapping[VoiceLanguage, str]) -> None:
    """Where one language's BERT is here, the other language is read without its own: a sentence
    of two languages shall not be of two voices.
    """
    if not any(isinstance(folder, Path) for folder in folders.values()):
        return
    for language, folder in folders.items():
        if folder is None:
            folders[language] = "off"
            logger.warning(
                "%s is read without melody: run `mien models pull %s`", language, names[language]
            )


def _device(settings: BertVits2Settings) -> str:
    """BERTs run on PyTorch, whatever runs the voice."""
    if settings.device == "cpu":
        return "cpu"
    (torch,) = available("torch")
    return "cuda" if any(choice.device == "cuda" for choice in torch.choices) else "cpu"
