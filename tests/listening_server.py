"""A transcription server that really listens: of the sentences it knows, the one that was said.

    async with ListeningServer(["今天天气怎么样？", "What can you do?"]) as server:
        settings = TranscriptionSettings(service="openai", base_url=server.url)
        ...
        server.faults = ["503"]          # how the next request goes wrong

``POST /v1/audio/transcriptions`` as OpenAI has it, and Cartesia's WebSocket, ``/stt/websocket``
(https://docs.cartesia.ai/api-reference/stt/stt): words so far, and settled ones when it is told
"finalize". What it hears is compared with each sentence as
mien's own voice says it: dynamic time warping of log-mel spectra (Sakoe and Chiba 1978, with the
slopes 0, 1 and 2). Sound that is like none of them is "".
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import soxr
from aiohttp import WSMsgType, web
from numpy.typing import NDArray

from mien.language import detect_language
from mien.tts.espeak import EspeakVoice
from mien.tts.normalize import prepare
from mien.tts.voice import Run

RATE = 16_000
_HOP, _WINDOW, _BANDS = 320, 512, 24
_DEPTH = 7.0  # 30 dB
# Mean distance of frames: the same sentence, coded, noisy or filtered, stays below; others do not.
UNLIKE = 0.5

Pcm = NDArray[np.int16]
Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """One request: its form without the file, its headers, seconds of sound, what was answered."""

    form: dict[str, str]
    headers: dict[str, str]
    seconds: float
    text: str


@dataclass
class ListeningServer:
    sentences: Sequence[str]
    faults: list[str] = field(default_factory=list)
    """Of the next requests: an HTTP status, "hang", "cut", "page", "wordless"."""
    asked: list[Asked] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first request."""
    url: str = ""

    async def __aenter__(self) -> ListeningServer:
        voice = EspeakVoice()
        try:
            self._known = {each: spectrum(await rendition(voice, each)) for each in self.sentences}
        finally:
            await voice.aclose()
        app = web.Application(client_max_size=8 << 20)
        app.add_routes([web.post("/v1/audio/transcriptions", self._transcribe)])
        app.add_routes([web.get("/stt/websocket", self._stream)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def understand(self, pcm: Pcm) -> str:
        """The sentence that was said, in int16[n] mono 16 kHz; "" for none of them."""
        heard = spectrum(pcm)
        if len(heard) < 5:
            return ""
        distances = {each: distance(heard, known) for each, known in self._known.items()}
        nearest = min(distances, key=lambda each: distances[each])
        return nearest if distances[nearest] < UNLIKE else ""

    async def _transcribe(self, http: web.Request) -> web.StreamResponse:
        form = dict(await http.post())
        file = form.pop("file")
        assert isinstance(file, web.FileField)
        with wave.open(io.BytesIO(file.file.read())) as sound:
            assert (sound.getframerate(), sound.getnchannels()) == (RATE, 1)
            pcm = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        fault = self.faults.pop(0) if self.faults else ""
        text = "" if fault else await asyncio.to_thread(self.understand, pcm)
        plain = {name: str(value) for name, value in form.items()}
        self.asked.append(Asked(plain, dict(http.headers), len(pcm) / RATE, text))
        self.heard.set()
        if fault.isdigit():
            message = {"error": {"message": f"fault {fault}"}}
            return web.json_response(message, status=int(fault))
        if fault == "hang":
            await asyncio.sleep(60)
        if fault == "cut":
            assert http.transport is not None
            http.transport.abort()
        if fault == "page":
            return web.Response(text="<html><p>Log in first</p></html>", content_type="text/html")
        return web.json_response({"said": text} if fault == "wordless" else {"text": text})

    async def _stream(self, http: web.Request) -> web.StreamResponse:
        if self.faults and self.faults[0] == "401":
            return web.Response(status=401, text="no such key")
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        heard, told = bytearray(), 0
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                heard += message.data
                if len(heard) >= told + 2 * RATE:
                    told = len(heard)
                    await self._say(socket, "So far", final=False)
            elif message.data == "finalize":
                fault = self.faults.pop(0) if self.faults else ""
                if fault == "cut":
                    assert http.transport is not None
                    http.transport.abort()
                    break
                pcm = np.frombuffer(bytes(heard), np.int16)
                text = await asyncio.to_thread(self.understand, pcm)
                self.asked.append(
                    Asked(dict(http.query), dict(http.headers), len(pcm) / RATE, text)
                )
                heard.clear()
                told = 0
                if fault != "mute":
                    await self._say(socket, text, final=True)
        return socket

    async def _say(self, socket: web.WebSocketResponse, text: str, final: bool) -> None:
        await socket.send_json({"type": "transcript", "text": text, "is_final": final})


async def rendition(voice: EspeakVoice, text: str) -> Pcm:
    """int16[n] mono 16 kHz, as mien's own voice says it."""
    prepared = await asyncio.to_thread(prepare, text, detect_language(text))
    runs = [Run(run.language, run.text) for run in prepared.runs]
    pieces = [chunk.pcm async for chunk in voice.speak(runs)]
    return np.asarray(soxr.resample(np.concatenate(pieces), voice.sample_rate, RATE), np.int16)


def renditions(*texts: str) -> dict[str, Pcm]:
    """Each text as ``rendition`` says it, for tests without an event loop."""

    async def say() -> dict[str, Pcm]:
        voice = EspeakVoice()
        try:
            return {text: await rendition(voice, text) for text in texts}
        finally:
            await voice.aclose()

    return asyncio.run(say())


def spectrum(pcm: Pcm) -> Frames:
    """float32[n, bands] of the part with sound, whatever its loudness and timbre."""
    wave_ = pcm.astype(np.float32) / 32768
    count = max(0, (len(wave_) - _WINDOW) // _HOP + 1)
    if count == 0:
        return np.zeros((0, _BANDS), np.float32)
    at = np.arange(count)[:, None] * _HOP + np.arange(_WINDOW)
    power = np.abs(np.fft.rfft(wave_[at] * np.hanning(_WINDOW), axis=1)) ** 2
    loud = 10 * np.log10(power.sum(1) + 1e-9)
    with_sound = np.flatnonzero(loud > max(loud.max() - 22, -40))
    if len(with_sound) == 0:
        return np.zeros((0, _BANDS), np.float32)
    bands = np.log(power[with_sound[0] : with_sound[-1] + 1] @ _mel().T + 1e-9)
    bands = np.maximum(bands, bands.max() - _DEPTH)  # what is softer is noise as likely as speech
    return ((bands - bands.mean(0)) / (bands.std() + 1e-6)).astype(np.float32)


def distance(heard: Frames, known: Frames) -> float:
    """Mean distance of frames along the best way through both, per frame of ``heard``."""
    cost = np.sqrt(((heard[:, None] - known[None]) ** 2).mean(2))
    if not len(known) / 2.2 < len(heard) < len(known) * 2.2:
        return float("inf")
    best = np.full(len(known), np.inf)
    best[0] = cost[0, 0]
    for row in cost[1:]:
        one, two = np.r_[np.inf, best[:-1]], np.r_[np.inf, np.inf, best[:-2]]
        best = row + np.minimum(best, np.minimum(one, two))
    return float(best[-1] / len(heard))


def _mel() -> NDArray[np.float64]:
    """[bands, bins] triangles, 100 to 7000 Hz."""
    hz = 700 * (np.exp(np.linspace(np.log1p(100 / 700), np.log1p(10), _BANDS + 2)) - 1)
    at = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    rise = (at - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    fall = (hz[2:, None] - at) / (hz[2:] - hz[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


@contextlib.contextmanager
def listening_server_thread(sentences: Sequence[str]) -> Iterator[ListeningServer]:
    """A server in a thread of its own, beside tests that have no event loop."""
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def serve() -> None:
        async with ListeningServer(sentences) as server:
            box.update(server=server, loop=asyncio.get_running_loop(), end=asyncio.Event())
            ready.set()
            await box["end"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="listening server")
    thread.start()
    try:
        assert ready.wait(60), "the listening server does not start"
        yield box["server"]
    finally:
        box["loop"].call_soon_threadsafe(box["end"].set)
        thread.join(60)
