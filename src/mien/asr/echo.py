"""The avatar's own voice is taken out of what a microphone hears."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mien.asr.echo_comfort import ComfortNoise
from mien.asr.echo_delay import LAGS, EchoDelay
from mien.asr.echo_filter import PARTITIONS, EchoFilter
from mien.asr.echo_reference import HOP, WINDOW, Levels, Reference, levels, tapered
from mien.asr.echo_suppressor import EchoSuppressor
from mien.media.microphone import RATE
from mien.media.tick import Pcm

_BEFORE = 2  # partitions of the filter before the delay that was found
_EARLY, _LATE = 2, 15  # frames
_TOGETHER = 2  # blocks of 10 ms, for speed
_CHANCE = 5  # blocks
_QUIET = 90  # frames after which nothing of it can come back


class Echo:
    """One microphone's: takes out of it what the loudspeaker plays, wherever that is.

    Whoever plays tells what left and when (:meth:`played`), and the microphone's sound goes through
    :meth:`clean`. A browser has done the same, mostly; here it is done again for what leaks, for
    clients that do not, and for loudspeakers that the browser knows nothing of.

    delay: seconds from playing to the echo's arrival, as found; None before the first echo.
    """

    def __init__(self) -> None:
        self.delay: float | None = None
        self._reference = Reference()
        self._delays = EchoDelay()
        self._filter = EchoFilter()
        self._suppressor = EchoSuppressor()
        self._comfort = ComfortNoise()
        self._lag: int | None = None
        self._agreed = self._ours = 0
        self._frame = 0  # of the block that comes next
        self._counting = False
        self._behind = 0.0
        self._waiting = np.zeros(0, np.float32)
        self._done = np.zeros(0, np.int16)
        self._heard = np.zeros(HOP, np.float32)
        self._left = np.zeros(HOP, np.float32)

    def played(self, pcm: Pcm, at: float) -> None:
        """Sound left for the audience: int16[n] mono 16 kHz.

        at: monotonic seconds of its first sample. Silence may be left out.
        """
        self._reference.played(pcm, at)

    def clean(self, pcm: Pcm, at: float) -> Pcm:
        """The microphone's sound without our own voice: int16[n] mono 16 kHz, as long as it came.

        at: monotonic seconds at which it arrived. Lengths that are a multiple of 160 come out at
        once, others up to 10 ms later.
        """
        n = len(pcm)
        self._keep_time(self._reference.frame_at(at - (n + len(self._waiting)) / RATE))
        if not len(self._waiting) + len(self._done) + n % HOP and self._quiet(self._frame):
            self._frame += n // HOP
            return pcm
        self._waiting = np.concatenate((self._waiting, pcm * np.float32(1 / 32768)))
        blocks = self._waiting[: len(self._waiting) // HOP * HOP].reshape(-1, HOP)
        self._waiting = self._waiting[blocks.size :]
        out = [self._done]
        for begin in range(0, len(blocks), _TOGETHER):
            out.append(self._clean(blocks[begin : begin + _TOGETHER]))
        ready = np.concatenate(out)
        if len(ready) < n:
            ready = np.concatenate((np.zeros(n - len(ready), np.int16), ready))
        self._done = ready[n:]
        return ready[:n]

    def _keep_time(self, frame: int) -> None:
        """Which frame comes next is counted by samples, whose clock is not ours.

        Sound cannot arrive before it was made, so a count that is ahead is wrong (the first packets
        came together); one that is behind is so because of a packet's delay, or slowly drifted.
        """
        if not self._counting:
            self._frame, self._counting = frame, True
        behind = frame - self._frame
        self._behind += 0.005 * (behind - self._behind)
        if behind < -_EARLY or self._behind > _LATE:
            self._frame, self._behind = frame, 0.0
            if self._lag is not None:
                self._lag = self._lag + behind if 0 <= self._lag + behind < LAGS else None

    def _clean(self, blocks: Levels) -> Pcm:
        """float32[k, 160] → int16[160 k]."""
        frame, count = self._frame, len(blocks)
        self._frame = frame + count
        if self._quiet(frame):
            return (blocks.ravel() * 32768).astype(np.int16)
        left = self._filtered(blocks, frame)
        self._heard = np.concatenate((self._heard[-HOP:], blocks.ravel()))
        self._left = np.concatenate((self._left[-HOP:], left.ravel()))
        windows = sliding_window_view((self._heard, self._left), WINDOW, axis=1)[:, ::HOP]
        both = levels(tapered(np.fft.rfft(windows).astype(np.complex64)))
        self._delays.update(both[0], self._reference, frame)
        ours = self._follow_delay(count)
        for i in range(count):
            if not self._passes(both[:, i], frame + i, ours):
                left[i] = self._comfort.block(self._suppressor.noise)
        return np.clip(left.ravel() * 32768, -32768, 32767).astype(np.int16)

    def _passes(self, both: Levels, frame: int, ours: bool) -> bool:
        """both: float32[2, 20], dB before and after the filter."""

        def tails(first: int, count: int) -> Levels:
            found: Levels = self._reference.tails[self._reference.rows(frame, first, count)]
            return found

        lag = self._lag
        near = tails(0, LAGS) if lag is None else tails(max(lag - 1, 0), 3)
        return self._suppressor.passes(both, near.max(axis=0), lambda: tails(0, LAGS), ours)

    def _filtered(self, blocks: Levels, frame: int) -> Levels:
        """float32[k, 160] without what the filter explains."""
        if self._lag is None:
            return blocks.copy()
        first = max(self._lag - _BEFORE, 0)
        rows = [self._reference.rows(frame + i, first, PARTITIONS) for i in range(len(blocks))]
        left = self._filter.residual(blocks, self._reference.spectra[np.stack(rows)])
        worse = np.sum(left * left, axis=1) > np.sum(blocks * blocks, axis=1)
        left[worse] = blocks[worse]
        return left

    def _quiet(self, frame: int) -> bool:
        """Whether nothing of what was played can come back yet, or any more."""
        self._reference.prepare(frame + _TOGETHER)
        return frame - self._reference.last_sound > _QUIET

    def _follow_delay(self, count: int) -> bool:
        """Whether this is surely our own voice, though not where it was expected."""
        slow, fast = self._delays.slow, self._delays.fast
        now = int(fast.argmax())
        there = fast[self._lag] if self._lag is not None else 0
        surely = fast[now] > 0.6 or fast[now] > max(0.5, there + 0.45)
        ours = surely and (self._lag is None or abs(now - self._lag) > 2)
        self._ours = self._ours + count if ours else 0
        best = int(slow.argmax())
        known = slow[self._lag] if self._lag is not None else 0
        elsewhere = self._lag is None or abs(best - self._lag) > 1
        self._agreed = (
            self._agreed + count if elsewhere and slow[best] > max(0.45, known + 0.15) else 0
        )
        if self._ours > 15:
            self._move(now)
        elif self._agreed > 5:
            self._move(best)
        # Somebody who speaks sounds like us for a moment now and then, and more so as they begin.
        unlikely = self._suppressor.passing or self._suppressor.nothing_returns
        return bool(ours) and (self._ours > _CHANCE or not unlikely)

    def _move(self, lag: int) -> None:
        if self._lag is not None:
            self._suppressor.moved()
        self._filter.reset()
        self._lag = lag
        self.delay = (lag + 0.5) * HOP / RATE
