"""The networks as data, and their weights."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest

from mien.lipsync.wav2lip.architecture import ARCHITECTURES, WAV2LIP, Conv
from mien.lipsync.wav2lip.weights import fold
from wav2lip_seeded import architecture, golden_keys, seeded


@pytest.mark.parametrize("size", [96, 256])
def test_every_key_and_shape_is_the_reference_networks(size: int) -> None:
    reference = {
        entry["key"]: tuple(entry["shape"])
        for entry in golden_keys(f"wav2lip{size}.keys.json")["keys"]
        if not entry["key"].endswith("num_batches_tracked")
    }
    assert architecture(size).parameters() == reference


@pytest.mark.parametrize("size", [96, 256])
def test_seeded_weights_are_the_ones_the_reference_was_computed_with(size: int) -> None:
    keys = golden_keys(f"wav2lip{size}.keys.json")
    state = seeded(size).state
    for key, first in keys["first_values"].items():
        np.testing.assert_allclose(state[key].ravel()[:3], first, rtol=0, atol=1e-6)
    differing = [
        entry["key"]
        for entry in keys["keys"]
        if entry["key"] in state and crc32(state[entry["key"]].tobytes()) != entry["crc32"]
    ]
    assert not differing


def _side(conv: Conv, side: int, axis: int) -> int:
    kernel, stride, padding = conv.kernel[axis], conv.stride[axis], conv.padding[axis]
    if conv.transposed:
        return (side - 1) * stride - 2 * padding + kernel + conv.output_padding
    return (side + 2 * padding - kernel) // stride + 1


@pytest.mark.parametrize("network", ARCHITECTURES.values(), ids=lambda network: network.name)
def test_sizes_and_channels_fit_together(network) -> None:
    rows, columns = 80, 16
    for conv in network.audio:
        rows, columns = _side(conv, rows, 0), _side(conv, columns, 1)
    assert (rows, columns) == (1, 1)

    side, features = network.size, []
    for block in network.encoder:
        for conv in block:
            side = _side(conv, side, 0)
        features.append((block[-1].cout, side))
    assert features[-1] == (512, 1)

    side, channels = 1, network.audio[-1].cout
    for block, (extra, at) in zip(network.decoder, reversed(features), strict=True):
        assert block[0].cin == channels
        for conv in block:
            side = _side(conv, side, 0)
        assert side == at
        channels = block[-1].cout + extra
    assert network.output[0].cin == channels
    assert side == network.size


def test_residual_layers_keep_their_shape() -> None:
    for conv in WAV2LIP.convs():
        if conv.residual:
            assert conv.cin == conv.cout
            assert conv.stride == (1, 1)
            assert _side(conv, 10, 0) == 10


def test_folding_is_the_batch_norm_for_both_kinds_of_convolution() -> None:
    checkpoint = seeded(96)
    folded = fold(WAV2LIP, checkpoint.state)
    rng = np.random.default_rng(0)
    for conv in WAV2LIP.convs():
        weight, bias = folded[conv.name]
        assert weight.shape == conv.weight_shape
        assert weight.dtype == bias.dtype == np.float32
        if conv.plain:
            continue
        state = {k.removeprefix(f"{conv.name}."): v for k, v in checkpoint.state.items()}
        # One tap on one vector is enough: the batch norm does not see where a value comes from.
        x = rng.standard_normal(conv.cin)
        spec = "io,i->o" if conv.transposed else "oi,i->o"
        raw = np.einsum(spec, state["conv_block.0.weight"][:, :, 0, 0], x, dtype=np.float64)
        raw += state["conv_block.0.bias"]
        deviation = np.sqrt(state["conv_block.1.running_var"] + 1e-5)
        expected = (raw - state["conv_block.1.running_mean"]) / deviation
        expected = expected * state["conv_block.1.weight"] + state["conv_block.1.bias"]
        got = np.einsum(spec, weight[:, :, 0, 0], x, dtype=np.float64) + bias
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_a_checkpoint_is_known_by_its_numbers() -> None:
    from mien.lipsync.wav2lip.checkpoint import checkpoint_of

    checkpoint = seeded(96)
    again = checkpoint_of(WAV2LIP, dict(reversed(checkpoint.state.items())), "another name")
    assert again.sha256 == checkpoint.sha256
    changed = dict(checkpoint.state)
    changed["output_block.1.bias"] = changed["output_block.1.bias"] + np.float32(1e-6)
    assert checkpoint_of(WAV2LIP, changed, "other").sha256 != checkpoint.sha256
