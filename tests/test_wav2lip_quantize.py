"""8-bit ranges and weights: what is lost, and that no more is."""

import numpy as np
import pytest

from mien.lipsync.wav2lip.architecture import WAV2LIP, Conv
from mien.lipsync.wav2lip.quantize import (
    Observer,
    Quantisation,
    corrected_bias,
    held_out,
    integer_weights,
    quantised_names,
)

PLAIN = Conv("c", 4, 6, (3, 3), (1, 1), (1, 1))
UP = Conv("t", 4, 6, (3, 3), (2, 2), (1, 1), 1, transposed=True)


def weights(conv: Conv) -> np.ndarray:
    values = np.random.default_rng(3).standard_normal(conv.weight_shape).astype(np.float32)
    channel = 1 if conv.transposed else 0
    gains = np.array([0.01, 1, 100, 1e-6, 3, 0], np.float32)
    return values * gains.reshape([6 if axis == channel else 1 for axis in range(4)])


@pytest.mark.parametrize("conv", [PLAIN, UP])
def test_each_output_channel_has_a_scale_of_its_own(conv: Conv) -> None:
    weight = weights(conv)
    integers, scales = integer_weights(conv, weight)
    assert integers.dtype == np.int8 and integers.shape == weight.shape
    assert np.abs(integers.astype(int)).max() == 127  # symmetric: -128 is not used
    assert np.all(np.abs(integers * scales - weight) <= scales * 0.5001)
    assert scales.size == 6


def test_a_range_ends_where_cutting_off_and_rounding_lose_least() -> None:
    random = np.random.default_rng(0)
    values = np.abs(random.standard_normal((1, 2, 100, 100))).astype(np.float32)
    values[0, 0, 0, 0] = 8  # one stray value would make all steps twice as large
    observer = Observer()
    observer.see(values)
    assert 3.5 < observer.highest < 6
    evenly = Observer()
    evenly.see(random.random((1, 2, 50, 50), np.float32))
    assert evenly.highest > 0.97  # nothing to gain by cutting


def test_the_range_covers_all_that_was_seen() -> None:
    observer = Observer()
    observer.see(np.full((1, 3, 2, 2), 2, np.float32))
    observer.see(np.full((1, 3, 2, 2), 4, np.float32))
    assert observer.highest == pytest.approx(4, rel=0.02)
    assert observer.means == pytest.approx([3, 3, 3])


def test_only_what_a_relu_gives_is_uint8() -> None:
    with pytest.raises(ValueError, match="ReLU"):
        Observer().see(np.array([[[[-0.1, 1.0]]]], np.float32))


def test_a_channel_that_is_always_zero_has_a_range() -> None:
    observer = Observer()
    observer.see(np.zeros((1, 3, 2, 2), np.float32))
    assert observer.highest > 0


def test_a_corrected_bias_makes_up_for_rounded_weights() -> None:
    weight, bias = weights(PLAIN), np.zeros(6, np.float32)
    means = np.array([0.5, 2, 0.1, 7], np.float32)
    integers, scales = integer_weights(PLAIN, weight)
    taps = means[None, :, None, None]  # an even picture, away from its edges
    wanted = (weight * taps).sum(axis=(1, 2, 3))
    rounded = (integers * scales * taps).sum(axis=(1, 2, 3))
    corrected = rounded + corrected_bias(PLAIN, weight, bias, means)
    np.testing.assert_allclose(corrected, wanted, rtol=1e-4, atol=1e-4)
    assert np.abs(rounded - wanted).max() > 1e-2


def test_a_transposed_convolution_is_corrected_for_the_taps_that_meet_a_pixel() -> None:
    weight, bias = weights(UP), np.arange(6, dtype=np.float32)
    means = np.array([0.5, 2, 0.1, 7], np.float32)
    integers, scales = integer_weights(UP, weight)
    lost = ((weight - integers * scales) * means[:, None, None, None]).sum(axis=(0, 2, 3))
    np.testing.assert_allclose(
        corrected_bias(UP, weight, bias, means), bias + lost / 4, rtol=1e-4, atol=1e-5
    )


def test_a_quantisation_is_read_as_it_was_written(tmp_path) -> None:
    means = {"a": np.array([0.25, 0.1], np.float32)}
    quantisation = Quantisation({"a": 2.0, "b.1": 3.5}, means, {"b.1": 1.5})
    quantisation.save(tmp_path / "q.json")
    found = Quantisation.load(tmp_path / "q.json")
    assert found.highest == quantisation.highest and found.sums == quantisation.sums
    np.testing.assert_array_equal(found.means["a"], means["a"])
    assert found.step("a") == np.float32(2 / 255)
    assert set(found.without("b").highest) == {"a"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"highest": {"a": "x"}, "means": {}}'])
def test_another_file_is_refused(tmp_path, text: str) -> None:
    (tmp_path / "q.json").write_text(text)
    with pytest.raises(ValueError):
        Quantisation.load(tmp_path / "q.json")


def test_all_but_the_layer_that_hears_may_be_8_bits() -> None:
    names = quantised_names(WAV2LIP)
    assert WAV2LIP.audio[0].name not in names
    assert len(names) == 12 + 1 + 17 + 2
    assert not any(name.startswith("face_encoder") for name in names)


def test_every_fourth_sample_is_held_out() -> None:
    assert held_out(9).tolist() == [False, False, False, True] * 2 + [False]
    with pytest.raises(ValueError, match="at least 4"):
        held_out(3)
