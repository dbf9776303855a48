"""Everything that makes a brain somebody: who it is, what it may do, what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from mien.language import Language
from mien.llm.persona import Persona
from mien.retrieval.contract import Retriever
from mien.tools.contract import Tool


@dataclass(frozen=True, slots=True)
class Role:
    """language: of unclear questions and of the instruction. tools: those it may use, looked at for
    each answer; brains that cannot use tools do without. knowledge: looked into before every
    answer. faq: files of written answers, for the scripted brain.
    """

    persona: Persona
    language: Language
    tools: Sequence[Tool] = ()
    knowledge: Retriever | None = None
    faq: tuple[Path, ...] = field(default=())


@runtime_checkable
class Playing(Protocol):
    """A brain that can become somebody else from the next request on."""

    def become(self, role: Role) -> None: ...
