"""Checkpoints: a network's weights, known to be whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.lipsync.wav2lip.architecture import WAV2LIP, WAV2LIP_256, Architecture
from mien.lipsync.wav2lip.weights import State
from mien.weights.archive import open_archive
from mien.weights.tensor import CheckpointError, StoredTensor

__all__ = ["Checkpoint", "CheckpointError", "checkpoint_of", "read_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one network.

    state: every tensor of ``architecture``, float32, in its shape.
    sha256: of the numbers, not of the file: the same weights in another format are the same
        checkpoint to whatever is cached under it.
    name: for people; a file's name or what the weights are.
    """

    architecture: Architecture
    state: State
    sha256: str
    name: str


def checkpoint_of(architecture: Architecture, state: State, name: str) -> Checkpoint:
    """A checkpoint of weights that are in memory already, such as seeded ones."""
    digest = hashlib.sha256()
    for key in architecture.parameters():
        digest.update(key.encode())
        digest.update(state[key].tobytes())
    return Checkpoint(architecture, state, digest.hexdigest(), name)


def read_checkpoint(path: Path) -> Checkpoint:
    """The weights in a file as Wav2Lip and its relatives publish them.

    A state dict beside other things (``state_dict``, ``optimizer``, …) or bare, with or without
    ``module.`` before every key, written by any version of PyTorch; a TorchScript archive; or
    .safetensors. Numbers of 16, 32 or 64 bits. Needs no PyTorch and never runs what is in the file.
    Raises CheckpointError for any other file, and for weights of another network.
    """
    try:
        with open_archive(path) as tensors:
            named = _without_prefix(tensors)
            architecture = _architecture(named)
            # Only now that every shape is right may reading take memory.
            state = {key: named[key].float32(key) for key in architecture.parameters()}
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error.__cause__
    return checkpoint_of(architecture, state, path.name)


def _without_prefix(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Training on several GPUs leaves ``module.`` before every key."""
    if tensors and all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    # The batch norms' counts of training steps; some exporters drop them, and nobody needs them.
    return {key: t for key, t in tensors.items() if not key.endswith(".num_batches_tracked")}


def _architecture(tensors: Mapping[str, StoredTensor]) -> Architecture:
    """The network that these are the weights of, every key and shape."""
    blocks = {key.split(".")[1] for key in tensors if key.startswith("face_encoder_blocks.")}
    architecture = WAV2LIP_256 if "7" in blocks else WAV2LIP
    wanted = architecture.parameters()
    found = {key: tensor.shape for key, tensor in tensors.items()}
    problems = [
        _few("missing", [key for key in wanted if key not in found]),
        _few("not expected", [key for key in found if key not in wanted]),
        _few(
            "of another shape",
            [
                f"{key} {_sides(found[key])} instead of {_sides(shape)}"
                for key, shape in wanted.items()
                if key in found and found[key] != shape
            ],
        ),
    ]
    if any(problems):
        looks = _relative(found, larger=any(problems[1:]))
        raise CheckpointError(
            (f"this looks like {looks}, not like" if looks else "these are not")
            + f" the weights of {architecture.name}; tensors "
            + "; ".join(filter(None, problems))
        )
    return architecture


def _few(what: str, keys: list[str], shown: int = 3) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - shown} more" if len(keys) > shown else ""
    return f"{what} ({len(keys)}): {', '.join(keys[:shown])}{more}"


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"


_RELATIVES = (
    ("binary_pred.", "the discriminator that Wav2Lip's GAN was trained against"),
    ("face_encoder.", "the SyncNet expert that judges lips while Wav2Lip is trained"),
    ("conv3_3_norm", "the s3fd face detector"),
    ("stylegan_decoder.", "the GFPGAN face enhancer"),
    ("down_blocks.", "a diffusion U-Net as MuseTalk has"),
    ("cp.resnet.", "a face parsing network"),
)
"""What a key begins with that no other of the files around Wav2Lip has."""


def _relative(found: Mapping[str, tuple[int, ...]], larger: bool) -> str:
    """Which well-known other network it is, where its keys tell; larger: it has more to it."""
    for prefix, what in _RELATIVES:
        if any(key.startswith(prefix) for key in found):
            return what
    parts = {key.split(".")[0] for key in found}
    if larger and {"face_encoder_blocks", "face_decoder_blocks", "audio_encoder"} <= parts:
        return "a fork's Wav2Lip of another size (192, 288 and 384 pixels exist, 96 and 256 work)"
    return ""
