"""Write the network as sherpa-onnx loads it: ``python export.py net.pt FOLDER``.

Its ``nemo_ctc`` (csrc/online-nemo-ctc-model.cc) has the simplest contract of its streaming models:
features and two memories of free shape in, scores and the memories out, in batches. One memory
holds what the convolution still needs, the other the states of the recurrent layers. Weights are
kept as 8-bit integers with a scale for each row and are numbers again once loaded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import corpus
import numpy as np
import onnx
import torch
from fbank import BANDS
from network import HIDDEN, KERNEL, STACK, WIDTH, TinyNet
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Frames of 10 ms that are taken at once: 80 ms are two answers.
CHUNK = 8
Weights = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path, help="where sentences.txt is")
    given = parser.parse_args()
    known = corpus.sentences(given.folder / "sentences.txt")
    tokens = corpus.vocabulary(known)
    net = TinyNet(len(tokens))
    net.load_state_dict(torch.load(given.weights, weights_only=True))
    net.eval()
    path = given.folder / "model.int8.onnx"
    model = graph_of(net, len(tokens))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    corpus.written(given.folder / "tokens.txt", known)
    _compare(net, path)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def graph_of(net: TinyNet, tokens: int) -> onnx.ModelProto:
    build = _Builder()
    stack_w, stack_b = _folded(net.stack, net.norm1)
    scale, mean = net.scale.numpy()[None, :, None], net.mean.numpy()[None, :, None]
    build.weights("stack.w", stack_w * scale, 0)
    build.constant("stack.b", stack_b - (stack_w * scale * mean).sum(axis=(1, 2)))
    conv_w, conv_b = _folded(net.conv, net.norm2)
    build.weights("conv.w", conv_w, 0)
    build.constant("conv.b", conv_b)
    build.constant("one", np.int64([1]))
    build.constant("per", np.int64([STACK]))
    build.constant("tail", np.int64([-(KERNEL - 1)]))
    build.constant("end", np.int64([np.iinfo(np.int64).max]))
    build.constant("last", np.int64([2]))
    build.add(
        "Conv", ["audio_signal", "stack.w", "stack.b"], "x0", kernel_shape=[STACK], strides=[STACK]
    )
    build.add("Relu", ["x0"], "x1")
    build.add("Squeeze", ["cache_last_time", "one"], "before")
    build.add("Concat", ["before", "x1"], "x2", axis=2)
    build.add("Slice", ["x2", "tail", "end", "last"], "after")
    build.add("Unsqueeze", ["after", "one"], "cache_last_time_next")
    build.add("Conv", ["x2", "conv.w", "conv.b"], "x3", kernel_shape=[KERNEL])
    build.add("Relu", ["x3"], "x4")
    build.add("Transpose", ["x4"], "x5", perm=[2, 0, 1])  # time first
    build.add("Transpose", ["cache_last_channel"], "memory", perm=[1, 2, 0, 3])
    for n, gru in enumerate((net.gru1, net.gru2)):
        build.constant(f"which{n}", np.int64(n))
        build.add("Gather", ["memory", f"which{n}"], f"h{n}", axis=0)
        build.recur(f"x{5 + n}", f"h{n}", gru, f"x{6 + n}", f"m{n}")
    build.add("Concat", ["m0", "m1"], "memories", axis=0)
    build.add("Unsqueeze", ["memories", "one"], "memory_next")
    build.add("Transpose", ["memory_next"], "cache_last_channel_next", perm=[2, 0, 1, 3])
    build.weights("out.w", net.out.weight.detach().numpy().T, 1)
    build.constant("out.b", net.out.bias.detach().numpy())
    build.add("MatMul", ["x7", "out.w"], "y0")
    build.add("Add", ["y0", "out.b"], "y1")
    build.add("LogSoftmax", ["y1"], "y2", axis=-1)
    build.add("Transpose", ["y2"], "logprobs", perm=[1, 0, 2])
    build.add("Div", ["length", "per"], "encoded_lengths")
    build.add("Identity", ["cache_last_channel_len"], "cache_last_channel_next_len")
    channel: list[str | int] = ["batch", 2, 1, HIDDEN]
    time: list[str | int] = ["batch", 1, WIDTH, KERNEL - 1]
    real, whole = TensorProto.FLOAT, TensorProto.INT64
    graph = helper.make_graph(
        build.nodes,
        "tiny-zh-en",
        [
            helper.make_tensor_value_info("audio_signal", real, ["batch", BANDS, CHUNK]),
            helper.make_tensor_value_info("length", whole, ["batch"]),
            helper.make_tensor_value_info("cache_last_channel", real, channel),
            helper.make_tensor_value_info("cache_last_time", real, time),
            helper.make_tensor_value_info("cache_last_channel_len", whole, ["batch"]),
        ],
        [
            helper.make_tensor_value_info("logprobs", real, ["batch", CHUNK // STACK, tokens]),
            helper.make_tensor_value_info("encoded_lengths", whole, ["batch"]),
            helper.make_tensor_value_info("cache_last_channel_next", real, channel),
            helper.make_tensor_value_info("cache_last_time_next", real, time),
            helper.make_tensor_value_info("cache_last_channel_next_len", whole, ["batch"]),
        ],
        build.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    told = {
        "model_type": "EncDecCTCModelBPE",
        "comment": "for mien's tests: it knows a few dozen sentences",
        "window_size": CHUNK,
        "chunk_shift": CHUNK,
        "subsampling_factor": STACK,
        "vocab_size": tokens - 1,  # NeMo does not count the blank
        "cache_last_channel_dim1": 2,
        "cache_last_channel_dim2": 1,
        "cache_last_channel_dim3": HIDDEN,
        "cache_last_time_dim1": 1,
        "cache_last_time_dim2": WIDTH,
        "cache_last_time_dim3": KERNEL - 1,
    }
    helper.set_model_props(model, {key: str(value) for key, value in told.items()})
    return model


class _Builder:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, **more: object) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **more))

    def constant(self, name: str, value: NDArray[np.generic]) -> None:
        if value.dtype.kind == "f":
            value = value.astype(np.float32)
        self.tensors.append(numpy_helper.from_array(value.copy(order="C"), name))

    def weights(self, name: str, value: Weights, axis: int) -> None:
        """As int8 with a scale for each of ``axis``."""
        others = tuple(n for n in range(value.ndim) if n != axis)
        scale = np.maximum(np.abs(value).max(axis=others, keepdims=True), 1e-8) / 127
        self.constant(f"{name}.int8", np.rint(value / scale).astype(np.int8))
        self.constant(f"{name}.scale", scale.reshape(-1).astype(np.float32))
        self.add("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], name, axis=axis)

    def recur(self, given: str, memory: str, gru: torch.nn.GRU, result: str, kept: str) -> None:
        def gates(parameter: torch.Tensor) -> Weights:
            reset, update, new = np.split(parameter.detach().numpy(), 3)
            return np.concatenate([update, reset, new])  # ONNX's order

        self.weights(f"{result}.w", gates(gru.weight_ih_l0)[None], 1)
        self.weights(f"{result}.r", gates(gru.weight_hh_l0)[None], 1)
        bias = np.concatenate([gates(gru.bias_ih_l0), gates(gru.bias_hh_l0)])
        self.constant(f"{result}.b", bias[None])
        inputs = [given, f"{result}.w", f"{result}.r", f"{result}.b", "", memory]
        node = helper.make_node(
            "GRU", inputs, [f"{result}.y", kept], hidden_size=HIDDEN, linear_before_reset=1
        )
        self.nodes.append(node)
        # One direction only: [time, 1, batch, hidden] without the 1.
        self.add("Squeeze", [f"{result}.y", "one"], result)


def _folded(conv: torch.nn.Conv1d, norm: torch.nn.BatchNorm1d) -> tuple[Weights, Weights]:
    """Convolution and batch normalisation as one."""
    assert conv.bias is not None and norm.running_var is not None and norm.running_mean is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * factor[:, None, None]
    bias = (conv.bias - norm.running_mean) * factor + norm.bias
    return weight.detach().numpy(), bias.detach().numpy()


def _compare(net: TinyNet, path: Path) -> None:
    """The stream in pieces against the whole at once."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    mel = torch.randn(2, CHUNK * 20, BANDS) * 2 + net.mean
    with torch.no_grad():
        whole = net(mel).softmax(-1).permute(1, 0, 2).numpy()
    channel = np.zeros((2, 2, 1, HIDDEN), np.float32)
    time = np.zeros((2, 1, WIDTH, KERNEL - 1), np.float32)
    length = np.int64([CHUNK, CHUNK])
    parts = []
    for at in range(0, mel.shape[1], CHUNK):
        given = {
            "audio_signal": mel[:, at : at + CHUNK].transpose(1, 2).numpy(),
            "length": length,
            "cache_last_channel": channel,
            "cache_last_time": time,
            "cache_last_channel_len": length,
        }
        scores, _, channel, time, _ = session.run(None, given)
        parts.append(np.exp(scores))
    difference = float(np.abs(np.concatenate(parts, 1) - whole).max())
    print(f"largest difference of a probability to the network in torch: {difference:.4f}")


if __name__ == "__main__":
    main()
