"""Where aiortc may bind UDP sockets, and which address it tells others.

aioice binds any free port of every local address and knows nothing of a public one. Here the
gathering of host candidates is replaced on the connections of one peer; STUN and TURN stay.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import random
import socket

from aioice import turn
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol
from aiortc import RTCPeerConnection


class HostPorts:
    """UDP ports ``first…last`` inclusive (None: any), and an address besides the machine's own.

    Every viewer takes one port per local address.
    """

    def __init__(self, ports: tuple[int, int] | None, public_address: str | None) -> None:
        self._ports = ports
        self._public = public_address

    def confine(self, connection: RTCPeerConnection) -> None:
        """Call after setRemoteDescription and before setLocalDescription, which gathers."""
        ends = [t.receiver.transport for t in connection.getTransceivers()]
        if connection.sctp is not None:
            ends.append(connection.sctp.transport)
        for ice in {end.transport.iceGatherer._connection for end in ends}:
            gather = functools.partial(self._gather, ice)
            ice.get_component_candidates = gather  # type: ignore[method-assign]

    async def _gather(
        self, ice: Connection, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """aioice's ``get_component_candidates``, with our sockets."""
        found: list[Candidate] = []
        for address in addresses:
            try:
                transport, protocol = await self._bind(ice, address)
            except OSError:
                continue  # this address has no free port; another may
            sock: socket.socket = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, turn.UDP_SOCKET_BUFFER_SIZE)
            hosts = [address]
            if self._public and ipaddress.ip_address(address).version == 4:
                hosts.append(self._public)
            port = int(transport.get_extra_info("sockname")[1])
            candidates = [_candidate(host, port, component) for host in hosts]
            protocol.local_candidate = candidates[0]
            ice._protocols.append(protocol)
            found += candidates
        rest = await Connection.get_component_candidates(
            ice, component=component, addresses=[], timeout=timeout
        )
        return found + rest

    async def _bind(
        self, ice: Connection, address: str
    ) -> tuple[asyncio.DatagramTransport, StunProtocol]:
        loop = asyncio.get_running_loop()
        first, last = self._ports or (0, 0)
        ports = list(range(first, last + 1))
        random.shuffle(ports)
        for port in ports:
            try:
                return await loop.create_datagram_endpoint(
                    lambda: StunProtocol(ice), local_addr=(address, port)
                )
            except OSError:
                continue
        raise OSError(f"no free UDP port in {first}…{last} on {address}")


def _candidate(host: str, port: int, component: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host"),
        host=host,
        port=port,
        type="host",
    )
