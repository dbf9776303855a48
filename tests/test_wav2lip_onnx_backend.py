"""Wav2Lip on ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from mien.lipsync.wav2lip import onnx_providers
from mien.lipsync.wav2lip.architecture import WAV2LIP
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.window import FULL, LOWER
from wav2lip_seeded import golden, narrow, narrow_numbers, seeded

pytest.importorskip("onnx", reason="needs onnx: pip install 'mien[wav2lip]'")

from mien.lipsync.wav2lip.onnx_backend import (
    DECODER_FILE,
    ENCODER_FILE,
    choices,
    load,
    session_options,
)
from mien.lipsync.wav2lip.onnx_calibrate import SignedObserver, quantise
from mien.lipsync.wav2lip.onnx_providers import (
    BATCH_SIZES_CPU,
    BATCH_SIZES_GPU,
    provider_list,
    require,
)

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Nothing here finds what this user optimized, or leaves anything."""
    monkeypatch.setattr("mien.lipsync.wav2lip.artefacts.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(
        "mien.lipsync.wav2lip.onnx_backend.cache_folder", lambda: tmp_path / "cache"
    )


@pytest.fixture(scope="module")
def numbers() -> dict[str, np.ndarray]:
    return golden("wav2lip96.npz")


def pictures(numbers: dict[str, np.ndarray]) -> np.ndarray:
    """uint8[4, 96, 96, 3] RGB, whole."""
    return np.ascontiguousarray(numbers["faces_u8"][:, 5:2:-1].transpose(0, 2, 3, 1))


