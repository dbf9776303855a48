"""What is wrong with what somebody wrote for the live host, in both languages."""

from __future__ import annotations


class LiveError(ValueError):
    """zh: the message in Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        super().__init__(message)
        self.en = message
        self.zh = zh
