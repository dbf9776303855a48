"""The network as ONNX graphs, against the reference numbers and against each other.

Sizes: 96 and 256 are the published networks; what has nothing to do with their numbers is seen with
a narrow one, 0, on the same faces.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import onnxruntime
import pytest

from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import FULL, LOWER, Window
from wav2lip_seeded import golden, narrow, seeded

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'mien[wav2lip]'")

from mien.lipsync.wav2lip.onnx_graph import (  # noqa: E402
    decoder_graph,
    encoder_graph,
    full_graph,
)

FP32 = {"atol": 2e-5, "rtol": 0}
NARROW = 0


def architecture(size: int) -> Architecture:
    return weights(size).architecture


def weights(size: int) -> Checkpoint:
    return narrow() if size == NARROW else seeded(size)


@cache
def folded(size: int) -> dict:
    return fold(architecture(size), weights(size).state)


def session(model) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(model, **inputs) -> np.ndarray:
    return session(model).run(None, inputs)[0]


@cache
def inputs(size: int) -> dict[str, np.ndarray]:
    """mel as the graphs want it, the six channels, the picture they were made of, the answer."""
    numbers = golden(f"wav2lip{size or 96}.npz")
    count = 1 if size == 256 else 2
    six = numbers["faces_u8"][:count]
    return {
        "mel": numbers["mel"][:count],
        "six": six.astype(np.float32) / 255,
        "picture": np.ascontiguousarray(six[:, 5:2:-1].transpose(0, 2, 3, 1)),
        "out": numbers["out"][:count],  # of the published ones
        **{name: numbers[name][:count] for name in numbers if name.startswith("enc")},
    }


@cache
def features(size: int, window: Window) -> np.ndarray:
    return run(
        encoder_graph(window.architecture, folded(size), window), faces=inputs(size)["picture"]
    )


@cache
def decoded(size: int, window: Window, subpixel: bool = False) -> np.ndarray:
    graph = decoder_graph(window.architecture, folded(size), window, subpixel=subpixel)
    return run(graph, mel=inputs(size)["mel"], features=features(size, window))


def parts(size: int, window: Window) -> list[np.ndarray]:
    """The features of each level, channels first."""
    ends = np.cumsum([part.values for part in window.features])[:-1]
    flat = np.split(features(size, window), ends, axis=1)
    return [x.reshape(-1, *part.shape) for x, part in zip(flat, window.features, strict=True)]


@cache
def whole(size: int, subpixel: bool = False) -> np.ndarray:
    graph = full_graph(architecture(size), folded(size), subpixel=subpixel)
    if size == NARROW:
        onnx.checker.check_model(graph, full_check=True)
    return run(graph, mel=inputs(size)["mel"], faces=inputs(size)["six"])


@pytest.mark.parametrize("size", [96, 256])
def test_the_whole_network_agrees_with_the_reference(size):
    np.testing.assert_allclose(whole(size), inputs(size)["out"], **FP32)


def test_doubled_pictures_made_of_their_pixels_are_the_same():
    np.testing.assert_allclose(whole(NARROW, True), whole(NARROW), **FP32)


def test_the_encoder_agrees_with_the_reference():
    given = inputs(96)
    levels = parts(96, FULL(architecture(96)))
    for level, values in enumerate(levels):
        close = {"rtol": 1e-4, "atol": 1e-4}
        np.testing.assert_allclose(values.mean((2, 3)), given[f"enc{level}_channel_mean"], **close)
        np.testing.assert_allclose(values.std((2, 3)), given[f"enc{level}_channel_std"], **close)
    np.testing.assert_allclose(levels[-2], given["enc_minus2"], **close)
    np.testing.assert_allclose(levels[-1][:, :, 0, 0], given["enc_last"], **close)


def test_cached_features_paint_what_the_whole_network_paints():
    cached = decoded(NARROW, FULL(architecture(NARROW)))
    np.testing.assert_allclose(cached, whole(NARROW), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("top", "left", "right", "subpixel"),
    [
        (48, 0, 96, False),
        (48, 0, 96, True),
        (48, 12, 84, True),
        (51, 13, 61, False),
        (0, 0, 7, False),
    ],
)
def test_a_window_is_exact(top, left, right, subpixel):
    network = architecture(NARROW)
    full = decoded(NARROW, FULL(network), subpixel)
    part = decoded(NARROW, Window(network, top, left, right), subpixel)
    np.testing.assert_allclose(part, full[:, :, top:, left:right], atol=2e-6, rtol=0)


def test_features_of_a_window_are_cut_out_of_all():
    full, window = FULL(architecture(NARROW)), Window(architecture(NARROW), 48, 12, 84)
    cut = [
        values[:, :, part.rows, part.columns].reshape(len(values), -1)
        for values, part in zip(parts(NARROW, full), window.features, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(cut, 1), features(NARROW, window))


def test_every_row_and_column_of_the_features_is_read():
    window = Window(architecture(NARROW), 48, 12, 84)
    painter = session(decoder_graph(window.architecture, folded(NARROW), window))
    mel, kept = inputs(NARROW)["mel"][:1], features(NARROW, window)[:1]
    first = 0
    for part in window.features:
        for edge in (np.s_[:, 0], np.s_[:, :, 0], np.s_[:, :, -1]):
            spoilt = kept.copy()
            spoilt[0, first : first + part.values].reshape(part.shape)[edge] = np.nan
            assert np.isnan(painter.run(None, {"mel": mel, "features": spoilt})[0]).any(), part
        first += part.values


def test_half_precision_loses_little():
    window = LOWER(architecture(NARROW))
    graph = decoder_graph(
        window.architecture,
        folded(NARROW),
        window,
        feature_dtype=np.float16,
        compute_dtype=np.float16,
    )
    half = features(NARROW, window).astype(np.float16)
    out = run(graph, mel=inputs(NARROW)["mel"], features=half)
    error = np.mean((out.astype(np.float64) - decoded(NARROW, window)) ** 2)
    assert out.dtype == np.float32
    assert 60 <= 10 * np.log10(1 / error) < 100


def test_weights_in_half_precision_are_half_as_large():
    window = LOWER(architecture(NARROW))
    sizes = [
        len(
            decoder_graph(
                window.architecture, folded(NARROW), window, compute_dtype=dtype
            ).SerializeToString()
        )
        for dtype in (np.float16, np.float32)
    ]
    assert sizes[0] == pytest.approx(sizes[1] / 2, rel=0.01)


def test_any_number_at_once():
    window = LOWER(architecture(NARROW))
    graph = decoder_graph(window.architecture, folded(NARROW), window)
    mel, both = inputs(NARROW)["mel"], features(NARROW, window)
    three = run(graph, mel=mel[[0, 1, 0]], features=both[[0, 1, 0]])
    np.testing.assert_allclose(three, decoded(NARROW, window)[[0, 1, 0]], atol=2e-6, rtol=0)
