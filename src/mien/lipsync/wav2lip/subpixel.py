"""Transposed convolutions as ordinary ones that make several pixels of the result at once.

A convolution computes every output pixel of a block as a channel of its own and a rearrangement
(depth to space) puts them side by side; Shi et al., "Is the deconvolution layer the same as a
convolutional layer?", 2016. Equal to rounding, at 1.14 times the arithmetic of the whole network
(taps that are zero); it pays where a runtime has no fast transposed convolution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Conv


def shuffled_weights(
    conv: Conv, weight: NDArray[np.float32], bias: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Weight, bias and block size for a convolution followed by depth to space.

    weight: float32[cin, cout, k, k] of the transposed convolution ``conv``.
    Returns float32[cout * b², cin, taps, taps], channels ordered (channel, row, column) as "CRD"
    wants them; float32[cout * b²]; and b. The convolution looks ``taps - 1`` pixels ahead: so many
    zeros are appended below and to the right of its input.
    Raises ValueError for other than kernel 3, stride 2, padding 1, output padding 1, and any kernel
    with stride 1 on a single pixel.
    """
    shape = (conv.kernel, conv.stride, conv.padding, conv.output_padding)
    if shape == ((3, 3), (2, 2), (1, 1), 1):
        return _doubling(weight), np.repeat(bias, 4), 2
    if conv.transposed and shape[1:] == ((1, 1), (0, 0), 0):
        block = conv.kernel[0]
        pixels = weight.transpose(1, 2, 3, 0).reshape(-1, conv.cin, 1, 1)
        return pixels, np.repeat(bias, block * block), block
    raise ValueError(f"{conv.name}: no sub-pixel form is known for it")


def _doubling(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    cin, cout = weight.shape[:2]
    # Per axis: even pixels are tap 1 of their own one; odd ones tap 2 of it, tap 0 of the next.
    taps = ((0, 0, 1), (1, 0, 2), (1, 1, 0))  # (odd, ahead, tap)
    result = np.zeros((cout, 2, 2, cin, 2, 2), np.float32)
    for row, below, tap_row in taps:
        for column, right, tap_column in taps:
            values = weight[:, :, tap_row, tap_column].T
            result[:, row, column, :, below, right] = values
    return result.reshape(cout * 4, cin, 2, 2)
