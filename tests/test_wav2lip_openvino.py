"""Wav2Lip on OpenVINO, against the reference numbers; what does not depend on the published widths
with the narrow network.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from mien.bench.lipsync_samples import sample_faces, sample_mels
from mien.lipsync.wav2lip.backend import BackendError, Choice, decode, feature_values
from mien.lipsync.wav2lip.window import FULL, LOWER, Window
from wav2lip_seeded import golden, narrow, narrow_numbers, seeded

pytest.importorskip("openvino", reason="needs openvino: pip install 'mien[wav2lip]'")

from mien.lipsync.wav2lip.openvino_backend import (
    QUANTISATION_FILE,
    OpenVinoBackend,
    choices,
    has_bf16,
    load,
)
from mien.lipsync.wav2lip.openvino_graph import feature_parts
from mien.lipsync.wav2lip.quantize import Quantisation, psnr_between
from mien.lipsync.wav2lip.quantize_openvino import calibrated, quantise

FP32, BF16, INT8 = (
    Choice("openvino", precision, threads=1)  # type: ignore[arg-type]
    for precision in ("fp32", "bf16", "int8")
)


@cache
def reference(published: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces uint8[n, S, S, 3] RGB, mels float32[n, 80, 16], and float32[n, 3, S, S] painted."""
    arrays = golden("wav2lip96.npz") if published else narrow_numbers()
    faces = np.ascontiguousarray(arrays["faces_u8"][:, 5:2:-1].transpose(0, 2, 3, 1))
    return faces, arrays["mel"][:, 0], arrays["out"]


@cache
def fp32() -> OpenVinoBackend:
    return OpenVinoBackend(narrow(), LOWER(narrow().architecture), FP32)


@cache
def int8() -> OpenVinoBackend:
    return OpenVinoBackend(narrow(), fp32().window, INT8, quantisation())


@cache
def quantisation() -> Quantisation:
    """By faces and sounds that nothing is compared on."""
    return calibrated(fp32(), narrow(), sample_faces(6, 96, 2), sample_mels(6, 2, pauses=True))


def inside(window: Window, whole: np.ndarray) -> np.ndarray:
    rows, columns = window.area
    return whole[:, :, rows.slice, columns.slice]


def psnr(painted: np.ndarray, wanted: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((painted.astype(np.float64) - wanted) ** 2)))


# -- float32 -----------------------------------------------------------------------------------


@cache
def published() -> OpenVinoBackend:
    return OpenVinoBackend(seeded(96), LOWER(seeded(96).architecture), FP32, batch_sizes=(4,))


@pytest.mark.thorough
def test_the_lower_half_is_that_of_the_reference() -> None:
    faces, mels, wanted = reference(published=True)
    features = published().encode(faces)
    assert features.dtype == published().feature_dtype == np.float32
    assert features.shape == (4, feature_values(published()))
    painted = published().decode(mels, features)
    np.testing.assert_allclose(painted, inside(published().window, wanted), atol=2e-5, rtol=0)


@pytest.mark.parametrize("where", [(0, 0, 96), (56, 12, 84), (90, 3, 21)])
def test_any_window_is_that_part_of_the_reference(where: tuple[int, int, int]) -> None:
    faces, mels, wanted = reference()
    window = Window(narrow().architecture, *where)
    backend = OpenVinoBackend(narrow(), window, FP32, batch_sizes=(1,))
    painted = backend.decode(mels[:1], backend.encode(faces[:1]))
    np.testing.assert_allclose(painted, inside(window, wanted[:1]), atol=2e-5, rtol=0)


def test_what_is_kept_of_a_picture_is_little_more_than_what_is_read() -> None:
    window = published().window
    parts = feature_parts(window)
    assert sum(part.values for part in parts) < 1.12 * window.values
    assert [part.summed for part in parts] == [False] * 5 + [True] * 2


# -- batches -----------------------------------------------------------------------------------


def test_each_picture_is_painted_alike_in_every_batch() -> None:
    faces, mels, _ = reference()
    features = fp32().encode(faces)
    four = fp32().decode(mels, features)
    for size in (1, 2):
        for begin in range(0, 4, size):
            part = slice(begin, begin + size)
            np.testing.assert_allclose(
                fp32().decode(mels[part], features[part]), four[part], atol=1e-5, rtol=0
            )


def test_three_pictures_are_painted_by_padding_or_splitting() -> None:
    faces, mels, wanted = reference()
    painted = decode(fp32(), mels[:3], fp32().encode(faces[:1]).repeat(3, 0))
    assert painted.shape == (3, 3, 48, 96)
    np.testing.assert_allclose(painted[:1], inside(fp32().window, wanted[:1]), atol=2e-5, rtol=0)


def test_features_kept_in_a_larger_array_are_taken_as_they_lie() -> None:
    faces, mels, wanted = reference()
    features = fp32().encode(faces[:1])
    kept = np.zeros((3, features.shape[1] + 5), np.float32)
    kept[1, :-5] = features[0]
    kept.flags.writeable = False  # as those of a file mapped for reading
    painted = fp32().decode(mels[:1], kept[1:2, :-5])
    np.testing.assert_allclose(painted, inside(fp32().window, wanted[:1]), atol=2e-5, rtol=0)


