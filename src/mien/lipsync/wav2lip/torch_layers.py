"""The network for running in PyTorch: batch norms folded, cut to a window, channels last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Conv
from mien.lipsync.wav2lip.subpixel import shuffled_weights
from mien.lipsync.wav2lip.weights import Folded
from mien.lipsync.wav2lip.window import Area, Window
from mien.passive_torch import torch

Layer = Callable[[torch.Tensor], torch.Tensor]
MakeLayer = Callable[[Conv, NDArray[np.float32], NDArray[np.float32]], Layer]


class PlainLayer:
    """A convolution with what follows it, in PyTorch's public operations; for any device."""

    def __init__(
        self,
        conv: Conv,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self._conv = conv
        self._weight = channels_last(torch.from_numpy(weight).to(device, dtype))
        self._bias = torch.from_numpy(bias).to(device, dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        conv = self._conv
        if conv.transposed:
            size = (conv.stride, conv.padding, conv.output_padding)
            y = torch.nn.functional.conv_transpose2d(x, self._weight, self._bias, *size)
        else:
            y = torch.nn.functional.conv2d(x, self._weight, self._bias, conv.stride, conv.padding)
        if conv.residual:
            y += x
        return y if conv.plain else y.relu_()


class PackedLayer:
    """The same in one operation of oneDNN, whose weights are put in its order only once.

    PyTorch otherwise reorders all weights at every call (a quarter of the time for one picture) and
    reads every result again for the ReLU: 42 instead of 52 ms a picture on one core. These
    operations are what its own compiler emits; they need no compiler.
    """

    def __init__(
        self,
        conv: Conv,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        dtype: torch.dtype,
    ) -> None:
        self._conv = conv
        self._weight = torch.from_numpy(weight).to(dtype)
        self._bias = torch.from_numpy(bias).to(dtype)
        self._size = [list(conv.padding), list(conv.stride), [1, 1], 1]
        if conv.transposed:
            self._size.insert(1, [conv.output_padding] * 2)
        self._packed = False

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        conv, run = self._conv, torch.ops.mkldnn
        if not self._packed:
            pack = run._reorder_convolution_weight
            if conv.transposed:
                pack = run._reorder_convolution_transpose_weight
            self._weight = pack(self._weight, *self._size, list(x.shape))
            self._packed = True
        weights = (self._weight, self._bias, *self._size)
        if conv.residual:
            add = run._convolution_pointwise.binary
            return add(x, x, *weights, "add", 1.0, "relu", [None], None)
        if conv.transposed:
            return run._convolution_transpose_pointwise(x, *weights, "relu", [None], "")
        activation = "none" if conv.plain else "relu"
        return run._convolution_pointwise(x, *weights, activation, [None], "")

    @staticmethod
    def works(dtype: torch.dtype) -> bool:
        """Whether this PyTorch, on this processor, has these operations and they are right."""
        rng = np.random.default_rng(0)
        x = torch.from_numpy(rng.standard_normal((1, 16, 5, 4), np.float32))
        for conv in _KINDS:
            weight = (rng.standard_normal(conv.weight_shape) / 12).astype(np.float32)
            bias = rng.standard_normal(conv.cout).astype(np.float32)
            try:
                packed = PackedLayer(conv, weight, bias, dtype)(channels_last(x.to(dtype)))
            except (RuntimeError, AttributeError, TypeError):
                return False
            plain = PlainLayer(conv, weight, bias, torch.float32)(x)
            if not torch.allclose(packed.float(), plain, rtol=0.02, atol=0.05):
                return False
        return True


_KINDS = (
    Conv("convolution", 16, 16, (3, 3), (1, 1), (1, 1)),
    Conv("residual", 16, 16, (3, 3), (1, 1), (1, 1), residual=True),
    Conv("transposed", 16, 16, (3, 3), (2, 2), (1, 1), 1, transposed=True),
    Conv("plain", 16, 3, (1, 1), (1, 1), (0, 0), plain=True),
)


class Spread:
    """A transposed convolution of a single pixel: one matrix product, its results laid out."""

    def __init__(
        self,
        conv: Conv,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        make: MakeLayer,
    ) -> None:
        weight, bias, self._side = shuffled_weights(conv, weight, bias)
        wide = Conv(conv.name, conv.cin, len(bias), (1, 1), (1, 1), (0, 0))
        self._layer = make(wide, weight, bias)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pixel_shuffle(self._layer(x), self._side)


class Encoder:
    """Pictures to what the decoder reads of them."""

    def __init__(self, folded: Folded, window: Window, make: MakeLayer) -> None:
        self._window = window
        blocks = [list(block) for block in window.architecture.encoder]
        layers = {conv.name: folded[conv.name] for block in blocks for conv in block}
        first = blocks[0][0].name
        weight, bias = layers[first]
        # The network was trained on blue, green, red; turning its weights turns every picture.
        layers[first] = (np.ascontiguousarray(weight[:, [2, 1, 0, 5, 4, 3]]), bias)
        self._blocks = [[make(conv, *layers[conv.name]) for conv in block] for block in blocks]

    def __call__(self, faces: torch.Tensor, dtype: torch.dtype, kept: torch.dtype) -> torch.Tensor:
        """uint8[n, S, S, 3] RGB to ``kept``[n, window.values]; computed in ``dtype``."""
        whole = (faces.permute(0, 3, 1, 2).float() / 255).to(dtype)
        masked = whole.clone()
        masked[:, :, self._window.architecture.size // 2 :] = 0
        x = channels_last(torch.cat((masked, whole), 1))
        parts = []
        for block, part in zip(self._blocks, self._window.features, strict=True):
            for layer in block:
                x = layer(x)
            parts.append(x[:, :, part.rows, part.columns].flatten(1))
        features = torch.cat(parts, 1)
        if kept == torch.float16:
            features = features.clamp(max=torch.finfo(kept).max)
        return features.to(kept)


class Decoder:
    """Sound and what is kept of the pictures to painted faces."""

    def __init__(self, folded: Folded, window: Window, make: MakeLayer, dtype: torch.dtype) -> None:
        self._window, self._dtype = window, dtype
        architecture = window.architecture

        def layer(conv: Conv) -> Layer:
            if conv.transposed and conv.stride == (1, 1):
                return Spread(conv, *folded[conv.name], make)
            return make(conv, *folded[conv.name])

        self._audio = [layer(conv) for conv in architecture.audio]
        self._blocks = [[layer(conv) for conv in block] for block in architecture.decoder]
        self._output = [layer(conv) for conv in architecture.output]

    def __call__(self, mels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """float32[n, 1, 80, 16] and [n, window.values] to float32[n, 3, rows, columns]."""
        x = mels.to(self._dtype)
        for layer in self._audio:
            x = layer(x)
        parts = self._window.features
        flat = features.to(self._dtype).split([part.values for part in parts], 1)
        for stage, block, part, values in zip(
            self._window.stages, self._blocks, reversed(parts), reversed(flat), strict=True
        ):
            for layer in block:
                x = layer(x)
            exact = cut(x, stage.kept, stage.made)
            x = channels_last(torch.cat((exact, values.reshape(-1, *part.shape)), 1))
        for layer in self._output:
            x = layer(x)
        x = cut(x, self._window.area, self._window.stages[-1].kept)
        return torch.sigmoid(x.float()).contiguous()


def cut(x: torch.Tensor, wanted: Area, of: Area) -> torch.Tensor:
    """The part ``wanted`` of a tensor that covers ``of``, rows and columns."""
    for axis, (span, whole) in enumerate(zip(wanted, of, strict=True), start=2):
        x = x.narrow(axis, span.first - whole.first, span.end - span.first)
    return x


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """The channels of a pixel side by side: the order in which every fast kernel works."""
    return x.contiguous(memory_format=torch.channels_last)
