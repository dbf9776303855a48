"""What the presenter knows and may do, shared by all sessions, made once from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mien.config import Settings
from mien.language import Language
from mien.llm.persona import Persona
from mien.llm.role import Role
from mien.personas import Personas
from mien.tools.contract import Tool


@dataclass(frozen=True, slots=True)
class Mind:
    """tools: those that every persona may have, if it is allowed to."""

    settings: Settings
    personas: Personas
    tools: tuple[Tool, ...]

    def role(self, persona: Persona, language: Language, own: Sequence[Tool] = ()) -> Role:
        """What it takes to be ``persona``. own: tools of this session alone."""
        tools = tuple(tool for tool in (*self.tools, *own) if persona.may_use(tool.spec.name))
        return Role(persona, language, tools, None, (*persona.faq, *self.settings.faq))


@asynccontextmanager
async def open_mind(settings: Settings, personas: Personas) -> AsyncIterator[Mind]:
    """End what it began on leaving."""
    yield Mind(settings, personas, ())
