"""Which voices work now, and what to do about those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mien.config import ConfigError, Settings
from mien.models.catalogue import catalogue
from mien.models.store import installed
from mien.tts.fallback import why_not
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Voice, VoiceError
from mien.voices import (
    LAST_RESORT,
    SERVICES,
    Text,
    chain_of,
    label,
    make_voice,
    told,
    voice_settings,
)


@dataclass(frozen=True, slots=True)
class ListedVoice:
    """chosen: whether it is in the chain that speaks. why_not: and what to do; None when ready."""

    name: str
    service: str
    label: Text
    chosen: bool
    ready: bool
    why_not: Text | None


async def list_voices(settings: Settings, everything: bool = False) -> list[ListedVoice]:
    """The chain first, then what else is set up, in the order of the file.

    everything: also models that are here and services that are not set up. Takes 3 s at most.

    Raises ConfigError when the chain is set up wrongly.
    """
    names = _configured(settings)
    if everything:
        names += _models(names)
        names += [name for name in _services(settings, names) if name not in names]
    return await _look_at(names, settings, {})


def choices(settings: Settings) -> list[str]:
    """What a visitor may choose: what is set up, models that are here, services of this machine.

    Reads files. Raises ConfigError when the chain is set up wrongly.
    """
    names = _configured(settings)
    names += _models(names)
    more = [LAST_RESORT, *_services(settings, names)]
    return [*names, *(name for name in more if name not in names and not SERVICES[name].distant)]


async def list_choices(settings: Settings, at_work: Mapping[str, Voice]) -> list[ListedVoice]:
    """Those of ``choices`` that can speak, and those that were meant to but cannot.

    at_work: voices that were made already, by name; they are asked rather than made again. Takes
    3 s at most. Raises ConfigError when the chain is set up wrongly.
    """
    names = await asyncio.to_thread(choices, settings)
    bare = {name for name in names if name in SERVICES and name not in _configured(settings)}
    found = await _look_at(names, settings, at_work)
    return [voice for voice in found if voice.ready or voice.name not in bare]


async def _look_at(
    names: Iterable[str], settings: Settings, at_work: Mapping[str, Voice]
) -> list[ListedVoice]:
    chain = chain_of(settings.voice, settings.voices)

    async def listed(name: str) -> ListedVoice:
        service = str(settings.voices.get(name, {}).get("service", name))
        try:
            # In a thread: it imports the service's module, for which sound cannot wait.
            each = await asyncio.to_thread(_settings, name, chain, settings)
        except ConfigError as error:
            wrong = _words(error)
        else:
            service = each.service
            found = at_work.get(name)
            wrong = _words(await why_not(found) if found else await _tried(name, each))
        named = label(name, service)
        return ListedVoice(name, service, named, name in chain, wrong is None, wrong)

    return list(await asyncio.gather(*map(listed, names)))


def _settings(name: str, chain: Mapping[str, VoiceSettings], settings: Settings) -> VoiceSettings:
    return chain[name] if name in chain else voice_settings(name, settings.voices)


def _configured(settings: Settings) -> list[str]:
    chain = chain_of(settings.voice, settings.voices)
    return [*chain, *(name for name in settings.voices if name not in chain)]


def _models(names: Iterable[str]) -> list[str]:
    """Models that are here and not in ``names``."""
    models = [m for m in catalogue().values() if m.kind == "tts" and m.name not in names]
    return [m.name for m in models if m.engine in SERVICES and installed(m.name) is not None]


def _services(settings: Settings, names: Iterable[str]) -> list[str]:
    """A name for each service that no voice of ``names`` is of yet."""
    known = catalogue()
    used = {settings.voices.get(name, {}).get("service", name) for name in names}
    used |= {known[name].engine for name in names if name in known}
    return [name for name, each in SERVICES.items() if name not in used and not each.plain]


async def _tried(name: str, settings: VoiceSettings) -> VoiceError | None:
    try:
        voice = await asyncio.to_thread(make_voice, name, settings)
    except VoiceError as error:
        return error
    try:
        return await why_not(voice)
    finally:
        await voice.aclose()


def _words(error: VoiceError | ConfigError | None) -> Text | None:
    return None if error is None else told(error)
