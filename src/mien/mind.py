"""What the presenter knows and may do, shared by all sessions, made once from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mien.config import ConfigError, Settings
from mien.language import Language
from mien.llm.persona import Persona
from mien.llm.role import Role
from mien.pages.reader import PageReader
from mien.pages.tool import ReadPageTool
from mien.personas import Personas
from mien.search.tool import WebSearchTool
from mien.search.web_search import WebSearch
from mien.tools.clock import ClockTool
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
    """End what it began on leaving. Raises ConfigError for what is set up wrongly."""
    async with AsyncExitStack() as owned:
        tools: list[Tool] = []
        if settings.tools.enabled and settings.llm.name is not None:
            tools = [ClockTool(), *_web(settings, owned)]
        yield Mind(settings, personas, tuple(tools))


def _web(settings: Settings, owned: AsyncExitStack) -> list[Tool]:
    """Searching and reading; reading alone opens what people name."""
    section = settings.search
    if section.enabled is False:
        return []
    search = WebSearch(section, settings.llm)
    owned.push_async_callback(search.aclose)
    if section.enabled and not search.providers:
        raise ConfigError(
            "search.enabled is true, but no search service is set up: see docs/web-search.md",
            "search.enabled 为 true，但尚未配置任何搜索服务：请参阅 docs/web-search.md",
        )
    reader = PageReader(section)
    owned.push_async_callback(reader.aclose)
    reading: Tool = ReadPageTool(reader, section.tokens)
    return [WebSearchTool(search, reader, section), reading] if search.providers else [reading]
