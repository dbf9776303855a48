"""One speech server: asked over HTTP, heard as it answers, or found out why it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import numpy as np

from mien.connections import Connections
from mien.media.tick import SAMPLE_RATE, Pcm
from mien.tts.http import failure
from mien.tts.http.pcm import PcmStream
from mien.tts.http.wav import Samples, SoundError

_CONNECT_SEC = 3.0
_KEEP = 4
# A check may take 2 s. A server that is just speaking may not answer in this time, since several
# compute on the thread they answer from; that it takes the connection is enough then.
_PROBE_SEC = 1.5
_MAX_ERROR_BYTES = 64 << 10
_ERROR_BODY_SEC = 1.0
# The longest clause is half a minute of speech: 3 MB as WAV at 48 kHz, 24 MB in 8 channels.
_MAX_BODY_BYTES = 32 << 20
# Of 32768. What MP3 makes of digital silence is below it, the softest speech is not.
_SILENCE = 4
_RATE_HEADERS = ("x-sample-rate", "x-custom-header-samplerate")
_SOUND_WITHOUT_NAME = ("", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True)
class SpeechRequest:
    """One HTTP request for speech.

    path: appended to the server's url. json, params, data, files: as in httpx.
    raw: how to read samples without a header. longest_sec: more sound than this cannot be meant.
    """

    path: str
    method: str = "POST"
    json: Any = None
    params: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Samples | None = None
    longest_sec: float = 120.0


class SpeechServer:
    """Connections to one server, kept between clauses; belongs to one event loop.

    Every failure is a ``VoiceError``. Closing a generator hangs up, so that the server stops.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        first_sound_sec: float,
        stall_sec: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """name: for people, e.g. "GPT-SoVITS"."""
        self.name = name
        self.url = url.rstrip("/")
        self._first_sound_sec = first_sound_sec
        self._stall_sec = stall_sec
        # What an encoding would save on sound is little, and it would hold back its beginning.
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._connections = Connections(self.url, connect_sec=_CONNECT_SEC, keep=_KEEP)
        self._closed = False

    async def aclose(self) -> None:
        """Close the connections; what is under way fails. Works before first use and twice."""
        self._closed = True
        await self._connections.aclose()

    async def listen(self, request: SpeechRequest) -> AsyncGenerator[Pcm, None]:
        """The answer as int16[n] mono at 48 kHz, as it comes.

        Raises:
            VoiceError: if there is no sound, or it breaks off, stalls or does not end.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._first_sound_sec
        held: list[Pcm] = []  # silence, until there is more than silence
        begun = False
        received = heard = 0
        async with self._answer(request, deadline) as response:
            sound = PcmStream(SAMPLE_RATE, _raw_samples(response, request.raw))
            chunks = cast(AsyncGenerator[bytes, None], response.aiter_bytes())
            try:
                data: bytes | None = b""
                while data is not None:
                    data = await self._next(chunks, deadline, begun)
                    if data is not None:
                        received += len(data)
                    pcm = await self._decode(sound, data)
                    heard += len(pcm)
                    if received > _MAX_BODY_BYTES:
                        raise failure.endless(self.name, f"{_MAX_BODY_BYTES >> 20} MB")
                    if heard > request.longest_sec * SAMPLE_RATE:
                        raise failure.endless(self.name, f"{request.longest_sec:.0f} s")
                    if not begun:
                        if not (np.abs(pcm.astype(np.int32)) > _SILENCE).any():
                            if len(pcm):
                                held.append(pcm)
                            continue
                        begun = True
                        for silence in held:
                            yield silence
                        held.clear()
                    if len(pcm):
                        yield pcm
                    deadline = loop.time() + self._stall_sec
            finally:
                await chunks.aclose()
        if not begun:
            raise failure.silent(self.name, "nothing but silence" if held else "no sound")

    async def probe(self, path: str) -> httpx.Response | None:
        """GET something light; None if the server is there but too busy to answer.

        Raises:
            VoiceError: if it cannot be reached or does not accept the key.
        """
        try:
            async with self._client() as client:
                response = await client.get(
                    self.url + path, headers=self._headers, timeout=httpx.Timeout(_PROBE_SEC)
                )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise failure.unreachable(self.name, self.url, error) from error
        except httpx.TimeoutException:
            return None
        except httpx.HTTPError as error:
            raise failure.no_answer(self.name, self.url, error) from error
        if response.status_code in (401, 403):
            detail = failure.readable(response.content[:_MAX_ERROR_BYTES])
            raise failure.refused(self.name, self.url, response.status_code, detail)
        return response

    def _client(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        if self._closed:
            raise failure.closed()
        return self._connections.client()

    @asynccontextmanager
    async def _answer(
        self, request: SpeechRequest, deadline: float
    ) -> AsyncGenerator[httpx.Response, None]:
        """The response to a request that was accepted, its body still to come."""
        async with self._client() as client:
            response = await self._send(client, request, deadline)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not response.is_success:
                detail = failure.readable(await self._error_body(response))
                raise failure.refused(self.name, self.url, response.status_code, detail)
            if not kind.startswith(("audio/", "video/")) and kind not in _SOUND_WITHOUT_NAME:
                detail = failure.readable(await self._error_body(response))
                what = "a web page" if "html" in kind else "a text"
                raise failure.not_sound(self.name, self.url, what, detail)
            yield response

    async def _send(
        self, client: httpx.AsyncClient, request: SpeechRequest, deadline: float
    ) -> httpx.Response:
        for attempt in (1, 2):
            try:
                outgoing = client.build_request(
                    request.method,
                    self.url + request.path,
                    json=request.json,
                    params=request.params,
                    data=cast(dict[str, Any] | None, request.data),
                    files=request.files,
                    headers={**self._headers, **request.headers},
                )
                async with asyncio.timeout_at(deadline):
                    return await client.send(outgoing, stream=True)
            except TimeoutError:
                raise failure.too_slow(self.name, self._first_sound_sec, begun=False) from None
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise failure.unreachable(self.name, self.url, error) from error
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                # Typically a kept connection that the server has closed just now. No sound has
                # come yet, so that asking again cannot say anything twice.
                if self._closed:
                    raise failure.closed() from error
                if attempt == 2:
                    raise failure.no_answer(self.name, self.url, error) from error
            except httpx.HTTPError as error:
                raise failure.no_answer(self.name, self.url, error) from error
        raise AssertionError("unreachable")

    async def _next(
        self, chunks: AsyncGenerator[bytes, None], deadline: float, begun: bool
    ) -> bytes | None:
        try:
            async with asyncio.timeout_at(deadline):
                return await anext(chunks, None)
        except TimeoutError:
            sec = self._stall_sec if begun else self._first_sound_sec
            raise failure.too_slow(self.name, sec, begun=begun) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            if self._closed:
                raise failure.closed() from error
            raise failure.cut_off(self.name, error) from error

    async def _decode(self, sound: PcmStream, data: bytes | None) -> Pcm:
        try:
            if data is None:
                return await asyncio.to_thread(sound.finish)
            return sound.feed(data)
        except SoundError as error:
            if sound.rate:
                raise failure.cut_off(self.name, error) from error
            raise failure.not_sound(
                self.name, self.url, "something else", failure.readable(str(error).encode())
            ) from error

    async def _error_body(self, response: httpx.Response) -> bytes:
        body = b""
        try:
            async with asyncio.timeout(_ERROR_BODY_SEC):
                async for data in response.aiter_bytes():
                    body += data
                    if len(body) >= _MAX_ERROR_BYTES:
                        break
        except (TimeoutError, httpx.HTTPError):
            pass  # what came of it is better than nothing
        return body[:_MAX_ERROR_BYTES]


def _raw_samples(response: httpx.Response, asked: Samples | None) -> Samples | None:
    """How to read samples without a header, where the answer says it better than the settings."""
    kind, _, parameters = response.headers.get("content-type", "").lower().partition(";")
    if asked is None or kind.strip() in ("audio/mpeg", "audio/mp3", "audio/aac"):
        return None
    said = [response.headers.get(name, "") for name in _RATE_HEADERS]
    said += [p.partition("=")[2].strip() for p in parameters.split(";") if "rate=" in p]
    for rate in said:
        if rate.isdigit():
            return Samples(int(rate), asked.kind, asked.channels)
    return asked
