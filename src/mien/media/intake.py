"""Sound from outside on its way in: at our rate, without holes, as long as the clock says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import av
import numpy as np

from mien.media.microphone import RATE, Sink
from mien.media.tick import Pcm

# How often it is seen to it that what does not come is silence.
PULSE_SEC = 0.02
# Turns of the event loop that a packet may take from the socket to here; three were seen.
TURNS = 8
# Longer holes and leaps are another beginning: whoever sends has started afresh.
MAX_HOLE_SEC = 1.0
# How far sound may run ahead of real time, and a stalled network make up for. Clocks differ a bit.
AHEAD_SEC, STALL_SEC, DRIFT = 5.0, 15.0, 1.1
# Below this (-44 dB of full scale) for so long nobody is speaking, and no turn is about to end.
QUIET_PEAK, QUIET_SEC = 200, 1.0


class TooFast(Exception):
    """Sound comes faster than real time, and goes on doing so: that is no microphone."""


class Intake:
    """Takes int16 mono at ``rate`` Hz and hands int16[n] mono at RATE to ``sink``.

    Each sample goes on at once but for what the resampler holds: 1 ms, 2 ms from 8 kHz (measured:
    libswresample holds 16 and 32 samples of its output; soxr at its lowest quality that filters,
    20 and 61 ms).

    Where sound is missing there will be silence: a hole in what came is filled when it is seen,
    and when nothing comes for ``slack_sec`` longer than the last piece, :meth:`catch_up` goes on
    with the clock. What comes late after all is heard in full, so that no word is lost; we are
    ahead of the clock then, until somebody has been quiet for a while: some quiet is left out.
    """

    def __init__(
        self,
        rate: int,
        sink: Sink,
        slack_sec: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._sink = sink
        self._slack = slack_sec
        self._clock = clock
        self._resampler = av.AudioResampler("s16", "mono", RATE) if rate != RATE else None
        self._given = 0  # position up to which samples have gone on
        self._end = 0  # position at which the last piece that came ended,
        self._came: float | None = None  # and when it came
        self._length = 0
        self._quiet = 0  # samples of quiet in a row, up to ``_end``
        self._ahead = 0.0  # seconds by which sound is ahead of real time

    def put(self, pcm: Pcm, position: int | None = None) -> None:
        """int16[n], n > 0, that has just come.

        position: of its first sample, in samples from any beginning; None: where the last ended.

        Raises:
            TooFast: when it is no microphone that speaks here.
        """
        now = self._clock()
        if self._came is None:
            self._given = self._end = position or 0
            self._came = now
        self._ahead = max(-STALL_SEC, self._ahead - (now - self._came) * DRIFT)
        self._ahead += len(pcm) / self._rate
        if self._ahead > AHEAD_SEC:
            raise TooFast
        begin = self._end if position is None else position
        hole = begin - self._given
        if abs(hole) > MAX_HOLE_SEC * self._rate:
            self._given, hole = begin, 0
        elif hole > 0:
            self._give(np.zeros(hole, np.int16))
        self._end, self._length, self._came = begin + len(pcm), len(pcm), now
        peak = max(int(pcm.max()), -int(pcm.min()))
        self._quiet = self._quiet + len(pcm) if peak < QUIET_PEAK else 0
        if hole < 0 and self._quiet > QUIET_SEC * self._rate:
            pcm = pcm[min(-hole, len(pcm)) :]
        self._give(pcm)

    @property
    def missed(self) -> int:
        """Samples that should have come by now and have not."""
        if self._came is None:
            return 0
        waited = self._clock() - self._came - self._slack
        return max(0, self._end + round(waited * self._rate) - self._length - self._given)

    def catch_up(self) -> None:
        """Silence in place of what is missed; see :func:`keep_up`."""
        if missed := self.missed:
            self._give(np.zeros(missed, np.int16))

    def _give(self, pcm: Pcm) -> None:
        self._given += len(pcm)
        if self._resampler is not None and len(pcm):
            frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
            frame.sample_rate = self._rate
            parts = [part.to_ndarray()[0] for part in self._resampler.resample(frame)]
            pcm = np.concatenate(parts) if parts else pcm[:0]
        if len(pcm):
            self._sink(pcm)


class Incoming(Protocol):
    """What sound comes through. missed: what should have come by now, 0 if nothing."""

    @property
    def missed(self) -> int: ...

    def catch_up(self) -> None: ...


async def keep_up(incoming: Incoming, closed: asyncio.Event) -> None:
    """Have silence made of what does not come, until ``closed`` is set."""
    while not closed.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(PULSE_SEC):
                await closed.wait()
        for _ in range(TURNS):
            if not incoming.missed:
                break
            # When it was the event loop that stood still, sound is waiting to come through it.
            await asyncio.sleep(0)
        incoming.catch_up()
