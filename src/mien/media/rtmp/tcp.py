"""What the system knows of a TCP connection, and making one that keeps little queued."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Not yet on the wire, at most: a picture or two. More would only be latency; what is on its way
# may still be as much as the network takes.
UNSENT_BYTES = 32 * 1024
# Where the system cannot limit that, all that it holds.
SEND_BUFFER = 128 * 1024
# One address of several may be dead (IPv6 without a route); the next gets its turn.
ADDRESS_SEC = 1.5

Address = tuple[socket.AddressFamily, tuple[Any, ...]]

_LINUX = sys.platform == "linux"
_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if _LINUX else None)
# Places in struct tcp_info (linux/tcp.h), which only ever grows at its end.
_UNACKED, _RTT, _BYTES_ACKED, _NOTSENT, _SND_WND, _SIZE = 24, 68, 120, 144, 228, 232


@dataclass(frozen=True, slots=True)
class TcpState:
    """taken: bytes that the other machine has confirmed. window: bytes it offers to hold beyond
    those. unsent: bytes not on the wire. waiting: whether anything is not confirmed yet. rtt_ms:
    round trip."""

    taken: int
    window: int
    unsent: int
    waiting: bool
    rtt_ms: float


def tcp_state(sock: socket.socket) -> TcpState | None:
    """None where the system does not tell (all but Linux), or the connection is gone."""
    if not _LINUX:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(info) < _SIZE:
        return None
    (taken,) = struct.unpack_from("=Q", info, _BYTES_ACKED)
    rtt, unsent, window, unacked = (
        struct.unpack_from("=I", info, at)[0] for at in (_RTT, _NOTSENT, _SND_WND, _UNACKED)
    )
    return TcpState(taken, window, unsent, unsent + unacked > 0, rtt / 1000)


async def connected_socket(addresses: Sequence[Address]) -> socket.socket:
    """A connection to the first address that answers.

    Raises:
        OSError: of the last one that failed; refused, if any refused.
    """
    errors: list[OSError] = []
    for number, (family, address) in enumerate(addresses, 1):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            _keep_little(sock)
            limit = ADDRESS_SEC if number < len(addresses) else None
            async with asyncio.timeout(limit):
                await asyncio.get_running_loop().sock_connect(sock, address)
            return sock
        except OSError as error:  # a TimeoutError is one
            sock.close()
            errors.append(error)
        except BaseException:
            sock.close()
            raise
    raise next((e for e in errors if isinstance(e, ConnectionRefusedError)), errors[-1])


def _keep_little(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if _NOTSENT_LOWAT is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)
            return
    except OSError:
        pass
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
