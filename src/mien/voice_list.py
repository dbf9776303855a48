"""Which voices work now, and what to do about those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from mien.config import ConfigError, Settings
from mien.models.catalogue import catalogue
from mien.models.store import installed
from mien.tts.fallback import FallbackVoice, why_not
from mien.tts.settings import VoiceSettings
from mien.tts.voice import VoiceError
from mien.voices import SERVICES, Text, chain_of, label, make_voice, voice_settings


@dataclass(frozen=True, slots=True)
class ListedVoice:
    """chosen: whether it is in the chain that speaks. why_not: and what to do; None when ready."""

    name: str
    service: str
    label: Text
    chosen: bool
    ready: bool
    why_not: Text | None


async def list_voices(
    settings: Settings, live: FallbackVoice | None = None, everything: bool = False
) -> list[ListedVoice]:
    """The chain first, then what else is set up, in the order of the file.

    live: the chain, if there is one at work; it is asked rather than made again. everything: also
    models that are here and services that are not set up. Takes 3 s at most.

    Raises ConfigError when the chain is set up wrongly.
    """
    chain = chain_of(settings.voice, settings.voices)
    names = [*chain, *(name for name in settings.voices if name not in chain)]
    if everything:
        names += _more(settings, names)
    at_work = {member.voice.name: member.voice for member in live.members} if live else {}

    async def listed(name: str) -> ListedVoice:
        service = str(settings.voices.get(name, {}).get("service", name))
        try:
            each = chain.get(name) or voice_settings(name, settings.voices)
        except ConfigError as error:
            wrong = _words(error)
        else:
            service = each.service
            found = at_work.get(name)
            wrong = _words(await why_not(found) if found else await _tried(name, each))
        named = label(name, service)
        return ListedVoice(name, service, named, name in chain, wrong is None, wrong)

    return list(await asyncio.gather(*map(listed, names)))


def _more(settings: Settings, names: Iterable[str]) -> list[str]:
    """Models that are here, and a name for each service that no voice is of yet."""
    models = [m for m in catalogue().values() if m.kind == "tts" and m.name not in names]
    here = [m for m in models if m.engine in SERVICES and installed(m.name) is not None]
    used = {settings.voices.get(name, {}).get("service", name) for name in names}
    used |= {model.engine for model in here}
    services = [name for name, each in SERVICES.items() if name not in used and not each.plain]
    return [*(model.name for model in here), *services]


async def _tried(name: str, settings: VoiceSettings) -> VoiceError | None:
    try:
        voice = make_voice(name, settings)
    except VoiceError as error:
        return error
    try:
        return await why_not(voice)
    finally:
        await voice.aclose()


def _words(error: VoiceError | ConfigError | None) -> Text | None:
    return None if error is None else {"en": str(error), "zh": error.zh}
