"""The tiny recogniser as models of other families of sherpa-onnx."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import tiny_asr

REAL, WHOLE = TensorProto.FLOAT, TensorProto.INT64
_LAYERS, _HIDDEN, _WIDTH, _CHUNK = 2, 128, 96, 8


def transducer(folder: Path) -> Path:
    """As a streaming transducer, which keywords are spotted with, too. Returns ``folder``.

    Encoder: the same network, its memories called and shaped as those of an LSTM transducer
    (csrc/online-lstm-transducer-model.cc). Decoder and joiner only keep the last two tokens from
    being said again, which CTC would have merged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = (tiny_asr.FOLDER / "tokens.txt").read_text(encoding="utf-8").splitlines()
    tokens = [line.split()[0] for line in lines]
    tokens = [tokens[-1], *tokens[:-1]]  # the blank is the first one
    text = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text(text, encoding="utf-8")
    size = len(tokens)
    _save(folder / "encoder.onnx", *_encoder(size))
    _save(folder / "decoder.onnx", _decoder(size), {"vocab_size": size, "context_size": 2})
    _save(folder / "joiner.onnx", _joiner(size), {"joiner_dim": size})
    return folder


def whole(folder: Path, instead: dict[str, str]) -> Path:
    """As a model for whole utterances (csrc/offline-zipformer-ctc-model.cc). Returns ``folder``.

    instead: tokens that it writes in another way, so that one can tell who heard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = (tiny_asr.FOLDER / "tokens.txt").read_text(encoding="utf-8")
    for token, other in instead.items():
        text = text.replace(f"{token} ", f"{other} ")
    (folder / "tokens.txt").write_text(text, encoding="utf-8")
    given = onnx.load(tiny_asr.FOLDER / "model.int8.onnx").graph
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["audio_signal"], perm=[0, 2, 1]),
        *(each for each in given.node if not re.search("len", each.output[0])),
        node("Div", ["x_lens", "per"], ["log_probs_len"]),
        node("Identity", ["logprobs"], ["log_probs"]),
    ]
    constants = {
        "cache_last_channel": np.zeros((1, _LAYERS, 1, _HIDDEN), np.float32),
        "cache_last_time": np.zeros((1, 1, _WIDTH, 2), np.float32),
    }
    size = len(text.splitlines())
    graph = helper.make_graph(
        nodes,
        "whole",
        [
            helper.make_tensor_value_info("x", REAL, [1, "t", 80]),
            helper.make_tensor_value_info("x_lens", WHOLE, [1]),
        ],
        [
            helper.make_tensor_value_info("log_probs", REAL, [1, "frames", size]),
            helper.make_tensor_value_info("log_probs_len", WHOLE, [1]),
        ],
        [*given.initializer, *(numpy_helper.from_array(v, k) for k, v in constants.items())],
    )
    _save(folder / "model.onnx", graph, {"model_type": "zipformer2_ctc"})
    return folder


def _encoder(size: int) -> tuple[onnx.GraphProto, dict[str, object]]:
    given = onnx.load(tiny_asr.FOLDER / "model.int8.onnx").graph
    node = helper.make_node
    kept = [each for each in given.node if not re.search("len", each.output[0])]
    nodes = [
        node("Transpose", ["x"], ["audio_signal"], perm=[0, 2, 1]),
        node("Transpose", ["h"], ["h_"], perm=[1, 0, 2]),
        node("Unsqueeze", ["h_", "two_"], ["cache_last_channel"]),
        node("Transpose", ["c"], ["c_"], perm=[1, 2, 0]),
        node("Unsqueeze", ["c_", "one_"], ["cache_last_time"]),
        *kept,
        node("Gather", ["logprobs", "order_"], ["encoder_out"], axis=2),
        node("Squeeze", ["cache_last_channel_next", "two_"], ["n_"]),
        node("Transpose", ["n_"], ["next_h"], perm=[1, 0, 2]),
        node("Squeeze", ["cache_last_time_next", "one_"], ["m_"]),
        node("Transpose", ["m_"], ["next_c"], perm=[2, 0, 1]),
    ]
    constants = {
        "one_": np.int64([1]),
        "two_": np.int64([2]),
        "order_": np.roll(np.arange(size), 1),
    }
    hidden, width = [_LAYERS, "n", _HIDDEN], [_LAYERS, "n", _WIDTH]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info("x", REAL, ["n", _CHUNK, 80]),
            helper.make_tensor_value_info("h", REAL, hidden),
            helper.make_tensor_value_info("c", REAL, width),
        ],
        [
            helper.make_tensor_value_info("encoder_out", REAL, ["n", _CHUNK // 4, size]),
            helper.make_tensor_value_info("next_h", REAL, hidden),
            helper.make_tensor_value_info("next_c", REAL, width),
        ],
        [*given.initializer, *(numpy_helper.from_array(v, k) for k, v in constants.items())],
    )
    return graph, {
        "model_type": "lstm",
        "num_encoder_layers": _LAYERS,
        "T": _CHUNK,
        "decode_chunk_len": _CHUNK,
        "rnn_hidden_size": _WIDTH,
        "d_model": _HIDDEN,
    }


def _decoder(size: int) -> onnx.GraphProto:
    never_again = np.float32(-20) * np.eye(size, dtype=np.float32)
    never_again[0] = 0
    return helper.make_graph(
        [
            helper.make_node("Gather", ["table", "y"], ["both"], axis=0),
            helper.make_node("ReduceSum", ["both", "axis"], ["decoder_out"], keepdims=0),
        ],
        "decoder",
        [helper.make_tensor_value_info("y", WHOLE, ["n", 2])],
        [helper.make_tensor_value_info("decoder_out", REAL, ["n", size])],
        [
            numpy_helper.from_array(never_again, "table"),
            numpy_helper.from_array(np.int64([1]), "axis"),
        ],
    )


def _joiner(size: int) -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        "joiner",
        [
            helper.make_tensor_value_info("encoder_out", REAL, ["n", size]),
            helper.make_tensor_value_info("decoder_out", REAL, ["n", size]),
        ],
        [helper.make_tensor_value_info("logit", REAL, ["n", size])],
    )


def _save(path: Path, graph: onnx.GraphProto, metadata: dict[str, object]) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
