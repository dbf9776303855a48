"""Write the trained net as ONNX: ``python tools/viseme/export.py net.pt sounds.onnx``.

The graph is spelled out by hand. It is six nodes long, and so it needs no exporter, keeps the
memory of the recurrent layers as an input and an output, and stores its weights as halves.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from model import CONTEXT, DELAY, KERNEL, SoundNet
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.lipsync.viseme.features import BANDS
from mien.lipsync.viseme.sounds import SOUNDS

_OPSET = 17
Weights = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("onnx", type=Path)
    given = parser.parse_args()
    saved = torch.load(given.weights, weights_only=True)
    net = SoundNet(hidden=saved["hidden"])
    net.load_state_dict(saved["net"])
    net.eval()
    model = graph_of(net, saved["hidden"], saved["priors"])
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, given.onnx)
    _compare(net, given.onnx, saved["hidden"])
    print(f"{given.onnx}: {given.onnx.stat().st_size / 1e6:.2f} MB")


def graph_of(net: SoundNet, hidden: int, priors: list[float]) -> onnx.ModelProto:
    """mel float32[batch, CONTEXT + t, BANDS], memory float32[2, batch, hidden] →
    log_posteriors float32[batch, t, classes], memory_out as memory."""
    builder = _Builder()
    conv1 = _folded(net.conv1, net.norm1)
    scale, mean = net.scale.numpy(), net.mean.numpy()
    weight = conv1[0] * scale[None, :, None]
    bias = conv1[1] - (weight * mean[None, :, None]).sum(axis=(1, 2))
    builder.add("Transpose", ["mel"], ["x0"], perm=[0, 2, 1])
    builder.convolve("x0", weight, bias, "x1")
    builder.convolve("x1", *_folded(net.conv2, net.norm2), "x2")
    builder.add("Transpose", ["x2"], ["x3"], perm=[2, 0, 1])  # time first
    builder.constant("first", np.array([0], np.int64))
    builder.constant("second", np.array([1], np.int64))
    for n, gru in enumerate((net.gru1, net.gru2)):
        builder.add("Gather", ["memory", ("first", "second")[n]], [f"h{n}"], axis=0)
        builder.recur(f"x{3 + n}", f"h{n}", gru, hidden, f"x{4 + n}", f"m{n}")
    builder.weights("out.w", net.out.weight.detach().numpy().T)
    builder.constant("out.b", net.out.bias.detach().numpy())
    builder.add("MatMul", ["x5", "out.w"], ["y0"])
    builder.add("Add", ["y0", "out.b"], ["y1"])
    builder.add("LogSoftmax", ["y1"], ["y2"], axis=-1)
    builder.add("Transpose", ["y2"], ["log_posteriors"], perm=[1, 0, 2])
    builder.add("Concat", ["m0", "m1"], ["memory_out"], axis=0)
    memory = [2, "batch", hidden]
    graph = helper.make_graph(
        builder.nodes,
        "sounds",
        [
            helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", "frames", BANDS]),
            helper.make_tensor_value_info("memory", TensorProto.FLOAT, memory),
        ],
        [
            helper.make_tensor_value_info(
                "log_posteriors", TensorProto.FLOAT, ["batch", "answers", len(SOUNDS)]
            ),
            helper.make_tensor_value_info("memory_out", TensorProto.FLOAT, memory),
        ],
        builder.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = 8  # what opset 17 came with: older runtimes read it too
    told = {
        "sounds": json.dumps(SOUNDS, ensure_ascii=False),
        "priors": json.dumps([round(share, 6) for share in priors]),
        "context": str(CONTEXT),
        "delay": str(DELAY),
        "hidden": str(hidden),
    }
    helper.set_model_props(model, told)
    return model


class _Builder:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], outputs: list[str], **more: object) -> None:
        self.nodes.append(helper.make_node(kind, inputs, outputs, **more))

    def constant(self, name: str, value: NDArray[np.generic]) -> None:
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))

    def weights(self, name: str, value: Weights) -> None:
        self.constant(name + ".half", value.astype(np.float16))
        self.add("Cast", [name + ".half"], [name], to=TensorProto.FLOAT)

    def convolve(self, given: str, weight: Weights, bias: Weights, result: str) -> None:
        self.weights(result + ".w", weight)
        self.constant(result + ".b", bias.astype(np.float32))
        self.add(
            "Conv", [given, result + ".w", result + ".b"], [result + ".c"], kernel_shape=[KERNEL]
        )
        self.add("Relu", [result + ".c"], [result])

    def recur(
        self, given: str, memory: str, gru: torch.nn.GRU, hidden: int, result: str, kept: str
    ) -> None:
        def gates(parameter: torch.Tensor) -> Weights:
            reset, update, new = np.split(parameter.detach().numpy(), 3)
            return np.concatenate([update, reset, new])  # ONNX's order

        self.weights(result + ".w", gates(gru.weight_ih_l0)[None])
        self.weights(result + ".r", gates(gru.weight_hh_l0)[None])
        bias = np.concatenate([gates(gru.bias_ih_l0), gates(gru.bias_hh_l0)])
        self.constant(result + ".b", bias[None])
        self.add(
            "GRU",
            [given, result + ".w", result + ".r", result + ".b", "", memory],
            [result + ".y", kept],
            hidden_size=hidden,
            linear_before_reset=1,
        )
        # One direction only: [time, 1, batch, hidden] without the 1.
        self.add("Squeeze", [result + ".y", "second"], [result])


def _folded(conv: torch.nn.Conv1d, norm: torch.nn.BatchNorm1d) -> tuple[Weights, Weights]:
    """Convolution and batch normalisation as one."""
    assert conv.bias is not None and norm.running_var is not None and norm.running_mean is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * factor[:, None, None]
    bias = (conv.bias - norm.running_mean) * factor + norm.bias
    return weight.detach().numpy(), bias.detach().numpy()


def _compare(net: SoundNet, path: Path, hidden: int) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    mel = torch.randn(2, CONTEXT + 50, BANDS) * 3 - 4
    with torch.no_grad():
        ours = torch.log_softmax(net(mel), -1).numpy()
    memory = np.zeros((2, 2, hidden), np.float32)
    theirs, _ = session.run(None, {"mel": mel.numpy(), "memory": memory})
    difference = float(np.abs(np.exp(ours) - np.exp(theirs)).max())
    print(f"largest difference of a posterior to the unhalved net: {difference:.4f}")
    assert difference < 0.05


if __name__ == "__main__":
    main()
