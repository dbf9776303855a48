"""The header of a WAV stream, read while it arrives.

Format: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (RIFF WAVE),
``WAVE_FORMAT_EXTENSIBLE`` as in the Windows SDK's mmreg.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

MAGIC = b"RIFF"
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Comments and pictures come before the sound in some files, never this much of them.
_MAX_HEADER = 1 << 20
# What streaming servers write who cannot know the length: 0, 0x7FFFFFFF less a header, 0xFFFFFFFF.
_PLAUSIBLE_BYTES = 0x7FFF_0000

SampleKind = Literal["u1", "i2", "i3", "i4", "f4", "f8"]
_KINDS: dict[tuple[int, int], SampleKind] = {
    (_PCM, 8): "u1",
    (_PCM, 16): "i2",
    (_PCM, 24): "i3",
    (_PCM, 32): "i4",
    (_FLOAT, 32): "f4",
    (_FLOAT, 64): "f8",
}


class SoundError(ValueError):
    """The bytes are not sound that can be read, or end before the sound does."""


@dataclass(frozen=True, slots=True)
class Samples:
    """How samples lie in a stream: little-endian, channels interleaved.

    kind: u1 unsigned 8-bit, i2/i3/i4 signed integers of so many bytes, f4/f8 floats of ±1.
    """

    rate: int
    kind: SampleKind = "i2"
    channels: int = 1

    def __post_init__(self) -> None:
        if not 4_000 <= self.rate <= 192_000:
            raise SoundError(f"a sample rate of {self.rate} Hz")
        if not 1 <= self.channels <= 8:
            raise SoundError(f"{self.channels} channels")

    @property
    def frame_bytes(self) -> int:
        return int(self.kind[1]) * self.channels


@dataclass(frozen=True, slots=True)
class WavHeader:
    """samples: how they lie. begin: where in the bytes they start. length: of them, in bytes;
    None where the header does not say."""

    samples: Samples
    begin: int
    length: int | None


def read_header(data: bytes | bytearray) -> WavHeader | None:
    """Read from the beginning of a stream; None as long as more is needed.

    Raises:
        SoundError: when it is no WAV header, or one of a format that is not read here.
    """
    if len(data) < 12:
        return None
    if data[:4] != MAGIC or data[8:12] != b"WAVE":
        raise SoundError("no WAV header")
    at, samples = 12, None
    while len(data) >= at + 8:
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"data":
            if samples is None:
                raise SoundError("a WAV header without its format")
            return WavHeader(samples, at, size if 0 < size < _PLAUSIBLE_BYTES else None)
        if size > _MAX_HEADER:
            raise SoundError(f"a WAV header with a part of {size} bytes")
        if name == b"fmt ":
            if len(data) < at + size:
                return None
            samples = _format(bytes(data[at : at + size]))
        at += size + size % 2
    return None


def _format(chunk: bytes) -> Samples:
    if len(chunk) < 16:
        raise SoundError("a WAV header cut short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    kind = _KINDS.get((tag, bits))
    if kind is None:
        raise SoundError(f"a WAV file of format {tag} with {bits} bits")
    return Samples(rate, kind, channels)
