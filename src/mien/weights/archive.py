"""Files that weights come in, told apart by their content, and opened without trusting them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path

from mien.weights.tensor import CheckpointError, StoredTensor
from mien.weights.torch_archive import MAX_BYTES, legacy_tensors, zip_tensors

_SAFETENSORS_KINDS = {"F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf2"}


@contextmanager
def open_archive(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[Mapping[str, StoredTensor]]:
    """The tensors in a file by name; their numbers can be read inside the context.

    max_bytes: of the file; a larger one is none of what the caller knows.
    Raises CheckpointError, whose message ("it is …") is about the file.
    """
    size, head = _looked_at(path, max_bytes)
    if head.startswith(b"PK\x03\x04"):
        opened = zip_tensors(path)
    elif head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        opened = _safetensors(path)  # before pickles: a header may be 0x80 bytes long, or 0x180
    elif head.startswith(b"\x80"):
        opened = legacy_tensors(path)
    else:
        raise CheckpointError(_what_else(head))
    with opened as tensors:
        yield tensors


def _looked_at(path: Path, max_bytes: int) -> tuple[int, bytes]:
    """Size and first bytes."""
    try:
        if not path.is_file():
            raise CheckpointError("it is a folder" if path.is_dir() else "there is no such file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise CheckpointError(f"it cannot be read ({error.strerror})") from error
    if not size:
        raise CheckpointError("it is empty (0 bytes); get it again")
    if size > max_bytes:
        raise CheckpointError(
            f"it has {size / 1e9:.1f} GB; no checkpoint that is known here is so large"
        )
    return size, head


def _what_else(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith(b"version https://git-lfs"):
        return (
            "it is a Git LFS pointer, not the weights themselves; fetch them with `git lfs pull` "
            "or download the file in a browser"
        )
    if text.startswith(b"<"):
        return (
            "it is a web page, not weights: the site asked for a login or a confirmation; "
            "download the file in a browser"
        )
    return (
        "it is no file of weights that is known here: a PyTorch checkpoint (.pth, .pt), a "
        "TorchScript archive or .safetensors"
    )


@contextmanager
def _safetensors(path: Path) -> Iterator[Mapping[str, StoredTensor]]:
    try:
        import safetensors
    except ImportError as error:
        raise CheckpointError(
            "it is a .safetensors file; to read it: pip install safetensors"
        ) from error
    try:
        entries = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(f"it is incomplete or damaged ({error}); get it again") from error
    yield {name: _whole(entry) for name, entry in entries}


def _whole(entry: dict[str, object]) -> StoredTensor:
    shape, kind, data = entry["shape"], entry["dtype"], entry["data"]
    assert isinstance(shape, list) and isinstance(kind, str) and isinstance(data, bytes | bytearray)
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    kind = _SAFETENSORS_KINDS.get(kind, kind)
    return StoredTensor(kind, tuple(shape), strides, 0, prod(shape), lambda: memoryview(data))
