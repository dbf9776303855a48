"""Several conversations, one network: whatever waits is painted together."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.backend import Backend, BackendError, decode, encode

# Beyond this many pictures a batch on a CPU is hardly cheaper per picture (13 % at four), and
# whoever begins to speak meanwhile waits for all of it.
LARGEST_ON_CPU = 4
# Work in the background gets a turn after so many batches even if speech never pauses.
PATIENCE_BATCHES = 8
CLOSE_SEC = 5.0

_log = logging.getLogger(__name__)
T = TypeVar("T")


class ClosedError(BackendError):
    """The engine ended while, or before, something was asked of it."""

    def __init__(self) -> None:
        super().__init__("the lip-sync engine was closed", "ask the one that took its place")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be painted.

    mel: float32[80, 16]. features: what the back end's ``encode`` gave for the face, or None: then
    ``face``, uint8[S, S, 3] RGB, is encoded first.
    """

    mel: NDArray[np.float32]
    features: NDArray[Any] | None = None
    face: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Since the beginning: pictures painted, in how many batches, how many of those of several
    callers, and pictures that failed."""

    pictures: int = 0
    batches: int = 0
    shared: int = 0
    failed: int = 0


class _Call:
    """One caller's items and their answers."""

    def __init__(self, items: Sequence[Item], urgent: bool) -> None:
        self.urgent = urgent
        self.since = time.monotonic()
        self.waiting = deque(enumerate(items))
        self.answers: list[NDArray[np.float32] | None] = [None] * len(items)
        self.error: Exception | None = None
        self.missing = len(items)
        self.done = threading.Event()

    def answer(self, index: int, result: NDArray[np.float32] | Exception) -> None:
        if isinstance(result, Exception):
            self.error = self.error or result
        else:
            self.answers[index] = result
        self.missing -= 1
        if not self.missing:
            self.done.set()

    def fail(self, error: Exception) -> None:
        self.waiting.clear()
        self.error = error
        self.done.set()


class _Job:
    """Something else to do with the back end, in its thread."""

    def __init__(self, function: Callable[[Backend], Any]) -> None:
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Event()

    def run(self, backend: Backend) -> None:
        try:
            self.result = self.function(backend)
        except BaseException as error:
            self.error = error
        self.done.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()


_Slot = tuple[_Call, int, Item]


