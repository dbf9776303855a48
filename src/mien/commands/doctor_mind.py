"""The part of ``mien doctor`` about what the presenter knows and may do."""

from __future__ import annotations

from importlib.util import find_spec

from mien.commands.finding import Finding
from mien.config import Settings
from mien.llm.persona import Persona
from mien.mind import Bookcase
from mien.personas import Personas
from mien.search.web_search import WebSearch


def examine_mind(settings: Settings) -> list[Finding]:
    """Nothing is asked over the network."""
    try:
        persona = Personas(configured=settings.persona).load(settings.persona)
    except ValueError as error:
        return [Finding("persona", "mind", False, why_not=str(error))]
    findings = [Finding("persona", "mind", True, f"{persona.name.en} {persona.name.zh}")]
    findings += [_search(settings), _documents(settings, persona)]
    if settings.tools.mcp:
        findings.append(_mcp(settings))
    return findings


def _search(settings: Settings) -> Finding:
    name = "web search"
    if settings.search.enabled is False:
        return Finding(name, "mind", True, "switched off", needed=False)
    try:
        providers = WebSearch(settings.search, settings.llm).providers
    except ValueError as error:
        return Finding(name, "mind", False, why_not=str(error))
    if not providers:
        return Finding(name, "mind", False, why_not='pip install "mien[mind]"', needed=False)
    detail = ", then ".join(providers)
    return Finding(name, "mind", True, detail if settings.llm.name else f"{detail}; for a model")


def _documents(settings: Settings, persona: Persona) -> Finding:
    books = Bookcase(settings.knowledge)
    try:
        books.fetch(persona)
    except ValueError as error:
        return Finding("documents", "mind", False, why_not=str(error))
    known = books.of(persona)
    passages = len(known) if known is not None else 0
    detail = f"{passages} passages" if passages else "none yet: mien knowledge add FILES…"
    return Finding("documents", "mind", True, detail)


def _mcp(settings: Settings) -> Finding:
    names = ", ".join(settings.tools.mcp)
    if find_spec("mcp") is None:
        return Finding("MCP", "mind", False, names, 'pip install "mien[mind]"')
    return Finding("MCP", "mind", True, names)
