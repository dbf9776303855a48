"""``mien bench lipsync``: ms per frame of the Wav2Lip network, by every back end there is.

Each way of running it has a process of its own, and they take turns: what else the machine does
meets all of them alike, so that ratios hold where times do not.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.bench.figures import rounded
from mien.bench.lipsync_process import EAGER, EAGER_PASSIVE, Case, Task
from mien.bench.lipsync_samples import sample_faces, sample_mels
from mien.lipsync.wav2lip import backends
from mien.lipsync.wav2lip.architecture import ARCHITECTURES, Architecture
from mien.lipsync.wav2lip.backend import Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint, checkpoint_of
from mien.lipsync.wav2lip.weights import seeded_state
from mien.lipsync.wav2lip.window import FULL, LOWER, MOUTH
from mien.machine import usable_cores
from mien.media.tick import FPS

EAGERS = (EAGER, EAGER_PASSIVE)
TURN_SEC = 0.15
TO_QUANTISE = {96: 12, 256: 8}
"""Samples that int8 is made by; of every four one is held out."""
TO_COMPARE = {96: 4, 256: 2}
"""Samples that are painted by all, at least, to compare what comes out."""


class LipsyncError(Exception):
    """Nothing can be measured here; the text says what to do."""


async def run_lipsync(
    on_progress: Callable[[float], None],
    *,
    sizes: Sequence[int] = (96, 256),
    seconds: float = 60,
    libraries: Sequence[str] = (),
    batch: int = 1,
    threads: int = 0,
    checkpoint: Checkpoint | None = None,
) -> dict[str, Any]:
    """Every back end, precision and window against plain eager PyTorch, in turn for ``seconds``.

    libraries: only these back ends. threads: 0 = as many as there are cores. checkpoint: its size
    is then the only one; None = seeded weights.
    rows: one per way of running: size, backend, precision, device, batch, cached (faces encoded
    before), window ("full", "lower", "mouth": below the nose, without the outer eighths),
    ms_per_frame and cpu_ms_per_frame (medians), ms_best, ratio, ratio_best and ratio_cpu (how many
    times slower the eager run is; None without it), psnr_db (against float32, None for that itself)
    and, on a GPU, frames_per_sec and streams_25fps. skipped: what could not be run, and why.
    There are two eager runs, as threads may wait in two ways; ratios are to the quicker of them.
    """
    return await asyncio.to_thread(
        _measure,
        on_progress,
        sizes,
        seconds,
        libraries,
        batch,
        threads or usable_cores(),
        checkpoint,
    )


def _measure(
    on_progress: Callable[[float], None],
    sizes: Sequence[int],
    seconds: float,
    libraries: Sequence[str],
    batch: int,
    threads: int,
    checkpoint: Checkpoint | None,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "rows": [],
        "skipped": [],
        "cores": usable_cores(),
        "threads": threads,
        "weights": checkpoint.name if checkpoint else "seeded",
    }
    if checkpoint is not None:
        sizes = [checkpoint.architecture.size]
    for done, size in enumerate(sizes):
        network = next(a for a in ARCHITECTURES.values() if a.size == size)
        weights = checkpoint or checkpoint_of(network, seeded_state(network), "seeded")

        def progress(share: float, done: int = done) -> None:
            on_progress((done + share) / len(sizes))

        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            runners = _runners(Path(folder), weights, libraries, batch, threads, stack)
            _take_turns(runners, seconds, progress)
            result["rows"] += list(_rows(runners, network, batch))
            result["skipped"] += [
                {"size": size, "backend": r.backend, "precision": r.precision, "why": r.problem}
                for r in runners
                if r.problem
            ]
    eager = [row for row in result["rows"] if row["backend"] in EAGERS]
    result["why_no_ratio"] = (
        None
        if eager
        else "PyTorch, which the others are compared with, is not there: pip install 'mien[torch]'"
    )
    if not result["rows"]:
        raise LipsyncError("no library that runs the network is there: pip install 'mien[wav2lip]'")
    return result


# -- the processes -------------------------------------------------------------------------


class _Runner:
    """A process that runs the network in one way, in several cases. times: by case, in ms."""

    def __init__(self, task: Task) -> None:
        self.backend, self.precision = task["backend"], task["precision"]
        self.device = task["device"]
        self.cases = task["cases"]
        self.wall: list[list[float]] = [[] for _ in self.cases]
        self.cpu: list[list[float]] = [[] for _ in self.cases]
        self.problem = ""
        self._outputs = Path(task["outputs"])
        self._errors = self._outputs / "errors.txt"
        environment = dict(os.environ)
        if self.backend == EAGER_PASSIVE:
            environment["OMP_WAIT_POLICY"] = "passive"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mien.bench.lipsync_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        try:
            answer = self._ask(dict(task))
            self.problem = answer.get("problem", "")
        except LipsyncError as error:
            self.problem = str(error)

    def turn(self, case: int) -> None:
        answer = self._ask({"case": case, "seconds": TURN_SEC})
        self.wall[case] += answer["wall_ms"]
        self.cpu[case] += answer["cpu_ms"]

    def painted(self, case: int) -> NDArray[np.float32]:
        result: NDArray[np.float32] = np.load(self._outputs / f"{case}.npy")
        return result

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            text = self._errors.read_text(encoding="utf-8", errors="replace").strip()
            last = text.splitlines()[-1] if text else "it ended without a word"
            raise LipsyncError(f"{self.backend} {self.precision}: {last}") from None
        return answer


def _runners(
    folder: Path,
    checkpoint: Checkpoint,
    libraries: Sequence[str],
    batch: int,
    threads: int,
    stack: ExitStack,
) -> list[_Runner]:
    """One process after the other, ready; the eager one first."""
    network = checkpoint.architecture
    (folder / "network").write_bytes(pickle.dumps(network))
    np.savez(folder / "weights.npz", **checkpoint.state)  # type: ignore[arg-type]
    compared = -(-TO_COMPARE[network.size] // batch) * batch
    np.savez(
        folder / "samples.npz",
        faces=sample_faces(compared, network.size, seed=1),
        mels=sample_mels(compared, seed=1),
        quantise_faces=sample_faces(TO_QUANTISE[network.size], network.size, seed=2),
        quantise_mels=sample_mels(TO_QUANTISE[network.size], seed=2, pauses=True),
    )
    runners: list[_Runner] = []
    for backend, precision, device in _ways(libraries):
        outputs = folder / f"{len(runners)}"
        outputs.mkdir()
        runner = _Runner(
            {
                "architecture": str(folder / "network"),
                "backend": backend,
                "precision": precision,
                "device": device,
                "threads": threads,
                "batch": batch,
                "weights": str(folder / "weights.npz"),
                "samples": str(folder / "samples.npz"),
                "outputs": str(outputs),
                "cases": [case for case, _ in _cases(network)][: 1 if backend in EAGERS else None],
            }
        )
        stack.callback(runner.close)
        runners.append(runner)
    return runners


def _ways(libraries: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Back end, precision and device: the eager run on each device, then what there is."""
    choices: list[Choice] = []
    for found in backends.available():
        if not libraries or found.library in libraries:
            choices += found.choices
    gpu = any(choice.device != "cpu" for choice in choices)
    if _has_torch():
        yield EAGER, "fp32", "cpu"
        yield EAGER_PASSIVE, "fp32", "cpu"
        if gpu:
            yield EAGER, "fp32", "cuda"
    for choice in choices:
        yield choice.backend, choice.precision, choice.device


