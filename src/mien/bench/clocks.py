"""From RTP time stamps to wall-clock time, the way a player that keeps lip sync does it."""

from __future__ import annotations

from collections import deque

import numpy as np

# Fitting over some reports removes the jitter of single ones (a product that stamps them with
# the moment of sending has ±20 ms of it); over too many it would hide a drifting clock.
MAX_REPORTS = 20
_WRAP = 1 << 32


class RtpClock:
    """NTP time as a line through the sender reports of one stream (RFC 3550 §6.4.1).

    rate: the clock's nominal rate in Hz, used while there is only one report.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._reports: deque[tuple[float, int]] = deque(maxlen=MAX_REPORTS)
        self._newest = 0  # unwrapped

    def unwrap(self, timestamp: int) -> int:
        """A 32-bit time stamp as one that never wraps, by its distance to the newest report."""
        distance = (timestamp - self._newest + _WRAP // 2) % _WRAP - _WRAP // 2
        return self._newest + distance

    def report(self, ntp_sec: float, timestamp: int) -> None:
        """Add a sender report: ``timestamp`` happened at ``ntp_sec``."""
        self._newest = self.unwrap(timestamp) if self._reports else timestamp
        self._reports.append((ntp_sec, self._newest))

    @property
    def ready(self) -> bool:
        return bool(self._reports)

    @property
    def reports(self) -> int:
        return len(self._reports)

    def ntp(self, timestamp: float) -> float:
        """Wall-clock time (s) of an RTP time stamp; a fraction of a unit may be added to it.

        Raises:
            LookupError: before the first sender report.
        """
        if not self._reports:
            raise LookupError("no sender report has arrived yet")
        whole = int(timestamp // 1)
        slope, origin_ntp, origin_rtp = self._line()
        return origin_ntp + slope * (self.unwrap(whole) - origin_rtp + (timestamp - whole))

    @property
    def measured_rate(self) -> float:
        """Hz by the sender's own reports; the nominal rate while there is only one."""
        return 1 / self._line()[0]

    def _line(self) -> tuple[float, float, float]:
        """Seconds per unit, and a point the line goes through (NTP s, unwrapped RTP)."""
        base_ntp, base_rtp = self._reports[-1]
        if len(self._reports) < 2:
            return 1 / self.rate, base_ntp, base_rtp
        # Relative to the newest report: absolute NTP in float64 leaves only half a microsecond.
        ntp = np.array([n - base_ntp for n, _ in self._reports])
        rtp = np.array([float(r - base_rtp) for _, r in self._reports])
        spread = rtp - rtp.mean()
        if not spread.any():
            return 1 / self.rate, base_ntp, base_rtp
        slope = float(spread @ (ntp - ntp.mean()) / (spread @ spread))
        return slope, base_ntp + float(ntp.mean()), base_rtp + float(rtp.mean())
