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

    Raises:
        LLMConfigurationError: For an unknown name, wrong settings or a missing key.
        FAQError: If a FAQ file is wrong.
    """
    settings = settings or LLMSettings()
    persona = persona or load_persona()
    settings = replace(settings, language=settings.language or persona.language)
    chosen = (name or "scripted").strip().lower()
    if chosen in ("scripted", "none"):
        paths = [faq] if isinstance(faq, Path) else list(faq or ())
        return ScriptedLLMService(persona, faq_paths=paths, settings=settings)
    if chosen not in PRESETS:
        raise LLMConfigurationError(
            f"unknown brain {name!r}; choose one of {', '.join(BRAIN_NAMES)}"
        )
    return OpenAICompatibleLLMService(
        resolve_endpoint(chosen, settings, environ),
        settings=settings,
        system_instruction=persona.instruction(settings.language),
    )


def brain_info(name: str | None, settings: LLMSettings | None = None) -> BrainInfo:
    """What `create_brain` would be labelled, without creating it or needing a key."""
    settings = settings or LLMSettings()
    chosen = (name or "scripted").strip().lower()
    if chosen not in PRESETS:
        return ScriptedLLMService.INFO
    preset = PRESETS[chosen]
    label = f"{preset.label} · {settings.model or preset.model}"
    return BrainInfo(chosen, label, label, connected=True)
