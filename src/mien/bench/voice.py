"""``mien bench voice``: how soon a Bert-VITS2 voice is heard and how fast, by every back end.

Each way of running it has a process of its own, and they take turns: what else the machine does
meets all of them alike, so that ratios hold where times do not.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.bench.figures import rounded
from mien.bench.voice_process import EAGER, EAGER_PASSIVE, Task, checkpoint_for
from mien.machine import usable_cores
from mien.tts.bert_vits2 import backends
from mien.tts.bert_vits2.backend import BackendError

EAGERS = (EAGER, EAGER_PASSIVE)
GRAPH_LIBRARIES = ("onnxruntime", "openvino")


class VoiceBenchError(Exception):
    """Nothing can be measured here; the text says what to do."""


async def run_voice(
    on_progress: Callable[[float], None],
    *,
    rounds: int = 5,
    libraries: Sequence[str] = (),
    threads: int = 0,
    voice: str = "",
) -> dict[str, Any]:
    """A sentence of about 10 s by every back end, and whole by plain PyTorch, in turn.

    libraries: only these back ends. threads: 0 = as many as there are cores. voice: a folder; "" =
    seeded weights, the size of 2.3.
    rows: one per way of running: backend, precision, device, whole_ms (until all of it is there),
    first_chunk_ms (until something can be heard), real_time_factor (whole by length), cpu_ms (of
    the processor), gap_ms (the longest a listener would have waited between two pieces),
    ratio_whole, ratio_first and ratio_cpu (how many times longer the plain run takes; its first
    piece is the whole), error (largest difference to the plain run, as a share of the peak).
    Medians of ``rounds``; None where there is nothing to compare with. seconds: of sound.
    skipped: what could not be run, and why. There are two plain runs, as threads may wait in two
    ways; ratios are to the quicker of them.
    """
    return await asyncio.to_thread(
        _measure, on_progress, rounds, libraries, threads or usable_cores(), voice
    )


def _measure(
    on_progress: Callable[[float], None],
    rounds: int,
    libraries: Sequence[str],
    threads: int,
    voice: str,
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ways = list(_ways(libraries))
        if not ways:
            raise VoiceBenchError(
                "no library that runs a voice is there: pip install 'mien[bert-vits2]'"
            )
        graphs = _graphs(Path(folder), voice, any(way[0] in GRAPH_LIBRARIES for way in ways))
        on_progress(0.15)
        runners: list[_Runner] = []
        for way in ways:
            outputs = Path(folder) / f"{len(runners)}"
            outputs.mkdir()
            runners.append(_Runner(way, threads, voice, graphs, outputs))
            stack.callback(runners[-1].close)
            on_progress(0.15 + 0.25 * len(runners) / len(ways))
        for number in range(rounds):
            for runner in runners:
                runner.turn()
            on_progress(0.4 + 0.6 * (number + 1) / rounds)
        working = [runner for runner in runners if not runner.problem]
        if not working:
            raise VoiceBenchError("; ".join(runner.problem for runner in runners))
        rows = [_row(runner, working) for runner in working]
        seconds = len(working[0].sound()) / working[0].sample_rate
    skipped = [
        {"backend": r.backend, "precision": r.precision, "why": r.problem}
        for r in runners
        if r.problem
    ]
    return {
        "rows": rows,
        "skipped": skipped,
        "seconds": rounded(seconds),
        "threads": threads,
        "cores": usable_cores(),
        "weights": voice or "seeded",
    }


def _ways(libraries: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Back end, precision and device: the plain run on each device, then what there is."""
    choices = [
        choice
        for found in backends.available()
        if not libraries or found.library in libraries
        for choice in found.choices
    ]
    if find_spec("torch") is not None:
        yield EAGER, "fp32", "cpu"
        yield EAGER_PASSIVE, "fp32", "cpu"
        if any(choice.device == "cuda" for choice in choices):
            yield EAGER, "fp32", "cuda"
    for choice in choices:
        yield choice.backend, choice.precision, choice.device


