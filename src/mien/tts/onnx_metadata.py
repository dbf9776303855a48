"""What is written on an ONNX file, without loading it: its metadata properties.

An ONNX file is a protobuf ``ModelProto`` (onnx.proto3 of the ONNX specification). Its fields are
walked over; the graph, which is nearly all of it, is jumped over.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 1 << 22  # bytes of a property; that of a whole lexicon is a tenth of it


class NotOnnx(ValueError):
    """The file is no ONNX model, or a broken one."""


def onnx_metadata(path: Path) -> dict[str, str]:
    """Its properties by name.

    Raises:
        NotOnnx: when it is none. OSError: when it cannot be read.
    """
    found: dict[str, str] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            field, wire = divmod(_varint(file), 8)
            if wire == _BYTES:
                length = _varint(file)
                if length > size - file.tell():
                    raise NotOnnx(f"{path.name} is cut off or no ONNX file")
                if field == _METADATA_PROPS and length <= _LONGEST:
                    key, value = _property(file.read(length))
                    found[key] = value
                else:
                    file.seek(length, 1)
            elif wire == _VARINT:
                _varint(file)
            elif wire in (_FIXED32, _FIXED64):
                file.seek(8 if wire == _FIXED64 else 4, 1)
            else:
                raise NotOnnx(f"{path.name} is no ONNX file")
    return found


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while shift < 64:
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise NotOnnx("the file is cut off or no ONNX file")


def _property(entry: bytes) -> tuple[str, str]:
    file, parts = io.BytesIO(entry), {_KEY: "", _VALUE: ""}
    while file.tell() < len(entry):
        field, wire = divmod(_varint(file), 8)
        if wire != _BYTES:
            raise NotOnnx("a property of the file is no text")
        parts[field] = file.read(_varint(file)).decode("utf-8", "replace")
    return parts[_KEY], parts[_VALUE]
