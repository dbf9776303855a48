"""A program on the air at a WHIP server: SRS, MediaMTX, Cloudflare, …"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from aiortc import RTCIceServer, RTCSessionDescription

from mien.media.output import Figure, OutputError
from mien.media.program import Program
from mien.media.rendition import Rendition
from mien.media.rtp_stream import RtpStream, rtp_stream
from mien.media.webrtc import WebRtcSettings
from mien.media.webrtc_viewer import add_sender
from mien.media.whip import faults
from mien.media.whip.endpoint import LEAVE_SEC, Answer, Http
from mien.media.whip.url import Endpoint, parse_endpoint

# Constrained baseline: what the shared pictures are, and what every server takes.
PROFILE = "42e01f"
WATCH_SEC = 0.5


class WhipOutput:
    """Publishes to one WHIP endpoint.

    url: ``whip:https://…``. token: sent as bearer token. rendition: None for the program's shared
    pictures. settings: own STUN and TURN servers, and ports, asked for each attempt. tls: instead
    of the system's authorities.

    Raises:
        OutputError: "bad_url".
    """

    kind = "whip"

    def __init__(
        self,
        url: str,
        token: str | None = None,
        rendition: Rendition | None = None,
        settings: Callable[[], WebRtcSettings] = WebRtcSettings,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint = parse_endpoint(url, token)
        self._rendition = rendition
        self._settings = settings
        self._tls = tls
        self._learned: tuple[RTCIceServer, ...] = ()
        self._attempt: _Publication | None = None

    @property
    def label(self) -> str:
        return self._endpoint.label

    async def run(self, program: Program, on_live: Callable[[], None]) -> None:
        """See :class:`mien.media.output.Output`. An attempt fails within 5 s, or 10 s if HTTP
        answers late and then no media path is found; twice that if the server told of a TURN
        server in its answer, which is tried at once."""
        self._attempt = None
        async with (
            Http(self._endpoint, self._tls) as http,
            rtp_stream(program, "audio") as sound,
            rtp_stream(program, "video", self._rendition, leaves=True) as pictures,
        ):
            try:
                await self._publish(http, sound, pictures, on_live)
            except _NoPath as error:
                # Its ICE servers come with the answer (RFC 9725 §4.6), too late for the offer.
                if all(server in self._learned for server in error.told):
                    raise
                self._learned = error.told
                await self._publish(http, sound, pictures, on_live)

    async def _publish(
        self, http: Http, sound: RtpStream, pictures: RtpStream, on_live: Callable[[], None]
    ) -> None:
        settings = self._settings()
        settings = replace(settings, ice_servers=(*settings.ice_servers, *self._learned))
        self._attempt = _Publication(self._endpoint, settings, sound, pictures)
        await self._attempt.run(http, on_live)

    def figures(self) -> dict[str, Figure]:
        """Of this attempt. bytes: of media sent; packets; resent: of these for the second time."""
        return self._attempt.figures() if self._attempt else {"bytes": 0, "dropped": 0}


class _NoPath(OutputError):
    """told: the ICE servers that the answer named."""

    def __init__(self, error: OutputError, told: tuple[RTCIceServer, ...]) -> None:
        super().__init__(str(error), code=error.code, zh=error.zh)
        self.told = told


class _Publication:
    """One connection, from the offer to the end."""

    def __init__(
        self, to: Endpoint, settings: WebRtcSettings, sound: RtpStream, pictures: RtpStream
    ) -> None:
        self._to = to
        self._settings = settings
        self._decided = asyncio.Event()
        self._ended = asyncio.Event()
        self._connection = settings.connection()
        self._connection.on("connectionstatechange", self._on_state)
        self._legs = [
            add_sender(self._connection, sound, self._ended.set),
            add_sender(self._connection, pictures, self._ended.set, PROFILE),
        ]

    def figures(self) -> dict[str, Figure]:
        return {
            "bytes": sum(leg.octets for leg in self._legs),
            "dropped": sum(leg.dropped for leg in self._legs),
            "packets": sum(leg.packets for leg in self._legs),
            "resent": sum(leg.resent for leg in self._legs),
        }

    async def run(self, http: Http, on_live: Callable[[], None]) -> None:
        """Until the connection ends. Raises OutputError."""
        answer: Answer | None = None
        try:
            offer = await self._offer()
            answer = await http.publish(offer)
            await self._connect(answer)
            on_live()
            await self._watch()
        finally:
            await self._leave(http, answer)

    async def _leave(self, http: Http, answer: Answer | None) -> None:
        """Within two seconds, whatever the server does."""
        leaving = [asyncio.create_task(self._connection.close(), name="close WHIP connection")]
        if answer is not None and answer.session is not None:
            leave = http.leave(answer.session)
            leaving.append(asyncio.create_task(leave, name="leave WHIP session"))
        # aiortc waits for ever if a connection is closed in the moment in which it is made.
        await asyncio.wait(leaving, timeout=LEAVE_SEC)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    async def _offer(self) -> str:
        connection = self._connection
        self._settings.confine(connection)
        await connection.setLocalDescription(await connection.createOffer())
        return str(connection.localDescription.sdp)

    async def _connect(self, answer: Answer) -> None:
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        except Exception as error:  # aiortc raises whatever its parser trips over
            raise faults.bad_answer(self._to, str(error) or type(error).__name__) from None
        taken = {
            t.kind for t in self._connection.getTransceivers() if t.currentDirection == "sendonly"
        }
        if taken != {"audio", "video"}:
            lacks = " and ".join(sorted({"audio", "video"} - taken))
            raise faults.bad_answer(self._to, f"it does not take our {lacks}")
        with suppress(TimeoutError):
            async with asyncio.timeout(faults.MEDIA_SEC):
                await self._decided.wait()
        if self._connection.connectionState != "connected":
            raise _NoPath(faults.no_media_path(self._to), answer.ice_servers)

    async def _watch(self) -> None:
        """Until the server is gone: by its own word, or because nothing comes from it any more."""
        loop = asyncio.get_running_loop()
        heard, at = 0, loop.time()
        while not self._ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SEC):
                    await self._ended.wait()
            now = self._legs[0].heard
            if now != heard:
                heard, at = now, loop.time()
            # Only of a server that reports at all.
            elif heard > 3 and loop.time() - at > faults.STALLED_SEC:
                raise faults.stalled(self._to)
        raise faults.closed(self._to)

    def _on_state(self) -> None:
        state = self._connection.connectionState
        if state in ("connected", "failed", "closed"):
            self._decided.set()
        if state in ("failed", "closed"):
            self._ended.set()
