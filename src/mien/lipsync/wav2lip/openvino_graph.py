"""The network as OpenVINO models, in floating point or with 8-bit convolutions.

Two of them: the encoder gives what the decoder reads of a picture, the decoder paints a window of
the face from that and the voice. Shapes are static: the CPU's kernels are chosen for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture, Conv
from mien.lipsync.wav2lip.backend import BackendError
from mien.lipsync.wav2lip.quantize import LEVELS, Quantisation, corrected_bias, integer_weights
from mien.lipsync.wav2lip.weights import Folded
from mien.lipsync.wav2lip.window import Area, Window

try:
    import openvino as ov
    from openvino import opset13 as op
except ModuleNotFoundError as error:
    raise BackendError("openvino is not installed", "pip install 'mien[wav2lip]'") from error

FLOAT = Quantisation({})
"""No convolution in int8."""


def decoder_model(
    architecture: Architecture,
    folded: Folded,
    window: Window,
    batch: int,
    *,
    quantisation: Quantisation = FLOAT,
    feature_dtype: np.dtype[Any] | type = np.float32,
    merge: bool = False,
    observed: Sequence[str] = (),
) -> ov.Model:
    """The audio encoder and the part of the decoder that ``window`` needs.

    Inputs: mel float32[n, 1, 80, 16]; features feature_dtype[n, window.values].
    Outputs: float32[n, 3, rows, columns], blue, green, red, 0…1; and what enters each of the
    convolutions named in ``observed``, float32[n, channels, rows, columns].
    merge: add 1 to the weight by which a residual layer's channel sees its own pixel, instead of
        adding the layer's input. One pass over memory less, exact to float32's rounding.
    """
    network = _Network(folded, quantisation, merge)
    mel = op.parameter([batch, 1, 80, 16], ov.Type.f32, name="mel")
    features = op.parameter([batch, window.values], np.dtype(feature_dtype), name="features")
    x = mel
    for conv in (*architecture.audio, *architecture.decoder[0]):
        x = network.conv(conv, x)
    skips = network.features(architecture, window, features, batch)
    readers = feature_readers(architecture)
    for index, stage in enumerate(window.stages):
        reader = readers[-1 - index]
        spans = Area(*(k.within(m) for k, m in zip(stage.kept, stage.made, strict=True)))
        x = network.joined(reader, x, spans, stage.made, skips[-1 - index])
        if index + 1 < len(window.stages):
            first, *rest = architecture.decoder[index + 1]
            x = network.conv(first, x, ready=True)
            for conv in rest:
                x = network.conv(conv, x)
    # Where the window cuts the picture, the neighbours are there: no zeros around it.
    mixing, colours = architecture.output
    (top, bottom), (left, right) = (
        (wanted.first - kept.first, kept.end - wanted.end)
        for wanted, kept in zip(window.area, window.stages[-1].kept, strict=True)
    )
    x = network.conv(mixing, x, ready=True, pads=((1 - top, 1 - left), (1 - bottom, 1 - right)))
    painted = op.sigmoid(network.conv(colours, x))
    return ov.Model([painted, *(network.entered[name] for name in observed)], [mel, features])


def encoder_model(
    architecture: Architecture,
    folded: Folded,
    window: Window,
    batch: int,
    *,
    quantisation: Quantisation = FLOAT,
    feature_dtype: np.dtype[Any] | type = np.float32,
) -> ov.Model:
    """The face encoder, up to what ``window`` reads of it.

    Input: faces uint8[n, S, S, 3], red, green, blue, whole. Output: features, see decoder_model.
    Computed in float32: it runs once per picture, and its error would be in every frame.
    """
    first = architecture.encoder[0][0]
    weight, bias = folded[first.name]
    # Both copies of the face from blue, green, red and 0…1 to what pictures are.
    folded = {**folded, first.name: (weight[:, [2, 1, 0, 5, 4, 3]] / np.float32(255), bias)}
    network = _Network(folded, FLOAT, merge=True)
    size = architecture.size
    faces = op.parameter([batch, size, size, 3], ov.Type.u8, name="faces")
    upper = np.zeros((1, 1, size, 1), np.float32)
    upper[:, :, : size // 2] = 1
    picture = op.convert(op.transpose(faces, np.array([0, 3, 1, 2])), "f32")
    x = op.concat([op.multiply(picture, op.constant(upper)), picture], 1)
    parts = []
    stages = reversed(window.stages)
    readers = feature_readers(architecture)
    for block, stage, reader in zip(architecture.encoder, stages, readers, strict=True):
        for conv in block:
            x = network.conv(conv, x)
        whole = Area(*(span._replace(first=0, end=stage.size) for span in stage.kept))
        part = _cropped(x, stage.kept, whole)
        if np.dtype(feature_dtype) == np.uint8:
            steps = op.divide(part, op.constant(quantisation.step(reader)))
            part = op.clamp(op.round(steps, "half_to_even"), 0, LEVELS)
        parts.append(op.reshape(part, np.array([batch, -1]), False))
    features = op.convert(op.concat(parts, 1), np.dtype(feature_dtype))
    return ov.Model([features], [faces])


def feature_readers(architecture: Architecture) -> tuple[str, ...]:
    """Name of the convolution that reads each face encoder block's output, in their order."""
    firsts = [block[0].name for block in architecture.decoder[1:]]
    return (architecture.output[0].name, *reversed(firsts))


