"""RTMP's handshake (RTMP 1.0, §5.2): three packets each way, then chunks."""

from __future__ import annotations

import os

VERSION = 3
SIZE = 1536

# What the first bytes of other protocols give away.
_TLS_ALERT = 0x15


class HandshakeError(ValueError):
    """The other side does not speak RTMP. tls: it speaks TLS instead."""

    def __init__(self, message: str, *, tls: bool = False) -> None:
        super().__init__(message)
        self.tls = tls


class Handshake:
    """The client's side. Send :meth:`hello`, feed what comes, send what :meth:`feed` gives."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._answered = False
        self.done = False

    def hello(self) -> bytes:
        """C0 and C1. A zero where others put a version: the plain handshake, without digests."""
        return bytes([VERSION]) + bytes(8) + os.urandom(SIZE - 8)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What to send now (C2, once), and what was left over when the handshake was done.

        Raises:
            HandshakeError: when the answer is not RTMP's.
        """
        self._data += data
        if self._data[0] != VERSION:
            shown = bytes(self._data[:16])
            raise HandshakeError(f"it answered with {shown!r}", tls=self._data[0] == _TLS_ALERT)
        answer = b""
        if not self._answered and len(self._data) > SIZE:
            # C2 echoes S1; some servers wait for it before they send S2.
            answer = bytes(self._data[1 : 1 + SIZE])
            self._answered = True
        if len(self._data) < 1 + 2 * SIZE:
            return answer, b""
        self.done = True
        return answer, bytes(self._data[1 + 2 * SIZE :])
