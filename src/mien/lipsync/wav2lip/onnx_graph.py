"""The network as ONNX graphs, built from the architecture and folded weights.

Three of them: the encoder gives what the decoder reads of a picture, the decoder paints a window
of the face from that and the voice, and the full network is there to be compared with. All have a
dynamic batch axis ``n``; every convolution's result is named after it (``Conv.name``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mien.lipsync.wav2lip.architecture import Architecture, Conv
from mien.lipsync.wav2lip.backend import BackendError
from mien.lipsync.wav2lip.subpixel import shuffled_weights
from mien.lipsync.wav2lip.weights import Folded
from mien.lipsync.wav2lip.window import FULL, Span, Window

try:
    import onnx
    from onnx import helper, numpy_helper
except ModuleNotFoundError as error:
    raise BackendError(
        "onnx, which writes the network as a graph, is not installed", "pip install 'mien[wav2lip]'"
    ) from error

OPSET = 17
IR_VERSION = 8  # what came with opset 17; newer ones are refused by older runtimes
MEL_SHAPE = (1, 80, 16)
SAME = (1, 1, 1, 1)


def decoder_graph(
    architecture: Architecture,
    folded: Folded,
    window: Window,
    *,
    subpixel: bool = False,
    feature_dtype: DTypeLike = np.float32,
    compute_dtype: DTypeLike = np.float32,
) -> onnx.ModelProto:
    """The audio encoder and the part of the decoder that ``window`` needs.

    Inputs: mel float32[n, 1, 80, 16]; features feature_dtype[n, window.values].
    Output: out float32[n, 3, rows, columns], blue, green, red, 0…1.
    subpixel: transposed convolutions as ones that make several pixels at once, see subpixel.py.
    compute_dtype: float32 or float16, of weights and of everything between input and output.
    """
    graph = _Graph(folded, compute_dtype)
    graph.input("mel", np.float32, MEL_SHAPE)
    graph.input("features", feature_dtype, (window.values,))
    skips = _split_features(graph, window)
    x = _audio(graph, architecture)
    graph.output(_decoder(graph, architecture, window, x, skips, subpixel), (3, *window.shape))
    return graph.model(f"{architecture.name}-decoder-{window.key}")


def encoder_graph(
    architecture: Architecture,
    folded: Folded,
    window: Window,
    *,
    feature_dtype: DTypeLike = np.float32,
) -> onnx.ModelProto:
    """The face encoder, up to what ``window`` reads of it.

    Input: faces uint8[n, S, S, 3], red, green, blue, whole. Output: features, see decoder_graph.
    Computed in float32: it runs once per picture, and its error would be in every frame.
    """
    first = architecture.encoder[0][0]
    weight, bias = folded[first.name]
    # Both copies of the face from blue, green, red and 0…1 to what pictures are.
    folded = {**folded, first.name: (weight[:, [2, 1, 0, 5, 4, 3]] / np.float32(255), bias)}
    graph = _Graph(folded, np.float32)
    size = architecture.size
    graph.input("faces", np.uint8, (size, size, 3))
    upper = np.zeros((1, 1, size, 1), np.float32)
    upper[:, :, : size // 2] = 1
    picture = graph.op("Transpose", [graph.cast("faces", np.float32)], perm=[0, 3, 1, 2])
    masked = graph.op("Mul", [picture, graph.constant("upper_half", upper)])
    outputs = _encoder(graph, architecture, graph.op("Concat", [masked, picture], axis=1))
    flat = []
    for output, stage in zip(outputs, reversed(window.stages), strict=True):
        flat.append(graph.op("Flatten", [graph.crop(output, stage.kept, stage.size)], axis=1))
    features = graph.cast(graph.op("Concat", flat, axis=1), feature_dtype)
    graph.output(features, (window.values,), "features", feature_dtype)
    return graph.model(f"{architecture.name}-encoder-{window.key}")


def full_graph(
    architecture: Architecture, folded: Folded, *, subpixel: bool = False
) -> onnx.ModelProto:
    """The whole network as it was published, for comparison.

    Inputs: mel float32[n, 1, 80, 16]; faces float32[n, 6, S, S]: the masked and the whole face,
        blue, green, red, 0…1. Output: out float32[n, 3, S, S].
    """
    graph = _Graph(folded, np.float32)
    size = architecture.size
    graph.input("mel", np.float32, MEL_SHAPE)
    graph.input("faces", np.float32, (6, size, size))
    skips = _encoder(graph, architecture, "faces")
    x = _audio(graph, architecture)
    window = FULL(architecture)
    graph.output(_decoder(graph, architecture, window, x, skips, subpixel), (3, size, size))
    return graph.model(architecture.name)


# -- the parts ---------------------------------------------------------------------------


def _audio(graph: _Graph, architecture: Architecture) -> str:
    x = graph.cast("mel", graph.dtype)
    for conv in architecture.audio:
        x = graph.conv(conv, x)
    return x


def _encoder(graph: _Graph, architecture: Architecture, x: str) -> list[str]:
    outputs = []
    for block in architecture.encoder:
        for conv in block:
            x = graph.conv(conv, x)
        outputs.append(x)
    return outputs


def _split_features(graph: _Graph, window: Window) -> list[str]:
    parts = window.features
    sizes = graph.constant("feature_sizes", np.array([part.values for part in parts], np.int64))
    names = [f"features.{part.level}" for part in parts]
    graph.node("Split", [graph.cast("features", graph.dtype), sizes], names, axis=1)
    return [graph.reshape(name, (-1, *part.shape)) for name, part in zip(names, parts, strict=True)]


def _decoder(
    graph: _Graph,
    architecture: Architecture,
    window: Window,
    x: str,
    skips: Sequence[str],
    subpixel: bool,
) -> str:
    """skips: what is read of each face encoder block's output, in their order."""
    for block, stage, skip in zip(
        architecture.decoder, window.stages, reversed(skips), strict=True
    ):
        for conv in block:
            shuffle = subpixel and conv.transposed
            x = graph.shuffled_conv(conv, x) if shuffle else graph.conv(conv, x)
        spans = (span.within(made) for span, made in zip(stage.kept, stage.made, strict=True))
        x = graph.crop(x, spans, *(span.size for span in stage.made))
        x = graph.op("Concat", [x, skip], axis=1)
    # Where the window cuts the picture, the neighbours are there: no zeros around it.
    mixing, colours = architecture.output
    (top, bottom), (left, right) = (
        (wanted.first - kept.first, kept.end - wanted.end)
        for wanted, kept in zip(window.area, window.stages[-1].kept, strict=True)
    )
    x = graph.conv(mixing, x, pads=(1 - top, 1 - left, 1 - bottom, 1 - right))
    return graph.op("Sigmoid", [graph.conv(colours, x)])


