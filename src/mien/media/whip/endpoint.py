"""The HTTP half of WHIP (RFC 9725): offer for answer, and leave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from aiortc import RTCIceServer
from loguru import logger

from mien.media.whip import faults
from mien.media.whip.links import ice_servers
from mien.media.whip.url import Endpoint

MAX_REDIRECTS = 5
# An SDP answer is a few kilobytes; a page that is none may be endless.
MAX_BODY = 256_000
LEAVE_SEC = 1.5


@dataclass(frozen=True, slots=True)
class Answer:
    """sdp: of the server. session: where to DELETE, None if it did not say. ice_servers: those it
    told us of."""

    sdp: str
    session: httpx.URL | None
    ice_servers: tuple[RTCIceServer, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A response, read as far as it is worth reading."""

    status: int
    headers: httpx.Headers
    url: httpx.URL
    text: str


class Http:
    """Requests of one attempt. The token goes to the origin it was given for, nowhere else."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> None:
        self._endpoint = endpoint
        self._client = httpx.AsyncClient(
            timeout=faults.HTTP_SEC,
            # A company's HTTP proxy cannot reach this machine.
            trust_env=endpoint.host not in ("localhost", "127.0.0.1", "::1"),
            verify=tls or True,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def publish(self, offer: str) -> Answer:
        """Send the offer.

        Raises:
            OutputError: why there is no answer; after :data:`faults.HTTP_SEC` at most.
        """
        to = self._endpoint
        try:
            async with asyncio.timeout(faults.HTTP_SEC):
                reply = await self._post(offer)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            raise faults.while_asking(error, to) from None
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        # 200 is wrong, yet some servers say it.
        if reply.status not in (200, 201) or kind != "application/sdp":
            raise faults.refusal(reply.status, kind, reply.text, to)
        location = reply.headers.get("location")
        return Answer(
            reply.text,
            reply.url.join(location) if location else None,
            ice_servers(reply.headers.get_list("link")),
        )

    async def _post(self, offer: str) -> Reply:
        url = self._endpoint.url
        for _ in range(MAX_REDIRECTS + 1):
            headers = {
                "Content-Type": "application/sdp",
                "Accept": "application/sdp",
                **self._authorization(url),
            }
            request = self._client.build_request("POST", url, content=offer, headers=headers)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code not in (307, 308) or "location" not in response.headers:
                    text = await _read(response)
                    return Reply(response.status_code, response.headers, url, text)
                url = url.join(response.headers["location"])
            finally:
                await response.aclose()
        raise faults.too_many_redirects(self._endpoint)

    async def leave(self, session: httpx.URL) -> None:
        """End the session there; that it cannot be told is no error, it finds out by itself."""
        try:
            async with asyncio.timeout(LEAVE_SEC):
                await self._client.delete(session, headers=self._authorization(session))
        except (httpx.HTTPError, OSError) as error:
            logger.debug(f"{self._endpoint.label} was not told of the end: {type(error).__name__}")

    def _authorization(self, url: httpx.URL) -> Mapping[str, str]:
        token = self._endpoint.token_for(url)
        return {"Authorization": f"Bearer {token}"} if token else {}


async def _read(response: httpx.Response) -> str:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_BODY:
            break
    return body[:MAX_BODY].decode("utf-8", "replace")
