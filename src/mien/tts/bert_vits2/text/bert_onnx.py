"""A BERT run by ONNX Runtime, for machines without PyTorch.

The graph is given its weights in a temporary file, which ONNX Runtime maps: given them in memory,
it keeps them two or three times (3.2 GB for a network of 1.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
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
_WEIGHTS = "weights"
_PAGE = 4096


class OnnxBert:
    def __init__(self, network: Bert, tensors: Iterable[tuple[str, Array]]) -> None:
        """Raises KeyError when a tensor is missing, RuntimeError when one has the wrong shape."""
        self._network = network
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        # Where a file that is mapped cannot be deleted, it stays until the system tidies up.
        with TemporaryDirectory(prefix="mien-bert-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "bert.onnx"
            onnx.save_model(_graph(network, _written(path.with_name(_WEIGHTS), tensors)), path)
            try:
                self._session = onnxruntime.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # its own exceptions derive from nothing else
                raise RuntimeError(str(error)) from error

    def run(self, ids: list[int]) -> Array:
        """float32[n, width]."""
        (rows,) = self._session.run(None, self._network.inputs(ids))
        return np.asarray(rows, np.float32)


def _written(path: Path, tensors: Iterable[tuple[str, Array]]) -> dict[str, onnx.TensorProto]:
    """The weights one after the other in a file, each at the begin of a page; where they lie."""
    found = {}
    with path.open("wb") as file:
        for name, array in tensors:
            file.seek(-(-file.tell() // _PAGE) * _PAGE)
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
            tensor.data_location = TensorProto.EXTERNAL
            place = {"location": path.name, "offset": file.tell(), "length": array.nbytes}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            file.write(np.ascontiguousarray(array).data)
            found[name] = tensor
    return found


def _graph(network: Bert, weights: dict[str, onnx.TensorProto]) -> onnx.ModelProto:
    ops = _Notes(weights)
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

    def __init__(self, weights: dict[str, onnx.TensorProto]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._weights = weights
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
        self.initializers[name] = self._weights[name]
        return name

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        name = f"constant {array.dtype} {array.tolist()}"
        if name not in self.initializers:
            self.initializers[name] = onnx.numpy_helper.from_array(array, name)
        return name
