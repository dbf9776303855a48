"""Recognisers by name: the kinds there are and how each is set up.

A recogniser is a table ``[ears.recognizers.NAME]`` of mien.toml, a service by its own name with
its usual settings, or a model of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mien.asr.contract import Recognizer
from mien.asr.settings import RecognizerSettings
from mien.config import ConfigError
from mien.models.catalogue import catalogue
from mien.models.store import installed
from mien.service_table import read_table

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of recogniser; ``module`` has its classes ``{stem}Settings`` and
    ``{stem}Recognizer(name, settings)``.

    They are imported when they are needed: most bring large libraries. en, zh: what people call
    it. distant: what is heard goes to somebody else, who may want money for it; it is never chosen
    unless somebody sets it up or asks for it.
    """

    module: str
    stem: str
    en: str
    zh: str
    distant: bool = False

    @property
    def settings(self) -> type[RecognizerSettings]:
        found: type[RecognizerSettings] = getattr(
            import_module(self.module), f"{self.stem}Settings"
        )
        return found

    def recognizer(self, name: str, settings: RecognizerSettings) -> Recognizer:
        found: Recognizer = getattr(import_module(self.module), f"{self.stem}Recognizer")(
            name, settings
        )
        return found


_HTTP = "mien.asr.http_transcription"
SERVICES: dict[str, Service] = {
    "sherpa": Service("mien.asr.sherpa", "Sherpa", "sherpa-onnx", "sherpa-onnx"),
    "browser": Service("mien.asr.browser", "Browser", "Your browser", "浏览器"),
    "pocketsphinx": Service(
        "mien.asr.pocketsphinx",
        "PocketSphinx",
        "PocketSphinx (built in)",
        "PocketSphinx（内置）",
    ),
    "openai": Service(_HTTP, "Transcription", "OpenAI", "OpenAI", distant=True),
    "groq": Service(_HTTP, "Transcription", "Groq", "Groq", distant=True),
    "siliconflow": Service(_HTTP, "Transcription", "SiliconFlow", "硅基流动", distant=True),
    "pipecat": Service(
        "mien.asr.pipecat_recognizer", "Pipecat", "pipecat service", "pipecat 服务", distant=True
    ),
}


def recognizer_settings(name: str, tables: Tables) -> RecognizerSettings:
    """How the recogniser ``name`` is set up.

    Raises ConfigError, naming the field and what may be chosen, where it is not.
    """
    table = tables.get(name)
    if table is None:
        table = _by_name(name)
    return read_table("ears.recognizers", name, table, SERVICES.get, SERVICES)


def make_recognizer(name: str, settings: RecognizerSettings) -> Recognizer:
    """Not loaded yet. Raises AsrError or ConfigError for settings that cannot be met."""
    return SERVICES[settings.service].recognizer(name, settings)


def pulled_models() -> list[str]:
    """Models for recognition that are here, the recommended first. Reads files."""
    models = [m for m in catalogue().values() if m.kind == "asr" and m.engine in SERVICES]
    return [model.name for model in models if installed(model.name) is not None]


def _by_name(name: str) -> Mapping[str, Any]:
    """The table of a recogniser that has none."""
    if name in SERVICES:
        return {"service": name}
    model = catalogue().get(name)
    if model is not None and model.kind == "asr":
        return {"service": model.engine, "model": name}
    models = [model.name for model in catalogue().values() if model.kind == "asr"]
    choices = ", ".join([*SERVICES, *models])
    raise ConfigError(
        f"unknown recogniser {name!r}; choose one of {choices}, "
        f"or describe it in mien.toml as [ears.recognizers.{name}]",
        f"没有名为 {name!r} 的语音识别；可选：{choices}，"
        f"或在 mien.toml 中用 [ears.recognizers.{name}] 描述它",
    )
