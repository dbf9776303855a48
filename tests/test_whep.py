"""WHEP as the standard has it: by plain HTTP, as other people's players speak it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio
from aioice import stun
from aioice.ice import get_host_addresses
from aiortc import RTCConfiguration, RTCPeerConnection

from mien.config import load_settings
from mien.media.whip.links import ice_servers
from mien.server.app import create_app
from mien.services import Services, open_services

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = "the-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SDP = {"Content-Type": "application/sdp"}
ELSEWHERE = {"Origin": "https://player.example"}


class StunServer(asyncio.DatagramProtocol):
    """Tells whoever asks which address they come from (RFC 8489)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        answer = stun.Message(asked.message_method, stun.Class.RESPONSE, asked.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = address
        self._transport.sendto(bytes(answer), address)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services() -> AsyncIterator[Services]:
    loop = asyncio.get_running_loop()
    # Loopback cannot be reached from the addresses that ICE asks from.
    address = next(iter(get_host_addresses(use_ipv4=True, use_ipv6=False)), "127.0.0.1")
    transport, _ = await loop.create_datagram_endpoint(StunServer, (address, 0))
    port = transport.get_extra_info("sockname")[1]
    servers = [{"urls": [f"stun:{address}:{port}"]}]
    settings = load_settings(None, greet=False, webrtc={"ice_servers": servers})
    async with open_services(settings) as opened:
        yield opened
    transport.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Of a server that wants a token."""
    async with serving(services, TOKEN) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whep(client: httpx.AsyncClient) -> str:
    """A session's WHEP endpoint."""
    answer = await client.post("/api/v1/sessions", json={}, headers=BEARER)
    return str(answer.json()["whep"])


@asynccontextmanager
async def serving(services: Services, token: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, without a socket."""
    app = create_app(services.settings.model_copy(update={"token": token}), services)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


async def offer(*kinds: str) -> str:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in kinds or ("audio", "video"):
        connection.addTransceiver(kind, direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    sdp = str(connection.localDescription.sdp)
    await connection.close()
    return sdp


async def test_created_with_all_that_a_player_needs(client: httpx.AsyncClient, whep: str) -> None:
    headers = {**BEARER, "Content-Type": "application/SDP; charset=utf-8", **ELSEWHERE}
    answer = await client.post(whep, content=await offer(), headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["etag"].strip('"')
    assert answer.text.count("a=sendonly") == 2
    viewer = answer.headers["location"]
    assert viewer.startswith(f"{whep}/")
    (server,) = ice_servers(answer.headers.get_list("link"))
    assert str(server.urls).startswith("stun:")
    # A page of another site may read all that.
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert {"Location", "Link", "ETag"} <= set(exposed.split(", "))
    assert (await client.patch(viewer, headers=BEARER)).status_code == 405
    assert (await client.delete(viewer, headers=ELSEWHERE)).status_code == 401
    assert (await client.delete(viewer, headers=BEARER)).status_code == 200
    for _ in range(1000):
        if (gone := await client.delete(viewer, headers=BEARER)).status_code == 404:
            break
        await asyncio.sleep(0.02)
    assert gone.json()["error"]["code"] == "no_such_viewer"


async def test_a_browser_may_ask_for_a_page_of_another_site(
    client: httpx.AsyncClient, whep: str
) -> None:
    asked = {"Access-Control-Request-Method": "POST", **ELSEWHERE}
    for path in (whep, f"{whep}/viewer"):
        answer = await client.options(path, headers=asked)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert {"POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert "authorization" in allowed and "content-type" in allowed
        assert answer.headers["accept-post"] == "application/sdp"
        assert "link" not in answer.headers  # who may not watch is told of no servers
    assert "link" in (await client.options(whep, headers=BEARER)).headers
    others = await client.get("/api/v1/info", headers={**BEARER, **ELSEWHERE})
    assert "access-control-allow-origin" not in others.headers


async def test_without_a_token_only_pages_of_this_machine_may(services: Services) -> None:
    async with serving(services, None) as client:
        near = {"Origin": "http://localhost:3000"}
        answer = await client.options("/whep/any", headers=near)
        assert answer.headers["access-control-allow-origin"] == near["Origin"]
        for origin in (ELSEWHERE["Origin"], "null", "http://[broken"):
            far = await client.options("/whep/any", headers={"Origin": origin})
            assert "access-control-allow-origin" not in far.headers


async def test_refusals_have_the_statuses_of_the_standard(
    client: httpx.AsyncClient, whep: str
) -> None:
    good, deaf = await offer(), await offer("audio")
    no_codec = good.replace("H264/90000", "H263/90000").replace("opus/48000", "speex/48000")
    for content, headers, status, code in (
        (good, SDP, 401, "no_token"),
        (good, {**SDP, "Authorization": "Bearer wrong"}, 401, "no_token"),
        (good, {**BEARER, "Content-Type": "text/plain"}, 415, "not_sdp"),
        (good, {**BEARER, **SDP, "Accept": "application/json"}, 406, "takes_no_sdp"),
        ("no SDP at all", {**BEARER, **SDP}, 400, "bad_offer"),
        (deaf, {**BEARER, **SDP}, 422, "bad_offer"),
        (no_codec, {**BEARER, **SDP}, 422, "bad_offer"),
    ):
        answer = await client.post(whep, content=content, headers={**headers, **ELSEWHERE})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "link" not in answer.headers and "location" not in answer.headers
    assert (
        await client.post("/whep/none", content=good, headers={**BEARER, **SDP})
    ).status_code == 404
    assert (await client.get(whep, headers=BEARER)).status_code == 405
