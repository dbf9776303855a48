"""The order of RTP packets restored (RFC 3550), without waiting for anything that is in order."""

from __future__ import annotations

from dataclasses import dataclass

# With so many later packets here, a missing one is lost: 40 ms of sound in packets of 20 ms. On
# the internet packets of sound overtake each other by one place, if at all.
PATIENCE = 2
# One that is older than this begins a new numbering (RFC 3550, A.1: MAX_MISORDER).
MAX_MISORDER = 100

_SEQUENCES = 1 << 16


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet: sequence number (16 bits), time stamp (32 bits, in samples), payload."""

    sequence: int
    timestamp: int
    payload: bytes


class PacketOrder:
    """Lets packets through in the order of their numbers: at once when it is their turn.

    dropped: packets that came twice, or after they had been given up.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._next: int | None = None
        self._waiting: dict[int, Packet] = {}

    def add(self, packet: Packet) -> list[Packet]:
        """Returns those whose turn it is now, with holes where some are lost."""
        before: list[Packet] = []
        ahead = self._ahead(packet.sequence)
        if ahead < -MAX_MISORDER:
            before, self._next = self.flush(), packet.sequence
        elif ahead < 0 or packet.sequence in self._waiting:
            self.dropped += 1
            return []
        self._waiting[packet.sequence] = packet
        ready = before + self._in_order()
        while len(self._waiting) >= PATIENCE:
            self._next = min(self._waiting, key=self._ahead)
            ready += self._in_order()
        return ready

    def flush(self) -> list[Packet]:
        """Give up what is missing: those that wait for it."""
        ready = []
        while self._waiting:
            self._next = min(self._waiting, key=self._ahead)
            ready += self._in_order()
        return ready

    def _ahead(self, sequence: int) -> int:
        """How far a number is beyond the next one, of those that are on their way."""
        if self._next is None:
            self._next = sequence
        half = _SEQUENCES // 2
        return (sequence - self._next + half) % _SEQUENCES - half

    def _in_order(self) -> list[Packet]:
        ready = []
        while self._next is not None and self._next in self._waiting:
            ready.append(self._waiting.pop(self._next))
            self._next = (self._next + 1) % _SEQUENCES
        return ready
