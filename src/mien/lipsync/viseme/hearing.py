"""The net for an engine that keeps no state: what was heard before is found again by its sound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.viseme.features import HALF, HOP, SAMPLE_RATE, log_mel
from mien.lipsync.viseme.net import Memory, SoundNet
from mien.media.tick import TICK_SEC

Floats = NDArray[np.float32]

_TICK_SAMPLES = round(TICK_SEC * SAMPLE_RATE)
_TICK_FRAMES = _TICK_SAMPLES // HOP
# Answers given with each tick: 160 ms before its middle to the newest.
_KEPT = 24
# Streams followed at a time. Each holds 8 kB; one more than fits is heard anew, which costs 3 ms.
_STREAMS = 256


@dataclass(frozen=True, slots=True)
class _Heard:
    memory: Memory
    answers: Floats


class WindowHearing:
    """Posteriors around a tick from the window of sound around it.

    Windows of successive ticks share all but 40 ms. What the net remembers after a window is
    kept under the sound that the next one will begin with, so that each frame is heard once.
    """

    def __init__(self, net: SoundNet, before_sec: float) -> None:
        self._net = net
        self._before = before_sec
        self._known: OrderedDict[int, _Heard] = OrderedDict()
        self._lock = threading.Lock()

    def posteriors(self, audio: Floats) -> tuple[Floats, float]:
        """float32[t, len(SOUNDS)] around the tick in float32[n] audio, and the time in seconds
        from the tick's start of the first frame's centre. ``t`` is 0 for too short a window."""
        frames = (len(audio) - 2 * HALF) // HOP + 1
        if frames <= self._net.delay:
            return np.zeros((0, len(self._net.priors)), np.float32), 0.0
        heard = self._recall(audio[:-_TICK_SAMPLES])
        if heard is None:
            answers, memory = self._net.hear(log_mel(audio), self._net.fresh)
            answers = answers[self._net.delay :]
        else:
            first = (frames - _TICK_FRAMES) * HOP
            newest, memory = self._net.hear(log_mel(audio[first:]), heard.memory)
            answers = np.concatenate([heard.answers, newest])
        answers = answers[-_KEPT:]
        self._remember(audio[_TICK_SAMPLES:], _Heard(memory, answers))
        last = frames - 1 - self._net.delay
        centre = (HALF + last * HOP) / SAMPLE_RATE - self._before
        return np.exp(answers), centre - (len(answers) - 1) * HOP / SAMPLE_RATE

    def _recall(self, audio: Floats) -> _Heard | None:
        with self._lock:
            key = _key(audio)
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _remember(self, audio: Floats, heard: _Heard) -> None:
        with self._lock:
            self._known[_key(audio)] = heard
            while len(self._known) > _STREAMS:
                self._known.popitem(last=False)


def _key(audio: Floats) -> int:
    """Every eighth sample: no two voices agree in a thousand of them, and hashing all took longer
    than computing their spectrum."""
    return hash(audio[::8].tobytes())
