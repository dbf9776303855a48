"""Somebody who speaks into a session: a microphone whose every sample has a known time.

Both speakers are always on, as a microphone is: between what they are given to say they send
silence. Sound is cut into frames of 20 ms, each sent when its last sample has been "captured".
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import soxr
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mien.media.tick import Pcm

FRAME_SEC = 0.02
# Connecting is ICE + DTLS on loopback: 0.3 s, several seconds on a machine that is busy.
CONNECT_SEC = 30.0


class SpeakerError(RuntimeError):
    """The server does not listen; the message says why."""


class Tape:
    """What a microphone hears: int16 mono at ``rate`` Hz, sample by sample in real time.

    It runs from the first :meth:`frame` on.

    noise: RMS of what is always there (a quiet room: 12, -69 dB of full scale); 0 for none.
    """

    def __init__(self, rate: int, noise: float = 0.0) -> None:
        self.rate = rate
        self._room = np.random.default_rng(0).normal(0, noise, 4 * rate) if noise else None
        self._running = asyncio.Event()
        self._begun = 0.0
        self._taken = 0
        self._rest = np.zeros(0, np.int16)

    async def put(self, pcm: Pcm, rate: int) -> float:
        """Have int16[n] mono at ``rate`` heard next, now if nothing else is. Returns when."""
        if rate != self.rate:
            pcm = await asyncio.to_thread(soxr.resample, pcm, rate, self.rate)
        await self._running.wait()
        now = round((time.monotonic() - self._begun) * self.rate)
        end = self._taken + len(self._rest)
        begin = max(now, end)
        self._rest = np.concatenate([self._rest, np.zeros(begin - end, np.int16), pcm])
        return self._begun + begin / self.rate

    async def frame(self) -> tuple[int, Pcm]:
        """The next 20 ms, once they have been heard: position of the first sample, int16[n]."""
        if not self._running.is_set():
            self._begun = time.monotonic()
            self._running.set()
        length, position = round(self.rate * FRAME_SEC), self._taken
        await asyncio.sleep(self._begun + (position + length) / self.rate - time.monotonic())
        frame, self._rest = self._rest[:length], self._rest[length:]
        self._taken += length
        frame = np.concatenate([frame, np.zeros(length - len(frame), np.int16)])
        if self._room is not None:
            at = position % (len(self._room) - length)
            frame = (frame + self._room[at : at + length]).clip(-32768, 32767).astype(np.int16)
        return position, frame


class _Track(MediaStreamTrack):
    """In the form that aiortc's encoder wants: its own conversion would take time."""

    kind = "audio"

    def __init__(self, tape: Tape, channels: int) -> None:
        super().__init__()
        self._tape = tape
        self._channels = channels

    async def recv(self) -> av.AudioFrame:
        position, pcm = await self._tape.frame()
        layout = "stereo" if self._channels == 2 else "mono"
        pcm = np.repeat(pcm, self._channels)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout=layout)
        frame.sample_rate, frame.pts = self._tape.rate, position
        frame.time_base = Fraction(1, self._tape.rate)
        return frame


class WhipSpeaker:
    """Speaks over WebRTC, as a page does: Opus, packets of 20 ms.

    ``await speaker.connect(http, "/whip/SESSION")``, ``await speaker.play(pcm)``, ``aclose()``.

    codec: "opus", "pcmu" or "pcma", the latter two as a telephone sounds (8 kHz).
    noise: see :class:`Tape`. connection: for those who want to know or spoil more.
    """

    def __init__(self, codec: str = "opus", noise: float = 0.0) -> None:
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.location = ""
        self._tape = Tape(48_000 if codec == "opus" else 8_000)
        self._track = _Track(self._tape, 2 if codec == "opus" else 1)
        self._http: httpx.AsyncClient | None = None
        self._connected = asyncio.Event()
        self._codec = f"audio/{codec}"
        self.connection.on("connectionstatechange", self._on_state)

    def _on_state(self) -> None:
        if self.connection.connectionState in ("connected", "closed", "failed"):
            self._connected.set()

    async def offer(self) -> str:
        """The SDP offer, with all candidates."""
        transceiver = self.connection.addTransceiver(self._track, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("audio").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType.lower() == self._codec])
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Returns once sound can go out. Raises SpeakerError if it never can."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        try:
            async with asyncio.timeout(CONNECT_SEC):
                await self._connected.wait()
        except TimeoutError:
            raise SpeakerError(f"no connection within {CONNECT_SEC:.0f} s") from None
        if self.connection.connectionState != "connected":
            raise SpeakerError("the server has closed the connection")

    async def connect(self, http: httpx.AsyncClient, whip: str) -> None:
        """Be the microphone of the session whose WHIP endpoint this is.

        Raises:
            SpeakerError: when the server refuses, or cannot be reached over UDP.
        """
        headers = {"Content-Type": "application/sdp"}
        response = await http.post(whip, content=await self.offer(), headers=headers)
        if response.status_code != 201:
            raise SpeakerError(f"HTTP {response.status_code}: {response.text}")
        self._http, self.location = http, response.headers["Location"]
        await self.accept(response.text)

    async def play(self, pcm: Pcm, rate: int = 16_000) -> float:
        """Say int16[n] mono, after what is being said. Returns before it is said.

        What is returned is when its first sample is captured (``time.monotonic()``); its last one
        is ``len(pcm) / rate`` seconds later, and leaves within 20 ms of that.
        """
        return await self._tape.put(pcm, rate)

    async def aclose(self) -> None:
        """End the connection, and tell the server."""
        if self._http is not None and self.connection.connectionState == "connected":
            with suppress(httpx.HTTPError):  # it may have ended before
                await self._http.delete(self.location)
        await self.connection.close()


class SocketSpeaker:
    """The same through a WebSocket: messages of 20 ms.

    rate: of the sound that is sent, Hz.
    """

    def __init__(self, rate: int = 16_000) -> None:
        self._tape = Tape(rate)
        self._socket: ClientConnection | None = None
        self._sending: asyncio.Task[None] | None = None

    async def connect(self, server: str, session: str, **options: Any) -> None:
        """Be the microphone of ``session`` at this server's URL.

        options: of ``websockets.connect``. Raises what that raises.
        """
        url = f"ws://{urlsplit(server).netloc}/ws/{session}/microphone?rate={self._tape.rate}"
        self._socket = await connect(url, compression=None, **options)
        self._sending = asyncio.create_task(self._send(self._socket), name="speaker")

    async def _send(self, socket: ClientConnection) -> None:
        try:
            while True:
                _, pcm = await self._tape.frame()
                await socket.send(pcm.astype("<i2").tobytes())
        except ConnectionClosed:
            return  # the server's word for it is in ``closed``

    @property
    def closed(self) -> tuple[int, str] | None:
        """Code and reason with which the server has ended the connection."""
        if self._socket is None or self._socket.close_code is None:
            return None
        return self._socket.close_code, self._socket.close_reason or ""

    async def play(self, pcm: Pcm, rate: int = 16_000) -> float:
        """As :meth:`WhipSpeaker.play`."""
        return await self._tape.put(pcm, rate)

    async def aclose(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
