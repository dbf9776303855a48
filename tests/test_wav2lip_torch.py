"""The network on PyTorch against the reference numbers: plain, folded, cut, cached, recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install 'mien[torch]'")

import torch

from mien.lipsync.wav2lip import torch_backend
from mien.lipsync.wav2lip.architecture import WAV2LIP
from mien.lipsync.wav2lip.backend import Backend, BackendError, Choice
from mien.lipsync.wav2lip.torch_cpu import CpuBackend
from mien.lipsync.wav2lip.torch_cuda import CudaBackend
from mien.lipsync.wav2lip.torch_layers import PackedLayer
from mien.lipsync.wav2lip.torch_network import reference_module
from mien.lipsync.wav2lip.window import FULL, LOWER, Window
from mien.machine import gpu_count
from wav2lip_seeded import golden, narrow, narrow_numbers, seeded

FP32, BF16 = Choice("torch", "fp32", threads=2), Choice("torch", "bf16", threads=2)

LAYERS = [
    pytest.param(False, id="plain layers"),
    pytest.param(
        True,
        id="packed layers",
        marks=pytest.mark.skipif(
            not PackedLayer.works(torch.float32), reason="this PyTorch lacks oneDNN's operations"
        ),
    ),
]


def _faces(reference: dict[str, np.ndarray]) -> np.ndarray:
    """The whole faces, uint8[n, S, S, 3] RGB, of the network's input in blue, green, red."""
    return np.ascontiguousarray(reference["faces_u8"][:, 5:2:-1].transpose(0, 2, 3, 1))


def _of(reference: dict[str, np.ndarray], items: slice) -> dict[str, np.ndarray]:
    return {name: values[items] for name, values in reference.items()}


def _painted(backend: Backend, reference: dict[str, np.ndarray]) -> np.ndarray:
    return backend.decode(reference["mel"][:, 0], backend.encode(_faces(reference)))


@cache
def _cpu(window: Window, choice: Choice = FP32, packed: bool | None = None) -> CpuBackend:
    """Loaded once per process: folding the weights takes a second."""
    published = window.architecture is WAV2LIP
    return CpuBackend(seeded(96) if published else narrow(), window, choice, packed)


def _psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


