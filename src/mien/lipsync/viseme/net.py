"""The net that hears which sound is being said, and a stream of sound through it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.viseme.features import BANDS, HALF, HOP, log_mel
from mien.lipsync.viseme.sounds import SOUNDS

if TYPE_CHECKING:
    import onnxruntime

logger = logging.getLogger(__name__)

MODEL = Path(__file__).parents[2] / "assets" / "lipsync" / "sounds.onnx"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Memory:
    """Where a stream stands: the last frames of sound and what the recurrent layers remember."""

    mel: Floats
    layers: Floats


class SoundNet:
    """Log-mel frames → log posteriors of ``SOUNDS``. Thread-safe, one for all conversations.

    delay: frames by which an answer is later than the frame it speaks of.
    priors: float32[len(SOUNDS)], how often each sound occurred in training.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        told = session.get_modelmeta().custom_metadata_map
        if tuple(json.loads(told["sounds"])) != SOUNDS:
            raise ValueError("the net was trained for other sounds than this version knows")
        self.delay = int(told["delay"])
        self.priors = np.array(json.loads(told["priors"]), np.float32)
        self._session = session
        self._context = int(told["context"])
        self._hidden = int(told["hidden"])
        silence = log_mel(np.zeros(2 * HALF + HOP * (self._context - 1), np.float32))
        self.fresh = Memory(silence, np.zeros((2, 1, self._hidden), np.float32))
        """The memory of a stream before its first frame: silence."""

    def hear(self, mel: Floats, memory: Memory) -> tuple[Floats, Memory]:
        """Answer the next frames of a stream.

        mel: float32[t, BANDS]. Returns float32[t, len(SOUNDS)] log posteriors, answer ``i``
        about frame ``i - delay``, and the memory to go on with.
        """
        if not len(mel):
            return np.zeros((0, len(SOUNDS)), np.float32), memory
        seen = np.concatenate([memory.mel, mel])
        answers, layers = self._session.run(
            ["log_posteriors", "memory_out"], {"mel": seen[None], "memory": memory.layers}
        )
        return answers[0], Memory(seen[len(seen) - self._context :], layers)


@lru_cache(maxsize=1)
def load_net() -> SoundNet | None:
    """The shipped net; None where it cannot run (lips follow loudness then), said in the log."""
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # A frame is 0.3 million products: a second thread would cost more than it saves.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(MODEL), options, providers=["CPUExecutionProvider"]
        )
        return SoundNet(session)
    except Exception as error:  # ONNX Runtime's own errors share no narrower class
        logger.warning("lips follow loudness only, the net does not load: %s", error)
        return None


class SoundStream:
    """Sound in pieces of any size → answers per frame, the same however it is cut.

    Frame ``t`` is centred ``t`` · 10 ms after the first sample.
    """

    def __init__(self, net: SoundNet) -> None:
        self._net = net
        self._memory = net.fresh
        self._rest: Floats = np.zeros(HALF, np.float32)  # before the first sample: silence
        self._late = net.delay  # answers about frames before the first

    def push(self, audio: Floats) -> Floats:
        """float32[t, len(SOUNDS)] log posteriors of the frames that float32[n] completes."""
        audio = np.concatenate([self._rest, audio])
        mel = log_mel(audio)
        self._rest = audio[len(mel) * HOP :]
        return self._hear(mel)

    def finish(self) -> Floats:
        """The frames up to the last sample; silence is heard after it."""
        mel = log_mel(np.concatenate([self._rest, np.zeros(HALF, np.float32)]))
        silence = np.broadcast_to(self._net.fresh.mel[0], (self._net.delay, BANDS))
        return self._hear(np.concatenate([mel, silence]))

    def _hear(self, mel: Floats) -> Floats:
        answers, self._memory = self._net.hear(mel, self._memory)
        early = min(self._late, len(answers))
        self._late -= early
        return answers[early:]