class _Graph:
    """Nodes and constants of a graph that is being written. dtype: what it computes in."""

    def __init__(self, folded: Folded, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._folded = folded
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: dict[str, onnx.ValueInfoProto] = {}
        self._outputs: list[onnx.ValueInfoProto] = []
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def input(self, name: str, dtype: DTypeLike, shape: Iterable[int]) -> None:
        self._inputs[name] = _value(name, dtype, shape)
        self._dtypes[name] = np.dtype(dtype)

    def output(
        self, x: str, shape: Iterable[int], name: str = "out", dtype: DTypeLike = np.float32
    ) -> None:
        self.node("Identity", [self.cast(x, dtype)], [name])
        self._outputs.append(_value(name, dtype, shape))

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **options: Any
    ) -> None:
        self._nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **options))

    def op(self, kind: str, inputs: Sequence[str], **options: Any) -> str:
        """A node of one result, whose name is made up."""
        name = f"{kind.lower()}.{len(self._nodes)}"
        self.node(kind, inputs, [name], **options)
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def cast(self, x: str, dtype: DTypeLike) -> str:
        if self._dtypes.get(x, self.dtype) == np.dtype(dtype):
            return x
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        result = self.op("Cast", [x], to=kind)
        self._dtypes[result] = np.dtype(dtype)
        return result

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        return self.op(
            "Reshape", [x, self.constant(f"shape.{len(self._nodes)}", np.array(shape, np.int64))]
        )

    def crop(self, x: str, spans: Iterable[Span], *sides: int) -> str:
        """Rows and columns of x, whose whole height and width are ``sides`` (one if equal)."""
        cuts = [
            (axis, span)
            for axis, span, side in zip((2, 3), spans, (sides[0], sides[-1]), strict=True)
            if (span.first, span.end) != (0, side)
        ]
        if not cuts:
            return x
        name = f"crop.{len(self._nodes)}"
        numbers = {
            "starts": [span.first for _, span in cuts],
            "ends": [span.end for _, span in cuts],
            "axes": [axis for axis, _ in cuts],
        }
        constants = [self.constant(f"{name}.{k}", np.array(v)) for k, v in numbers.items()]
        return self.op("Slice", [x, *constants])

    def conv(self, conv: Conv, x: str, pads: Sequence[int] | None = None) -> str:
        """pads: top, left, bottom, right; the convolution's own if None."""
        weight, bias = self._folded[conv.name]
        options: dict[str, Any] = {
            "kernel_shape": conv.kernel,
            "strides": conv.stride,
            "pads": conv.padding * 2 if pads is None else pads,
        }
        if conv.transposed:
            options["output_padding"] = [conv.output_padding] * 2
        kind = "ConvTranspose" if conv.transposed else "Conv"
        return self._activated(conv, kind, x, weight, bias, options)

    def shuffled_conv(self, conv: Conv, x: str) -> str:
        """A transposed convolution as a convolution and a rearrangement of its channels."""
        weight, bias, block = shuffled_weights(conv, *self._folded[conv.name])
        ahead = weight.shape[-1] - 1
        options = {"kernel_shape": weight.shape[2:], "pads": (0, 0, ahead, ahead)}
        y = self._activated(conv, "Conv", x, weight, bias, options)
        return self.op("DepthToSpace", [y], blocksize=block, mode="CRD")

    def _activated(
        self,
        conv: Conv,
        kind: str,
        x: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        options: dict[str, Any],
    ) -> str:
        name = conv.name
        inputs = [
            x,
            self.constant(f"{name}.weight", weight.astype(self.dtype)),
            self.constant(f"{name}.bias", bias.astype(self.dtype)),
        ]
        self.node(kind, inputs, [name if conv.plain else f"{name}.conv"], **options)
        if conv.plain:
            return name
        if conv.residual:
            self.node("Add", [f"{name}.conv", x], [f"{name}.sum"])
        self.node("Relu", [f"{name}.sum" if conv.residual else f"{name}.conv"], [name])
        return name

    def model(self, name: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, name, list(self._inputs.values()), self._outputs, self._constants.values()
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="mien",
        )


def _value(name: str, dtype: DTypeLike, shape: Iterable[int]) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, ["n", *shape])