class _Network:
    """Convolutions of one set of weights. entered: what goes into each, by name."""

    def __init__(self, folded: Folded, quantisation: Quantisation, merge: bool) -> None:
        self.entered: dict[str, Any] = {}
        self._folded = folded
        self._quantisation = quantisation
        self._merge = merge

    def features(
        self, architecture: Architecture, window: Window, features: Any, batch: int
    ) -> list[Any]:
        """The flat vector as tensors [n, channels, rows, columns], in the order of the encoder."""
        parts = window.features
        split = op.variadic_split(features, 1, np.array([part.values for part in parts]))
        return [
            self._values(op.reshape(split.output(i), np.array([batch, *part.shape]), False), reader)
            for i, (part, reader) in enumerate(
                zip(parts, feature_readers(architecture), strict=True)
            )
        ]

    def _values(self, stored: Any, reader: str) -> Any:
        if stored.get_element_type() == ov.Type.f32:
            return stored
        values = op.convert(stored, "f32")
        if stored.get_element_type() != ov.Type.u8:
            return values
        return op.multiply(values, op.constant(self._quantisation.step(reader)))

    def joined(self, reader: str, x: Any, spans: Area, made: Area, skip: Any) -> Any:
        """What convolution ``reader`` sees: the kept part of x, and the features of that size.

        Rounded to 8 bits first, so that a quarter of the bytes is cut and copied.
        """
        x, skip = self._rounded(reader, x), self._rounded(reader, skip)
        both = op.concat([_cropped(x, spans, made), skip], 1)
        self.entered[reader] = both
        return both

    def conv(
        self, conv: Conv, x: Any, pads: Sequence[Sequence[int]] | None = None, ready: bool = False
    ) -> Any:
        """pads: (top, left), (bottom, right); the convolution's own if None.

        ready: x is rounded already.
        """
        if not ready:
            self.entered[conv.name] = x
            x = self._rounded(conv.name, x)
        weight, bias = self._folded[conv.name]
        residual = conv.residual
        if conv.name in self._quantisation.highest:
            means = self._quantisation.means.get(conv.name)
            if means is not None:
                bias = corrected_bias(conv, weight, bias, means)
            weights = _eight_bits(conv, weight)
        else:
            if residual and self._merge:
                weight, residual = _with_itself(weight), False
            weights = op.constant(weight)
        before, after = pads or (conv.padding, conv.padding)
        if conv.transposed:
            y = op.convolution_backprop_data(
                x,
                weights,
                strides=list(conv.stride),
                pads_begin=list(before),
                pads_end=list(after),
                output_padding=[conv.output_padding] * 2,
            )
        else:
            y = op.convolution(x, weights, list(conv.stride), list(before), list(after), [1, 1])
        y = op.add(y, op.constant(bias.reshape(1, -1, 1, 1)))
        if residual:
            y = op.add(y, x)
        return y if conv.plain else op.relu(y)

    def _rounded(self, name: str, x: Any) -> Any:
        if name not in self._quantisation.highest:
            return x
        low, high = (
            op.constant(np.full((1, 1, 1, 1), end, np.float32))
            for end in (0, self._quantisation.highest[name])
        )
        return op.fake_quantize(x, low, high, low, high, LEVELS + 1)


def _eight_bits(conv: Conv, weight: NDArray[np.float32]) -> Any:
    """Integers and their scales in the form that OpenVINO takes for 8-bit weights."""
    integers, scales = integer_weights(conv, weight)
    ends = 127 * scales
    low, high = op.constant(-ends), op.constant(ends)
    return op.fake_quantize(op.constant(integers * scales), low, high, low, high, 255)


def _with_itself(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    weight = weight.copy()
    channels = np.arange(len(weight))
    weight[channels, channels, weight.shape[2] // 2, weight.shape[3] // 2] += 1
    return weight


def _cropped(x: Any, wanted: Area, whole: Area) -> Any:
    """Rows and columns ``wanted`` of x, which is as large as ``whole``."""
    cuts = list(_cuts(wanted, whole))
    if not cuts:
        return x
    axes, firsts, ends = (np.array(values) for values in zip(*cuts, strict=True))
    return op.slice(x, firsts, ends, np.ones_like(axes), axes)


def _cuts(wanted: Area, whole: Area) -> Iterator[tuple[int, int, int]]:
    for axis, span, side in zip((2, 3), wanted, whole, strict=True):
        if (span.first, span.end) != (0, side.size):
            yield axis, span.first, span.end