def test_the_plain_module_is_the_reference_network() -> None:
    reference = _of(golden("wav2lip96.npz"), slice(2))
    module = reference_module(seeded(96))
    mel, faces = torch.from_numpy(reference["mel"]), torch.from_numpy(reference["faces_u8"])
    with torch.inference_mode():
        out = module(mel, faces.float() / 255).numpy()
        sound = module.audio_encoder(mel).flatten(1).numpy()
        features = [level.numpy() for level in module.encode_face(faces.float() / 255)]
    np.testing.assert_allclose(out, reference["out"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(sound, reference["audio_embedding"], rtol=0, atol=5e-4)
    close = {"rtol": 1e-4, "atol": 1e-4}
    assert len(features) == len(WAV2LIP.encoder)
    for level, feature in enumerate(features):
        mean, deviation = feature.mean((2, 3)), feature.std((2, 3))
        np.testing.assert_allclose(mean, reference[f"enc{level}_channel_mean"], **close)
        np.testing.assert_allclose(deviation, reference[f"enc{level}_channel_std"], **close)
    np.testing.assert_allclose(features[-2], reference["enc_minus2"], **close)
    np.testing.assert_allclose(features[-1].reshape(-1, 512), reference["enc_last"], **close)


@pytest.mark.parametrize("packed", LAYERS)
def test_folded_and_cached_is_the_reference_network(packed: bool) -> None:
    reference = golden("wav2lip96.npz")
    backend = _cpu(FULL(WAV2LIP), FP32, packed)
    out = _painted(backend, reference)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, reference["out"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("packed", LAYERS)
def test_a_window_is_that_part_of_the_whole(packed: bool) -> None:
    reference, network = _of(narrow_numbers(), slice(1)), narrow().architecture
    whole = _painted(_cpu(FULL(network), FP32, packed), reference)
    lower = _painted(_cpu(LOWER(network), FP32, packed), reference)
    np.testing.assert_allclose(lower, whole[:, :, 48:], rtol=0, atol=5e-6)
    mouth = Window(network, 56, 12, 84)
    small = _painted(_cpu(mouth, FP32, packed), reference)
    np.testing.assert_allclose(small, whole[:, :, 56:, 12:84], rtol=0, atol=5e-6)


@pytest.mark.parametrize("packed", LAYERS)
def test_bfloat16(packed: bool) -> None:
    reference = narrow_numbers()
    backend = _cpu(LOWER(narrow().architecture), BF16, packed)
    assert backend.feature_dtype == np.float16
    assert backend.encode(_faces(reference)).dtype == np.float16
    out = _painted(backend, reference)
    assert _psnr_db(out, reference["out"][:, :, 48:]) >= 48
    np.testing.assert_allclose(out, reference["out"][:, :, 48:], rtol=0, atol=5e-2)


def test_features_are_laid_out_as_the_window_says() -> None:
    reference, network = golden("wav2lip96.npz"), WAV2LIP
    window = LOWER(network)
    features = _cpu(window).encode(_faces(reference))
    assert features.shape == (4, window.values)
    ends = np.cumsum([part.values for part in window.features])
    level = len(network.encoder) - 2
    part = window.features[level]
    values = features[:, ends[level] - part.values : ends[level]].reshape(4, *part.shape)
    expected = reference["enc_minus2"][:, :, part.rows, part.columns]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


def test_a_picture_does_not_depend_on_its_batch() -> None:
    reference = narrow_numbers()
    backend = _cpu(LOWER(narrow().architecture))
    together = _painted(backend, reference)
    for i in (0, 3):
        alone = _painted(backend, _of(reference, slice(i, i + 1)))
        np.testing.assert_allclose(alone, together[i : i + 1], rtol=0, atol=5e-6)


def test_arrays_that_cannot_be_written_to_are_taken_without_a_word() -> None:
    reference = narrow_numbers()
    backend = _cpu(LOWER(narrow().architecture))
    faces = _faces(reference)[:1]
    faces.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = backend.encode(faces)
        features.flags.writeable = False
        mels = reference["mel"][:1, 0]
        mels.flags.writeable = False
        assert backend.decode(mels, features).shape == (1, 3, 48, 96)


def test_a_closed_back_end_says_so() -> None:
    backend = CpuBackend(narrow(), LOWER(narrow().architecture), FP32)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.encode(np.zeros((1, 96, 96, 3), np.uint8))


# -- choosing ----------------------------------------------------------------------------


def test_there_is_always_a_choice_and_the_first_one_loads() -> None:
    choices = torch_backend.choices()
    assert Choice("torch", "fp32") in choices
    assert any(choice.device == "cuda" for choice in choices) == torch.cuda.is_available()
    backend = torch_backend.load(narrow(), LOWER(narrow().architecture), choices[0])
    assert backend.choice == choices[0]
    assert backend.architecture is narrow().architecture
    backend.close()


def test_what_cannot_be_loaded_says_why() -> None:
    window = LOWER(narrow().architecture)
    with pytest.raises(BackendError, match="runs no int8 network on cpu"):
        torch_backend.load(narrow(), window, Choice("torch", "int8"))
    if not gpu_count():
        with pytest.raises(BackendError, match=r"no NVIDIA GPU.*choose the device cpu"):
            torch_backend.load(narrow(), window, Choice("torch", "fp16", "cuda"))


# -- the GPU's way of running it ---------------------------------------------------------


class _Rerun:
    """A recorder for machines without a GPU: in place of a recording, the function again."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], None]]:
        result = run()
        self.shapes.append(tuple(result.shape))

        def again() -> None:
            result.copy_(run())

        return result, again


def test_fixed_buffers_hold_one_batch_at_a_time() -> None:
    reference, network = narrow_numbers(), narrow().architecture
    choice, recorder = Choice("torch", "fp32", "cuda"), _Rerun()
    backend = CudaBackend(narrow(), LOWER(network), choice, (1, 4), "cpu", recorder)
    assert recorder.shapes == [(4, 3, 48, 96), (1, 3, 48, 96)]
    first = _painted(backend, reference)
    np.testing.assert_allclose(first, reference["out"][:, :, 48:], rtol=0, atol=2e-5)
    one = _painted(backend, _of(reference, slice(2, 3)))
    np.testing.assert_allclose(one, first[2:3], rtol=0, atol=5e-6)
    again = _painted(backend, _of(reference, slice(None, None, -1)))
    np.testing.assert_allclose(again[::-1], first, rtol=0, atol=5e-6)
    assert len(recorder.shapes) == 2
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.decode(reference["mel"][:1, 0], np.zeros((1, backend.window.values), np.float32))


def test_float16() -> None:
    reference = narrow_numbers()
    one = _of(reference, slice(1))
    choice = Choice("torch", "fp16", "cuda")
    backend = CudaBackend(narrow(), LOWER(narrow().architecture), choice, (1,), "cpu", _Rerun())
    assert backend.feature_dtype == np.float16
    out = _painted(backend, one)
    assert out.dtype == np.float32
    assert _psnr_db(out, one["out"][:, :, 48:]) >= 60
    np.testing.assert_allclose(out, one["out"][:, :, 48:], rtol=0, atol=1.5e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(("precision", "psnr_db"), [("fp16", 60), ("fp32", 90)])
def test_on_a_gpu(precision, psnr_db: float) -> None:
    reference = golden("wav2lip96.npz")
    choice = Choice("torch", precision, "cuda")
    backend = torch_backend.load(seeded(96), LOWER(WAV2LIP), choice)
    out = _painted(backend, reference)
    assert _psnr_db(out, reference["out"][:, :, 48:]) >= psnr_db
    one = _painted(backend, _of(reference, slice(2, 3)))
    np.testing.assert_allclose(one, out[2:3], rtol=0, atol=1.5e-2)
