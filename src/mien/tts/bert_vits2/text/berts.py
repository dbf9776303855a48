"""The BERT inputs of a network, filled for a clause."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from weakref import WeakValueDictionary

import numpy as np

from mien.tts.bert_vits2.text.bert import Bert, Features
from mien.tts.bert_vits2.text.phonemes import Phonemes
from mien.tts.bert_vits2.text.scheme import Scheme
from mien.tts.bert_vits2.text.symbols import VoiceLanguage
from mien.tts.voice import VoiceError

Folder = Path | Literal["off"] | None


def bert_names(variant: str) -> dict[VoiceLanguage, str]:
    """Which BERT each language a voice speaks is read with, as ``mien models pull`` names it.

    variant: ``Variant.name``.
    """
    if variant == "zhextra":
        return {"zh": "erlangshen-megatronbert-1.3b"}
    if variant == "jpextra":
        return {"ja": "deberta-v2-large-japanese-char-wwm"}
    return {"zh": "chinese-roberta-wwm-ext-large", "en": "deberta-v3-large"}


class Berts:
    """Makes ``Sentence.bert`` of ``Phonemes``. Thread-safe; each BERT loads when first needed."""

    def __init__(
        self,
        variant: str,
        widths: Mapping[str, int],
        scheme: Scheme,
        folders: Mapping[VoiceLanguage, Folder],
        device: str = "cpu",
    ) -> None:
        """widths: of the network's inputs (``Variant.bert_widths``).

        folders: where the BERT of each language lies; None when it is not there; "off": read
            without it, from zeros. The voice stays clear and becomes flat: prosody comes from BERT.
        """
        self._scheme = scheme
        self._widths = dict(widths)
        only: VoiceLanguage = "ja" if variant == "jpextra" else "zh"
        self._input: dict[VoiceLanguage, str] = {only: "bert"}
        if "en_bert" in widths:
            self._input |= {"ja": "ja_bert", "en": "en_bert"}
        self._berts: dict[VoiceLanguage, Bert] = {}
        for language, name in bert_names(variant).items():
            folder = folders.get(language)
            if folder != "off":
                self._berts[language] = _shared(name, folder, device)

    @property
    def languages(self) -> frozenset[VoiceLanguage]:
        """The languages that the voice was trained to speak."""
        return frozenset(self._input)

    def check(self) -> None:
        """Raise BertMissing for the first language whose BERT is not there; loads nothing."""
        for bert in self._berts.values():
            bert.check()

    def load(self, language: VoiceLanguage) -> None:
        """Load the BERT of a language now, unless it is off. Raises VoiceError."""
        if language in self._berts:
            self._berts[language].load()

    def features(self, phonemes: Phonemes) -> dict[str, Features]:
        """float32[width, n] by input name.

        Raises BertMissing, and VoiceError when a BERT cannot be read, does not belong to the voice,
        or the voice does not speak a language at all.
        """
        found = {name: self._filled(name, width, phonemes) for name, width in self._widths.items()}
        for text in phonemes.texts:
            name = self._input.get(text.language)
            if name is None:
                raise VoiceError(
                    f"this voice does not speak {_NAMES[text.language][0]}",
                    retryable=False,
                    zh=f"这个声音不会说{_NAMES[text.language][1]}",
                )
            found[name][:, text.begin : text.stop] = 0
            bert = self._berts.get(text.language)
            if bert is None:  # off
                continue
            rows = bert.features(text)
            if len(rows) != self._widths[name]:
                raise VoiceError(
                    f"{bert.name} gives {len(rows)} features, the voice takes "
                    f"{self._widths[name]}: it is another BERT",
                    retryable=False,
                    zh=f"{bert.name} 输出 {len(rows)} 维特征，而声音需要 {self._widths[name]} 维："
                    "不是同一个 BERT",
                )
            found[name][:, text.begin : text.stop] = rows
        return found

    def _filled(self, name: str, width: int, phonemes: Phonemes) -> Features:
        """What a BERT has where its language is not spoken: noise, if the voice learnt it so.

        The noise is the same for the same place of every clause, so that a clause repeated sounds
        the same.
        """
        shape = (width, len(phonemes))
        generator = np.random.default_rng(list(self._widths).index(name))
        if self._scheme.fill == "uniform":
            return generator.random(shape, np.float32)
        if self._scheme.fill == "normal":
            return generator.standard_normal(shape, np.float32)
        return np.zeros(shape, np.float32)


_lock = threading.Lock()
_in_memory: WeakValueDictionary[tuple[str, Path | None, str], Bert] = WeakValueDictionary()


def _shared(name: str, folder: Path | None, device: str) -> Bert:
    """Voices that are read with the same BERT have it in memory once, as long as one of them is."""
    with _lock:
        key = (name, folder, device)
        bert = _in_memory.get(key)
        if bert is None:
            bert = _in_memory[key] = Bert(name, folder, device)
        return bert


_NAMES: dict[VoiceLanguage, tuple[str, str]] = {
    "zh": ("Chinese", "中文"),
    "ja": ("Japanese", "日语"),
    "en": ("English", "英语"),
}
