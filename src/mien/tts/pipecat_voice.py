"""Any TTS service of pipecat, or made for it, as a voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import soxr
from pydantic import Field

from mien.media.tick import SAMPLE_RATE, Pcm
from mien.tts.http import failure
from mien.tts.pipecat_catalog import Recipe, addresses, find_service
from mien.tts.pipecat_host import Host, Sound
from mien.tts.reach import reach
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, VoiceChunk, VoiceError
from mien.tts.word_finder import WordFinder, joined

# Kept open between clauses: one for who speaks, one for who comes in. Each is a connection.
_IDLE = 2
_NO_SOUND: Pcm = np.zeros(0, np.int16)


class PipecatSettings(VoiceSettings):
    """A service of pipecat, set up as from Python.

    type: a vendor ("cartesia"), a class of pipecat's ("PiperHttpTTSService") or the path of any
    TTS service, "package.module.Class". params: arguments of its constructor. settings: fields of
    its ``Settings``: voice, model, language and so on. api_key_env: the environment variable with
    the key, if not <VENDOR>_API_KEY.
    """

    service: str = "pipecat"
    type: str = ""
    params: dict[str, Any] = Field(default_factory=dict, repr=False)
    settings: dict[str, Any] = Field(default_factory=dict)
    api_key_env: str | None = None


class PipecatVoice:
    """See ``Voice``. Each clause that is being said has a service, with its pipeline, to itself."""

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str, settings: PipecatSettings) -> None:
        self.name = name
        self._settings = settings
        self._recipe: Recipe | None = None
        self._hosts: set[Host] = set()
        self._idle: list[Host] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def check(self) -> None:
        """See ``Voice.check``. Whether a vendor would accept the key shows in speaking."""
        await self._make_recipe()
        for url in addresses(self._settings.params):
            try:
                await reach(url)
            except OSError as error:
                raise VoiceError(
                    f"{self._settings.type} does not answer at {url}. Start it, or correct the url",
                    retryable=True,
                    zh=f"{self._settings.type} 没有在 {url} 应答。请启动它，或改正地址。",
                ) from error

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``."""
        if not any(c.isalnum() for run in runs for c in run.text):
            return
        for again in (False, True):
            host, used = await self._borrow(fresh=again)
            heard = said = False
            try:
                async with aclosing(_say(host, runs)) as chunks:
                    async for chunk in chunks:
                        heard = True
                        yield chunk
                said = True
                return
            except VoiceError as error:
                # A connection that was kept may have been ended at the other side just now.
                if heard or not used or not error.retryable or self._closed:
                    raise
            finally:
                self._give_back(host, said)

    async def aclose(self) -> None:
        """See ``Voice.aclose``."""
        self._closed = True
        for host in self._hosts:
            host.fail(_closed())
        await asyncio.gather(*(host.aclose() for host in self._hosts))
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _make_recipe(self) -> Recipe:
        if self._recipe is None:
            settings = self._settings
            if not settings.type:
                raise failure.missing(
                    "pipecat",
                    "type",
                    'which of its services, e.g. "cartesia", "elevenlabs"; see '
                    "docs/voices-pipecat.md",
                    "用哪个服务，例如 cartesia、elevenlabs；见 docs/voices-pipecat.md",
                )

            def make() -> Recipe:
                return Recipe(
                    find_service(settings.type),
                    settings.params,
                    settings.settings,
                    api_key_env=settings.api_key_env,
                    speed=settings.speed,
                    patience_sec=max(settings.first_sound_sec, settings.stall_sec) + 1,
                )

            self._recipe = await asyncio.to_thread(make)  # imports the vendor's library
        return self._recipe

    async def _borrow(self, fresh: bool) -> tuple[Host, bool]:
        """A host that works, and whether it has been used before."""
        while self._idle and not fresh:
            host = self._idle.pop()
            if host.usable:
                return host, True
            self._do(self._end(host))
        recipe = await self._make_recipe()
        if self._closed:
            raise _closed()
        host = Host(recipe)
        self._hosts.add(host)
        try:
            await host.start()
        except BaseException:
            self._do(self._end(host))
            raise
        return host, False

    def _give_back(self, host: Host, said: bool) -> None:
        if said:
            self._keep(host)
        else:
            self._do(self._settle(host))

    async def _settle(self, host: Host) -> None:
        """Let it fall silent, then keep it."""
        if host.usable:
            await host.hush()
        self._keep(host)

    def _keep(self, host: Host) -> None:
        if host.usable and len(self._idle) < _IDLE:
            self._idle.append(host)
        else:
            self._do(self._end(host))

    async def _end(self, host: Host) -> None:
        await host.aclose()
        self._hosts.discard(host)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside whoever speaks. Once the voice is closed, closing it does all that is left."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work, name=f"voice {self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _say(host: Host, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
    """What the service says, at our rate, with its words found in ``runs``."""
    words = WordFinder(runs)
    rest = ""
    resampler: soxr.ResampleStream | None = None
    spoken = 0
    async with aclosing(host.say(joined(runs))) as heard:
        async for item in heard:
            if not isinstance(item, Sound):
                if item.rest:
                    rest += item.text
                else:
                    words.add(item.text, item.start)
                continue
            pcm = item.pcm
            if item.rate != SAMPLE_RATE:
                resampler = resampler or soxr.ResampleStream(
                    item.rate, SAMPLE_RATE, 1, dtype="int16"
                )
                pcm = resampler.resample_chunk(pcm)
            if len(pcm):
                begin, spoken = spoken, spoken + len(pcm)
                begun = words.take(begin / SAMPLE_RATE, spoken / SAMPLE_RATE)
                yield VoiceChunk(pcm, words=begun)
    tail = _NO_SOUND if resampler is None else resampler.resample_chunk(_NO_SOUND, last=True)
    words.add(rest, 0.0, (spoken + len(tail)) / SAMPLE_RATE)
    last = words.take(spoken / SAMPLE_RATE, float("inf"))
    if len(tail) or last:
        yield VoiceChunk(tail, words=last)


def _closed() -> VoiceError:
    return VoiceError("the voice was closed", retryable=False, zh="这个声音已经关闭")