def test_features_of_another_back_end_are_refused() -> None:
    features = np.zeros((2, feature_values(fp32())), np.float32)
    mels = np.zeros((2, 80, 16), np.float32)
    for wrong in (features[:1], features[:, :-1], features.astype(np.uint8)):
        with pytest.raises(ValueError, match="expected float32"):
            fp32().decode(mels, wrong)


# -- less than 32 bits -------------------------------------------------------------------------


def test_bfloat16_is_close() -> None:
    if not has_bf16():
        pytest.skip("this processor has no bfloat16 instructions")
    faces, mels, wanted = reference()
    backend = OpenVinoBackend(narrow(), fp32().window, BF16, batch_sizes=(4,))
    assert backend.feature_dtype == np.float16
    painted = backend.decode(mels, backend.encode(faces))
    assert psnr(painted, inside(backend.window, wanted)) >= 48
    assert ("Convolution", "brgconv_avx512_f32") not in backend.kernels()


def test_int8_is_close_on_faces_it_was_not_made_by() -> None:
    faces, mels, wanted = reference()
    features = int8().encode(faces)
    assert features.dtype == int8().feature_dtype == np.uint8
    assert psnr(int8().decode(mels, features), inside(int8().window, wanted)) >= 38.5


def test_every_layer_but_the_first_runs_in_8_bits() -> None:
    convs = [
        kernel for kind, kernel in int8().kernels() if kind in ("Convolution", "Deconvolution")
    ]
    assert len(convs) == 13 + 1 + 6 + 11 + 2
    assert sum(not kernel.endswith("I8") for kernel in convs) == 1


def test_silence_is_close_too() -> None:
    silence = np.full((2, 80, 16), -4, np.float32)
    assert psnr_between(int8(), fp32(), sample_faces(2, 96, 9), silence) >= 33


def test_better_ranges_are_worth_their_trouble() -> None:
    faces, mels, wanted = reference()
    twice = {name: 2 * highest for name, highest in quantisation().highest.items()}
    wide = Quantisation(twice, {}, quantisation().sums)
    worse = OpenVinoBackend(narrow(), fp32().window, INT8, wide, (4,))
    lower = inside(fp32().window, wanted)
    assert psnr(worse.decode(mels, worse.encode(faces)), lower) < psnr(
        int8().decode(mels, int8().encode(faces)), lower
    )


def test_layers_left_in_float_take_features_in_float() -> None:
    faces, mels, wanted = reference()
    mixed = quantisation().without("output_block", "audio_encoder")
    backend = OpenVinoBackend(narrow(), fp32().window, INT8, mixed, (4,))
    assert backend.feature_dtype == np.float32
    painted = backend.decode(mels, backend.encode(faces))
    assert psnr(painted, inside(backend.window, wanted)) >= 39


def test_what_quantise_writes_is_what_load_reads(tmp_path) -> None:
    shares: list[float] = []
    quality = quantise(
        narrow(),
        fp32().window,
        sample_faces(4, 96, 5),
        sample_mels(4, 5),
        tmp_path,
        shares.append,
    )
    assert quality >= 36
    assert shares[-1] == 1 and all(one <= other for one, other in pairwise(shares))
    backend = load(narrow(), fp32().window, INT8, tmp_path)
    faces, mels, wanted = reference()
    painted = backend.decode(mels, backend.encode(faces))
    assert psnr(painted, inside(backend.window, wanted)) >= 37


# -- what can be had ---------------------------------------------------------------------------


def test_choices_are_the_fastest_first() -> None:
    found = [choice.precision for choice in choices()]
    assert found in (["int8", "bf16", "fp32"], ["int8", "fp32"])


def test_int8_that_was_not_made_names_the_command(tmp_path) -> None:
    with pytest.raises(BackendError, match="mien models optimize wav2lip --backend openvino"):
        load(narrow(), FULL(narrow().architecture), INT8, tmp_path)


def test_a_damaged_quantisation_names_the_file(tmp_path) -> None:
    (tmp_path / QUANTISATION_FILE).write_text("{")
    with pytest.raises(BackendError, match=QUANTISATION_FILE):
        load(narrow(), FULL(narrow().architecture), INT8, tmp_path)


@pytest.mark.parametrize("choice", [Choice("openvino", "fp16"), Choice("openvino", "fp32", "cuda")])
def test_what_it_cannot_run_is_said(choice: Choice) -> None:
    with pytest.raises(BackendError, match="choose fp32, bf16, int8 on cpu"):
        load(narrow(), FULL(narrow().architecture), choice)


def test_a_closed_back_end_says_so() -> None:
    backend = OpenVinoBackend(narrow(), fp32().window, FP32, batch_sizes=(1,))
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.encode(np.zeros((1, 96, 96, 3), np.uint8))