class Batcher:
    """The only thread that runs a back end, and the queue in front of it.

    Callers take turns, so that one with much to ask does not keep the others waiting. An urgent
    call (a speech begins) goes next, without those that are not: it must be quick, not cheap.

    gather_ms: how long a batch may wait to fill while the back end is free. On a CPU, where
        pictures cost the same in any batch, waiting gains nothing.
    largest: pictures in a batch; None = what suits the device.
    """

    def __init__(
        self, backend: Backend, gather_ms: float = 0.0, largest: int | None = None
    ) -> None:
        if gather_ms < 0 or (largest is not None and largest < 1):
            raise ValueError(f"gather_ms {gather_ms} and largest {largest} must be positive")
        limit = LARGEST_ON_CPU if backend.choice.device == "cpu" else backend.batch_sizes[-1]
        self._backend = backend
        self._gather_sec = gather_ms / 1000
        self._largest = largest or limit
        self._calls: deque[_Call] = deque()
        self._painting: list[_Slot] = []
        self._jobs: deque[_Job] = deque()
        self._job: _Job | None = None
        self._since_job = 0
        self._figures = Figures()
        self._closed = False
        self._changed = threading.Condition()
        # A daemon: a back end that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name="mien-wav2lip", daemon=True)
        self._thread.start()

    @property
    def largest(self) -> int:
        """Pictures in a batch at most."""
        return self._largest

    @property
    def waiting(self) -> int:
        """Pictures asked for and not yet begun."""
        with self._changed:
            return self._waiting()

    def _waiting(self) -> int:
        return sum(len(call.waiting) for call in self._calls)

    @property
    def figures(self) -> Figures:
        return self._figures

    def paint(self, items: Sequence[Item], urgent: bool = False) -> list[NDArray[np.float32]]:
        """float32[3, rows, columns] for each item, as the network gives it; waits for them.

        Raises:
            ClosedError: if the engine ends meanwhile. Whatever the back end raises for an item.
        """
        call = _Call(items, urgent)
        if not items:
            return []
        with self._changed:
            if self._closed:
                raise ClosedError
            self._calls.append(call)
            self._changed.notify_all()
        call.done.wait()
        if call.error is not None:
            raise call.error
        return [answer for answer in call.answers if answer is not None]

    def run(self, function: Callable[[Backend], T]) -> T:
        """``function(backend)`` in the back end's thread while nobody waits for a picture.

        Make it short (some 30 ms): a speech that begins meanwhile waits for it.

        Raises:
            ClosedError: if the engine ends meanwhile. Whatever ``function`` raises.
        """
        job = _Job(function)
        with self._changed:
            if self._closed:
                raise ClosedError
            self._jobs.append(job)
            self._changed.notify_all()
        job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]

    def close(self, timeout_sec: float = CLOSE_SEC) -> bool:
        """Let everybody go, with a ClosedError, and close the back end in its thread.

        False: the back end is stuck; it is left to its thread, which closes it if it ever returns.
        """
        with self._changed:
            first, self._closed = not self._closed, True
            waiting: list[_Call | _Job] = [*self._calls, *self._jobs]
            waiting += [call for call, _, _ in self._painting]
            if self._job is not None:
                waiting.append(self._job)
            self._calls.clear()
            self._jobs.clear()
            for entry in waiting:
                if not entry.done.is_set():
                    entry.fail(ClosedError())
            self._changed.notify_all()
        self._thread.join(timeout_sec)
        if first and self._thread.is_alive():
            _log.warning("%s does not return; its thread is left behind", self._backend.choice)
        return not self._thread.is_alive()

    # -- the thread --------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._calls or self._jobs):
                    self._changed.wait()
                if self._closed:
                    break
                job = self._take_job()
                batch = [] if job is not None else self._take_batch()
            if job is not None:
                job.run(self._backend)
                self._job = None
            elif batch:
                self._paint(batch)
        self._backend.close()

    def _take_job(self) -> _Job | None:
        if self._jobs and (not self._calls or self._since_job >= PATIENCE_BATCHES):
            self._job, self._since_job = self._jobs.popleft(), 0
            return self._job
        return None

    def _take_batch(self) -> list[_Slot]:
        """Wait for the batch to fill as long as that is allowed, then take it."""
        while not self._closed and self._calls:
            oldest = min(call.since for call in self._calls)
            left = oldest + self._gather_sec - time.monotonic()
            urgent = any(call.urgent for call in self._calls)
            if left <= 0 or urgent or self._waiting() >= self._largest:
                break
            self._changed.wait(left)
        first = [call for call in self._calls if call.urgent]
        self._painting = self._one_from_each(first or list(self._calls))
        served = {id(call) for call, _, _ in self._painting}
        left_over = [call for call in self._calls if call.waiting]
        self._calls = deque(sorted(left_over, key=lambda call: id(call) in served))
        self._since_job += 1
        return self._painting

    def _one_from_each(self, calls: list[_Call]) -> list[_Slot]:
        slots: list[_Slot] = []
        while calls and len(slots) < self._largest:
            for call in calls[: self._largest - len(slots)]:
                slots.append((call, *call.waiting.popleft()))
            calls = [call for call in calls if call.waiting]
        return slots

    def _paint(self, batch: list[_Slot]) -> None:
        answers: Sequence[NDArray[np.float32] | Exception]
        try:
            answers = self._answers([item for _, _, item in batch])
        except Exception as error:
            # One bad item must not spoil its neighbours.
            answers = [error] if len(batch) == 1 else [self._alone(item) for _, _, item in batch]
        failed = sum(isinstance(answer, Exception) for answer in answers)
        with self._changed:
            before, self._painting = self._figures, []
            self._figures = Figures(
                before.pictures + len(batch) - failed,
                before.batches + 1,
                before.shared + (len({id(call) for call, _, _ in batch}) > 1),
                before.failed + failed,
            )
            for (call, index, _), answer in zip(batch, answers, strict=True):
                if not call.done.is_set():
                    call.answer(index, answer)

    def _alone(self, item: Item) -> NDArray[np.float32] | Exception:
        try:
            (answer,) = self._answers([item])
            return answer
        except Exception as error:
            return error

    def _answers(self, items: Sequence[Item]) -> list[NDArray[np.float32]]:
        features = [item.features for item in items]
        bare = [index for index, item in enumerate(items) if item.features is None]
        if bare:
            faces = [face for index in bare if (face := items[index].face) is not None]
            if len(faces) < len(bare):
                raise ValueError("an item has neither features nor a face")
            for index, row in zip(bare, encode(self._backend, np.stack(faces)), strict=True):
                features[index] = row
        rows = np.stack([row for row in features if row is not None])
        return list(decode(self._backend, np.stack([item.mel for item in items]), rows))
