"""The network as OpenVINO models, in floating point or with 8-bit convolutions.

Two of them: the encoder gives what the decoder reads of a picture, the decoder paints a window of
the face from that and the voice. Shapes are static: the CPU's kernels are chosen for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture, Conv, Pair
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

SUMMED = 2
"""So many of the decoder's first joins are computed with the picture's features.

A transposed convolution of joined tensors is the sum of two of one each, and the one over features
does not depend on sound. Kept is what it gives. At the first two levels that is 11 % more to keep
(4 % for 256 pixels) and saves reading a quarter of the weights, 6 % of the time; further up the
results are so much larger than the features that it costs more than it saves.
"""


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

    Inputs: mel float32[n, 1, 80, 16]; features feature_dtype[n, values], see feature_parts.
    Outputs: float32[n, 3, rows, columns], blue, green, red, 0…1; and what enters each of the
    convolutions named in ``observed``, float32[n, channels, rows, columns].
    merge: add 1 to the weight by which a residual layer's channel sees its own pixel, instead of
        adding the layer's input. One pass over memory less, exact to float32's rounding.
    """
    network = _Network(folded, quantisation, merge)
    mel = op.parameter([batch, 1, 80, 16], ov.Type.f32, name="mel")
    values = sum(part.values for part in feature_parts(window))
    features = op.parameter([batch, values], np.dtype(feature_dtype), name="features")
    x = mel
    for conv in (*architecture.audio, *architecture.decoder[0]):
        x = network.conv(conv, x)
    skips = network.features(feature_parts(window), features, batch)
    for index, stage in enumerate(window.stages):
        skip = skips[-1 - index]
        spans = Area(*(k.within(m) for k, m in zip(stage.kept, stage.made, strict=True)))
        if index < SUMMED:
            first, *rest = architecture.decoder[index + 1]
            x = network.conv(first, _cropped(x, spans, stage.made), summed=skip)
        else:
            x = network.joined(window.features[-1 - index].reader, x, spans, stage.made, skip)
            first, *rest = (*architecture.decoder, architecture.output)[index + 1]
            pads = output_pads(window) if index + 1 == len(window.stages) else None
            x = network.conv(first, x, pads, ready=True)
        for conv in rest:
            x = network.conv(conv, x)
    painted = op.sigmoid(x)
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
    readers = {block[0].name: block[0] for block in architecture.decoder}
    for block, stage, part in zip(
        architecture.encoder, reversed(window.stages), feature_parts(window), strict=True
    ):
        for conv in block:
            x = network.conv(conv, x)
        whole = Area(*(span._replace(first=0, end=stage.size) for span in stage.kept))
        y = _cropped(x, stage.kept, whole)
        if part.summed:
            y = network.share_of_features(readers[part.reader], y, block[-1].cout)
        if np.dtype(feature_dtype) == np.uint8:
            step, zero = quantisation_of(part, quantisation)
            steps = op.round(op.divide(y, op.constant(step)), "half_to_even")
            y = op.clamp(op.add(steps, op.constant(zero)), 0, LEVELS)
        parts.append(op.reshape(y, np.array([batch, -1]), False))
    features = op.convert(op.concat(parts, 1), np.dtype(feature_dtype))
    return ov.Model([features], [faces])


@dataclass(frozen=True, slots=True)
class Part:
    """What is kept of one level of a picture. summed: added to what its reader computes."""

    reader: str
    shape: tuple[int, int, int]
    summed: bool

    @property
    def values(self) -> int:
        return prod(self.shape)


def feature_parts(window: Window) -> tuple[Part, ...]:
    """A picture's features, flat, one after the other: the largest level first, in C order."""
    parts = [Part(part.reader, part.shape, False) for part in window.features]
    for index in range(SUMMED):
        reader, *_ = window.architecture.decoder[index + 1]
        rows, columns = (span.size for span in window.stages[index + 1].made)
        parts[-1 - index] = Part(reader.name, (reader.cout, rows, columns), True)
    return tuple(parts)


