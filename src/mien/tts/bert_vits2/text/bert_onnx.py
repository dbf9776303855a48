"""A BERT run by ONNX Runtime, for machines without PyTorch.

The graph is made in memory and given the weights as they are read, so nothing is written to disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mien.machine import usable_cores
from mien.tts.bert_vits2.text.bert_network import Bert

Array = NDArray[np.float32]

_OPSET = 20  # the first that knows Gelu
_IR = 9


class OnnxBert:
    def __init__(self, network: Bert, tensors: Iterable[tuple[str, Array]]) -> None:
        """Raises KeyError when a tensor is missing, RuntimeError when one has the wrong shape."""
        self._network = network
        arrays = dict(tensors)
        model = _graph(network, arrays)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        names = [tensor.name for tensor in model.graph.initializer if tensor.external_data]
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(arrays[name]) for name in names]
        options.add_external_initializers(names, values)
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own exceptions derive from nothing else
            raise RuntimeError(str(error)) from error

    def run(self, ids: list[int]) -> Array:
        """float32[n, width]."""
        (rows,) = self._session.run(None, self._network.inputs(ids))
        return np.asarray(rows, np.float32)


def _graph(network: Bert, arrays: dict[str, Array]) -> onnx.ModelProto:
    ops = _Notes(arrays)
    inputs = {name: name for name in network.inputs([0])}
    output = network(ops, inputs | network.constants(ops))
    rank = {"ids": ["n"], "at": ["n"], "rows": [None, "n", "n"]}
    graph = helper.make_graph(
        ops.nodes,
        "bert",
        [helper.make_tensor_value_info(name, TensorProto.INT64, rank[name]) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", None])],
        list(ops.initializers.values()),
    )
    opset = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=_IR)


class _Notes:
    """``Ops`` of bert_network.py that note down nodes; a value is the name of an output."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._arrays = arrays
        self._numbers = count()

    def embed(self, table: str, rows: str) -> str:
        return self._node("Gather", self._weight(table), rows)

    def head(self, table: str, count: int) -> str:
        ends = (self._constant([0]), self._constant([count]))
        return self._node("Slice", self._weight(table), *ends)

    def linear(self, name: str, x: str) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._node("Gemm", x, weight, bias, transB=1)

    def norm(self, name: str, x: str, eps: float) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._node("LayerNormalization", x, weight, bias, axis=-1, epsilon=eps)

    def gelu(self, x: str, kind: str) -> str:
        return self._node("Gelu", x, approximate="tanh" if kind == "gelu_new" else "none")

    def add(self, x: str, y: str) -> str:
        return self._node("Add", x, y)

    def scale(self, x: str, factor: float) -> str:
        return self._node("Mul", x, self._constant(np.float32(factor)))

    def matmul(self, x: str, y: str) -> str:
        return self._node("MatMul", x, y)

    def softmax(self, x: str) -> str:
        return self._node("Softmax", x, axis=-1)

    def heads(self, x: str, count: int) -> str:
        split = self._node("Reshape", x, self._constant([0, count, -1]))
        return self._node("Transpose", split, perm=[1, 0, 2])

    def joined(self, x: str) -> str:
        rows = self._node("Transpose", x, perm=[1, 0, 2])
        return self._node("Reshape", rows, self._constant([0, -1]))

    def swapped(self, x: str) -> str:
        return self._node("Transpose", x, perm=[0, 2, 1])

    def pick(self, x: str, rows: str) -> str:
        return self._node("GatherElements", x, rows, axis=2)

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind} {next(self._numbers)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _weight(self, name: str) -> str:
        if name not in self.initializers:
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT)
            tensor.dims.extend(self._arrays[name].shape)
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="given in memory")
            self.initializers[name] = tensor
        return name

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        name = f"constant {array.dtype} {array.tolist()}"
        if name not in self.initializers:
            self.initializers[name] = onnx.numpy_helper.from_array(array, name)
        return name
