"""The contract of everything that carries a program to an audience."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from mien.media.program import Program

Figure = int | float | str


class OutputError(Exception):
    """An output cannot go on; the message says why and what to do, and never holds a secret.

    code: for programs ("refused", "tls", "disk_full", …). zh: the message in Chinese.
    retryable: whether trying again may help without anybody changing anything.
    """

    def __init__(self, message: str, *, code: str, zh: str, retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.zh = zh
        self.retryable = retryable


class Output(Protocol):
    """An RTMP target, a recording, a camera.

    kind: "rtmp", "whip", "mp4", … label: for people; holds no secret.
    """

    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> str: ...

    async def run(self, program: Program, on_live: Callable[[], None]) -> None:
        """One attempt, from the program's present on: returns when the output is complete.

        on_live: called once an audience can see it. Cancelled, it takes leave properly and frees
        everything within two seconds. May be run again after it ended.

        Raises:
            OutputError: it could not begin or go on; this ends the output alone.
        """
        ...

    def figures(self) -> Mapping[str, Figure]:
        """What to tell of it now: bytes, dropped, …; cheap."""
        ...
