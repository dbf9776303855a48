"""Why a model cannot be had, said so that its user knows what to do."""

from __future__ import annotations


class ModelError(ValueError):
    """A refusal with a stable ``code`` and one sentence in English and in Chinese.

    The sentences are whole and final: show the one in the user's language as it is.
    """

    def __init__(self, code: str, en: str, zh: str) -> None:
        super().__init__(en)
        self.code, self.en, self.zh = code, en, zh
