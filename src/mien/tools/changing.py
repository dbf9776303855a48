"""Tools of which there may be others a moment later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from mien.tools.contract import Tool


class Changing(Sequence[Tool]):
    """Tools that come and go, as MCP servers do. now: those that there are."""

    def __init__(self, now: Callable[[], Sequence[Tool]]) -> None:
        self._now = now

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._now())  # Sequence's own asks for all of them again for each

    def __len__(self) -> int:
        return len(self._now())

    @overload
    def __getitem__(self, index: int) -> Tool: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Tool]: ...
    def __getitem__(self, index: int | slice) -> Tool | Sequence[Tool]:
        return self._now()[index]
