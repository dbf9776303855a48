"""Several datagrams to one address, in one call of the system where it can.

A picture is some packets, and of what sending them costs three quarters is the system's own work
for each. Linux takes equal ones as one (UDP_SEGMENT, also called GSO) and does that work once.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Iterator, Sequence

_UDP_SEGMENT = 103  # linux/udp.h; with it a datagram of up to 64 KiB in up to 64 parts
_MOST_PARTS = 40
_NOT_HERE = {errno.EIO, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EMSGSIZE}

Address = tuple[str, int]


class Datagrams:
    """Sends bursts. One for each receiver: what one way does not take another may."""

    def __init__(self) -> None:
        self._in_one = sys.platform == "linux"

    def send(
        self, transport: asyncio.DatagramTransport, datagrams: Sequence[bytes], address: Address
    ) -> None:
        """Without waiting, in order; what the system cannot take now waits in ``transport``.

        datagrams: each of at most 1400 bytes.
        """
        for run in _equal_runs(datagrams):
            if len(run) > 1 and self._in_one and self._sent(transport, run, address):
                continue
            for datagram in run:
                transport.sendto(datagram, address)

    def _sent(
        self, transport: asyncio.DatagramTransport, run: Sequence[bytes], address: Address
    ) -> bool:
        # A relayed way has no socket of its own; and nothing may overtake what waits.
        sock: socket.socket | None = getattr(transport, "_sock", None)
        if sock is None or getattr(transport, "_buffer", True):
            return False
        size = struct.pack("=H", len(run[0]))
        try:
            sock.sendmsg([b"".join(run)], [(socket.IPPROTO_UDP, _UDP_SEGMENT, size)], 0, address)
        except OSError as error:
            # Full for the moment, or a network card or route that cannot.
            self._in_one = error.errno not in _NOT_HERE
            return False
        return True


def _equal_runs(datagrams: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Neighbours of one size, of which the last may be smaller."""
    begin = 0
    for at, datagram in enumerate(datagrams):
        first = len(datagrams[begin])
        if at > begin and (
            len(datagram) > first or len(datagrams[at - 1]) < first or at - begin == _MOST_PARTS
        ):
            yield datagrams[begin:at]
            begin = at
    if datagrams:
        yield datagrams[begin:]
