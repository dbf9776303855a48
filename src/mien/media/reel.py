"""A recording's own time line: pictures and sound cut at the same moments, without the pauses."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from mien.media.fmp4 import Sample
from mien.media.h264 import VIDEO_STEP
from mien.media.tick import FPS, SAMPLES_PER_TICK

# What a crash costs is one fragment and what waits for its end: half a second together.
FRAGMENT = FPS * 2 // 5 * VIDEO_STEP
# A track that is this late will not come: the other one goes on without it.
PATIENCE = FPS * VIDEO_STEP
FOREVER = 1 << 62
# Sound that comes before the first picture it belongs to: two seconds.
_EARLY_PACKETS = 100


class Reel:
    """Takes a program's packets, gives fragments of samples stamped from the recording's start.

    A take begins at a key frame and ends at one moment for both tracks. Sound differs from the
    pictures there by less than one packet, and by nothing anywhere else.

    sound_samples: that a packet of sound lasts.
    """

    def __init__(self, sound_samples: int) -> None:
        self._sound_samples = sound_samples
        self._base: int | None = None  # the tick that is the recording's start
        self._early: deque[tuple[int, bytes]] = deque(maxlen=_EARLY_PACKETS)
        # Stamps of the recording, durations not known before the next one has come.
        self._video: deque[Sample] = deque()
        self._audio: deque[Sample] = deque()
        self._video_end = self._audio_end = 0  # of what was taken in, each in its own clock
        self._given = 0  # up to where fragments were given, 1/90000 s

    @property
    def seconds(self) -> float:
        """Length of the fragments given so far."""
        return self._given / VIDEO_STEP / FPS

    def put_video(self, pts: int, keyframe: bool, data: bytes) -> None:
        """pts: of the program, 1/90000 s. Ignored until a take has its key frame."""
        if self._base is None:
            if not keyframe:
                return
            self._base = (pts - self._video_end) // VIDEO_STEP
            while self._early:
                self.put_audio(*self._early.popleft())
        own = pts - self._base * VIDEO_STEP
        self._video.append(Sample("video", own, VIDEO_STEP, keyframe, data))
        self._video_end = own + VIDEO_STEP

    def put_audio(self, pts: int, data: bytes) -> None:
        """pts: of the program, 1/48000 s."""
        if self._base is None:
            self._early.append((pts, data))
            return
        own = pts - self._base * SAMPLES_PER_TICK
        if own >= self._audio_end:
            self._audio.append(Sample("audio", own, self._sound_samples, True, data))
            self._audio_end = own + self._sound_samples

    def fragment(self) -> list[Sample]:
        """The next fragment, if it is complete; else an empty list."""
        if not self._video:
            return []
        start, seen = self._video[0].pts, self._video[-1].pts
        heard = _in_video_clock(self._audio[-1].pts) if self._audio else 0
        keyframes = (sample.pts for sample in self._video if sample.keyframe)
        # Players like to begin at a fragment.
        end = min(start + FRAGMENT, next((pts for pts in keyframes if pts > start), FOREVER))
        if seen >= end and (heard >= end or seen >= end + PATIENCE):
            return self._give(end)
        if heard > seen + PATIENCE:  # the last picture stands until the next one comes
            self._given = heard
            return _taken(self._audio, _in_audio_clock(heard))
        return []

    def cut(self) -> list[Sample]:
        """End this take; what is left of it. The next one follows without a gap."""
        self._early.clear()
        if self._base is None:
            return []
        self._base = None
        end, heard = self._video_end, _in_video_clock(self._audio_end)
        if heard > end - PATIENCE:
            end = min(end, heard)
        self._video_end = end = max(end, self._given)
        while self._video and self._video[-1].pts >= end:
            self._video.pop()
        while self._audio and self._audio[-1].pts >= _in_audio_clock(end):
            self._audio_end = self._audio.pop().pts
        return self._give(end)

    def _give(self, end: int) -> list[Sample]:
        """What begins before ``end``."""
        self._given = end
        return _taken(self._video, end, end) + _taken(self._audio, _in_audio_clock(end))


def _taken(queue: deque[Sample], end: int, until: int = 0) -> list[Sample]:
    """Remove what begins before ``end``; each lasts until the next of its track begins.

    until: how long the last one lasts at least, if it has no next.
    """
    taken = []
    while queue and queue[0].pts < end:
        sample = queue.popleft()
        following = queue[0].pts if queue else max(until, sample.pts + sample.duration)
        taken.append(replace(sample, duration=following - sample.pts))
    return taken


def _in_video_clock(samples: int) -> int:
    """The tick it is in."""
    return samples // SAMPLES_PER_TICK * VIDEO_STEP


def _in_audio_clock(pts: int) -> int:
    return pts // VIDEO_STEP * SAMPLES_PER_TICK
