"""The decoder for ONNX Runtime with 8-bit convolutions.

Written in the runtime's own 8-bit operators, so that no pass has to recognise a pattern. Between
them everything is uint8: also what is only cut, joined or rearranged. There is no 8-bit transposed
convolution; those are sub-pixel convolutions here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.lipsync.wav2lip.architecture import Architecture, Conv
from mien.lipsync.wav2lip.onnx_graph import MEL_SHAPE, output_pads, split_features
from mien.lipsync.wav2lip.onnx_writer import Graph
from mien.lipsync.wav2lip.quantize import LEVELS, Quantisation, corrected_bias, integer_weights
from mien.lipsync.wav2lip.subpixel import shuffled_weights
from mien.lipsync.wav2lip.weights import Folded
from mien.lipsync.wav2lip.window import Window

if TYPE_CHECKING:
    import onnx

CONTRIB = "com.microsoft"
"""Domain of the runtime's own operators."""

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of what a residual layer adds to its input, by ``Conv.name``."""


def int8_decoder_graph(
    architecture: Architecture,
    folded: Folded,
    window: Window,
    quantisation: Quantisation,
    added: Ranges,
) -> onnx.ModelProto:
    """The audio encoder and the part of the decoder that ``window`` needs, in 8 bits.

    Inputs: mel float32[n, 1, 80, 16]; features uint8[n, window.values] in the steps that
    ``quantisation`` has for whoever reads them. Output: out float32[n, 3, rows, columns].
    The first layer, which sees the mel spectrogram, and the last compute in float32.
    """
    graph = _Int8Graph(folded, quantisation, added)
    graph.input("mel", np.float32, MEL_SHAPE)
    graph.input("features", np.uint8, (window.values,))
    skips = split_features(graph, window, "features")
    hears, *audio = architecture.audio
    mixing, colours = architecture.output
    blocks = architecture.decoder
    readers = [*(block[0] for block in blocks[1:]), mixing]
    layers = [*audio, *blocks[0]]
    x = graph.quantised(graph.conv(hears, "mel"), quantisation.step(layers[0].name))
    for index, (stage, reader) in enumerate(zip(window.stages, readers, strict=True)):
        x = graph.layers(layers, reader, x)
        spans = (span.within(made) for span, made in zip(stage.kept, stage.made, strict=True))
        x = graph.crop(x, spans, *(span.size for span in stage.made))
        x = graph.op("Concat", [x, skips[-1 - index]], axis=1)
        layers = list(blocks[index + 1]) if index + 1 < len(blocks) else []
    x = graph.layer(mixing, colours, x, output_pads(window))
    step, zero = graph.scale(quantisation.step(colours.name))
    x = graph.conv(colours, graph.op("DequantizeLinear", [x, step, zero]))
    graph.output(graph.op("Sigmoid", [x]), (3, *window.shape))
    return graph.model(f"{architecture.name}-int8-{window.key}", CONTRIB)


class _Int8Graph(Graph):
    def __init__(self, folded: Folded, quantisation: Quantisation, added: Ranges) -> None:
        super().__init__(folded, np.float32)
        self._quantisation = quantisation
        self._added = added

    def layers(self, convs: Sequence[Conv], reader: Conv, x: str) -> str:
        """Layers one after the other; ``reader`` is the layer that reads the last one."""
        for conv, following in zip(convs, [*convs[1:], reader], strict=True):
            x = self.layer(conv, following, x)
        return x

    def layer(
        self, conv: Conv, reader: Conv, x: str, pads: tuple[int, int, int, int] | None = None
    ) -> str:
        """uint8 in the steps of ``conv`` to uint8 in those of ``reader``. 0 is 0: that is ReLU."""
        step, wanted = self._quantisation.step(conv.name), self._quantisation.step(reader.name)
        given, result = self.scale(step), self.scale(wanted)
        if not conv.residual:
            return self._convolved(conv, x, result, pads or conv.padding * 2)
        low, high = self._added[conv.name]
        between = self.scale(np.float32((high - low) / LEVELS), round(-low / (high - low) * LEVELS))
        y = self._convolved(conv, x, between, conv.padding * 2)
        operands = [y, *between, x, *given, *result]
        return self.op("QLinearAdd", operands, conv.name, domain=CONTRIB)

    def _convolved(self, conv: Conv, x: str, result: tuple[str, str], pads: tuple[int, ...]) -> str:
        """result: scale of what comes out, as constants."""
        name, (weight, bias) = conv.name, self._folded[conv.name]
        block = 1
        if conv.transposed:
            weight, bias, block = shuffled_weights(conv, weight, bias)
            ahead = weight.shape[-1] - 1
            conv = replace(conv, transposed=False, stride=(1, 1), kernel=(ahead + 1,) * 2)
            pads = (0, 0, ahead, ahead)
        if name in self._quantisation.means:
            bias = corrected_bias(conv, weight, bias, self._quantisation.means[name])
        integers, scales = integer_weights(conv, weight)
        step = self._quantisation.step(name)
        steps = scales.reshape(-1).astype(np.float64) * step
        constants: dict[str, Any] = {
            "weight": integers,
            "weight_scale": scales.reshape(-1),
            "weight_zero": np.zeros(len(steps), np.int8),
            "bias": np.rint(bias / steps).astype(np.int32),
        }
        weight_names = [self.constant(f"{name}.{key}", array) for key, array in constants.items()]
        y = self.op(
            "QLinearConv",
            [x, *self.scale(step), *weight_names[:3], *result, weight_names[3]],
            f"{name}.conv",
            kernel_shape=conv.kernel,
            strides=conv.stride,
            pads=pads,
        )
        return y if block == 1 else self.op("DepthToSpace", [y], blocksize=block, mode="CRD")
