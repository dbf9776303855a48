"""The voices of Microsoft Edge's "read aloud", through the package edge-tts (extra ``edge``).

They sound well, need neither key nor GPU and time every word. But nobody offers this service to
anyone but a browser: it is unofficial, changes without notice, and what may be done with it is not
said. It is never chosen by itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from importlib import import_module
from typing import Any
from urllib.request import getproxies

import aiohttp
from pydantic import Field

from mien.language import Language
from mien.media.tick import SAMPLE_RATE, Pcm
from mien.tts.http import failure
from mien.tts.http.pcm import PcmStream
from mien.tts.http.wav import SoundError
from mien.tts.reach import reach
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, VoiceChunk, VoiceError
from mien.tts.word_finder import WordFinder, joined

_SERVER = "edge-tts"
_VOICE = r"^[a-z]{2,}-[A-Z]{2,}-.+Neural$"
_TICKS_PER_SEC = 10_000_000
# MP3 begins late: encoders of LAME's making by 576 samples, every decoder by 529. Of Microsoft's
# encoder nothing is published; whatever it is, within 480 samples of this the words fit the sound
# to 20 ms. The stream has no header that would tell.
_LATE_SAMPLES = 576 + 529
# After this a closing handshake that the server does not answer is cut short.
_GOODBYE_SEC = 0.005


class EdgeSettings(VoiceSettings):
    """Voices of Microsoft Edge; ``edge-tts --list-voices`` names them all.

    zh, en: who speaks a clause, by its language; Xiaoxiao reads English words within Chinese, too.
    With the same voice in both fields the timbre never changes. pitch_hz, volume_percent: as an
    addition to the voice's own. proxy: of HTTP, ``http://host:port``.
    """

    service: str = "edge-tts"
    zh: str = Field(default="zh-CN-XiaoxiaoNeural", pattern=_VOICE)
    en: str = Field(default="en-US-EmmaMultilingualNeural", pattern=_VOICE)
    pitch_hz: int = Field(default=0, ge=-100, le=100)
    volume_percent: int = Field(default=0, ge=-100, le=100)
    proxy: str | None = Field(default=None, pattern="^https?://.+")


class EdgeVoice:
    """See ``Voice``. Every clause is a connection of its own; nothing is open between two."""

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str = "edge-tts", settings: EdgeSettings | None = None) -> None:
        self.name = name
        self._settings = settings or EdgeSettings()
        self._pumps: set[asyncio.Task[None]] = set()
        self._closed = False

    async def check(self) -> None:
        """See ``Voice.check``."""
        library = await asyncio.to_thread(_library)
        if self._settings.proxy or getproxies():
            return  # what the proxy can reach cannot be seen from here
        try:
            await reach(library.communicate.WSS_URL)
        except OSError as error:
            raise _unreachable() from error

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``."""
        if not any(c.isalnum() for run in runs for c in run.text):
            return
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.first_sound_sec
        for last in (False, True):
            heard = False
            try:
                async with aclosing(self._attempt(runs, deadline)) as chunks:
                    async for chunk in chunks:
                        heard = True
                        yield chunk
                return
            except VoiceError as error:
                late = clock() >= deadline
                if heard or last or late or self._closed or not error.retryable:
                    raise

    async def _attempt(
        self, runs: Sequence[Run], deadline: float
    ) -> AsyncGenerator[VoiceChunk, None]:
        sound, words = _Sound(), WordFinder(runs)
        spoken = 0
        async with aclosing(self._messages(runs, deadline)) as messages:
            async for message in messages:
                if message["type"] == "WordBoundary":
                    start = message["offset"] / _TICKS_PER_SEC
                    end = start + message["duration"] / _TICKS_PER_SEC
                    words.add(message["text"], start, end)
                elif len(pcm := sound.feed(message["data"])):
                    begin, spoken = spoken, spoken + len(pcm)
                    begun = words.take(begin / SAMPLE_RATE, spoken / SAMPLE_RATE)
                    yield VoiceChunk(pcm, words=begun)
        rest = sound.finish()
        yield VoiceChunk(rest, words=words.take(spoken / SAMPLE_RATE, float("inf")))

    async def _messages(self, runs: Sequence[Run], deadline: float) -> AsyncGenerator[Any, None]:
        """What the service says of one clause, to its end.

        deadline: of the first sound, by the event loop's clock.

        Raises:
            VoiceError: as soon as it fails, lets wait too long or breaks off.
        """
        if self._closed:
            raise _closed()
        library = await asyncio.to_thread(_library)
        settings = self._settings
        language: Language = "zh" if any(run.language == "zh" for run in runs) else "en"
        request = library.Communicate(
            joined(runs),
            settings.zh if language == "zh" else settings.en,
            rate=f"{(settings.speed - 1) * 100:+.0f}%",
            volume=f"{settings.volume_percent:+d}%",
            pitch=f"{settings.pitch_hz:+d}Hz",
            boundary="WordBoundary",
            proxy=settings.proxy,
        )
        told: asyncio.Queue[Any] = asyncio.Queue()
        pump = asyncio.create_task(_pump(request, told), name="edge-tts")
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        try:
            begun = False
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        message = await told.get()
                except TimeoutError:
                    limit = settings.stall_sec if begun else settings.first_sound_sec
                    raise failure.too_slow(_SERVER, limit, begun=begun) from None
                if isinstance(message, Exception):
                    raise _closed() if self._closed else _problem(message, library) from message
                if message is None:
                    return
                begun = begun or message["type"] == "audio"
                yield message
                if begun:  # counted from here: whoever takes its time with a message is not us
                    deadline = asyncio.get_running_loop().time() + settings.stall_sec
        finally:
            await _end(pump)

    async def aclose(self) -> None:
        """See ``Voice.aclose``."""
        self._closed = True
        for pump in list(self._pumps):
            await _end(pump)


