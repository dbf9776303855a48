"""PyTorch's files: zip archives (TorchScript's too) and what it wrote before version 1.6."""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from mien.weights.pickled import Module, Tensor, read_pickle
from mien.weights.tensor import CheckpointError, StoredTensor

MAX_BYTES = 2 << 30
"""Of a file. The largest official one of Wav2Lip has 436 MB, one of Bert-VITS2 0.9 GB, most of it
the state of an optimizer."""

MAX_DESCRIPTION = 64 << 20
"""Bytes of the pickle in a zip archive; that of an official checkpoint takes 0.2 MB."""

MAX_ENTRIES = 100_000
MAX_DEPTH = 32
MAX_KEY = 256

_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)
"""What ``zipfile`` has been seen to raise where bytes of an archive were changed, and its kin."""

_LEGACY_START = (0x1950A86A20F9469CFC6C, 1001)
"""The first two pickles of a file of before version 1.6."""


@contextmanager
def zip_tensors(path: Path) -> Iterator[Mapping[str, StoredTensor]]:
    """The tensors of a zip archive by name; their numbers can be read inside the context."""
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise CheckpointError(
            f"it is incomplete or damaged ({error}); get it again and compare its size"
        ) from error
    with archive:
        names = archive.namelist()
        if len(names) > MAX_ENTRIES:
            raise CheckpointError(f"it has {len(names)} entries; no checkpoint has so many")
        folder = _folder(names)
        byteorder = f"{folder}/byteorder"
        if byteorder in names and _stored(archive, byteorder, 16) != b"little":
            raise CheckpointError("it was written on a big-endian machine; this is not supported")
        pickle = io.BytesIO(_stored(archive, f"{folder}/data.pkl", MAX_DESCRIPTION))
        tensors = _named_tensors(read_pickle(pickle).value)

        @lru_cache(maxsize=1)  # tensors that follow each other may be views of one row
        def row(entry: str, size: int) -> bytes:
            return _stored(archive, entry, size)

        def stored(tensor: Tensor) -> StoredTensor:
            kind, numbers = tensor.storage.kind, tensor.storage.start + tensor.storage.numbers
            name, size = f"{folder}/data/{tensor.storage.key}", numbers * int(kind[-1])
            return StoredTensor(
                kind,
                tensor.shape,
                tensor.strides,
                tensor.storage.start + tensor.offset,
                numbers,
                lambda: row(name, size),
            )

        yield {key: stored(tensor) for key, tensor in tensors.items()}


def _folder(names: list[str]) -> str:
    folders = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
    folders = [folder for folder in folders if "/" not in folder]
    if len(folders) == 1:
        return folders[0]
    inside = [name for name in names if name.endswith((".pth", ".pt", ".safetensors"))]
    if inside:
        raise CheckpointError(
            f"it is a zip file with {inside[0]} in it; unpack it and use that file"
        )
    raise CheckpointError("it is a zip file, but not one that PyTorch wrote")


def _stored(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """An entry of at most ``size`` bytes."""
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise CheckpointError(f"its entry {name} is missing; get it again") from error
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > min(size, MAX_BYTES):
        # PyTorch never compresses these; something compressed could swell beyond all memory.
        raise CheckpointError(
            f"its entry {name} is not as PyTorch writes it (compressed or "
            f"{entry.file_size} bytes in place of {size}); get the original file"
        )
    try:
        return archive.read(entry)
    except _DAMAGED as error:
        raise CheckpointError(f"it is damaged at {name} ({error}); get it again") from error


@contextmanager
def legacy_tensors(path: Path) -> Iterator[Mapping[str, StoredTensor]]:
    """The tensors of a file of old: four pickles, a list of rows, and the rows themselves."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if any(read_pickle(data).value != part for part in _LEGACY_START):
            raise CheckpointError("it is a pickle, but not one that PyTorch wrote")
        machine = read_pickle(data).value
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise CheckpointError("it was written on a big-endian machine; this is not supported")
        pickled = read_pickle(data)
        tensors = _named_tensors(pickled.value)
        rows = _legacy_rows(data, read_pickle(data).value, pickled.kinds)

        def stored(tensor: Tensor) -> StoredTensor:
            begin, end = rows[tensor.storage.key]
            return StoredTensor(
                tensor.storage.kind,
                tensor.shape,
                tensor.strides,
                tensor.storage.start + tensor.offset,
                tensor.storage.start + tensor.storage.numbers,
                lambda: data[begin:end],
            )

        yield {key: stored(tensor) for key, tensor in tensors.items()}


def _legacy_rows(
    data: mmap.mmap, keys: Any, kinds: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """First byte and end of each row. They follow each other, each after its count of numbers."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError("its list of stored rows is damaged; get it again")
    rows, at = {}, data.tell()
    for key in keys:
        if key not in kinds:
            raise CheckpointError("it stores rows that belong to no tensor; get it again")
        begin = at + 8
        (numbers,) = struct.unpack("<q", data[at:begin].ljust(8, b"\0"))
        at = begin + numbers * int(kinds[key][-1])
        if numbers < 0 or at > len(data):
            raise CheckpointError("it ends in the middle of its numbers; get it again")
        rows[key] = (begin, at)
    if not kinds.keys() <= rows.keys():
        raise CheckpointError("it lacks the numbers of some tensors; get it again")
    return rows


def _named_tensors(value: Any) -> dict[str, Tensor]:
    """A state dict wherever checkpoints have it: beside other things, bare, or in a module."""
    if isinstance(value, Module):
        return dict(_module_tensors(value))
    if isinstance(value, dict):
        wrapped = (value[name] for name in ("state_dict", "model") if name in value)
        state = next(wrapped, value)
        if isinstance(state, dict):
            tensors = {key: item for key, item in state.items() if isinstance(item, Tensor)}
            if tensors:
                return {_checked(key): tensor for key, tensor in tensors.items()}
        entries = ", ".join(repr(key) for key in list(value)[:5])
        raise CheckpointError(f"it holds no state dict (only {entries or 'nothing'})")
    raise CheckpointError(f"it holds no state dict (only a {type(value).__name__})")


def _module_tensors(root: Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a module and all inside it, as its state dict would name them."""
    left, waiting = MAX_ENTRIES, [("", 0, root)]
    while waiting:
        prefix, depth, module = waiting.pop()
        for name, value in module.attributes.items():
            left -= 1
            if left < 0 or depth > MAX_DEPTH:
                raise CheckpointError("its modules are nested endlessly; it is no checkpoint")
            key = _checked(f"{prefix}{name}")
            if isinstance(value, Tensor):
                yield key, value
            elif isinstance(value, Module):
                waiting.append((f"{key}.", depth + 1, value))


def _checked(key: Any) -> str:
    if not isinstance(key, str) or len(key) > MAX_KEY:
        raise CheckpointError("it names a tensor in a way that no network does; it is damaged")
    return key