def _graphs(folder: Path, voice: str, wanted: bool) -> Path:
    """Where the graphs are: an empty folder where they cannot be made, which its users then say."""
    from mien.tts.bert_vits2.onnx_export import export

    graphs = folder / "graphs"
    graphs.mkdir()
    if wanted:
        try:
            export(checkpoint_for(voice), graphs)
        except BackendError:
            pass
    return graphs


# -- the processes -------------------------------------------------------------------------


class _Runner:
    """A process that speaks the sentence in one way."""

    def __init__(
        self, way: tuple[str, str, str], threads: int, voice: str, graphs: Path, outputs: Path
    ) -> None:
        self.backend, self.precision, self.device = way
        self.answers: list[dict[str, Any]] = []
        self.sample_rate = 44_100
        self._outputs = outputs
        self._errors = outputs / "errors.txt"
        environment = dict(os.environ)
        if self.backend == EAGER_PASSIVE:
            environment["OMP_WAIT_POLICY"] = "passive"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mien.bench.voice_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        task: Task = {
            "backend": self.backend,
            "precision": self.precision,
            "device": self.device,
            "threads": threads,
            "voice": voice,
            "graphs": str(graphs),
            "outputs": str(outputs),
        }
        answer = self._ask(dict(task))
        self.sample_rate = answer.get("sample_rate", self.sample_rate)
        self.problem: str = answer.get("problem", "")

    def turn(self) -> None:
        if not self.problem:
            answer = self._ask({})
            self.problem = answer.get("problem", "")
            self.answers += [answer] if not self.problem else []

    def sound(self) -> NDArray[np.float32]:
        result: NDArray[np.float32] = np.load(self._outputs / "sound.npy")
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
            return {"problem": text.splitlines()[-1] if text else "it ended without a word"}
        return answer


# -- the table -----------------------------------------------------------------------------


def _row(runner: _Runner, working: Sequence[_Runner]) -> dict[str, Any]:
    figures = _figures(runner)
    plain = [
        _figures(other)
        for other in working
        if other.backend in EAGERS and (other.device == "cpu") == (runner.device == "cpu")
    ]
    quickest = {key: min((f[key] for f in plain), default=None) for key in figures}
    exact = next((other for other in working if other.backend in EAGERS), None)
    return {
        "backend": runner.backend,
        "precision": runner.precision,
        "device": runner.device,
        **{key: rounded(value, 1) for key, value in figures.items()},
        "real_time_factor": rounded(figures["whole_ms"] / 1000 / _seconds(runner), 3),
        "ratio_whole": _ratio(quickest["whole_ms"], figures["whole_ms"]),
        "ratio_first": _ratio(quickest["first_chunk_ms"], figures["first_chunk_ms"]),
        "ratio_cpu": _ratio(quickest["cpu_ms"], figures["cpu_ms"]),
        "error": None if exact in (None, runner) else _error(runner, exact),
    }


def _figures(runner: _Runner) -> dict[str, float]:
    """Medians over the turns, in ms."""
    answers = runner.answers

    def median(values: list[float]) -> float:
        return float(np.median(values))

    return {
        "whole_ms": median([answer["ready_ms"][-1] for answer in answers]),
        "first_chunk_ms": median([answer["ready_ms"][0] for answer in answers]),
        "gap_ms": median([_gap(answer, runner.sample_rate) for answer in answers]),
        "cpu_ms": median([answer["cpu_ms"] for answer in answers]),
    }


def _gap(answer: dict[str, Any], sample_rate: int) -> float:
    """The longest that playback would have stood still, in ms."""
    heard, longest = answer["ready_ms"][0], 0.0
    for ready, samples in zip(answer["ready_ms"], answer["samples"], strict=True):
        longest = max(longest, ready - heard)
        heard = max(heard, ready) + 1000 * samples / sample_rate
    return longest


def _ratio(theirs: float | None, ours: float) -> float | None:
    return None if theirs is None else rounded(theirs / ours, 2)


def _seconds(runner: _Runner) -> float:
    return len(runner.sound()) / runner.sample_rate


def _error(runner: _Runner, exact: _Runner) -> float | None:
    """None where durations differ, so that there is nothing to compare."""
    ours, theirs = runner.sound(), exact.sound()
    if ours.shape != theirs.shape:
        return None
    return float(f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.1e}")
