"""A voice on disk: ``config.json`` and the generator's weights, known to be whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.architecture import parameters
from mien.tts.bert_vits2.config import VoiceConfig, read_config
from mien.tts.bert_vits2.variant import Variant, VariantError, detect
from mien.weights.archive import open_archive
from mien.weights.tensor import CheckpointError, StoredTensor

__all__ = ["Checkpoint", "CheckpointError", "checkpoint_of", "inspect", "load_voice"]

CONFIG = "config.json"
WEIGHTS = (".pth", ".pt", ".safetensors")

State = dict[str, NDArray[np.float32]]

_NORMS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)
"""Length and direction of a weight under weight norm, by their names before and since PyTorch 2."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one voice.

    state: every tensor of ``architecture.parameters(variant)``, float32, weight norms folded in.
    sha256: of the numbers, not of the file: whatever is cached under it is the same for the same
        weights in another format.
    name: for people; the file's.
    """

    variant: Variant
    config: VoiceConfig
    state: State
    sha256: str
    name: str


def checkpoint_of(variant: Variant, config: VoiceConfig, state: State, name: str) -> Checkpoint:
    """A checkpoint of weights that are in memory already, such as seeded ones."""
    digest = hashlib.sha256()
    for key in parameters(variant):
        digest.update(key.encode())
        digest.update(state[key].data)
    return Checkpoint(variant, config, state, digest.hexdigest(), name)


def load_voice(path: Path) -> Checkpoint:
    """The voice in a folder, or of one file of weights.

    path: a folder with ``config.json`` and ``G_….pth`` or .safetensors in it or in its ``models``
        folder (of several the one that was trained longest), or such a file; then config.json lies
        beside it or one folder above. What was published "compressed" (without the posterior
        encoder, in 16 bits) works, too. Needs no PyTorch and never runs what is in the file.
    Raises CheckpointError: what is missing or wrong, and what to do about it.
    """
    with _opened(path) as (weights, config, variant, tensors):
        # Only now that every shape is right may reading take memory.
        state = {key: _folded(key, tensors) for key in parameters(variant)}
    return checkpoint_of(variant, config, state, weights.name)


def inspect(path: Path) -> tuple[Variant, VoiceConfig]:
    """What ``load_voice`` would find, without reading the numbers; raises as it does."""
    with _opened(path) as (_, config, variant, _):
        return variant, config


@contextmanager
def _opened(
    path: Path,
) -> Iterator[tuple[Path, VoiceConfig, Variant, Mapping[str, StoredTensor]]]:
    weights = _weights(path)
    config = read_config(_config(weights, path))
    try:
        with open_archive(weights) as tensors:
            named = _without_prefix(tensors)
            variant = detect(_folded_shapes(named), config.rates, config.dilations)
            _check(variant, named)
            yield weights, config, variant, named
    except VariantError as error:
        raise VariantError(f"{weights}: {error}", f"{weights}：{error.zh}") from error.__cause__
    except CheckpointError as error:
        raise CheckpointError(f"{weights}: {error}") from error.__cause__


# -- files -------------------------------------------------------------------------------


def _weights(path: Path) -> Path:
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file or folder")
    if path.is_file():
        return path
    folders = [path, path / "models"]
    found = [
        file
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix in WEIGHTS and not file.name.startswith(("D_", "DUR_", "WD_"))
    ]
    if not found:
        raise CheckpointError(f"{path}: there are no weights in it (G_….pth or .safetensors)")
    return max(found, key=lambda file: (file.name.startswith("G_"), _steps(file), file.name))


def _steps(file: Path) -> int:
    """How long the weights were trained, which their name tells."""
    numbers = re.findall(r"\d+", file.stem)
    return int(numbers[-1]) if numbers else -1


def _config(weights: Path, path: Path) -> Path:
    folders = [path] if path.is_dir() else []
    for folder in (*folders, weights.parent, weights.parent.parent):
        if (folder / CONFIG).is_file():
            return folder / CONFIG
    raise CheckpointError(
        f"{weights}: its config.json is missing; it belongs beside the weights or one folder above"
    )


# -- tensors -----------------------------------------------------------------------------


def _without_prefix(tensors: Mapping[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """Training on several GPUs leaves ``module.`` before every key."""
    if tensors and all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    return tensors


def _parts(key: str) -> list[tuple[str, str]]:
    prefix = key.removesuffix("weight")
    return [(prefix + length, prefix + direction) for length, direction in _NORMS]


def _folded_shapes(tensors: Mapping[str, StoredTensor]) -> dict[str, tuple[int, ...]]:
    """Shapes by the keys that the tensors will have without weight norm."""
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    for _, direction in _NORMS:
        for key in [key for key in shapes if key.endswith(f".{direction}")]:
            shapes[key.removesuffix(direction) + "weight"] = shapes[key]
    return shapes


def _check(variant: Variant, tensors: Mapping[str, StoredTensor]) -> None:
    found = _folded_shapes(tensors)
    wanted = parameters(variant)
    missing = [key for key in wanted if key not in found]
    unlike = [
        f"{key} {_sides(found[key])} instead of {_sides(shape)}"
        for key, shape in wanted.items()
        if key in found and found[key] != shape
    ]
    if missing or unlike:
        problems = "; ".join(filter(None, (_few("missing", missing), _few("unlike", unlike))))
        raise VariantError(
            f"the weights look like Bert-VITS2 {variant.name}, but do not fit it: {problems}",
            f"权重看起来是 Bert-VITS2 {variant.name}，但与其结构不符：{problems}",
        )


def _folded(key: str, tensors: Mapping[str, StoredTensor]) -> NDArray[np.float32]:
    if key in tensors:
        return tensors[key].float32(key)
    length, direction = next(pair for pair in _parts(key) if pair[1] in tensors)
    if length not in tensors or tensors[length].shape != _lengths(tensors[direction].shape):
        raise CheckpointError(f"{length} is missing or of another shape; the file is damaged")
    g = tensors[length].float32(length).astype(np.float64)
    v = tensors[direction].float32(direction).astype(np.float64)
    norm = np.sqrt(np.sum(v * v, axis=tuple(range(1, v.ndim)), keepdims=True))
    if not norm.all():
        raise CheckpointError(f"{direction} has directions without a length; training failed")
    folded: NDArray[np.float32] = (g * (v / norm)).astype(np.float32)
    return folded


def _lengths(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], *(1 for _ in shape[1:]))


def _few(what: str, keys: list[str], shown: int = 3) -> str:
    more = f" and {len(keys) - shown} more" if len(keys) > shown else ""
    return f"{what} ({len(keys)}): {', '.join(keys[:shown])}{more}" if keys else ""


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"
