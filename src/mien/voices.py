"""Voices by name: the kinds there are, how each is set up, and several in a row.

A voice is a table ``[voices.NAME]`` of mien.toml, a service by its own name with its usual
settings, or a model of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mien.config import ConfigError
from mien.models.catalogue import catalogue
from mien.models.store import store_folder
from mien.service_table import read_table
from mien.tts.alignment import AlignedVoice, ForcedAlignment
from mien.tts.fallback import Member
from mien.tts.polish import Levels, Polished, level_key
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Voice, VoiceError

LAST_RESORT = "espeak"

Tables = Mapping[str, Mapping[str, Any]]
Text = dict[str, str]
"""In both languages of the page."""


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of voice; ``module`` has its classes ``{stem}Settings`` and ``{stem}Voice``.

    They are imported when they are needed: most bring large libraries. en, zh: what people call
    it. extra: of pip, that it needs. plain: its sound is left as it is, for measuring. distant:
    what is said goes to somebody else, who may want money for it; visitors can choose it only
    where it is set up.
    """

    module: str
    stem: str
    en: str
    zh: str
    extra: str = ""
    plain: bool = False
    distant: bool = False

    @property
    def settings(self) -> type[VoiceSettings]:
        found: type[VoiceSettings] = getattr(import_module(self.module), f"{self.stem}Settings")
        return found

    def voice(self, name: str, settings: VoiceSettings) -> Voice:
        found: Voice = getattr(import_module(self.module), f"{self.stem}Voice")(name, settings)
        return found


SERVICES: dict[str, Service] = {
    "espeak": Service("mien.tts.espeak", "Espeak", "eSpeak NG (built in)", "eSpeak NG（内置）"),
    "bert-vits2": Service(
        "mien.tts.bert_vits2.voice", "BertVits2", "Bert-VITS2", "Bert-VITS2", "bert-vits2"
    ),
    "sherpa": Service("mien.tts.sherpa", "Sherpa", "sherpa-onnx", "sherpa-onnx", "neural"),
    "gpt-sovits": Service("mien.tts.http.gpt_sovits", "GptSovits", "GPT-SoVITS", "GPT-SoVITS"),
    "bert-vits2-http": Service(
        "mien.tts.http.bert_vits2_http", "BertVits2Http", "Bert-VITS2 server", "Bert-VITS2 服务"
    ),
    "cosyvoice": Service("mien.tts.http.cosyvoice", "CosyVoice", "CosyVoice", "CosyVoice"),
    "fish-speech": Service("mien.tts.http.fish_speech", "FishSpeech", "fish-speech", "fish-speech"),
    "openai-speech": Service(
        "mien.tts.http.openai_speech", "OpenAISpeech", "OpenAI speech", "OpenAI 语音", distant=True
    ),
    "edge-tts": Service(
        "mien.tts.edge", "Edge", "Edge online voice", "Edge 在线语音", "edge", distant=True
    ),
    "pipecat": Service(
        "mien.tts.pipecat_voice", "Pipecat", "pipecat service", "pipecat 服务", distant=True
    ),
}


def find_service(name: str) -> Service | None:
    """One of SERVICES, or one of somebody's own: "package.module:Stem"."""
    if ":" in name:
        module, _, stem = name.partition(":")
        return Service(module, stem, stem, stem)
    return SERVICES.get(name)


def voice_settings(name: str, tables: Tables) -> VoiceSettings:
    """How the voice ``name`` is set up.

    Raises ConfigError, naming the field and what may be chosen, where it is not.
    """
    table = tables.get(name)
    if table is None:
        table = _by_name(name)
    return read_table("voices", name, table, find_service, SERVICES)


def _by_name(name: str) -> Mapping[str, Any]:
    """The table of a voice that has none."""
    if name in SERVICES:
        return {"service": name}
    model = catalogue().get(name)
    if model is not None and model.kind == "tts":
        return {"service": model.engine, "model": name}
    models = [model.name for model in catalogue().values() if model.kind == "tts"]
    choices = ", ".join([*SERVICES, *models])
    raise ConfigError(
        f"unknown voice {name!r}; choose one of {choices}, "
        f"or describe it in mien.toml as [voices.{name}]",
        f"没有名为 {name!r} 的声音；可选：{choices}，或在 mien.toml 中用 [voices.{name}] 描述它",
    )


def chain_of(wanted: str | list[str], tables: Tables) -> dict[str, VoiceSettings]:
    """The voices to try, in order. One that is wanted alone gets espeak behind it.

    Raises ConfigError as ``voice_settings`` does.
    """
    names = [wanted] if isinstance(wanted, str) else wanted
    chain = {name: voice_settings(name, tables) for name in names}
    service = chain[names[0]].service
    if isinstance(wanted, str) and service != LAST_RESORT and not _kind(service).plain:
        chain[LAST_RESORT] = voice_settings(LAST_RESORT, {})
    return chain


def make_voice(name: str, settings: VoiceSettings) -> Voice:
    """The voice as its service makes it, in no chain."""
    return _kind(settings.service).voice(name, settings)


def _kind(service: str) -> Service:
    found = find_service(service)
    assert found is not None, service  # settings are only made for services there are
    return found


def open_member(
    name: str, settings: VoiceSettings, alignment: ForcedAlignment, levels: Levels
) -> Member:
    """The voice as a part of chains: polished, with phone times."""
    voice = make_voice(name, settings)
    if not _kind(settings.service).plain:
        loudness = None if settings.loudness == "off" else settings.loudness
        key = level_key(name, settings)
        voice = Polished(voice, loudness, settings.speed, levels, key)
    return Member(AlignedVoice(voice, alignment), settings)


def told(error: VoiceError | ConfigError) -> Text:
    """What visitors are told; where models lie on the server is nobody's business."""
    folder = f"{store_folder()}/"
    return {"en": str(error).replace(folder, ""), "zh": error.zh.replace(folder, "")}


def label(name: str, service: str) -> Text:
    """What people call a voice; its name, where nobody knows the service."""
    kind = find_service(service)
    if kind is None:
        return {"en": name, "zh": name}
    if name == service:
        return {"en": kind.en, "zh": kind.zh}
    en, zh = kind.en.partition(" (")[0], kind.zh.partition("（")[0]
    return {"en": f"{name} ({en})", "zh": f"{name}（{zh}）"}
