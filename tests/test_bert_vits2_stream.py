"""Speaking a sentence piece by piece, and several at once: the same sound as whole and alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_vits2_seeded import SMALL, VARIANTS, golden_sentence, seeded, small
from mien.tts.bert_vits2.backend import Backend, BackendError, Choice, Sentence, Slab
from mien.tts.bert_vits2.streaming import OVERLAP, plan

TOLERANCE = 1e-4
NO_TORCH = "needs PyTorch: pip install 'mien[bert-vits2]'"


# -- where a sentence is cut -------------------------------------------------------------


@given(
    frames=st.integers(0, 3000),
    first=st.integers(1, 200),
    size=st.integers(1, 200),
    overlap=st.integers(0, 20),
)
def test_pieces_make_up_the_sentence(frames: int, first: int, size: int, overlap: int) -> None:
    pieces = plan(frames, first, size, overlap)
    at = 0
    for piece in pieces:
        assert piece.begin == at < piece.stop
        at = piece.stop
        # Everything that is heard around a piece is there, except beyond the sentence's ends.
        assert piece.begin - piece.left >= 0 and piece.stop + piece.right <= frames
        assert piece.left == piece.begin or piece.left >= overlap
        assert piece.right == min(overlap, frames - piece.stop)
    assert at == frames
    if frames > first + overlap and first <= size:
        assert pieces[0].stop == first


def test_last_pieces_come_in_few_widths() -> None:
    """Libraries prepare themselves anew for every width they meet."""
    last = [plan(frames)[-1] for frames in range(200, 600)]
    assert len({piece.left + piece.stop - piece.begin for piece in last}) <= 16


def test_pieces_grow_from_a_short_first_one() -> None:
    lengths = [piece.stop - piece.begin for piece in plan(861)]
    assert lengths[0] <= 24  # 0.3 s
    for before, after in pairwise(lengths[:-1]):
        assert before <= after <= 2 * before


def test_no_listener_waits_for_a_later_piece() -> None:
    """A decoder 1.6 times as fast as speech has each piece ready when those before are heard."""
    ready = heard = 0.0
    for piece in plan(1200):
        decoded = piece.stop - piece.begin + 8  # what its surroundings cost, see NEAR
        ready += decoded / 1.6
        if piece.begin == 0:
            heard = ready
        assert ready <= heard
        heard += piece.stop - piece.begin


@pytest.mark.parametrize("wrong", [(10, 0), (0, 10), (10, 10, -1)])
def test_impossible_pieces_are_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pieces of"):
        plan(100, *wrong)


# -- piece by piece ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    pytest.importorskip("torch", reason=NO_TORCH)
    from mien.tts.bert_vits2 import torch_backend

    loaded = torch_backend.load(small(), Choice("torch", threads=1))
    yield loaded
    loaded.close()


def _sentence(symbols: int = 31, seed: int = 0, **changes) -> Sentence:
    whole = golden_sentence(SMALL, 0.3)
    sentence = replace(
        whole,
        ids=whole.ids[:symbols],
        tones=whole.tones[:symbols],
        languages=whole.languages[:symbols],
        bert={name: features[:, :symbols] for name, features in whole.bert.items()},
        speed=1.0,
        noise=0.6,
        noise_w=0.8,
        seed=seed,
    )
    return replace(sentence, **changes)


def _in_pieces(backend: Backend, latents, **how: int) -> np.ndarray:
    pieces = plan(latents.z.shape[1], **how)
    assert len(pieces) > 3
    return np.concatenate([backend.decode([piece.of(latents)])[0] for piece in pieces])


@pytest.mark.parametrize("size", [8, 32, 57])
def test_pieces_sound_as_the_whole(backend: Backend, size: int) -> None:
    (latents,) = backend.latents([_sentence()])
    (whole,) = backend.decode([Slab(latents.z, latents.speaker)])
    assert whole.shape == (latents.z.shape[1] * backend.hop,)
    streamed = _in_pieces(backend, latents, first=8, size=size)
    assert np.abs(streamed - whole).max() <= TOLERANCE * np.abs(whole).max()


@pytest.mark.thorough
def test_pieces_sound_as_the_whole_at_full_size() -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    from mien.tts.bert_vits2 import torch_backend

    backend = torch_backend.load(seeded(VARIANTS["2.0"]), Choice("torch"))
    (latents,) = backend.latents([replace(golden_sentence(VARIANTS["2.0"], 0.0), speed=0.3)])
    (whole,) = backend.decode([Slab(latents.z, latents.speaker)])
    streamed = _in_pieces(backend, latents, first=16, size=24)
    assert np.abs(streamed - whole).max() <= TOLERANCE * np.abs(whole).max()


def test_too_little_overlap_would_be_heard(backend: Backend) -> None:
    """So that the tests above see whether anything is compared."""
    (latents,) = backend.latents([_sentence()])
    (whole,) = backend.decode([Slab(latents.z, latents.speaker)])
    streamed = _in_pieces(backend, latents, first=8, size=32, overlap=2)
    assert np.abs(streamed - whole).max() > 20 * TOLERANCE * np.abs(whole).max()


# -- several at once ---------------------------------------------------------------------


def test_sentences_in_a_batch_are_what_they_are_alone(backend: Backend) -> None:
    batch = [
        _sentence(31, 1),
        _sentence(1, 2, speaker=1),
        _sentence(17, 3, speed=0.7, sdp_ratio=1.0),
        _sentence(9, 4, bert={}),
    ]
    for alone, together in zip(batch, backend.latents(batch), strict=True):
        (expected,) = backend.latents([alone])
        assert together.durations.tolist() == expected.durations.tolist()
        assert together.z.shape == expected.z.shape == (SMALL.latent, expected.durations.sum())
        assert together.speaker == alone.speaker
        assert np.abs(together.z - expected.z).max() <= TOLERANCE * np.abs(expected.z).max()


def test_slabs_in_a_batch_are_what_they_are_alone(backend: Backend) -> None:
    (latents,) = backend.latents([_sentence()])
    slabs = [piece.of(latents) for piece in plan(latents.z.shape[1], 16, 16)]
    slabs.insert(2, replace(slabs[1], speaker=0))
    for alone, together in zip(slabs, backend.decode(slabs), strict=True):
        (expected,) = backend.decode([alone])
        assert together.shape == expected.shape
        assert np.abs(together - expected).max() <= TOLERANCE * np.abs(expected).max()
    one, other = backend.decode(slabs[1:3])  # which only the speaker tells apart
    assert np.abs(one - other).max() > 0.01 * np.abs(one).max()


def test_nothing_asked_nothing_done(backend: Backend) -> None:
    assert backend.latents([]) == [] and backend.decode([]) == []


# -- what can be set ---------------------------------------------------------------------


def test_the_same_seed_says_it_the_same_way(backend: Backend) -> None:
    first, again, other = backend.latents([_sentence(seed=5), _sentence(seed=5), _sentence(seed=6)])
    assert np.array_equal(first.z, again.z)
    assert first.durations.tolist() != other.durations.tolist()


def test_speed_is_how_long_it_lasts(backend: Backend) -> None:
    calm = {"noise_w": 0.0, "sdp_ratio": 0.0}
    normal, fast, slow = backend.latents(
        [_sentence(**calm), _sentence(speed=2.0, **calm), _sentence(speed=0.5, **calm)]
    )
    # Whole frames per symbol: up to one more each.
    assert abs(2 * fast.durations.sum() - normal.durations.sum()) <= 2 * len(normal.durations)
    assert abs(slow.durations.sum() - 2 * normal.durations.sum()) <= 2 * len(normal.durations)
    assert fast.durations.sum() < normal.durations.sum() < slow.durations.sum()


def test_a_symbol_cannot_last_forever(backend: Backend) -> None:
    (latents,) = backend.latents([_sentence(3, speed=1e-6)])
    assert latents.durations.max() == 500


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ids": np.array([999] * 31)}, "symbols of this voice"),
        ({"tones": np.array([-1] * 31)}, "tones of this voice"),
        ({"languages": np.zeros(30, np.int64)}, "languages of this voice"),
        ({"speaker": 2}, "speakers of this voice"),
        ({"bert": {"bert": np.zeros((7, 31), np.float32)}}, "features bert"),
        ({"bert": {"bart": np.zeros((1024, 31), np.float32)}}, "features bart"),
    ],
)
def test_what_a_voice_cannot_say_is_refused(backend: Backend, changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        backend.latents([_sentence(**changes)])
    with pytest.raises(ValueError, match="without symbols"):
        backend.latents([_sentence(0)])


def test_a_closed_back_end_says_so() -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    from mien.tts.bert_vits2 import torch_backend

    closed = torch_backend.load(small(), Choice("torch", threads=1))
    closed.close()
    closed.close()
    with pytest.raises(BackendError, match="closed"):
        closed.latents([_sentence()])
    with pytest.raises(BackendError, match="closed"):
        closed.decode([Slab(np.zeros((SMALL.latent, OVERLAP), np.float32), 0)])


# -- on a GPU ----------------------------------------------------------------------------


def test_a_replayed_decoder_says_what_the_decoder_says() -> None:
    """All but the recording itself, which needs a GPU."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    from mien.tts.bert_vits2.torch_decoder import RunDecoder
    from mien.tts.bert_vits2.torch_network import network_of
    from mien.tts.bert_vits2.torch_replay import Replayed

    recordings = []

    def recorder(run):
        result = run()
        recordings.append(result.shape)
        return result, lambda: result.copy_(run())

    decoder = RunDecoder(network_of(small()))
    replayed = Replayed(decoder, recorder)
    random = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for width, speaker, recorded in (
            (20, 0, 0),
            (20, 1, 1),
            (20, 0, 1),
            (28, 1, 1),
            (28, 0, 2),
        ):
            latents = torch.randn(1, SMALL.latent, width, generator=random)
            speakers = torch.tensor([speaker])
            expected = decoder(latents, speakers, 2, 3)
            assert torch.equal(replayed(latents, speakers, 2, 3), expected)
            assert len(recordings) == recorded
    assert recordings[0] == (1, 15 * SMALL.hop)


def test_on_a_gpu_as_on_the_processor() -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    from mien.tts.bert_vits2 import torch_backend

    voice = small()
    exact = torch_backend.load(voice, Choice("torch"))
    (latents,) = exact.latents([_sentence()])
    slabs = [piece.of(latents) for piece in plan(latents.z.shape[1], 16, 16)]
    expected = exact.decode(slabs)
    for precision, tolerance in (("fp32", TOLERANCE), ("fp16", 2e-2)):
        gpu = torch_backend.load(voice, Choice("torch", precision, "cuda"))
        (there,) = gpu.latents([_sentence()])
        assert there.durations.tolist() == latents.durations.tolist()
        assert np.abs(there.z - latents.z).max() <= TOLERANCE * np.abs(latents.z).max()
        for _ in range(3):  # plainly, recorded, replayed
            for here, sound in zip(expected, gpu.decode(slabs), strict=True):
                assert np.abs(here - sound).max() <= tolerance * np.abs(here).max()
        gpu.close()
