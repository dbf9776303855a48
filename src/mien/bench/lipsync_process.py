"""One way of running the Wav2Lip network, in a process of its own: libraries' threads must not
meet. ``python -m mien.bench.lipsync_process`` reads a line of JSON (:class:`Task`) from standard
input, answers that it is ready, and then one line of times for every line that names a case; it
ends when standard input closes. See :mod:`mien.bench.lipsync`.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip import backends
from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.backend import Backend, BackendError, Choice, decode, encode
from mien.lipsync.wav2lip.checkpoint import Checkpoint, checkpoint_of
from mien.lipsync.wav2lip.window import Window

EAGER = "torch eager"
"""Not a back end: the network as everybody runs it, which the others are compared with."""

EAGER_PASSIVE = "torch eager passive"
"""The same with threads that sleep while they wait: slower alone, much faster beside other work."""

Quantise = Callable[..., float]
Paint = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]


class Case(TypedDict):
    """What is run. window: its top, left and right. cached: the faces were encoded before."""

    window: tuple[int, int, int]
    cached: bool


class Task(TypedDict):
    """What a process is for. architecture: file with the pickled network (our own, of a moment ago:
    measured is whatever it is); weights: .npz of the state; samples: .npz of faces and mels (and of
    those to quantise by); outputs: folder for what each case paints of the samples, ``K.npy``.
    """

    architecture: str
    backend: str
    precision: str
    device: str
    threads: int
    batch: int
    weights: str
    samples: str
    outputs: str
    cases: list[Case]


def main() -> None:
    task: Task = json.loads(sys.stdin.readline())
    try:
        runs = _prepared(task)
    except (BackendError, ImportError) as error:
        _say({"problem": str(error)})
        return
    _say({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        _say(_timed(runs[asked["case"]], asked["seconds"]))


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _timed(run: Callable[[], object], seconds: float) -> dict[str, Any]:
    """Wall and CPU ms of each call, for about so long; the first one only fills the caches."""
    run()
    wall: list[float] = []
    cpu: list[float] = []
    end = time.perf_counter() + seconds
    while not wall or time.perf_counter() < end:
        began, busy = time.perf_counter(), time.process_time()
        run()
        cpu.append(1000 * (time.process_time() - busy))
        wall.append(1000 * (time.perf_counter() - began))
    return {"wall_ms": wall, "cpu_ms": cpu}


def _prepared(task: Task) -> list[Callable[[], object]]:
    """A function per case that paints one batch; what they paint of all samples is written."""
    architecture: Architecture = pickle.loads(Path(task["architecture"]).read_bytes())
    with np.load(task["weights"]) as arrays:
        checkpoint = checkpoint_of(architecture, dict(arrays), "bench")
    with np.load(task["samples"]) as arrays:
        samples = dict(arrays)
    faces, mels = samples["faces"], samples["mels"]
    batch = task["batch"]
    runs: list[Callable[[], object]] = []
    loaded: dict[tuple[int, ...], Backend] = {}
    for index, case in enumerate(task["cases"]):
        if task["backend"] in (EAGER, EAGER_PASSIVE):
            paint = _eager(checkpoint, task)
            run = _bound(paint, faces[:batch], mels[:batch])
        else:
            top, left, right = case["window"]
            window, where = Window(architecture, top, left, right), (top, left, right)
            if where not in loaded:
                loaded[where] = _loaded(checkpoint, window, task, samples)
            paint, run = _with_backend(loaded[where], case["cached"], faces, mels, batch)
        np.save(Path(task["outputs"]) / f"{index}.npy", _all(paint, faces, mels, batch))
        runs.append(run)
    return runs


def _all(
    paint: Paint, faces: NDArray[np.uint8], mels: NDArray[np.float32], batch: int
) -> NDArray[np.float32]:
    pieces = [paint(faces[i : i + batch], mels[i : i + batch]) for i in range(0, len(faces), batch)]
    return np.concatenate(pieces)


def _bound(
    paint: Paint, faces: NDArray[np.uint8], mels: NDArray[np.float32]
) -> Callable[[], object]:
    return lambda: paint(faces, mels)


def _with_backend(
    backend: Backend,
    cached: bool,
    faces: NDArray[np.uint8],
    mels: NDArray[np.float32],
    batch: int,
) -> tuple[Paint, Callable[[], object]]:
    def paint(faces: NDArray[np.uint8], mels: NDArray[np.float32]) -> NDArray[np.float32]:
        return decode(backend, mels, encode(backend, faces))

    features, first = encode(backend, faces[:batch]), mels[:batch]
    run = _bound(paint, faces[:batch], first)
    return paint, (lambda: decode(backend, first, features)) if cached else run


def _loaded(
    checkpoint: Checkpoint, window: Window, task: Task, samples: dict[str, NDArray[Any]]
) -> Backend:
    choice = Choice(task["backend"], task["precision"], task["device"], task["threads"])  # type: ignore[arg-type]
    folder = _quantised(checkpoint, window, choice, task, samples)
    if choice.backend != "openvino":
        return backends.load(checkpoint, window, choice, folder)
    from mien.lipsync.wav2lip import openvino_backend

    # Its models are of one batch size each: only the one that is measured need be made.
    return openvino_backend.load(checkpoint, window, choice, folder, (task["batch"],))


def _quantised(
    checkpoint: Checkpoint,
    window: Window,
    choice: Choice,
    task: Task,
    samples: dict[str, NDArray[Any]],
) -> Path | None:
    """Folder of what int8 needs, made by samples that nothing is compared on."""
    if choice.precision != "int8":
        return None
    # OpenVINO's ranges hold for all windows from the same row; ONNX Runtime's are in its graphs.
    which = str(window.top) if choice.backend == "openvino" else window.key
    folder = Path(task["outputs"]) / which
    if not folder.exists():
        folder.mkdir()
        given = samples["quantise_faces"], samples["quantise_mels"], folder
        _QUANTISERS[choice.backend]()(checkpoint, window, *given, threads=choice.threads)
    return folder


def _openvino() -> Quantise:
    from mien.lipsync.wav2lip.quantize_openvino import quantise

    return quantise


def _onnxruntime() -> Quantise:
    from mien.lipsync.wav2lip.onnx_calibrate import quantise

    return quantise


_QUANTISERS = {"openvino": _openvino, "onnxruntime": _onnxruntime}


def _eager(checkpoint: Checkpoint, task: Task) -> Paint:
    import torch

    from mien.lipsync.wav2lip.torch_network import reference_module

    torch.set_num_threads(task["threads"])
    module = reference_module(checkpoint).to(task["device"])

    def paint(faces: NDArray[np.uint8], mels: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = faces.transpose(0, 3, 1, 2)[:, ::-1].astype(np.float32) / np.float32(255)
        masked = whole.copy()
        masked[:, :, whole.shape[2] // 2 :] = 0
        pictures = torch.from_numpy(np.concatenate([masked, whole], 1)).to(task["device"])
        with torch.inference_mode():
            painted = module(torch.from_numpy(mels[:, None]).to(task["device"]), pictures)
        result: NDArray[np.float32] = painted.cpu().numpy()
        return result

    return paint


if __name__ == "__main__":
    main()
