"""Child processes found by what is on their command line."""

from __future__ import annotations

import contextlib

import psutil


def children_with(what: str, of: int | None = None, recursive: bool = True) -> list[psutil.Process]:
    """The descendants of process ``of``, default this one, that have ``what`` on their command
    line; not those that end meanwhile, nor what another test left behind as a zombie.

    recursive: also children's children.
    """
    found = []
    for child in psutil.Process(of).children(recursive):
        with contextlib.suppress(psutil.Error):
            if what in " ".join(child.cmdline()):
                found.append(child)
    return found
