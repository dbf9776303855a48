"""An output's share of a program: a bounded queue of encoded packets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from av.packet import Packet

# Longer than any hiccup worth riding out; a viewer further behind restarts at a key frame.
QUEUE_PACKETS = 100

Kind = Literal["audio", "aac", "video"]


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One packet of the program.

    packet: an access unit of a picture (H.264: Annex B; pts in 1/90000), or Opus ("audio") or AAC
        ("aac") sound (pts in 1/48000). All clocks are zero at tick 0, so pts alone keeps them in
        sync.
    """

    kind: Kind
    packet: Packet[Any]
    keyframe: bool
    generation: int
    index: int


class Subscription:
    """One output's queue. A slow output drops to the next key frame, disturbing nobody.

    generation: the conversation's. request: asks whoever makes the packets for a key frame; takes
        whether it is urgent. whole: sound of an interrupted answer is kept, as a recording wants;
        else it is dropped while it waits here.
    """

    def __init__(
        self,
        kind: Kind,
        generation: Callable[[], int],
        request: Callable[[bool], None],
        *,
        whole: bool = False,
        limit: int = QUEUE_PACKETS,
    ) -> None:
        self.kind = kind
        self.dropped = 0
        self._generation = generation
        self._request = request
        self._whole = whole
        self._limit = limit
        self._queue: deque[EncodedPacket] = deque()
        self._ready = asyncio.Event()
        self._starts_at_keyframe = True
        self._error: Exception | None = None

    @property
    def waits(self) -> bool:
        """Whether it takes nothing before a key frame."""
        return self._starts_at_keyframe

    def restart(self) -> None:
        """Forget what is queued and begin anew: sound now, pictures at the next key frame."""
        self._queue.clear()
        if self.kind == "video":
            self._starts_at_keyframe = True
            self._request(True)

    def request_keyframe(self, urgent: bool = False) -> None:
        """The receiver cannot go on without one; ignored if one has just been made, unless urgent.

        urgent: for one that begins, which happens once; a lossy one asks again and again.
        """
        self._request(urgent)

    def put(self, packet: EncodedPacket) -> None:
        """Queue a packet of this kind."""
        if packet.kind == "video" and self._starts_at_keyframe:
            if not packet.keyframe:
                return
            self._starts_at_keyframe = False
        if len(self._queue) >= self._limit:
            self.dropped += len(self._queue)
            self.restart()
            if packet.kind == "video":
                return
        self._queue.append(packet)
        self._ready.set()

    def fail(self, error: Exception) -> None:
        """There will be no more packets; ``get`` raises ``error`` after those that are queued."""
        self._error = error
        self._ready.set()

    async def get(self) -> EncodedPacket:
        """The next packet. Raises what made the encoder fail."""
        while True:
            while self._queue:
                packet = self._queue.popleft()
                stale = packet.kind != "video" and packet.generation != self._generation()
                if self._whole or not stale:
                    return packet
            if self._error is not None:
                raise self._error
            self._ready.clear()
            await self._ready.wait()
