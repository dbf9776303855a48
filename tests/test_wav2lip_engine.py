"""The engine as conversations meet it: sound and a clip in, painted mouths out."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mien.lipsync.contract import LipSync, Mouth, MouthRequest
from mien.lipsync.wav2lip.backend import as_pictures
from mien.lipsync.wav2lip.batcher import ClosedError, Item
from mien.lipsync.wav2lip.engine import ClipLipSync, Wav2Lip, open_wav2lip
from mien.lipsync.wav2lip.features import Cache
from mien.lipsync.wav2lip.mel import (
    AFTER,
    BEFORE,
    COLUMNS,
    CONTEXT,
    chunk_starts,
    mel_of_tick,
    mel_spectrogram,
)
from moving_faces import MovingFaces, Watched, load_small, small
from wav2lip_seeded import narrow

FRAMES = 5
TICK = 640  # samples at 16 kHz


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def engine() -> Iterator[Wav2Lip]:
    with Wav2Lip(Watched(small()), "of the weights") as engine:
        yield engine


def voice(seed: int, seconds: float = 1.0) -> np.ndarray:
    """float32[n] 16 kHz: noise in syllables, another for every seed."""
    count = round(seconds * 16_000)
    loudness = np.clip(np.sin(np.arange(count) * (0.001 + 0.0002 * seed)), 0.05, 1)
    return (np.random.default_rng(seed).normal(0, 0.15, count) * loudness).astype(np.float32)


def requests(wav: np.ndarray, offset: int = 0) -> list[MouthRequest]:
    """What the painter asks for a speech that begins on picture ``offset`` of a clip."""
    padded = np.pad(wav, (BEFORE, AFTER))
    return [
        MouthRequest(
            padded[position : position + BEFORE + AFTER],
            None,
            (offset + position // TICK) % FRAMES,
            position,
            position == 0,
        )
        for position in range(0, len(wav), TICK)
    ]


def patches(mouths: Sequence[Mouth]) -> np.ndarray:
    return np.stack([mouth.patch for mouth in mouths if mouth.patch is not None])


def levels_apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


# -- one conversation --------------------------------------------------------------------


def test_it_is_a_lipsync(engine: Wav2Lip) -> None:
    lipsync: LipSync = engine.lipsync(MovingFaces(1))
    assert lipsync.sample_rate == 16_000
    assert lipsync.context == CONTEXT
    assert not lipsync.render([])


@pytest.mark.parametrize("full", [False, True], ids=["lower", "full"])
def test_a_speech_is_painted_as_published(full: bool) -> None:
    """Tick by tick, in pieces, as the original does it with the whole file."""
    backend = load_small(full=full)
    faces, wav = MovingFaces(FRAMES), voice(1, 0.4)
    mel = mel_spectrogram(wav)
    starts = chunk_starts(mel.shape[1], 25)[:-1]
    with Wav2Lip(backend, "of the weights") as engine:
        lipsync = engine.lipsync(faces, "ram")
        asked = requests(wav)
        mouths = [*lipsync.render(asked[:1]), *lipsync.render(asked[1:4])]
        mouths += lipsync.render(asked[4:])
        rows, columns = backend.window.shape
        assert (rows, columns) == ((96 if full else 48), 96)
        inside = [start >= 2 and start + COLUMNS <= mel.shape[1] - 2 for start in starts]
        assert sum(inside) >= 3
        for index, start in enumerate(starts):
            if not inside[index]:
                continue  # mirrored at the ends; a conversation has silence there
            crop = faces.crop(index % FRAMES, 96)[None]
            chunk = mel[None, :, start : start + COLUMNS]
            expected = as_pictures(backend.decode(chunk, backend.encode(crop)))[0]
            patch = mouths[index].patch
            assert patch is not None and patch.dtype == np.uint8
            assert levels_apart(patch, expected) <= 1
            assert mouths[index].place == ((0, 0, 1, 1) if full else (0, 0.5, 1, 0.5))
            assert mouths[index].weight == 1 and mouths[index].shape is None


def test_silence_costs_no_inference_and_is_what_the_network_would_say() -> None:
    watched, faces = Watched(small()), MovingFaces(FRAMES)
    with Wav2Lip(watched, "of the weights") as engine:
        lipsync = engine.lipsync(faces)
        before = list(watched.asked)
        rests = [lipsync.rest(frame) for frame in range(FRAMES)]
        assert watched.asked == before
        silent = lipsync.render(requests(np.zeros(FRAMES * TICK, np.float32)))
    for rest, mouth in zip(rests, silent, strict=True):
        assert rest.place == mouth.place
        assert rest.patch is not None and mouth.patch is not None
        assert levels_apart(rest.patch, mouth.patch) <= 1


def test_frames_go_round(engine: Wav2Lip) -> None:
    lipsync = engine.lipsync(MovingFaces(FRAMES))
    (asked,) = requests(voice(2, 0.04))
    later = MouthRequest(asked.audio, None, 3 + 7 * FRAMES, 0, True)
    asked = MouthRequest(asked.audio, None, 3, 0, True)
    np.testing.assert_array_equal(*(patches(lipsync.render([one])) for one in (asked, later)))
    np.testing.assert_array_equal(lipsync.rest(2).patch, lipsync.rest(2 + FRAMES).patch)


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_cached_and_uncached_agree(cache: Cache) -> None:
    """To 1e-5 in float32 where the network gives it, to a level in the pictures."""
    faces, asked = MovingFaces(FRAMES), requests(voice(3, 0.2))
    with Wav2Lip(small_shared(), "of the weights") as engine:
        known, bare = engine.lipsync(faces, cache), engine.lipsync(faces, "none")
        exact, again = (
            np.stack(engine._batcher.paint([_item(lipsync, one) for one in asked]))
            for lipsync in (known, bare)
        )
        assert exact.dtype == np.float32
        np.testing.assert_allclose(exact, again, atol=1e-5, rtol=0)
        assert levels_apart(patches(known.render(asked)), patches(bare.render(asked))) <= 1


def _item(lipsync: ClipLipSync, request: MouthRequest) -> Item:
    return lipsync._item(request)


def small_shared() -> Watched:
    """The shared back end, which closing the engine leaves open."""
    return Watched(small())


def test_the_same_clip_is_opened_once(engine: Wav2Lip) -> None:
    first = engine.lipsync(MovingFaces(FRAMES), "ram")
    told: list[float] = []
    again = engine.lipsync(MovingFaces(FRAMES), "ram", on_progress=told.append)
    assert again._features is first._features
    assert not told


def test_a_clip_that_is_ready_does_not_wait_for_one_that_is_being_prepared(
    engine: Wav2Lip,
) -> None:
    ready = engine.lipsync(MovingFaces(FRAMES), "ram")
    preparing, looked = threading.Event(), threading.Event()

    def wait(share: float) -> None:
        preparing.set()
        assert looked.wait(60)

    with ThreadPoolExecutor(2) as threads:
        new = threads.submit(engine.lipsync, MovingFaces(2, seed=8), "ram", on_progress=wait)
        assert preparing.wait(60)
        again = threads.submit(engine.lipsync, MovingFaces(FRAMES), "ram").result(60)
        assert again._features is ready._features
        looked.set()
        assert new.result(60).rest(1).patch is not None


def test_the_size_is_stated_beforehand(engine: Wav2Lip) -> None:
    per_picture = small().window.values * small().feature_dtype.itemsize + 48 * 96 * 3
    for cache in ("ram", "disk"):
        stated = engine.cache_bytes(250, cache)
        assert 0 <= stated - 250 * per_picture <= 250 * 64 + 4096
    assert engine.cache_bytes(250, "none") == 250 * 48 * 96 * 3


def test_another_rate_or_context_is_refused(engine: Wav2Lip) -> None:
    lipsync = engine.lipsync(MovingFaces(1), "ram")
    with pytest.raises(ValueError, match="samples around a tick"):
        lipsync.render([MouthRequest(np.zeros(100, np.float32), None, 0)])


# -- several conversations ---------------------------------------------------------------


class Slow(Watched):
    """Whose batches take so long that others come meanwhile."""

    def decode(self, mels: np.ndarray, features: np.ndarray) -> np.ndarray:
        time.sleep(0.02)
        return super().decode(mels, features)


def test_three_conversations_share_batches_without_hearing_each_other() -> None:
    backend = Slow(small())
    clips = [MovingFaces(FRAMES, seed) for seed in (11, 12, 13)]
    asked = [requests(voice(seed, 0.4), seed) for seed in (21, 22, 23)]
    caches: list[Cache] = ["ram", "disk", "none"]
    with Wav2Lip(backend, "of the weights") as engine:
        mouths = [engine.lipsync(clip, cache) for clip, cache in zip(clips, caches, strict=True)]
        alone = [
            np.concatenate([patches(lipsync.render([one])) for one in wanted])
            for lipsync, wanted in zip(mouths, asked, strict=True)
        ]
        assert engine.figures.shared == 0
        before = engine.figures
        together = threading.Barrier(3)

        def speak(lipsync: ClipLipSync, wanted: list[MouthRequest]) -> np.ndarray:
            together.wait()
            pieces = [patches(lipsync.render(wanted[:1]))]
            for first in range(1, len(wanted), 3):  # as far as the performer plans ahead
                pieces.append(patches(lipsync.render(wanted[first : first + 3])))
            return np.concatenate(pieces)

        with ThreadPoolExecutor(3) as threads:
            at_once = list(threads.map(speak, mouths, asked))
        after = engine.figures
    for one, other in zip(alone, at_once, strict=True):
        assert levels_apart(one, other) <= 1
    assert levels_apart(alone[0], alone[1]) > 20  # they could have been told apart
    pictures = sum(map(len, asked))
    assert after.pictures - before.pictures == pictures
    assert after.shared - before.shared >= 3
    assert after.batches - before.batches < pictures
    assert after.failed == 0


def test_a_clip_is_prepared_while_somebody_speaks() -> None:
    backend = small_shared()
    speaking = threading.Event()
    with Wav2Lip(backend, "of the weights") as engine:
        lipsync = engine.lipsync(MovingFaces(FRAMES), "ram")
        asked, heard = requests(voice(5, 0.4)), []

        def speak() -> None:
            for one in asked[:3]:
                heard.extend(lipsync.render([one]))
            speaking.set()
            for one in asked[3:]:
                heard.extend(lipsync.render([one]))

        speaker = threading.Thread(target=speak)
        speaker.start()
        assert speaking.wait(60)
        prepared = engine.lipsync(MovingFaces(10, seed=9), "ram")
        speaker.join(60)
        assert len(heard) == len(asked)
        assert prepared.rest(9).patch is not None
        assert levels_apart(patches(heard), patches(lipsync.render(asked))) <= 1


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_the_usual_back_end_agrees(cache: Cache) -> None:
    """OpenVINO, which most installations will use, to a level; kept features or not."""
    pytest.importorskip("openvino", reason="pip install 'mien[wav2lip]'")
    checkpoint, asked = narrow(), requests(voice(7, 0.2))
    with Wav2Lip(small_shared(), checkpoint.sha256) as engine:
        expected = patches(engine.lipsync(MovingFaces(FRAMES), "ram").render(asked))
    with open_wav2lip(
        checkpoint, backend="openvino", precision="fp32", threads=1, decode="lower"
    ) as engine:
        lipsync = engine.lipsync(MovingFaces(FRAMES), cache)
        assert levels_apart(patches(lipsync.render(asked)), expected) <= 1


def test_closing_ends_what_conversations_wait_for(engine: Wav2Lip) -> None:
    lipsync = engine.lipsync(MovingFaces(1))
    rest = lipsync.rest(0).patch
    assert engine.close()
    with pytest.raises(ClosedError):
        lipsync.render(requests(voice(1, 0.04)))
    np.testing.assert_array_equal(lipsync.rest(0).patch, rest)  # known without the network


def test_opening_by_names() -> None:
    with open_wav2lip(
        narrow(), backend="onnxruntime", precision="fp32", threads=1, decode="full"
    ) as engine:
        assert str(engine.choice) == "onnxruntime fp32 (cpu)"
        (mouth,) = engine.lipsync(MovingFaces(1), "none").render(requests(voice(1, 0.04)))
        assert mouth.place == (0, 0, 1, 1)


def test_what_is_heard_is_what_the_published_front_end_hears() -> None:
    """The engine's window and the contract's request fit each other sample by sample."""
    (first, *_) = requests(voice(6))
    assert first.audio.shape == (BEFORE + AFTER,)
    assert mel_of_tick(first.audio, first.position).shape == (80, COLUMNS)
