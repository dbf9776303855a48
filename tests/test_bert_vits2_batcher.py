"""Who goes first and who goes together: state after each step, no threads, no network."""

from __future__ import annotations

import numpy as np

from mien.tts.bert_vits2.backend import Latents, Sentence
from mien.tts.bert_vits2.batcher import Batcher, Job
from mien.tts.bert_vits2.streaming import plan

NOTHING = np.zeros(0, np.int64)
SYMBOLS = np.zeros(30, np.int64)
FRAME_SEC = 0.01


def job(asked: float, symbols: int = 30) -> Job:
    ids = np.resize(SYMBOLS, symbols)
    return Job(Sentence(ids, ids, ids), asked, lambda answer: None)


def prepared(asked: float, frames: int = 200) -> Job:
    made = job(asked)
    prepare(made, frames)
    return made


def prepare(made: Job, frames: int = 200) -> None:
    made.latents = Latents(NOTHING, np.zeros((4, frames), np.float32), 0)
    made.pieces.extend(plan(frames, 20, 40))


def of(*jobs: Job) -> Batcher:
    batcher = Batcher()
    for one in jobs:
        batcher.add(one)
    return batcher


def decode(batcher: Batcher, now: float, pieces: int = 8) -> list[Job]:
    """Let the next ones be heard, as the engine does."""
    jobs = batcher.next(8, pieces)
    for one in jobs:
        piece = one.pieces[0]
        one.heard(now, (piece.stop - piece.begin) * FRAME_SEC)
        if not one.pieces:
            batcher.drop(one)
    return jobs


def test_latents_of_all_that_wait_are_one_batch_oldest_first() -> None:
    second, first, third = job(2.0), job(1.0), job(3.0)
    batcher = of(second, first, third)
    assert batcher.next(8, 8) == [first, second, third]
    assert batcher.next(2, 8) == [first, second]
    assert len(batcher) == 3, "they stay until they are done"


def test_a_sentence_does_not_wait_for_the_latents_of_a_much_longer_one() -> None:
    short, long, other = job(1.0, 20), job(2.0, 41), job(3.0, 40)
    assert of(short, long, other).next(8, 8) == [short, other]
    assert of(long, short).next(8, 8) == [short]
    short.due = 9.0
    assert of(short, long, other).next(8, 8) == [long, other, short], "a shorter one may come along"


def test_who_has_heard_nothing_goes_before_who_still_has_something_to_hear() -> None:
    speaking, new = prepared(0.0), job(0.5)
    batcher = of(speaking)
    decode(batcher, now=0.4)
    assert speaking.due > 0.5
    batcher.add(new)
    assert batcher.next(8, 8) == [new], "its latents"
    prepare(new)
    assert batcher.next(8, 8) == [new], "and its first piece"


def test_who_has_run_dry_goes_before_who_has_just_begun() -> None:
    starving, new = prepared(0.0), job(0.5)
    batcher = of(starving)
    decode(batcher, now=0.1)  # 0.2 s of sound: until 0.3
    batcher.add(new)
    assert batcher.next(8, 8) == [starving]


def test_equal_pieces_of_several_sentences_are_one_batch() -> None:
    a, b, c = prepared(0.0), prepared(0.1), prepared(0.2)
    batcher = of(a, b, c)
    assert decode(batcher, now=1.0) == [a, b, c]
    assert decode(batcher, now=1.0, pieces=2) == [a, b]
    assert a.step == b.step != c.step
    assert decode(batcher, now=1.0) == [c], "the shortest left goes next"


def test_sentences_are_decoded_side_by_side_to_their_ends() -> None:
    long, short = prepared(0.0, 400), prepared(0.0, 60)
    batcher, turns = of(long, short), []
    while batcher.next(8, 1):
        turns += decode(batcher, now=0.0, pieces=1)
    assert len(turns) == len(plan(400, 20, 40)) + len(plan(60, 20, 40))
    ends = len(turns) - turns[::-1].index(short)
    assert turns[:ends].count(long) >= 2, "they took turns"
    assert len(batcher) == 0


def test_what_was_dropped_never_comes_again() -> None:
    kept, dropped = prepared(0.0), prepared(0.0)
    batcher = of(kept, dropped)
    batcher.drop(dropped)
    batcher.drop(dropped)
    assert batcher.next(8, 8) == [kept]
    assert batcher.clear() == [kept]
    assert batcher.next(8, 8) == []
