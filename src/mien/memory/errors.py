"""What can go wrong with what is remembered."""

from __future__ import annotations


class MemoryStoreError(Exception):
    """The store cannot be used; the message says why and what to do. zh: the same in Chinese.

    retryable: whether the same may work in a moment.
    """

    def __init__(self, message: str, zh: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.zh = zh
        self.retryable = retryable


class Erased(Exception):
    """What was remembered of this user is gone, or switched off, and is not to be begun anew
    unasked."""
