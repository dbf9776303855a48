"""How likely each moment of a microphone's sound is speech: Silero VAD, as pipecat brings it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.asr.loudness import STEP, Loudness, dbfs, is_tonal
from mien.media.microphone import RATE
from mien.media.tick import Pcm

WINDOW = 512
"""Samples the network hears at a time at 16 kHz, no other number."""
_CONTEXT = 64
"""Samples from before the window that it is given as well."""

# Whatever is not speech leaves the network half deaf to the speech that follows. As pipecat does
# (pipecat.audio.vad.silero has the measurements): forget every 2 s, but only when the last 160 ms
# were clearly none, so that the soft beginning of a word is not what is forgotten.
_FORGET_AFTER = -(-2 * RATE // WINDOW)
_CLEARLY_NOT_SPEECH, _CLEARLY_NOT_WINDOWS = 0.1, 5

# A glimpse costs as much as a window (0.2 ms of CPU): only where something begins to sound.
_GLIMPSE_RISE_DB = 6.0
_ALREADY_SPEECH = 0.5

Sound = NDArray[np.float32]
State = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VadFrame:
    """What was heard in the 512 samples that end at ``position``.

    position: in samples since the microphone's first, one after the frame's last.
    probability: of speech, 0…1.
    level_dbfs: RMS of what is new since the last frame of its kind (512 samples; of a glimpse 160);
        a sine of full scale is -3.
    rise_db: how much louder that is than what is usually heard while nobody speaks.
    tonal: what sounds in its last 20 ms is one tone: a beep or a knock, hardly ever a voice.
    glimpse: a look ahead between two windows, made where the sound grows louder. It is blind to
        the 10 to 32 ms before its own; good to notice a beginning early, not to follow speech.
    """

    position: int
    probability: float
    level_dbfs: float
    rise_db: float
    tonal: bool = False
    glimpse: bool = False


class VadModel:
    """The network, one for all microphones; loaded when first used. Thread-safe."""

    def __init__(self) -> None:
        self._loading = threading.Lock()

    async def warm_up(self) -> None:
        """Load it (about 0.1 s) without holding up the event loop."""
        await asyncio.to_thread(self.hear, np.zeros(_CONTEXT + WINDOW, np.float32), blank())

    def hear(self, sound: Sound, state: State) -> tuple[float, State]:
        """The probability of speech, and the state for the window that follows.

        sound: float32[576], -1…1: 64 samples known from the window before, 512 new ones.
        state: float32[2, 1, 128], not modified. It takes 0.2 ms.
        """
        with self._loading:  # held for a moment only, once it is loaded
            session = self._session
        inputs = {"input": sound[None], "state": state, "sr": np.array(RATE, np.int64)}
        probability, after = session.run(None, inputs)
        return float(probability[0, 0]), after

    @cached_property
    def _session(self) -> Any:
        from importlib.resources import as_file, files

        from pipecat.audio.vad.silero import SileroOnnxModel

        with as_file(files("pipecat.audio.vad.data") / "silero_vad.onnx") as path:
            return SileroOnnxModel(str(path)).session  # type: ignore[no-untyped-call]


def blank() -> State:
    """What the network knows before it has heard anything: float32[2, 1, 128] of zeros."""
    return np.zeros((2, 1, 128), np.float32)


class Vad:
    """One microphone's ear for speech.

    Every 32 ms a window, in which the network remembers those before; and between the windows,
    where it grows loud, a glimpse every 10 ms: a window that ends now and goes on from the last
    state that has not heard any of it. The network says the same as if it had been run in that
    phase all along (four such networks would cost 3 % of a core; this costs 1 %, in silence as in
    speech), and an onset is noticed in half the time: after 30 ms instead of 70.
    """

    def __init__(self, model: VadModel) -> None:
        self._model = model
        self._loudness = Loudness()
        self._sound: Sound = np.zeros(_CONTEXT + WINDOW, np.float32)  # the last of it
        self._end = 0  # position after the last sample of _sound
        self._position = 0  # up to where steps are done
        self._windows_since_blank = self._not_speech = 0
        self._probability = 0.0
        # The states at the ends of the last windows, oldest first, with their positions.
        self._states = deque([(0, blank())], maxlen=3)

    def push(self, pcm: Pcm) -> list[VadFrame]:
        """Hear what comes next: int16[n] mono 16 kHz, any n; 0 to n/160 + n/512 frames."""
        self._sound = np.concatenate([self._sound, pcm.astype(np.float32) / 32768])
        self._end += len(pcm)
        frames = []
        while True:
            step = (self._position // STEP + 1) * STEP
            window = (self._position // WINDOW + 1) * WINDOW
            self._position, before = min(step, window), self._position
            if self._position > self._end:
                self._position = before
                break
            if self._position == step:
                self._loudness.push(self._last(STEP), self._probability)
            if self._position == window:
                frames.append(self._window())
            elif self._worth_a_glimpse():
                frames.append(self._glimpse())
        self._sound = self._sound[-(_CONTEXT + WINDOW + self._end - self._position) :]
        return frames

    def _window(self) -> VadFrame:
        _, state = self._states[-1]
        sound = self._last(_CONTEXT + WINDOW)
        if self._windows_since_blank == 0:
            sound = np.concatenate([np.zeros(_CONTEXT, np.float32), sound[_CONTEXT:]])
        self._probability, state = self._model.hear(sound, state)
        self._windows_since_blank += 1
        clearly_not = self._probability < _CLEARLY_NOT_SPEECH
        self._not_speech = self._not_speech + 1 if clearly_not else 0
        if self._windows_since_blank >= _FORGET_AFTER and self._not_speech >= _CLEARLY_NOT_WINDOWS:
            state, self._windows_since_blank = blank(), 0
        self._states.append((self._position, state))
        level, rise = dbfs(self._last(WINDOW)), self._loudness.rise_db
        return VadFrame(self._position, self._probability, level, rise, self._tonal())

    def _worth_a_glimpse(self) -> bool:
        return (
            self._position % STEP == 0
            and self._position >= WINDOW
            and self._probability < _ALREADY_SPEECH
            and self._loudness.rise_db >= _GLIMPSE_RISE_DB
        )

    def _glimpse(self) -> VadFrame:
        begins = self._position - WINDOW
        unheard = [state for at, state in self._states if at <= begins]
        probability, _ = self._model.hear(self._last(_CONTEXT + WINDOW), unheard[-1])
        level, rise = self._loudness.level_dbfs, self._loudness.rise_db
        return VadFrame(self._position, probability, level, rise, self._tonal(), glimpse=True)

    def _tonal(self) -> bool:
        return is_tonal(self._last(2 * STEP))

    def _last(self, samples: int) -> Sound:
        """float32[samples] that end at the present position."""
        end = len(self._sound) - (self._end - self._position)
        return self._sound[end - samples : end]
