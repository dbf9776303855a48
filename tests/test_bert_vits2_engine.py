"""The thread that runs the network: order, company, cancelling, failing, ending."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from bert_vits2_seeded import small
from bert_vits2_watched import PATIENCE_SEC, Watched
from mien.tts.bert_vits2.backend import BackendError, Choice, Sentence, Slab
from mien.tts.bert_vits2.batcher import Sound
from mien.tts.bert_vits2.engine import Engine, Pace
from mien.tts.voice import VoiceError

pytest.importorskip("torch", reason="needs PyTorch: pip install 'mien[bert-vits2]'")

THREAD = "mien-bert-vits2"
TOGETHER = Pace(first=20, largest=40, sentences=8, pieces=8)


@pytest.fixture(scope="module")
def network() -> Iterator[Watched]:
    from mien.tts.bert_vits2.backends import load

    running = Watched(load(small(), Choice("torch", threads=1)))
    yield running
    running.shut()


@pytest.fixture
def watched(network: Watched) -> Iterator[Watched]:
    """The network, with nothing left of the test before."""
    network.forget()
    yield network
    network.opened.set()


@pytest.fixture
async def engine(watched: Watched) -> AsyncIterator[Engine]:
    running = Engine(lambda: watched, TOGETHER)
    yield running
    watched.opened.set()
    await running.aclose()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread for thread in threading.enumerate() if thread.name == THREAD] == []


def sentence(seed: int, symbols: int = 40) -> Sentence:
    """Who it is can be read from its seed."""
    random = np.random.default_rng(seed)
    return Sentence(
        random.integers(0, 112, symbols),
        random.integers(0, 12, symbols),
        random.integers(0, 3, symbols),
        speaker=seed % 2,
        seed=seed,
    )


async def said(engine: Engine, one: Sentence) -> list[Sound]:
    return [sound async for sound in engine.speak(one)]


def joined(sounds: list[Sound]) -> np.ndarray:
    return np.concatenate([sound.pcm for sound in sounds])


def whole(watched: Watched, one: Sentence) -> np.ndarray:
    """The sentence as the back end decodes it at once, alone."""
    (latents,) = watched.backend.latents([one])
    (sound,) = watched.backend.decode([Slab(latents.z, one.speaker)])
    return sound


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def held(watched: Watched) -> None:
    await until(watched.begun.is_set)


# What is heard


async def test_pieces_make_up_the_whole_sentence(engine: Engine, watched: Watched) -> None:
    sounds = await said(engine, sentence(1))
    assert len(sounds) > 3 and [sound.last for sound in sounds] == [False] * (len(sounds) - 1) + [
        True
    ]
    expected = whole(watched, sentence(1))
    difference = np.abs(joined(sounds) / 32767 - expected).max()
    assert difference <= 1e-4 * np.abs(expected).max() + 0.5 / 32767


async def test_frames_and_durations_add_up(engine: Engine, watched: Watched) -> None:
    sounds = await said(engine, sentence(2))
    at = 0
    for sound in sounds:
        assert sound.pcm.dtype == np.int16 and sound.begin == at
        at += len(sound.pcm) // watched.hop
    assert at == sounds[0].durations.sum()
    assert len(joined(sounds)) == at * watched.hop
    assert len(sounds[0].durations) == 40
    assert len(sounds[0].pcm) == TOGETHER.first * watched.hop, "the first comes soon"


async def test_silence_in_front_comes_on_top_of_the_first_piece(watched: Watched) -> None:
    one, lead = sentence(1), 6
    lengths = {}
    for patient in (False, True):
        engine = Engine(lambda: watched, replace(TOGETHER, lead=patient))
        sounds = [sound async for sound in engine.speak(one, lead)]
        lengths[patient] = len(sounds[0].pcm) // watched.hop
        await engine.aclose()
    silent = int(sounds[0].durations[:lead].sum())
    assert 8 < silent < 40
    assert lengths == {False: TOGETHER.first, True: TOGETHER.first + -(-silent // 8) * 8}


async def test_sentences_at_once_sound_as_each_alone(engine: Engine, watched: Watched) -> None:
    ones = [sentence(seed, symbols) for seed, symbols in ((1, 40), (2, 25), (3, 60), (4, 40))]
    alone = [joined(await said(engine, one)).astype(int) for one in ones]
    watched.hold()
    speaking = [asyncio.create_task(said(engine, one)) for one in ones]
    await held(watched)
    watched.opened.set()
    for lonely, sounds in zip(alone, await asyncio.gather(*speaking), strict=True):
        assert np.abs(joined(sounds) - lonely).max() <= 1
    assert any(len(numbers) > 1 for what, numbers in watched.calls if what == "decode")


# Who goes first


async def test_latents_of_sentences_that_wait_are_one_batch(
    engine: Engine, watched: Watched
) -> None:
    watched.hold()
    first = asyncio.create_task(said(engine, sentence(1)))
    await held(watched)
    waiting = [asyncio.create_task(said(engine, sentence(seed))) for seed in (2, 3, 4)]
    await asyncio.sleep(0)
    watched.opened.set()
    await asyncio.gather(first, *waiting)
    latents = [numbers for what, numbers in watched.calls if what == "latents"]
    assert latents == [[1], [2, 3, 4]]


async def test_the_first_piece_of_a_new_sentence_goes_before_later_ones_of_another(
    engine: Engine, watched: Watched
) -> None:
    watched.hold(at=4)
    long = asyncio.create_task(said(engine, sentence(1, 100)))
    await held(watched)  # in the middle of it
    new = asyncio.create_task(said(engine, sentence(2)))
    await asyncio.sleep(0)
    before = len(watched.calls)
    watched.opened.set()
    await asyncio.gather(long, new)
    assert [what for what, _ in watched.calls[before : before + 2]] == ["latents", "decode"]
    assert watched.calls[before][1] == [2]
    assert watched.calls[before + 1][1] == [TOGETHER.first]


async def test_a_batch_is_no_larger_than_set(watched: Watched) -> None:
    engine = Engine(lambda: watched, replace(TOGETHER, sentences=2, pieces=3))
    watched.hold()
    speaking = [asyncio.create_task(said(engine, sentence(seed))) for seed in range(6)]
    await held(watched)
    watched.opened.set()
    await asyncio.gather(*speaking)
    await engine.aclose()
    assert max(len(numbers) for what, numbers in watched.calls if what == "latents") == 2
    assert max(len(numbers) for what, numbers in watched.calls if what == "decode") <= 3


# Cancelling


async def test_a_closed_generator_is_computed_no_further(engine: Engine, watched: Watched) -> None:
    watched.hold(at=6)
    other = asyncio.create_task(said(engine, sentence(2, 60)))
    async with aclosing(engine.speak(sentence(1, 100))) as sounds:
        await anext(sounds)
        await held(watched)
    # It is closed while the network is still computing: nobody waited for that.
    assert not watched.opened.is_set()
    watched.opened.set()
    rest = await other
    assert rest[-1].last, "the other one goes on to its end"
    calls = len(watched.calls)
    await said(engine, sentence(3))
    frames = [
        number for what, numbers in watched.calls[:calls] if what == "decode" for number in numbers
    ]
    assert sum(frames) < 100 * 5, "most of the closed one was never decoded"


async def test_a_cancelled_task_gives_its_place_up(engine: Engine, watched: Watched) -> None:
    watched.hold()
    task = asyncio.create_task(said(engine, sentence(1, 100)))
    await held(watched)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watched.opened.set()
    await said(engine, sentence(2))
    assert [numbers for what, numbers in watched.calls if what == "latents"] == [[1], [2]]
    decoded = sum(sum(numbers) for what, numbers in watched.calls if what == "decode")
    assert decoded == len(whole(watched, sentence(2))) // watched.hop


async def test_many_come_and_go_and_who_stays_hears_everything(
    engine: Engine, watched: Watched
) -> None:
    async def leave_early(one: Sentence) -> None:
        async with aclosing(engine.speak(one)) as sounds:
            await anext(sounds)

    async def stay(one: Sentence) -> None:
        sounds = await said(engine, one)
        assert len(joined(sounds)) == sounds[0].durations.sum() * watched.hop

    ones = [sentence(seed, 20 + 3 * (seed % 7)) for seed in range(24)]
    staying = [asyncio.create_task(stay(one)) for one in ones[::2]]
    leaving = [asyncio.create_task(leave_early(one)) for one in ones[1::2]]
    await asyncio.sleep(0)
    for task in leaving[::3]:
        task.cancel()
    await asyncio.gather(*staying)
    found = await asyncio.gather(*leaving, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in found] == [True, False, False] * 4


# Failing


async def test_a_bad_sentence_fails_alone(engine: Engine, watched: Watched) -> None:
    bad = replace(sentence(9), ids=np.full(40, 999))
    expected = joined(await said(engine, sentence(1))).astype(int)
    watched.hold()
    first = asyncio.create_task(said(engine, sentence(5)))
    await held(watched)
    speaking = [asyncio.create_task(said(engine, one)) for one in (sentence(1), bad, sentence(2))]
    await asyncio.sleep(0)
    watched.opened.set()
    good, failed, other = await asyncio.gather(*speaking, return_exceptions=True)
    await first
    assert isinstance(failed, VoiceError) and not failed.retryable and "symbols" in str(failed)
    assert isinstance(good, list) and np.abs(joined(good) - expected).max() <= 1
    assert isinstance(other, list) and other[-1].last


async def test_what_may_go_better_next_time_is_retryable(engine: Engine, watched: Watched) -> None:
    watched.fails = lambda item: RuntimeError("out of memory")
    with pytest.raises(VoiceError, match="out of memory") as caught:
        await said(engine, sentence(1))
    assert caught.value.retryable and "出错" in caught.value.zh
    watched.forget()
    assert (await said(engine, sentence(1)))[-1].last


async def test_a_failure_in_mid_sentence_comes_after_what_was_made(
    engine: Engine, watched: Watched
) -> None:
    watched.fails = lambda item: RuntimeError("it is gone") if len(watched.calls) > 3 else None
    heard = []
    with pytest.raises(VoiceError, match="it is gone"):
        async for sound in engine.speak(sentence(1, 100)):
            heard.append(sound)
    assert len(heard) == 2 and not heard[-1].last
    expected = whole(watched, sentence(1, 100))[: len(joined(heard))]
    assert np.abs(joined(heard) / 32767 - expected).max() < 1e-3


async def test_numbers_that_are_none_are_an_error_not_a_bang() -> None:
    from mien.tts.bert_vits2.backends import load

    voice = small()
    voice.state["dec.conv_pre.bias"][0] = np.nan
    engine = Engine(lambda: load(voice, Choice("torch", threads=1)))
    with pytest.raises(VoiceError, match="numbers that are none") as caught:
        await said(engine, sentence(1))
    assert not caught.value.retryable
    await engine.aclose()


async def test_a_fault_of_our_own_leaves_nobody_waiting(watched: Watched) -> None:
    engine = Engine(lambda: watched, replace(TOGETHER, first=0))
    for seed in (1, 2):
        with pytest.raises(VoiceError, match="pieces of 0"):
            await said(engine, sentence(seed))
    await engine.aclose()


async def test_loading_that_fails_is_told_and_tried_again(watched: Watched) -> None:
    tried: list[int] = []
    both = threading.Event()

    def load() -> Watched:
        tried.append(threading.get_ident())
        assert both.wait(PATIENCE_SEC)
        if len(tried) == 1:
            raise BackendError("PyTorch is missing", "pip install it", "缺少 PyTorch")
        return watched

    engine = Engine(load, TOGETHER)
    speaking = [asyncio.create_task(said(engine, sentence(seed))) for seed in (1, 2)]
    await asyncio.sleep(0)
    both.set()
    first, second = await asyncio.gather(*speaking, return_exceptions=True)
    assert isinstance(first, VoiceError) and isinstance(second, VoiceError)
    assert not first.retryable and first.zh == "缺少 PyTorch"
    assert (await said(engine, sentence(1)))[-1].last
    await engine.aclose()
    assert threading.get_ident() not in tried, "never in the event loop's thread"


# Ending


async def test_an_unused_engine_closes_and_twice(watched: Watched) -> None:
    engine = Engine(lambda: watched)
    await engine.aclose()
    await engine.aclose()
    with pytest.raises(VoiceError, match="closed"):
        await said(engine, sentence(1))
    assert watched.calls == []


async def test_closing_ends_speech_and_frees_the_network(watched: Watched) -> None:
    engine = Engine(lambda: watched, TOGETHER)
    watched.hold()
    speaking = asyncio.create_task(said(engine, sentence(1)))
    await held(watched)
    closing = asyncio.create_task(engine.aclose())
    with pytest.raises(VoiceError, match="closed"):
        await speaking
    watched.opened.set()
    await closing
    await engine.aclose()
    assert watched.closed


def test_a_loop_that_ends_early_does_no_harm(watched: Watched) -> None:
    engine = Engine(lambda: watched, TOGETHER)

    async def leave() -> None:
        watched.hold()
        asyncio.ensure_future(said(engine, sentence(1)))  # noqa: RUF006
        await held(watched)

    asyncio.run(leave())
    watched.opened.set()

    async def come_back() -> None:
        assert (await said(engine, sentence(2)))[-1].last
        await engine.aclose()

    asyncio.run(come_back())
