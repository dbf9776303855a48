"""AMF0, the values in RTMP's commands (Adobe, Action Message Format – AMF 0, 2006)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

# What a server has to say fits in three; deeper nesting is an attack on the stack.
MAX_DEPTH = 16

Value = None | bool | float | str | list["Value"] | dict[str, "Value"]

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _UNDEFINED = 0, 1, 2, 3, 5, 6
_ECMA_ARRAY, _OBJECT_END, _STRICT_ARRAY, _DATE, _LONG_STRING = 8, 9, 10, 11, 12
_UNSUPPORTED, _XML, _TYPED_OBJECT = 13, 15, 16


class AmfError(ValueError):
    """These bytes are no AMF0."""


class EcmaArray(dict[str, Value]):
    """A mapping that is sent as ``ECMA array``, as ``onMetaData`` wants it."""


Sendable = None | bool | int | float | str | list[Value] | Mapping[str, Value]


def encode(*values: Sendable) -> bytes:
    """The values one after the other. Mappings become objects, :class:`EcmaArray` itself."""
    return b"".join(_encoded(value) for value in values)


def _encoded(value: Sendable) -> bytes:
    if value is None:
        return bytes([_NULL])
    if isinstance(value, bool):
        return bytes([_BOOLEAN, value])
    if isinstance(value, int | float):
        return struct.pack(">Bd", _NUMBER, value)
    if isinstance(value, str):
        text = value.encode()
        if len(text) > 0xFFFF:
            return struct.pack(">BI", _LONG_STRING, len(text)) + text
        return bytes([_STRING]) + _counted(text)
    if isinstance(value, list):
        return struct.pack(">BI", _STRICT_ARRAY, len(value)) + encode(*value)
    if isinstance(value, EcmaArray):
        head = struct.pack(">BI", _ECMA_ARRAY, len(value))
    else:
        head = bytes([_OBJECT])
    pairs = b"".join(_counted(key.encode()) + _encoded(item) for key, item in value.items())
    return head + pairs + bytes([0, 0, _OBJECT_END])


def _counted(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def decode(data: bytes) -> list[Value]:
    """All values in ``data``. Dates become milliseconds, typed objects plain ones, and what has
    no value here (undefined, unsupported) None.

    Raises:
        AmfError: for anything malformed, cut short or nested too deeply.
    """
    reader = _Reader(data)
    values = []
    while not reader.done:
        values.append(reader.value())
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._data)

    def value(self, depth: int = 0) -> Value:
        if depth > MAX_DEPTH:
            raise AmfError("AMF0 is nested too deeply")
        marker = self._take(1)[0]
        if marker == _NUMBER:
            return float(struct.unpack(">d", self._take(8))[0])
        if marker == _BOOLEAN:
            return self._take(1) != b"\0"
        if marker == _STRING:
            return self._text(2)
        if marker in (_LONG_STRING, _XML):
            return self._text(4)
        if marker == _OBJECT:
            return self._pairs(depth)
        if marker == _TYPED_OBJECT:
            self._text(2)  # the class
            return self._pairs(depth)
        if marker == _ECMA_ARRAY:
            self._take(4)  # how many: servers are often wrong about it; the end marker decides
            return EcmaArray(self._pairs(depth))
        if marker == _STRICT_ARRAY:
            count = int.from_bytes(self._take(4), "big")
            if count > len(self._data) - self._at:
                raise AmfError("an AMF0 array ends too early")
            return [self.value(depth + 1) for _ in range(count)]
        if marker == _DATE:
            milliseconds = float(struct.unpack(">d", self._take(8))[0])
            self._take(2)  # time zone, always 0
            return milliseconds
        if marker in (_NULL, _UNDEFINED, _UNSUPPORTED):
            return None
        raise AmfError(f"AMF0 has no values of type {marker}")

    def _pairs(self, depth: int) -> dict[str, Value]:
        pairs: dict[str, Value] = {}
        while True:
            key = self._text(2)
            if not key and self._data[self._at : self._at + 1] == bytes([_OBJECT_END]):
                self._at += 1
                return pairs
            pairs[key] = self.value(depth + 1)

    def _text(self, width: int) -> str:
        size = int.from_bytes(self._take(width), "big")
        return self._take(size).decode(errors="replace")

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise AmfError("AMF0 ends too early")
        self._at += count
        return taken