def samples(numbers: dict[str, np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Variations on four faces and four sounds."""
    faces, mels = pictures(numbers), numbers["mel"][:, 0]
    order = np.arange(count)
    varied = [
        np.roll(faces[i % 4], (i // 4, -i // 4), (0, 1))[:, :: 1 - 2 * (i % 2)] for i in order
    ]
    return np.ascontiguousarray(varied), mels[(order * 3 + order // 4) % 4]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(1 / np.mean((one.astype(np.float64) - other) ** 2)))


def test_float32_agrees_with_the_reference(numbers):
    backend = load(seeded(96), LOWER(seeded(96).architecture), Choice("onnxruntime", "fp32"))
    faces = pictures(numbers)
    features = backend.encode(faces)
    assert (features.dtype, features.shape) == (backend.feature_dtype, (4, 161_792))
    painted = backend.decode(numbers["mel"][:, 0], features)
    assert painted.dtype == np.float32
    np.testing.assert_allclose(painted, numbers["out"][:, :, 48:], atol=2e-5, rtol=0)
    # Alone or in company, the mouth is the same.
    alone = backend.decode(numbers["mel"][:1, 0], backend.encode(faces[:1]))
    np.testing.assert_allclose(alone, painted[:1], atol=2e-6, rtol=0)
    assert set(range(1, 5)) <= set(backend.batch_sizes)
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.decode(numbers["mel"][:, 0], features)


def test_half_precision_is_what_a_gpu_will_compute_with():
    numbers = narrow_numbers()
    window = LOWER(narrow().architecture)
    backend = load(narrow(), window, Choice("onnxruntime", "fp16"))
    assert backend.feature_dtype == np.float16
    painted = backend.decode(numbers["mel"][:, 0], backend.encode(pictures(numbers)))
    assert psnr(painted, numbers["out"][:, :, 48:]) >= 60


def test_eight_bits_made_from_samples(tmp_path):
    numbers = narrow_numbers()
    faces, mels = samples(numbers, 12)
    window = LOWER(narrow().architecture)
    shares: list[float] = []
    measured = quantise(narrow(), window, faces, mels, tmp_path, shares.append)
    assert measured >= 36
    assert shares == sorted(shares) and shares[-1] == 1
    backend = load(narrow(), window, Choice("onnxruntime", "int8"), tmp_path)
    features = backend.encode(pictures(numbers))
    assert features.dtype == backend.feature_dtype == np.uint8
    painted = backend.decode(numbers["mel"][:, 0], features)
    assert 36 <= psnr(painted, numbers["out"][:, :, 48:]) < 60
    sizes = [(tmp_path / name).stat().st_size for name in (DECODER_FILE, ENCODER_FILE)]
    assert sizes[0] < 40e6  # of the 112 MB in float32

    # Of another window, of nothing, damaged: each with what to do.
    with pytest.raises(
        BackendError, match=f"features, this window has {FULL(window.architecture).values}"
    ):
        load(narrow(), FULL(window.architecture), Choice("onnxruntime", "int8"), tmp_path)
    (tmp_path / DECODER_FILE).write_bytes(b"no graph")
    with pytest.raises(BackendError, match="cannot load the network"):
        load(narrow(), window, Choice("onnxruntime", "int8"), tmp_path)


def test_eight_bits_that_nobody_made():
    with pytest.raises(BackendError, match="mien models optimize wav2lip --backend onnxruntime"):
        load(narrow(), LOWER(narrow().architecture), Choice("onnxruntime", "int8"))


def test_too_few_samples_to_hold_some_out(numbers, tmp_path):
    faces, mels = samples(numbers, 3)
    with pytest.raises(ValueError, match="at least 4"):
        quantise(narrow(), LOWER(narrow().architecture), faces, mels, tmp_path)


def test_the_range_of_what_is_added_leaves_out_what_is_rare():
    observer = SignedObserver()
    rng = np.random.default_rng(0)
    for _ in range(10):
        observer.see(rng.standard_normal((1, 4, 30, 30)).astype(np.float32))
    observer.see(np.array([[[[-60.0, 40.0]]]], np.float32))
    low, high = observer.range
    assert -60 < low < -4 and 3 < high < 40


# -- devices that are not here -----------------------------------------------------------


def test_a_processor_runs_float32_and_eight_bits():
    wanted = [Choice("onnxruntime", "int8"), Choice("onnxruntime", "fp32")]
    assert choices()[-2:] == wanted


@pytest.mark.parametrize(("precision", "device"), [("bf16", "cpu"), ("int8", "cuda")])
def test_what_onnxruntime_does_not_run(precision, device):
    with pytest.raises(BackendError, match=f"runs no {precision} network on {device}; choose fp32"):
        load(narrow(), LOWER(narrow().architecture), Choice("onnxruntime", precision, device))


@pytest.mark.parametrize(
    ("device", "providers", "gpus", "tensorrt", "text"),
    [
        ("cuda", [CPU], 1, False, r"no CUDA provider; .*onnxruntime-gpu"),
        ("tensorrt", [CUDA, CPU], 1, True, r"no TensorRT provider; .*onnxruntime-gpu"),
        ("cuda", [CUDA, CPU], 0, False, "no NVIDIA GPU .*nvidia-smi"),
        ("tensorrt", [TENSORRT, CUDA, CPU], 1, False, r"libnvinfer.*pip install tensorrt"),
    ],
)
def test_what_a_device_misses_is_named(monkeypatch, device, providers, gpus, tensorrt, text):
    machine(monkeypatch, providers, gpus, tensorrt)
    with pytest.raises(BackendError, match=text):
        require(device)
    assert all(choice.device != device for choice in choices())


def test_a_machine_with_everything(monkeypatch):
    machine(monkeypatch, [TENSORRT, CUDA, CPU], 1, True)
    found = [(choice.precision, choice.device) for choice in choices()]
    assert found == [
        ("fp16", "tensorrt"),
        ("fp16", "cuda"),
        ("fp32", "cuda"),
        ("int8", "cpu"),
        ("fp32", "cpu"),
    ]


def test_a_provider_that_does_not_start_is_not_replaced_in_silence(monkeypatch):
    """ONNX Runtime itself goes on with the next provider and says so in its log only."""
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("here it would start")
    machine(monkeypatch, [CUDA, CPU], 1, False)
    with (
        pytest.warns(UserWarning, match=CUDA),
        pytest.raises(BackendError, match=f"could not start {CUDA}; .*run on {CPU}"),
    ):
        load(narrow(), LOWER(narrow().architecture), Choice("onnxruntime", "fp16", "cuda"))


def machine(monkeypatch, providers: list[str], gpus: int, tensorrt: bool) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnx_providers, "gpu_count", lambda: gpus)
    monkeypatch.setattr(onnx_providers, "has_tensorrt", lambda: tensorrt)


# -- options -----------------------------------------------------------------------------


def test_tensorrt_gets_cuda_behind_it_and_a_range_for_every_dynamic_input(tmp_path):
    window = LOWER(WAV2LIP)
    engines, timing = tmp_path / "engine", tmp_path / "timing"
    choice = Choice("onnxruntime", "fp16", "tensorrt")
    (first, options), (second, _), (third, _) = provider_list(choice, window, engines, timing)
    assert (first, second, third) == (TENSORRT, CUDA, CPU)
    assert options["trt_fp16_enable"] == options["trt_engine_cache_enable"] == "1"
    assert options["trt_engine_cache_path"] == str(engines)
    assert options["trt_timing_cache_path"] == str(timing)
    for edge, batch in (("min", 1), ("opt", 8), ("max", 32)):
        shapes = dict(part.split(":") for part in options[f"trt_profile_{edge}_shapes"].split(","))
        assert shapes == {"mel": f"{batch}x1x80x16", "features": f"{batch}x161792"}
    assert (BATCH_SIZES_GPU[0], BATCH_SIZES_GPU[-1]) == (1, 32)
    assert all(isinstance(value, str) for value in options.values())


def test_cuda_computes_float32_in_float32(tmp_path):
    window = LOWER(WAV2LIP)
    choice = Choice("onnxruntime", "fp32", "cuda")
    (first, options), (second, _) = provider_list(choice, window, tmp_path, tmp_path)
    assert (first, second) == (CUDA, CPU)
    assert options["use_tf32"] == "0"


def test_a_processor_gets_nothing_else(tmp_path):
    window = LOWER(WAV2LIP)
    choice = Choice("onnxruntime", "fp32")
    assert provider_list(choice, window, tmp_path, tmp_path) == [(CPU, {})]
    assert BATCH_SIZES_CPU == tuple(range(1, 9))


def test_threads_are_as_chosen_and_wait_without_turning():
    options = session_options(Choice("onnxruntime", "fp32", threads=3))
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    on_gpu = session_options(Choice("onnxruntime", "fp16", "cuda", threads=3))
    assert on_gpu.intra_op_num_threads == 1
