"""The avatar's own voice is taken out of what a microphone hears."""

from __future__ import annotations

import numpy as np

from mien.asr.echo_delay import LAGS, EchoDelay
from mien.asr.echo_filter import PARTITIONS, EchoFilter
from mien.asr.echo_reference import HOP, WINDOW, Levels, Reference, levels, tapered
from mien.asr.echo_suppressor import EchoSuppressor
from mien.media.microphone import RATE
from mien.media.tick import Pcm

_BEFORE = 2  # partitions of the filter before the delay that was found
_QUIET = 90  # frames after which nothing of it can come back


class Echo:
    """One microphone's: takes out of it what the loudspeaker plays, wherever that is.

    Whoever plays tells what left and when (:meth:`played`), and the microphone's sound goes through
    :meth:`clean`. A browser has done the same, mostly; here it is done again for what leaks, for
    clients that do not, and for loudspeakers that the browser knows nothing of.

    share: 0…1, how much of the power of the last second's microphone sound was our own voice.
    delay: seconds from playing to the echo's arrival, as found; None before the first echo.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.delay: float | None = None
        self._reference = Reference()
        self._delays = EchoDelay()
        self._filter = EchoFilter()
        self._suppressor = EchoSuppressor()
        self._lag: int | None = None
        self._agreed = 0
        self._frame: int | None = None  # of the block that comes next
        self._waiting = np.zeros(0, np.float32)
        self._done = np.zeros(0, np.int16)
        self._heard = np.zeros(WINDOW, np.float32)
        self._left = np.zeros(WINDOW, np.float32)

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
        if self._frame is None:
            self._frame = self._reference.frame_at(at - n / RATE)
        if not len(self._waiting) + len(self._done) + n % HOP:
            self._reference.prepare(self._frame)
            if self._quiet(self._frame):
                self._frame += n // HOP
                self.share = 0.0
                return pcm
        self._waiting = np.concatenate((self._waiting, pcm * np.float32(1 / 32768)))
        blocks = len(self._waiting) // HOP
        self._reference.prepare(self._frame + blocks + 3)
        out = [self._done]
        for block in self._waiting[: blocks * HOP].reshape(blocks, HOP):
            out.append(self._clean(block, self._frame))
            self._frame += 1
        self._waiting = self._waiting[blocks * HOP :]
        ready = np.concatenate(out)
        if len(ready) < n:
            ready = np.concatenate((np.zeros(n - len(ready), np.int16), ready))
        self._done = ready[n:]
        return ready[:n]

    def _clean(self, block: Levels, frame: int) -> Pcm:
        if self._quiet(frame):
            self.share = 0.0
            return (block * 32768).astype(np.int16)
        self._heard = np.concatenate((self._heard[HOP:], block))
        heard = levels(tapered(np.fft.rfft(self._heard).astype(np.complex64)))
        self._delays.update(heard, self._reference, frame)
        ours = self._follow_delay()
        left, played = self._filtered(block, frame)
        self._left = np.concatenate((self._left[HOP:], left))
        rest = levels(tapered(np.fft.rfft(self._left).astype(np.complex64)))
        gains = self._suppressor.update(rest, played, ours)
        out = np.zeros(HOP, np.float32) if gains is None else left
        power = float(block @ block)
        self.share += 0.01 * (1 - min(1.0, float(out @ out) / max(power, 1e-9)) - self.share)
        return np.clip(out * 32768, -32768, 32767).astype(np.int16)

    def _quiet(self, frame: int) -> bool:
        return frame - self._reference.last_sound > _QUIET

    def _filtered(self, block: Levels, frame: int) -> tuple[Levels, Levels]:
        """The block without what the filter explains; how loud each band was played."""
        reference = self._reference
        if self._lag is None:
            return block, reference.tails[reference.rows(frame, 0, LAGS)].max(axis=0)
        rows = reference.rows(frame, self._lag - _BEFORE, PARTITIONS)
        left = self._filter.residual(block, reference.spectra[rows])
        if left @ left > block @ block:
            left = block
        return left, reference.tails[reference.rows(frame, self._lag - 1, 3)].max(axis=0)

    def _follow_delay(self) -> bool:
        """Whether this is surely our own voice, though not where it was expected."""
        slow, fast = self._delays.slow, self._delays.fast
        best = int(slow.argmax())
        known = slow[self._lag] if self._lag is not None else 0
        elsewhere = self._lag is None or abs(best - self._lag) > 1
        self._agreed = self._agreed + 1 if elsewhere and slow[best] > max(0.45, known + 0.15) else 0
        if self._agreed > 5:
            self._lag = best
            self.delay = (best + 0.5) * HOP / RATE
            self._filter.reset()
        now = int(fast.argmax())
        return bool(fast[now] > 0.6 and (self._lag is None or abs(now - self._lag) > 2))
