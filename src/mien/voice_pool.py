"""The voices at work: each made and loaded once, and a chain for every one that somebody chose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mien.tts.alignment import ForcedAlignment
from mien.tts.fallback import FallbackVoice, Member, why_not
from mien.tts.normalize import prepare
from mien.tts.polish import Levels
from mien.tts.voice import Run, Voice, VoiceError
from mien.voices import Tables, Text, chain_of, label, open_member, told, voice_settings

# A large model read from a slow disk; a voice that takes longer is passed over for the time being.
WARM_UP_SEC = 180.0
# A voice that works, and still another one said the clause.
NO_SOUND: Text = {
    "en": "it has no sound for this text; it may not speak its language",
    "zh": "它读不出这段文字，可能不支持这种语言",
}


class VoicePool:
    """Shared by all sessions; belongs to one event loop.

    default: the chain as it is configured.
    """

    def __init__(self, wanted: str | list[str], tables: Tables, alignment: ForcedAlignment) -> None:
        """Owns ``alignment``: closes it. Raises ConfigError as ``chain_of`` does."""
        self._tables = tables
        self._alignment = alignment
        self._levels = Levels()
        self._members = {
            name: open_member(name, settings, alignment, self._levels)
            for name, settings in chain_of(wanted, tables).items()
        }
        self._configured = list(self._members.values())
        self.default = FallbackVoice(self._configured)
        self._chains = {self.default.name: self.default}
        self._loading: dict[str, asyncio.Task[VoiceError | None]] = {}

    @property
    def voices(self) -> Mapping[str, Voice]:
        """Those that were made so far, by name."""
        return {name: member.voice for name, member in self._members.items()}

    async def choose(self, name: str) -> FallbackVoice:
        """The voice ``name``, loaded, and behind it what is configured.

        Raises:
            ConfigError: when it is set up wrongly.
            VoiceError: when it could not speak now.
        """
        error = await asyncio.shield(self.load(name))
        if error is not None:
            raise error
        return self._chain(name)

    async def begin_with(self, name: str, patience_sec: float) -> FallbackVoice:
        """The same, whether it can speak or not; what takes longer to load is not waited for.

        Raises as ``load`` does.
        """
        if not self._member(name).warm:
            await asyncio.wait({self.load(name)}, timeout=patience_sec)
        return self._chain(name)

    def load(self, name: str) -> asyncio.Task[VoiceError | None]:
        """Find out whether it could speak now, and let it speak unheard if it never did.

        Returns one task for all who ask; it says why the voice cannot.

        Raises:
            ConfigError, VoiceError: when it cannot even be made.
        """
        task = self._loading.get(name)
        if task is None:
            task = asyncio.create_task(_load(self._member(name)), name=f"load voice {name}")
            self._loading[name] = task
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        return task

    async def warm_up(self) -> None:
        """Load what is configured, so that the first visitor does not wait for it.

        It also tells how loud each voice is.
        """
        for member in self._configured:
            await self.load(member.voice.name)

    def about(self, wanted: str, name: str) -> dict[str, Any]:
        """Who speaks, as the page is told; ``why`` says why it is not the one that is wanted."""
        services = {each: member.settings.service for each, member in self._members.items()}
        error = self._members[wanted].breaker.error
        why = NO_SOUND if error is None else told(error)
        return {
            "name": name,
            "label": label(name, services[name]),
            "wanted": wanted,
            "wanted_label": label(wanted, services[wanted]),
            "why": None if name == wanted else why,
        }

    async def aclose(self) -> None:
        """End everything. Speech under way ends with a ``VoiceError``."""
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        # The chains first: what their voices say at their end is no failure.
        await asyncio.gather(
            *(chain.aclose() for chain in self._chains.values()),
            *(member.voice.aclose() for member in self._members.values()),
        )
        await asyncio.gather(*loading, return_exceptions=True)
        await self._alignment.aclose()

    def _chain(self, name: str) -> FallbackVoice:
        if name not in self._chains:
            first = self._member(name)
            others = [
                each
                for each in self._configured
                if each is not first and each.voice.sample_rate == first.voice.sample_rate
            ]
            self._chains[name] = FallbackVoice([first, *others])
        return self._chains[name]

    def _member(self, name: str) -> Member:
        if name not in self._members:
            settings = voice_settings(name, self._tables)
            self._members[name] = open_member(name, settings, self._alignment, self._levels)
        return self._members[name]


async def _load(member: Member) -> VoiceError | None:
    error = await why_not(member.voice)
    if member.warm and member.breaker.error is None:
        return error
    if error is not None:
        member.breaker.failed(error)
        return error
    prepared = await asyncio.to_thread(prepare, "你好，hello 123。", "zh")
    runs = [Run(run.language, run.text) for run in prepared.runs]
    # One that knows a single language may have no sound for a clause of two.
    if not await member.warm_up(runs, WARM_UP_SEC) and member.breaker.error is None:
        for run in runs:
            await member.warm_up([run], WARM_UP_SEC)
    return member.breaker.error
