"""The network as ONNX graphs, built from the architecture and folded weights.

Three of them: the encoder gives what the decoder reads of a picture, the decoder paints a window
of the face from that and the voice, and the full network is there to be compared with. All have a
dynamic batch axis ``n``; every convolution's result is named after it (``Conv.name``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.onnx_writer import Graph
from mien.lipsync.wav2lip.weights import Folded
from mien.lipsync.wav2lip.window import FULL, Window

if TYPE_CHECKING:
    import onnx

MEL_SHAPE = (1, 80, 16)


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
    graph = Graph(folded, compute_dtype)
    graph.input("mel", np.float32, MEL_SHAPE)
    graph.input("features", feature_dtype, (window.values,))
    skips = split_features(graph, window, graph.cast("features", graph.dtype))
    x = _audio(graph, architecture)
    painted = _decoder(graph, architecture, window, x, skips, subpixel)
    graph.output(graph.cast(painted, np.float32), (3, *window.shape))
    return graph.model(f"{architecture.name}-decoder-{window.key}")


def encoder_graph(
    architecture: Architecture,
    folded: Folded,
    window: Window,
    *,
    feature_dtype: DTypeLike = np.float32,
    feature_steps: Mapping[str, np.float32] | None = None,
) -> onnx.ModelProto:
    """The face encoder, up to what ``window`` reads of it.

    Input: faces uint8[n, S, S, 3], red, green, blue, whole. Output: features, see decoder_graph.
    Computed in float32: it runs once per picture, and its error would be in every frame.
    feature_steps: what one step is worth by ``FeaturePart.reader``; for features in uint8.
    """
    first = architecture.encoder[0][0]
    weight, bias = folded[first.name]
    # Both copies of the face from blue, green, red and 0…1 to what pictures are.
    folded = {**folded, first.name: (weight[:, [2, 1, 0, 5, 4, 3]] / np.float32(255), bias)}
    graph = Graph(folded, np.float32)
    size = architecture.size
    graph.input("faces", np.uint8, (size, size, 3))
    upper = np.zeros((1, 1, size, 1), np.float32)
    upper[:, :, : size // 2] = 1
    picture = graph.op("Transpose", [graph.cast("faces", np.float32)], perm=[0, 3, 1, 2])
    masked = graph.op("Mul", [picture, graph.constant("upper_half", upper)])
    outputs = _encoder(graph, architecture, graph.op("Concat", [masked, picture], axis=1))
    flat = []
    stages = reversed(window.stages)
    for output, part, stage in zip(outputs, window.features, stages, strict=True):
        x = graph.crop(output, stage.kept, stage.size)
        if feature_steps is not None:
            x = graph.quantised(x, feature_steps[part.reader])
        flat.append(graph.op("Flatten", [x], axis=1))
    features = graph.op("Concat", flat, axis=1)
    if feature_steps is not None:
        feature_dtype = np.uint8
    else:
        features = graph.cast(features, feature_dtype)
    graph.output(features, (window.values,), "features", feature_dtype)
    return graph.model(f"{architecture.name}-encoder-{window.key}")


def full_graph(
    architecture: Architecture, folded: Folded, *, subpixel: bool = False
) -> onnx.ModelProto:
    """The whole network as it was published, for comparison.

    Inputs: mel float32[n, 1, 80, 16]; faces float32[n, 6, S, S]: the masked and the whole face,
        blue, green, red, 0…1. Output: out float32[n, 3, S, S].
    """
    graph = Graph(folded, np.float32)
    size = architecture.size
    graph.input("mel", np.float32, MEL_SHAPE)
    graph.input("faces", np.float32, (6, size, size))
    skips = _encoder(graph, architecture, "faces")
    x = _audio(graph, architecture)
    window = FULL(architecture)
    graph.output(_decoder(graph, architecture, window, x, skips, subpixel), (3, size, size))
    return graph.model(architecture.name)


# -- the parts ---------------------------------------------------------------------------


def _audio(graph: Graph, architecture: Architecture) -> str:
    x = graph.cast("mel", graph.dtype)
    for conv in architecture.audio:
        x = graph.conv(conv, x)
    return x


def _encoder(graph: Graph, architecture: Architecture, x: str) -> list[str]:
    outputs = []
    for block in architecture.encoder:
        for conv in block:
            x = graph.conv(conv, x)
        outputs.append(x)
    return outputs


def split_features(graph: Graph, window: Window, features: str) -> list[str]:
    """The flat vector as tensors [n, channels, rows, columns], in the order of the encoder."""
    parts = window.features
    sizes = graph.constant("feature_sizes", np.array([part.values for part in parts], np.int64))
    names = [f"features.{part.level}" for part in parts]
    graph.node("Split", [features, sizes], names, axis=1)
    return [graph.reshape(name, (-1, *part.shape)) for name, part in zip(names, parts, strict=True)]


def _decoder(
    graph: Graph,
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
    mixing, colours = architecture.output
    x = graph.conv(mixing, x, pads=output_pads(window))
    return graph.op("Sigmoid", [graph.conv(colours, x)])


def output_pads(window: Window) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the first output layer.

    Where the window cuts the picture, the neighbours are there: no zeros around it.
    """
    (top, bottom), (left, right) = (
        (1 - wanted.first + kept.first, 1 - kept.end + wanted.end)
        for wanted, kept in zip(window.area, window.stages[-1].kept, strict=True)
    )
    return (top, left, bottom, right)
