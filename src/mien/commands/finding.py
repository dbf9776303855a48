"""One line of ``mien doctor``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: "system", "library", "codec", "network", "voice", "ears", "avatar", "lip-sync",
    "brain" or "mind".

    why_not: what is wrong and what fixes it; None when ready. needed: whether ``mien run``
    cannot do without it.
    """

    name: str
    kind: str
    ready: bool
    detail: str = ""
    why_not: str | None = None
    needed: bool = True
