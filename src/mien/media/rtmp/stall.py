"""Noticing that a server takes nothing any more, though its machine still does.

At 100 kb/s the buffers of two operating systems hide a server that hangs for a minute and more:
nothing blocks, nothing fails. What gives it away is its receive window (TCP, RFC 9293 §3.8.6): the
window of a program that reads keeps its size, that of one which does not shrinks with all we send.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

STALL_SEC = 4.0
# Too little to judge by.
LEAST_BYTES = 12_000
# Of what was sent, the room that at least must have been made. Linux makes 100 % for a program that
# reads; for one that does not 6 %, in a connection's first seconds 60 %.
ROOM_SHARE = 0.75
SAMPLE_SEC = 0.25
# Servers are asked to acknowledge (RTMP 1.0, §5.4.4) so often; many do.
ACK_WINDOW = 16_384
# So many of a server's usual intervals without an acknowledgement are a silence.
ACKS_MISSED = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """At ``now`` (monotonic s). taken: bytes, by whoever is known to have them. window: bytes that
    the server's machine would still hold for it, None where it is unknown. waiting: whether
    anything was left to be taken."""

    now: float
    taken: int
    window: int | None
    waiting: bool


class StallWatch:
    """Fed with a sample each :data:`SAMPLE_SEC` and the server's acknowledgements."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._acks = 0
        self._ack_at = (0.0, 0)  # when the last came, and how much had been sent by then
        self._ack_step = ACK_WINDOW

    def acknowledged(self, now: float, sent: int) -> None:
        """The server says that it has read something. sent: bytes it could have read."""
        if self._acks:
            self._ack_step = max(self._ack_step, sent - self._ack_at[1])
        self._acks += 1
        self._ack_at = now, sent

    def stalled(self, sample: Sample) -> bool:
        """Whether the server has taken nothing for :data:`STALL_SEC`, or hardly anything."""
        samples = self._samples
        samples.append(sample)
        while len(samples) > 2 and samples[1].now <= sample.now - STALL_SEC:
            samples.popleft()
        first = samples[0]
        if sample.now - first.now < STALL_SEC:
            return False
        return self._stuck(first) or self._full(first, sample) or self._unacknowledged(sample)

    def _stuck(self, first: Sample) -> bool:
        """Something waited all the time, and nothing was taken."""
        return all(s.waiting and s.taken == first.taken for s in self._samples)

    def _full(self, first: Sample, last: Sample) -> bool:
        """Each second the other machine had less room than before, or took nothing."""
        if first.window is None or last.window is None:
            return False
        taken = last.taken - first.taken
        made = taken - (first.window - last.window)
        if taken < LEAST_BYTES or made >= ROOM_SHARE * taken:
            return False
        seconds: list[list[Sample]] = [[] for _ in range(int(STALL_SEC))]
        for sample in self._samples:
            seconds[min(int(last.now - sample.now), len(seconds) - 1)].append(sample)
        return all(_no_better(*pair) for pair in itertools.pairwise(reversed(seconds)))

    def _unacknowledged(self, last: Sample) -> bool:
        """Behind a proxy: it takes everything, but the server no longer says that it reads."""
        at, sent = self._ack_at
        silent = last.taken - sent >= ACKS_MISSED * self._ack_step
        return self._acks > 1 and silent and last.now - at >= STALL_SEC


def _no_better(before: list[Sample], after: list[Sample]) -> bool:
    """Whether a second brought less room than the one before it, or no progress at all."""
    if not before or not after:
        return False
    if max(s.window or 0 for s in after) < max(s.window or 0 for s in before):
        return True
    return all(s.waiting and s.taken == before[-1].taken for s in after)