async def _pump(request: Any, told: asyncio.Queue[Any]) -> None:
    """Pass on what comes; at last None, or the error.

    In a task, because only that can be stopped at once: the library ends politely.
    """
    received = 0
    try:
        async with aclosing(request.stream()) as messages:
            async for message in messages:
                if message["type"] == "audio":
                    received += len(message["data"])
                told.put_nowait(message)
        # The library takes a connection that ends for the end of the speech, but it only counts
        # what was followed by the service's "turn.end".
        if request.state["cumulative_audio_bytes"] < received:
            raise ConnectionResetError("the connection ended within the clause")
        told.put_nowait(None)
    except asyncio.CancelledError:
        told.put_nowait(ConnectionAbortedError("stopped"))
        raise
    except Exception as error:
        told.put_nowait(error)


async def _end(pump: asyncio.Task[None]) -> None:
    pump.cancel()
    await asyncio.wait([pump], timeout=_GOODBYE_SEC)
    pump.cancel()
    await asyncio.wait([pump])


class _Sound:
    """MP3 as it arrives, without what the format puts in front of the sound."""

    def __init__(self) -> None:
        self._stream = PcmStream(SAMPLE_RATE)
        self._late: int | None = None

    def feed(self, data: bytes) -> Pcm:
        """int16[n] at 48 kHz. Raises VoiceError."""
        try:
            pcm = self._stream.feed(data)
        except SoundError as error:
            raise failure.cut_off(_SERVER, error) from error
        if self._late is None:
            if not self._stream.rate:
                return pcm
            self._late = round(_LATE_SAMPLES * SAMPLE_RATE / self._stream.rate)
        begin = min(self._late, len(pcm))
        self._late -= begin
        return pcm[begin:]

    def finish(self) -> Pcm:
        """The rest. Raises VoiceError when there was nothing."""
        try:
            return self._stream.finish()
        except SoundError as error:
            raise failure.cut_off(_SERVER, error) from error


def _library() -> Any:
    try:
        import_module("edge_tts.communicate")
        return import_module("edge_tts")
    except ImportError as error:
        raise VoiceError(
            "edge-tts is not installed: pip install 'mien[edge]'",
            retryable=False,
            zh="没有安装 edge-tts：pip install 'mien[edge]'",
        ) from error


def _problem(error: Exception, library: Any) -> VoiceError:
    """What the library says, for people."""
    errors = library.exceptions
    status = error.status if isinstance(error, aiohttp.ClientResponseError) else 0
    if status == 403 or isinstance(error, errors.SkewAdjustmentError):
        return VoiceError(
            "edge-tts was refused (403). Set this machine's clock, or get the latest version: "
            "pip install -U edge-tts",
            retryable=False,
            zh="edge-tts 被拒绝（403）。请校准本机时间，或更新：pip install -U edge-tts",
        )
    if status:
        return VoiceError(
            f"edge-tts: Microsoft's service answered with HTTP {status}",
            retryable=status == 429 or status >= 500,
            zh=f"edge-tts：微软的服务返回 HTTP {status}",
        )
    if isinstance(error, errors.NoAudioReceived):
        return failure.silent(_SERVER, "no sound")
    if isinstance(error, errors.UnknownResponse | errors.UnexpectedResponse):
        return VoiceError(
            f"edge-tts does not understand Microsoft's service any more ({error}). "
            "Get the latest version: pip install -U edge-tts",
            retryable=False,
            zh=f"edge-tts 不再认识微软服务的回答（{error}）。请更新：pip install -U edge-tts",
        )
    if isinstance(error, aiohttp.ClientConnectorError | socket.gaierror):
        return _unreachable()
    return failure.cut_off(_SERVER, error)


def _unreachable() -> VoiceError:
    return VoiceError(
        "edge-tts cannot reach Microsoft's service. Check the network, or set a proxy.",
        retryable=True,
        zh="edge-tts 连不上微软的服务。请检查网络，或设置 proxy。",
    )


def _closed() -> VoiceError:
    return VoiceError("the voice was closed", retryable=False, zh="这个声音已经关闭")
