"""Datagrams arrive as they were given, whether the system took them as one or one by one."""

from __future__ import annotations

import asyncio
import socket

import pytest

from mien.media.datagrams import Datagrams

BURSTS = [
    [b"one"],
    [bytes([n]) * 1200 for n in range(7)],
    [b"small", *(bytes([n]) * 1200 for n in range(5)), b"the rest"],
    [b"a" * 900, b"b" * 1000, b"c" * 1000, b"d" * 10, b"e" * 10, b"f" * 11],
    [bytes([n]) * 1200 for n in range(100)],
]


@pytest.mark.parametrize("in_one", [True, False])
async def test_as_given_and_in_order(in_one: bool) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, ("127.0.0.1", 0)
        )
        datagrams = Datagrams()
        datagrams._in_one &= in_one
        for burst in BURSTS:
            datagrams.send(transport, burst, receiver.getsockname())
            async with asyncio.timeout(20):
                got = [await loop.sock_recv(receiver, 2000) for _ in burst]
            assert got == burst
        transport.close()
