"""The halo: what has to be computed so that part of the picture is exact."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lipsync.wav2lip.architecture import WAV2LIP, WAV2LIP_256, Architecture, Conv
from mien.lipsync.wav2lip.window import FULL, LOWER, Span, Window


@pytest.mark.parametrize(
    ("architecture", "full", "lower"),
    [(WAV2LIP, 290_816, 161_792), (WAV2LIP_256, 2_073_088, 1_085_952)],
)
def test_the_lower_half_needs_half_of_the_features(architecture, full, lower):
    assert FULL(architecture).values == full
    assert LOWER(architecture).values == lower


# Rows computed per level, and the first exact one that is needed: worked out by hand.
@pytest.mark.parametrize(
    ("architecture", "made", "kept"),
    [
        (WAV2LIP, [0, 0, 0, 2, 8, 20, 44], [0, 0, 1, 4, 10, 22, 47]),
        (WAV2LIP_256, [0, 0, 0, 4, 12, 28, 60, 124], [0, 0, 2, 6, 14, 30, 62, 127]),
    ],
)
def test_rows_of_the_lower_half(architecture, made, kept):
    stages = LOWER(architecture).stages
    assert [stage.made.rows.first for stage in stages] == made
    assert [stage.kept.rows.first for stage in stages] == kept
    assert all(stage.made.rows.end == stage.kept.rows.end == stage.size for stage in stages)
    assert all(stage.made.columns == stage.kept.columns == (0, stage.size) for stage in stages)


@pytest.mark.parametrize("architecture", [WAV2LIP, WAV2LIP_256])
def test_all_of_the_picture_is_cropped_nowhere(architecture):
    window = FULL(architecture)
    whole = [((0, stage.size), (0, stage.size)) for stage in window.stages]
    assert [stage.made for stage in window.stages] == whole
    assert [stage.kept for stage in window.stages] == whole
    assert window.shape == (architecture.size, architecture.size)


def test_features_come_in_the_encoders_order():
    parts = Window(WAV2LIP, 48, 12, 84).features
    assert [part.level for part in parts] == list(range(7))
    assert [part.channels for part in parts] == [16, 32, 64, 128, 256, 512, 512]
    assert (parts[0].rows, parts[0].columns) == (slice(47, 96), slice(11, 85))
    assert parts[-1].shape == (512, 1, 1)
    assert Window(WAV2LIP, 48, 12, 84).values == sum(part.values for part in parts)


@pytest.mark.parametrize(
    ("top", "left", "right"), [(96, 0, None), (0, 9, 9), (-1, 0, 96), (0, 0, 97)]
)
def test_no_part_of_the_picture(top, left, right):
    with pytest.raises(ValueError, match="no part of a picture of 96x96"):
        Window(WAV2LIP, top, left, right)


@pytest.mark.parametrize(
    ("architecture", "step"), [(WAV2LIP, 1), (WAV2LIP_256, 5)], ids=["96", "256"]
)
def test_every_window_is_exact_along_an_axis(architecture, step):
    """A network of one channel along one axis: cropped, it gives what it gives whole."""
    network = Line(architecture)
    size = architecture.size
    whole = network.decode(FULL(architecture))
    for left in range(0, size, step):
        for right in range(left + 1, size + 1, step):
            part = network.decode(Window(architecture, 0, left, right))
            np.testing.assert_array_equal(part, whole[left:right], err_msg=f"{left}:{right}")


def test_no_row_is_kept_in_vain():
    network = Line(WAV2LIP)
    window = Window(WAV2LIP, 0, 30, 61)
    for level, part in enumerate(window.features):
        for edge in (part.columns.start, part.columns.stop - 1):
            assert np.isnan(network.decode(window, spoilt=(level, edge))).any()


class Line:
    """The decoder's shape with small whole numbers: exact whatever the order of summing."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        rng = np.random.default_rng(7)
        self.taps = {
            conv.name: rng.integers(1, 4, 4).astype(float) for conv in architecture.convs()
        }
        sizes = [stage.size for stage in FULL(architecture).stages]
        self.skips = [rng.integers(1, 9, size).astype(float) for size in reversed(sizes)]

    def decode(self, window: Window, spoilt: tuple[int, int] | None = None) -> np.ndarray:
        """spoilt: (level, index) of a feature that is not a number."""
        skips = [skip.copy() for skip in self.skips]
        if spoilt is not None:
            skips[spoilt[0]][spoilt[1]] = np.nan
        x = np.ones(1)
        parts = reversed(window.features)
        for block, stage, part in zip(self.architecture.decoder, window.stages, parts, strict=True):
            for conv in block:
                x = self.layer(conv, x)
            assert len(x) == stage.made.columns.size
            x = x[stage.kept.columns.within(stage.made.columns).slice]
            # Numbers stay small enough to be exact: the network is linear but for this.
            x = np.mod(x, 64) + skips[part.level][part.columns]
        at = Span(*window.stages[-1].kept.columns)
        wanted = window.area.columns.within(at).slice
        return self.layer(self.architecture.output[0], x)[wanted]

    def layer(self, conv: Conv, x: np.ndarray) -> np.ndarray:
        taps = self.taps[conv.name]
        if conv.kernel == (1, 1):
            return x
        if not conv.transposed:
            return np.convolve(x, taps[:3], "same") if len(x) >= 3 else same(x, taps[:3])
        if conv.stride == (1, 1):
            return np.convolve(x, taps[: conv.kernel[0]])
        spread = np.zeros(2 * len(x))
        spread[::2] = x
        return np.convolve(spread, taps[:3])[1 : 1 + 2 * len(x)]


def same(x: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """A convolution of x's length; numpy's gives the longer of the two."""
    return np.convolve(x, taps)[1:-1]