def _has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None


def _cases(network: Architecture) -> Iterator[tuple[Case, str]]:
    for window, name, cached in (
        (FULL(network), "full", False),
        (FULL(network), "full", True),
        (LOWER(network), "lower", True),
        (MOUTH(network), "mouth", True),
    ):
        columns = window.area.columns
        yield {"window": (window.top, columns.first, columns.end), "cached": cached}, name


def _take_turns(
    runners: Sequence[_Runner], seconds: float, on_progress: Callable[[float], None]
) -> None:
    turns = [(r, case) for r in runners if not r.problem for case in range(len(r.cases))]
    began = time.perf_counter()
    while turns:
        for runner, case in turns:
            runner.turn(case)
            on_progress(min(1.0, (time.perf_counter() - began) / seconds))
        if time.perf_counter() - began > seconds:
            break


# -- the table -----------------------------------------------------------------------------


def _rows(
    runners: Sequence[_Runner], network: Architecture, batch: int
) -> Iterator[dict[str, Any]]:
    names = [name for _, name in _cases(network)]
    working = [runner for runner in runners if not runner.problem]
    exact = next((r for r in working if r.precision == "fp32"), None)
    for runner in working:
        eagers = [r for r in working if r.backend in EAGERS and _alike(r.device, runner.device)]
        for index, case in enumerate(runner.cases):
            row = {
                "size": network.size,
                "backend": runner.backend,
                "precision": runner.precision,
                "device": runner.device,
                "batch": batch,
                "cached": case["cached"],
                "window": names[index],
                **_times(runner, index, batch, eagers),
                "psnr_db": None,
            }
            if exact is not None and (runner, index) != (exact, 0):
                row["psnr_db"] = _psnr(runner.painted(index), exact.painted(0), case)
            if runner.device != "cpu":
                fps = 1000 / row["ms_per_frame"]
                row |= {"frames_per_sec": rounded(fps, 1), "streams_25fps": int(fps / FPS)}
            yield row


def _alike(one: str, other: str) -> bool:
    """Whether both devices are CPUs, or GPUs."""
    return (one == "cpu") == (other == "cpu")


def _times(runner: _Runner, case: int, batch: int, eagers: Sequence[_Runner]) -> dict[str, Any]:
    wall, cpu = runner.wall[case], runner.cpu[case]
    figures = {
        "ms_per_frame": float(np.median(wall)) / batch,
        "ms_best": min(wall) / batch,
        "cpu_ms_per_frame": float(np.median(cpu)) / batch,
    }
    row = {key: rounded(value, 2) for key, value in figures.items()}
    theirs = [_times(eager, 0, batch, ()) for eager in eagers]
    for ratio, key in zip(("ratio", "ratio_best", "ratio_cpu"), figures, strict=True):
        quickest = min((times[key] for times in theirs), default=None)
        row[ratio] = None if quickest is None else rounded(quickest / figures[key], 2)
    return row


def _psnr(painted: NDArray[np.float32], whole: NDArray[np.float32], case: Case) -> float:
    top, left, right = case["window"]
    error = painted.astype(np.float64) - whole[:, :, top:, left:right]
    return round(float(10 * np.log10(1 / max(float(np.mean(error**2)), 1e-20))), 1)