def quantisation_of(part: Part, quantisation: Quantisation) -> tuple[np.float32, np.float32]:
    """What a step of a part in uint8 is worth, and the number of steps that stands for 0."""
    if part.summed:
        return np.float32(quantisation.sums[part.reader] / 127), np.float32(128)
    return quantisation.step(part.reader), np.float32(0)


def output_pads(window: Window) -> tuple[Pair, Pair]:
    """(top, left), (bottom, right) of the first output layer.

    Where the window cuts the picture, the neighbours are there: no zeros around it.
    """
    kept = window.stages[-1].kept
    (top, bottom), (left, right) = (
        (1 - wanted.first + there.first, 1 - there.end + wanted.end)
        for wanted, there in zip(window.area, kept, strict=True)
    )
    return (top, left), (bottom, right)


class _Network:
    """Convolutions of one set of weights. entered: what goes into each, by name."""

    def __init__(self, folded: Folded, quantisation: Quantisation, merge: bool) -> None:
        self.entered: dict[str, Any] = {}
        self._folded = folded
        self._quantisation = quantisation
        self._merge = merge

    def features(self, parts: Sequence[Part], features: Any, batch: int) -> list[Any]:
        """The flat vector as tensors [n, channels, rows, columns], in the order of ``parts``."""
        split = op.variadic_split(features, 1, np.array([part.values for part in parts]))
        return [
            self._values(op.reshape(split.output(i), np.array([batch, *part.shape]), False), part)
            for i, part in enumerate(parts)
        ]

    def _values(self, stored: Any, part: Part) -> Any:
        kept_as = stored.get_element_type()
        if kept_as == ov.Type.f32:
            return stored
        values = op.convert(stored, "f32")
        if kept_as != ov.Type.u8:
            return values
        step, zero = quantisation_of(part, self._quantisation)
        if part.summed:
            values = op.subtract(values, op.constant(zero))
        return op.multiply(values, op.constant(step))

    def share_of_features(self, conv: Conv, y: Any, channels: int) -> Any:
        """What transposed convolution ``conv`` makes of its last ``channels``, bias included."""
        weight, bias = self._folded[conv.name]
        return op.add(
            _transposed(conv, y, op.constant(weight[-channels:])),
            op.constant(bias.reshape(1, -1, 1, 1)),
        )

    def joined(self, reader: str, x: Any, spans: Area, made: Area, skip: Any) -> Any:
        """What convolution ``reader`` sees: the kept part of x, and the features of that size.

        Rounded to 8 bits first, so that a quarter of the bytes is cut and copied.
        """
        x, skip = self._rounded(reader, x), self._rounded(reader, skip)
        both = op.concat([_cropped(x, spans, made), skip], 1)
        self.entered[reader] = both
        return both

    def conv(
        self,
        conv: Conv,
        x: Any,
        pads: tuple[Pair, Pair] | None = None,
        *,
        ready: bool = False,
        summed: Any = None,
    ) -> Any:
        """pads: (top, left), (bottom, right); the convolution's own if None.

        ready: x is rounded already. summed: what the channels behind those of x make of their
        input, and the bias.
        """
        if not ready:
            self.entered[conv.name] = x
            x = self._rounded(conv.name, x)
        weight, bias = self._folded[conv.name]
        if summed is not None:
            weight, bias = weight[: x.get_output_shape(0)[1]], np.zeros_like(bias)
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
            y = _transposed(conv, x, weights)
        else:
            y = op.convolution(x, weights, list(conv.stride), list(before), list(after), [1, 1])
        y = op.add(y, op.constant(bias.reshape(1, -1, 1, 1)))
        if summed is not None:
            y = op.add(y, summed)
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


def _transposed(conv: Conv, x: Any, weights: Any) -> Any:
    return op.convolution_backprop_data(
        x,
        weights,
        strides=list(conv.stride),
        pads_begin=list(conv.padding),
        pads_end=list(conv.padding),
        output_padding=[conv.output_padding] * 2,
    )


def _eight_bits(conv: Conv, weight: NDArray[np.float32]) -> Any:
    """Integers and their scales, as OpenVINO's own 8-bit models have them."""
    integers, scales = integer_weights(conv, weight)
    return op.multiply(op.convert(op.constant(integers), "f32"), op.constant(scales))


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
