"""One way of running a Bert-VITS2 voice, in a process of its own: libraries' threads must not meet.

``python -m mien.bench.voice_process`` reads a line of JSON (:class:`Task`) from standard input,
answers that it is ready, and then one line of times for every further line; it ends when standard
input closes. See :mod:`mien.bench.voice`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.backend import Backend, BackendError, Choice, Sentence
from mien.tts.bert_vits2.checkpoint import Checkpoint, load_voice
from mien.tts.bert_vits2.seeded import seeded_checkpoint
from mien.tts.bert_vits2.streaming import plan
from mien.tts.bert_vits2.variant import Variant

EAGER = "torch eager"
"""Not a back end: the network run at once, with its weight norms, which the others are compared
with."""

EAGER_PASSIVE = "torch eager passive"
"""The same with threads that sleep while they wait: slower alone, much faster beside other work."""

SYMBOLS = 181
"""Some 45 Chinese characters: initials, finals, and blanks between all of them."""

FRAMES_PER_SYMBOL = 4.5

Pieces = Iterator[NDArray[np.float32]]


class Task(TypedDict):
    """What a process is for. voice: of a voice; "" = seeded weights. graphs: folder of its graphs;
    outputs: folder for the sound it makes, ``sound.npy``."""

    backend: str
    precision: str
    device: str
    threads: int
    voice: str
    graphs: str
    outputs: str


def checkpoint_for(voice: str) -> Checkpoint:
    return (
        load_voice(Path(voice)) if voice else seeded_checkpoint(frames_per_symbol=FRAMES_PER_SYMBOL)
    )


def sentence_for(v: Variant) -> Sentence:
    """About 10 s of speech; the same in every process."""
    random = np.random.default_rng(1)
    berts = {
        name: random.standard_normal((width, SYMBOLS), np.float32)
        for name, width in v.bert_widths.items()
    }
    ids = random.integers(0, v.symbols, SYMBOLS)
    return Sentence(ids, ids % v.tones, np.zeros(SYMBOLS, np.int64), berts)


def main() -> None:
    task: Task = json.loads(sys.stdin.readline())
    try:
        speak, sample_rate = _prepared(task)
        sound = np.concatenate(list(speak()))
        np.save(Path(task["outputs"]) / "sound.npy", sound)
    except (BackendError, ImportError) as error:
        _say({"problem": str(error)})
        return
    _say({"ready": True, "sample_rate": sample_rate})
    for _ in sys.stdin:
        _say(_timed(speak))


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _timed(speak: Callable[[], Pieces]) -> dict[str, Any]:
    """ms until the first and the last piece, of the clock and of the processor.

    ready_ms, samples: of each piece, when it was there and how long it is.
    """
    began, busy = time.perf_counter(), time.process_time()
    ready, cpu, samples = [], [], []
    for piece in speak():
        ready.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - busy))
        samples.append(len(piece))
    return {"ready_ms": ready, "samples": samples, "first_cpu_ms": cpu[0], "cpu_ms": cpu[-1]}


def _prepared(task: Task) -> tuple[Callable[[], Pieces], int]:
    """A function that speaks the sentence anew each time, piece by piece; its rate in Hz."""
    if task["backend"] in (EAGER, EAGER_PASSIVE):
        return _eager(task)
    backend = _loaded(task)
    sentence = sentence_for(backend.variant)

    def speak() -> Pieces:
        (latents,) = backend.latents([sentence])
        for piece in plan(latents.z.shape[1]):
            yield from backend.decode([piece.of(latents)])

    return speak, backend.sample_rate


def _loaded(task: Task) -> Backend:
    checkpoint = checkpoint_for(task["voice"])
    choice = Choice(task["backend"], task["precision"], task["device"], task["threads"])  # type: ignore[arg-type]
    if choice.backend == "torch":
        from mien.tts.bert_vits2 import torch_backend

        return torch_backend.load(checkpoint, choice)
    from mien.tts.bert_vits2 import onnx_backend, openvino_backend

    load = onnx_backend.load if choice.backend == "onnxruntime" else openvino_backend.load
    return load(checkpoint, choice, Path(task["graphs"]))


def _eager(task: Task) -> tuple[Callable[[], Pieces], int]:
    import torch  # before anything tells its threads how to wait

    from mien.tts.bert_vits2.eager import EagerStages
    from mien.tts.bert_vits2.stages import StagedBackend

    checkpoint = checkpoint_for(task["voice"])
    choice = Choice("torch", "fp32", task["device"], task["threads"])  # type: ignore[arg-type]
    torch.set_num_threads(choice.thread_count)
    backend = StagedBackend(checkpoint, choice, EagerStages(checkpoint, choice))
    sentence = sentence_for(backend.variant)

    def speak() -> Pieces:
        (latents,) = backend.latents([sentence])
        (whole,) = plan(latents.z.shape[1], first=latents.z.shape[1], size=latents.z.shape[1])
        yield from backend.decode([whole.of(latents)])

    return speak, backend.sample_rate


if __name__ == "__main__":
    main()
