"""The network as PyTorch modules: as it was trained, for comparison, and folded, for running."""

from __future__ import annotations

from collections.abc import Iterable

from mien.lipsync.wav2lip.architecture import Architecture, Conv
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.weights import NORM_EPS
from mien.passive_torch import torch


class Block(torch.nn.Module):
    """Convolution, batch norm, ReLU, and the input added before it where that is asked for."""

    def __init__(self, conv: Conv) -> None:
        super().__init__()
        self.conv_block = torch.nn.Sequential(
            _layer(conv), torch.nn.BatchNorm2d(conv.cout, eps=NORM_EPS)
        )
        self.residual = conv.residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv_block(x)
        if self.residual:
            y = y + x
        return torch.relu(y)


class Network(torch.nn.Module):
    """The whole network, unfolded and with the keys of official state dicts."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.audio_encoder = _blocks(architecture.audio)
        self.face_encoder_blocks = torch.nn.ModuleList(map(_blocks, architecture.encoder))
        self.face_decoder_blocks = torch.nn.ModuleList(map(_blocks, architecture.decoder))
        self.output_block = torch.nn.Sequential(*_blocks(architecture.output), torch.nn.Sigmoid())

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """float32[n, 1, 80, 16] and float32[n, 6, S, S] to float32[n, 3, S, S]; BGR, 0…1."""
        features = self.encode_face(faces)
        x = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            x = torch.cat((block(x), features.pop()), 1)
        painted: torch.Tensor = self.output_block(x)
        return painted

    def encode_face(self, faces: torch.Tensor) -> list[torch.Tensor]:
        """The output of every face encoder block, full resolution first."""
        features: list[torch.Tensor] = []
        for block in self.face_encoder_blocks:
            faces = block(faces)
            features.append(faces)
        return features


def reference_module(checkpoint: Checkpoint) -> Network:
    """The network as everybody runs it: plain modules, float32, one operation after the other.

    Every other way of running it is compared with this one, in its numbers and in its speed.
    """
    module = Network(checkpoint.architecture)
    state = {key: torch.from_numpy(value) for key, value in checkpoint.state.items()}
    module.load_state_dict(state, strict=False)
    module.eval().requires_grad_(False)
    return module


def _blocks(convs: Iterable[Conv]) -> torch.nn.Sequential:
    return torch.nn.Sequential(*(_layer(conv) if conv.plain else Block(conv) for conv in convs))


def _layer(conv: Conv) -> torch.nn.Module:
    if conv.transposed:
        return torch.nn.ConvTranspose2d(
            conv.cin, conv.cout, conv.kernel, conv.stride, conv.padding, conv.output_padding
        )
    return torch.nn.Conv2d(conv.cin, conv.cout, conv.kernel, conv.stride, conv.padding)
