"""What the presenter knows and may do, shared by all sessions, made once from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from threading import Lock

from loguru import logger

from mien.config import ConfigError, Settings
from mien.knowledge.retriever import Knowledge, open_knowledge
from mien.language import Language
from mien.llm.persona import Persona
from mien.llm.role import Role
from mien.memory.digester import Summarise
from mien.memory.errors import MemoryStoreError
from mien.memory.keeper import keep
from mien.memory.store import MemoryStore
from mien.mind_settings import KnowledgeSection, MemorySection
from mien.pages.reader import PageReader
from mien.pages.tool import ReadPageTool
from mien.personas import Personas
from mien.retrieval.embeddings import EmbeddingError
from mien.search.tool import WebSearchTool
from mien.search.web_search import WebSearch
from mien.tools.changing import Changing
from mien.tools.clock import ClockTool
from mien.tools.contract import Tool
from mien.tools.mcp import open_mcp


@dataclass(frozen=True, slots=True)
class Mind:
    """tools: those that every persona may have, if it is allowed to."""

    settings: Settings
    personas: Personas
    tools: Sequence[Tool]
    knowledge: Bookcase
    memory: MemoryStore | None
    summarise: Summarise | None = None

    def role(self, persona: Persona, language: Language, own: Sequence[Tool] = ()) -> Role:
        """What it takes to be ``persona``. own: tools of this session alone."""
        own = own if self.settings.tools.enabled else ()
        may_use = persona.may_use
        tools = Changing(lambda: [t for t in (*own, *self.tools) if may_use(t.spec.name)])
        known = self.knowledge.of(persona)
        return Role(persona, language, tools, known, (*persona.faq, *self.settings.faq))


class Bookcase:
    """The documents of each persona; those of the same bases are read once."""

    def __init__(self, section: KnowledgeSection) -> None:
        self._section = section
        self._open: dict[tuple[str, ...], Knowledge] = {}
        self._reading = Lock()

    def fetch(self, persona: Persona) -> None:
        """Read the persona's documents; not for the event loop.

        Raises KnowledgeError, ConfigError.
        """
        names = self._names(persona)
        if not names:
            return
        with self._reading:
            if names in self._open:
                return
            try:
                self._open[names] = open_knowledge(self._section, names)
            except EmbeddingError as error:
                raise ConfigError(f"knowledge.embeddings: {error}", error.zh) from error

    def of(self, persona: Persona) -> Knowledge | None:
        """What was fetched."""
        return self._open.get(self._names(persona))

    async def aclose(self) -> None:
        for knowledge in self._open.values():
            await knowledge.aclose()

    def _names(self, persona: Persona) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*persona.knowledge, *self._section.bases)))


@asynccontextmanager
async def open_mind(
    settings: Settings, personas: Personas, summarise: Summarise | None
) -> AsyncIterator[Mind]:
    """End what it began on leaving. summarise: asks a model, for what is remembered.

    Raises ConfigError, KnowledgeError for what is set up wrongly.
    """
    async with AsyncExitStack() as owned:
        tools: Sequence[Tool] = ()
        if settings.tools.enabled and settings.llm.name is not None:
            ours = [ClockTool(), *_web(settings, owned)]
            theirs = await owned.enter_async_context(open_mcp(settings.tools.mcp))
            tools = Changing(lambda: [*ours, *theirs])
        knowledge = Bookcase(settings.knowledge)
        owned.push_async_callback(knowledge.aclose)
        await asyncio.to_thread(knowledge.fetch, personas.load(settings.persona))
        memory = await asyncio.to_thread(_memory, settings.memory)
        if memory is not None:
            owned.push_async_callback(memory.aclose)
            keeping = keep(memory, settings.memory.keep_days)
            owned.push_async_callback(_end, asyncio.create_task(keeping, name="forgetting"))
        yield Mind(settings, personas, tools, knowledge, memory, summarise)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _memory(section: MemorySection) -> MemoryStore | None:
    """None where nobody is remembered. A presenter without memory is better than none."""
    if not section.enabled:
        return None
    try:
        return MemoryStore(section.file)
    except MemoryStoreError as error:
        logger.error(f"nobody is remembered: {error}")
        return None


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
