"""Why a photo cannot become an avatar, said so that its owner knows what to do."""

from __future__ import annotations


class PhotoError(ValueError):
    """A refusal with a stable ``code`` and one sentence in English and in Chinese.

    The sentences are whole and final: show the one in the user's language as it is.
    """

    def __init__(self, code: str, en: str, zh: str) -> None:
        super().__init__(f"{en} {zh}")
        self.code, self.en, self.zh = code, en, zh
