"""Writing an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mien.lipsync.wav2lip.architecture import Conv
from mien.lipsync.wav2lip.backend import BackendError
from mien.lipsync.wav2lip.subpixel import shuffled_weights
from mien.lipsync.wav2lip.weights import Folded
from mien.lipsync.wav2lip.window import Span

try:
    import onnx
    from onnx import helper, numpy_helper
except ModuleNotFoundError as error:
    raise BackendError(
        "onnx, which writes the network as a graph, is not installed", "pip install 'mien[wav2lip]'"
    ) from error

OPSET = 17
IR_VERSION = 8  # what came with opset 17; newer ones are refused by older runtimes


class Graph:
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
        """x is of this dtype already."""
        self.node("Identity", [x], [name])
        self._outputs.append(_value(name, dtype, shape))

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **options: Any
    ) -> None:
        self._nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **options))

    def op(self, kind: str, inputs: Sequence[str], name: str = "", **options: Any) -> str:
        """A node of one result; its name is made up if empty."""
        name = name or f"{kind.lower()}.{len(self._nodes)}"
        self.node(kind, inputs, [name], **options)
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def cast(self, x: str, dtype: DTypeLike) -> str:
        if self._dtypes.get(x, self.dtype) == np.dtype(dtype):
            return x
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        result = self.op("Cast", [x], to=kind)
        self._dtypes[result] = np.dtype(dtype)
        return result

    def scale(self, step: float | np.float32, zero: int = 0) -> tuple[str, str]:
        """Constants that say what one step of a uint8 tensor is worth, and which value is 0."""
        return (
            self.constant(f"step.{float(step)!r}", np.array(step, np.float32)),
            self.constant(f"zero.{zero}", np.array(zero, np.uint8)),
        )

    def quantised(self, x: str, step: np.float32) -> str:
        """uint8, of values that are not negative; what is above 255 steps is cut off."""
        result = self.op("QuantizeLinear", [x, *self.scale(step)])
        self._dtypes[result] = np.dtype(np.uint8)
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

    def model(self, name: str, *other_domains: str) -> onnx.ModelProto:
        """other_domains: of operators that are not ONNX's own, in version 1."""
        graph = helper.make_graph(
            self._nodes, name, list(self._inputs.values()), self._outputs, self._constants.values()
        )
        return helper.make_model(
            graph,
            opset_imports=[
                helper.make_opsetid("", OPSET),
                *(helper.make_opsetid(domain, 1) for domain in other_domains),
            ],
            ir_version=IR_VERSION,
            producer_name="mien",
        )


def _value(name: str, dtype: DTypeLike, shape: Iterable[int]) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, ["n", *shape])
