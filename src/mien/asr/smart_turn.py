"""Whether somebody sounds as if they had finished: smart-turn, as pipecat brings it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.asr.whisper_mel import whisper_mel
from mien.media.microphone import RATE
from mien.media.tick import Pcm

HEARD_SEC = 8
"""What the network hears: the last seconds of a turn, with the silence at their end."""


class SmartTurn:
    """smart-turn v3.2 (BSD-2, 23 languages), one for all sessions; loaded when first used.

    It judges the melody: a falling end, a drawn-out last syllable. What the words say about it,
    :mod:`mien.asr.turn_end` weighs. A judgement takes 60 ms of CPU, in threads of its own so that
    it never waits behind pictures; two, so that three people who stop at once are told in time.
    """

    def __init__(self, threads: int = 2) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="smart-turn")
        self._loading = threading.Lock()

    async def warm_up(self) -> None:
        """Load it (about 0.2 s), for the first turn not to wait for that."""
        await self.complete(np.zeros(RATE, np.int16))

    async def complete(self, pcm: Pcm) -> float:
        """The probability that whoever speaks here has finished, 0…1.

        pcm: int16[n] mono 16 kHz, the turn so far and at least 0.1 s of the silence after it; of
            more than 8 s the last 8 count. Nobody needs to wait for the answer: a cancelled
            question that has not begun costs nothing.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._judge, pcm)

    async def aclose(self) -> None:
        """End the threads; questions that wait are cancelled."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _judge(self, pcm: Pcm) -> float:
        mel = whisper_mel(_last_seconds(pcm))
        with self._loading:  # held for a moment only, once it is loaded
            session = self._session
        (logits,) = session.run(None, {"input_features": mel[None]})
        return float(logits[0, 0])  # a probability, whatever its name

    @cached_property
    def _session(self) -> Any:
        from importlib.resources import as_file, files

        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        folder = files("pipecat.audio.turn.smart_turn.data")
        with as_file(folder / "smart-turn-v3.2-cpu.onnx") as path:
            return onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )


def _last_seconds(pcm: Pcm) -> NDArray[np.float32]:
    """float32[128000], -1…1: what is shorter follows silence, as in the network's training."""
    heard = np.zeros(HEARD_SEC * RATE, np.float32)
    last = pcm[-len(heard) :]
    if len(last):
        heard[-len(last) :] = last / np.float32(32768)
    return heard
