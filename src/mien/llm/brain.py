"""Creates the brain that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from mien.llm.info import BrainInfo
from mien.llm.openai_compatible import OpenAICompatibleLLMService
from mien.llm.persona import Persona, load_persona
from mien.llm.presets import PRESETS, LLMConfigurationError, LLMSettings, resolve_endpoint
from mien.llm.role import Role
from mien.llm.scripted import ScriptedLLMService

Brain: TypeAlias = OpenAICompatibleLLMService | ScriptedLLMService

#: What `create_brain` accepts.
BRAIN_NAMES: tuple[str, ...] = (*PRESETS, "scripted")


def create_brain(
    name: str | None = None,
    settings: LLMSettings | None = None,
    *,
    persona: Persona | None = None,
    faq: Path | Sequence[Path] | None = None,
    environ: Mapping[str, str] | None = None,
    role: Role | None = None,
) -> Brain:
    """Create a brain: a pipecat LLM service with the property `info`.

    Without a name the brain is the scripted one, even if a key is in the environment: what
    people say is sent to a service only if it was asked for by name.

    Args:
        name: One of `BRAIN_NAMES`; None for "scripted".
        settings: Endpoint, key, model, sampling, history; see `LLMSettings`.
        persona: Who the avatar is; None for the default persona. Its prompt becomes the system
            instruction of every request, so the context need not contain one.
        faq: Further FAQ files for the scripted brain; their entries go before mien's own.
        environ: Where keys are looked up; None for the process environment.
        role: Who the avatar is, what it may use and what it knows, in place of `persona` and
            `faq`; its language is that of the settings.

    Raises:
        LLMConfigurationError: For an unknown name, wrong settings or a missing key.
        FAQError: If a FAQ file is wrong.
    """
    settings = settings or LLMSettings()
    if role is None:
        persona = persona or load_persona()
        paths = (faq,) if isinstance(faq, Path) else tuple(faq or ())
        role = Role(persona, settings.language or persona.language, faq=paths)
    settings = replace(settings, language=role.language)
    chosen = (name or "scripted").strip().lower()
    if chosen in ("scripted", "none"):
        return ScriptedLLMService(
            role.persona, faq_paths=role.faq, knowledge=role.knowledge, settings=settings
        )
    if chosen not in PRESETS:
        raise LLMConfigurationError(
            f"unknown brain {name!r}; choose one of {', '.join(BRAIN_NAMES)}"
        )
    endpoint = resolve_endpoint(chosen, settings, environ)
    return OpenAICompatibleLLMService(endpoint, role, settings=settings)


def brain_info(name: str | None, settings: LLMSettings | None = None) -> BrainInfo:
    """What `create_brain` would be labelled, without creating it or needing a key."""
    settings = settings or LLMSettings()
    chosen = (name or "scripted").strip().lower()
    if chosen not in PRESETS:
        return ScriptedLLMService.INFO
    preset = PRESETS[chosen]
    label = f"{preset.label} · {settings.model or preset.model}"
    return BrainInfo(chosen, label, label, connected=True)
