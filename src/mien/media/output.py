"""The contract of everything that carries a program to an audience."""

from __future__ import annotations

from typing import Protocol

from mien.media.program import Program


class Output(Protocol):
    """A browser, an RTMP target, a file: subscribes to the program and runs until it ends.

    Ending (cancelled or by itself) frees everything the output took; an error it raises ends
    this output alone.
    """

    async def run(self, program: Program) -> None: ...
