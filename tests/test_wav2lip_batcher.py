"""The only thread that runs the network: what goes together, who goes first, what may go wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mien.lipsync.wav2lip.backend import encode
from mien.lipsync.wav2lip.batcher import PATIENCE_BATCHES, Batcher, ClosedError, Item
from moving_faces import MovingFaces, Watched, small

FOREVER_MS = 600_000.0  # a batch that waited for this would never be painted in a test
PATIENCE_SEC = 90.0


@pytest.fixture
def watched() -> Watched:
    return Watched(small())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    faces = MovingFaces(4)
    return encode(small(), np.stack([faces.crop(frame, 96) for frame in range(4)]))


def sound(number: int) -> np.ndarray:
    """Whose request it is can be read from the first value."""
    mel = np.random.default_rng(number).uniform(-4, 4, (80, 16)).astype(np.float32)
    mel[0, 0] = number
    return mel


def items(features: np.ndarray, *numbers: int) -> list[Item]:
    return [Item(sound(number), features[number % len(features)]) for number in numbers]


def numbers(watched: Watched) -> list[list[int]]:
    """What was painted together, in order."""
    return [[int(mel[0, 0]) for mel in mels] for mels in watched.mels]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Held:
    """A batcher whose back end is busy with picture 99 until it is let go."""

    def __init__(
        self, watched: Watched, pool: ThreadPoolExecutor, features: np.ndarray, **options: Any
    ) -> None:
        self.batcher = Batcher(watched, **options)
        self._watched, self._pool, self._features = watched, pool, features
        watched.opened.clear()
        self.first = pool.submit(self.batcher.paint, items(features, 99), True)
        assert watched.begun.wait(PATIENCE_SEC)

    def ask(self, *wanted: int, urgent: bool = False) -> Future[list[np.ndarray]]:
        before = self.batcher.waiting
        answer = self._pool.submit(self.batcher.paint, items(self._features, *wanted), urgent)
        until(lambda: self.batcher.waiting == before + len(wanted))
        return answer

    def let_go(self) -> None:
        self._watched.opened.set()


def test_what_waits_is_painted_together(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    held = Held(watched, threads, features)
    answers = [held.ask(number) for number in (1, 2, 3)]
    held.let_go()
    pictures = [answer.result(PATIENCE_SEC)[0] for answer in answers]
    assert [number for batch in numbers(watched) for number in batch] == [99, 1, 2, 3]
    for number, picture in zip((1, 2, 3), pictures, strict=True):
        alone = small().decode(sound(number)[None], features[number % 4][None])[0]
        np.testing.assert_allclose(picture, alone, atol=1e-5, rtol=0)
    held.batcher.close()
    assert held.batcher.figures.batches == 2
    assert held.batcher.figures.shared == 1
    assert held.batcher.figures.pictures == 4


def test_who_begins_to_speak_does_not_wait_for_a_batch_to_fill(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    batcher = Batcher(watched, gather_ms=FOREVER_MS, largest=4)
    gathering = threads.submit(batcher.paint, items(features, 1))
    until(lambda: batcher.waiting == 1)
    assert len(batcher.paint(items(features, 2), urgent=True)) == 1
    assert numbers(watched) == [[2]]  # at once, and as quickly as one picture can be
    assert not gathering.done()
    others = [threads.submit(batcher.paint, items(features, number)) for number in (3, 4, 5)]
    for answer in (gathering, *others):  # the batch is full now
        answer.result(PATIENCE_SEC)
    assert numbers(watched)[1][0] == 1
    assert sorted(numbers(watched)[1]) == [1, 3, 4, 5]
    batcher.close()


def test_who_begins_to_speak_goes_before_those_who_waited(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    held = Held(watched, threads, features, largest=2)
    waiting = [held.ask(number) for number in (1, 2, 3)]
    waiting += [held.ask(4, urgent=True), held.ask(5, urgent=True)]
    held.let_go()
    for answer in waiting:
        answer.result(PATIENCE_SEC)
    assert numbers(watched) == [[99], [4, 5], [1, 2], [3]]
    held.batcher.close()


def test_callers_take_turns(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    held = Held(watched, threads, features, largest=2)
    many, other, third = held.ask(*range(1, 7)), held.ask(11, 12), held.ask(21)
    held.let_go()
    for answer in (many, other, third):
        answer.result(PATIENCE_SEC)
    assert numbers(watched)[1:] == [[1, 11], [21, 2], [12, 3], [4, 5], [6]]
    held.batcher.close()


def test_answers_come_in_the_order_asked(features: np.ndarray) -> None:
    batcher = Batcher(small(), largest=2)
    answers = batcher.paint(items(features, 1, 2, 3, 4, 5))
    for number, answer in enumerate(answers, 1):
        alone = small().decode(sound(number)[None], features[number % 4][None])[0]
        np.testing.assert_allclose(answer, alone, atol=1e-5, rtol=0)
    assert batcher.paint([]) == []


def test_faces_without_features_are_encoded_on_the_way(watched: Watched) -> None:
    faces, batcher = MovingFaces(2), Batcher(watched)
    crops = [faces.crop(frame, 96) for frame in range(2)]
    bare = [Item(sound(frame), face=crop) for frame, crop in enumerate(crops)]
    known = [Item(sound(9), encode(small(), crops[0][None])[0])]
    answers = batcher.paint([bare[0], *known, bare[1]])
    assert watched.asked[0][0] == "encode"
    expected = small().decode(sound(1)[None], small().encode(crops[1][None]))[0]
    np.testing.assert_allclose(answers[2], expected, atol=1e-5, rtol=0)
    batcher.close()


# -- what may go wrong -------------------------------------------------------------------


def test_a_bad_request_fails_alone(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    held = Held(watched, threads, features)
    good = [held.ask(1), held.ask(2)]
    for bad in (
        Item(sound(3)),  # nothing to paint on
        Item(sound(3), features[0][:-1]),  # of another window
        Item(sound(3)[:, :-1], features[0]),  # too short a sound
    ):
        wrong = threads.submit(held.batcher.paint, [bad])
        until(lambda: held.batcher.waiting == 3)
        held.let_go()
        with pytest.raises(Exception, match=r"."):
            wrong.result(PATIENCE_SEC)
        for number, answer in zip((1, 2), good, strict=True):
            alone = small().decode(sound(number)[None], features[number % 4][None])[0]
            np.testing.assert_allclose(answer.result(60)[0], alone, atol=1e-5, rtol=0)
        watched.opened.clear()
        watched.begun.clear()
        held.first = threads.submit(held.batcher.paint, items(features, 99))
        assert watched.begun.wait(PATIENCE_SEC)
        good = [held.ask(1), held.ask(2)]
    held.let_go()
    for answer in good:
        assert len(answer.result(PATIENCE_SEC)) == 1
    held.batcher.close()
    assert held.batcher.figures.failed == 3


def test_work_in_the_background_waits_for_speech_but_not_for_ever(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    held = Held(watched, threads, features, largest=1)
    speech = held.ask(*range(1, 2 * PATIENCE_BATCHES))
    seen = threads.submit(held.batcher.run, lambda backend: len(watched.mels))
    until(lambda: bool(held.batcher._jobs))
    held.let_go()
    assert seen.result(PATIENCE_SEC) == PATIENCE_BATCHES
    assert len(speech.result(PATIENCE_SEC)) == 2 * PATIENCE_BATCHES - 1
    held.batcher.close()


def test_work_in_the_background_has_its_result_or_its_error() -> None:
    batcher = Batcher(small())
    names = {batcher.run(lambda backend: threading.current_thread().name) for _ in range(3)}
    assert len(names) == 1 and threading.current_thread().name not in names

    def fail(backend: object) -> None:
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        batcher.run(fail)
    assert batcher.run(lambda backend: backend.architecture.size) == 96


def test_closing_lets_everybody_go_even_if_the_back_end_is_stuck(
    watched: Watched, threads: ThreadPoolExecutor, features: np.ndarray
) -> None:
    held = Held(watched, threads, features)
    asked = [held.first, held.ask(1), held.ask(2, urgent=True)]
    job = threads.submit(held.batcher.run, lambda backend: None)
    until(lambda: bool(held.batcher._jobs))
    assert held.batcher.close(timeout_sec=0.05) is False
    for answer in (*asked, job):
        with pytest.raises(ClosedError, match="closed"):
            answer.result(PATIENCE_SEC)
    assert not watched.closed.is_set()  # it is still in use
    held.let_go()
    assert watched.closed.wait(PATIENCE_SEC)  # its own thread closes it
    assert held.batcher.close() is True


def test_nothing_is_taken_after_closing(watched: Watched, features: np.ndarray) -> None:
    batcher = Batcher(watched)
    assert batcher.close() and batcher.close()
    assert watched.closed.is_set()
    with pytest.raises(ClosedError):
        batcher.paint(items(features, 1))
    with pytest.raises(ClosedError):
        batcher.run(lambda backend: None)


@pytest.mark.parametrize("options", [{"gather_ms": -1.0}, {"largest": 0}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Batcher(small(), **options)
