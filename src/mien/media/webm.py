"""A WebM file that plays whenever writing it ends (RFC 8794, RFC 9559, and what WebM takes of it).

Clusters are complete in themselves. Finishing appends an index and tags, and writes the length and
the index' place into room left for them at the front.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mien.media.encoders import OPUS_DELAY_SAMPLES
from mien.media.fmp4 import Sample
from mien.media.rendition import Rendition
from mien.media.tick import FPS, SAMPLE_RATE

_VIDEO, _AUDIO = 1, 2
_CUES, _TAGS = 0x1C53BB6B, 0x1254C367
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
# How long a decoder must run before its sound is right (RFC 7845, 4.6).
_SEEK_PRE_ROLL_NS = 80_000_000
_DURATION_SIZE = 11
_SEEK_HEAD_SIZE = 64  # of two entries


def element(kind: int, *parts: bytes) -> bytes:
    """An EBML element; ``kind`` with its length marker, as the standard prints it."""
    size = sum(map(len, parts))
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    return name + _size(size) + b"".join(parts)


def _size(value: int) -> bytes:
    length = next(n for n in range(1, 9) if value < (1 << 7 * n) - 1)
    return (value | 1 << 7 * length).to_bytes(length, "big")


def _number(kind: int, value: int) -> bytes:
    return element(kind, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _text(kind: int, value: str) -> bytes:
    return element(kind, value.encode())


def _float(kind: int, value: float) -> bytes:
    return element(kind, struct.pack(">d", value))


def _room(size: int) -> bytes:
    """A Void element of ``size`` bytes in all."""
    return element(0xEC, bytes(size - 2))


class WebmFile:
    """Turns samples into the bytes of the file, in the order in which they are to be written.

    pictures: their size and codec, "vp8" or "vp9". Sound is Opus, mono, stamped as the program
    does: the encoder's delay is told to the player, which takes it off.
    """

    def __init__(self, pictures: Rendition, metadata: Mapping[str, str], created: datetime) -> None:
        self._pictures = pictures
        self._metadata, self._created = dict(metadata), created
        self._retagged = False
        self._size = 0
        self._segment = self._room_at = 0
        self._cues: list[bytes] = []
        self._end_ms = 0

    def begin(self) -> bytes:
        head = element(
            0x1A45DFA3,  # EBML
            _number(0x4286, 1),
            _number(0x42F7, 1),
            _number(0x42F2, 4),
            _number(0x42F3, 8),
            _text(0x4282, "webm"),
            _number(0x4287, 4),
            _number(0x4285, 2),
        )
        head += struct.pack(">I", 0x18538067) + _UNKNOWN_SIZE  # Segment
        self._segment = self._room_at = len(head)
        head += _room(_SEEK_HEAD_SIZE) + self._information() + self._tracks()
        tags = self._tags()
        self._tags_at, self._tags_size = len(head), len(tags)
        head += tags
        self._size = len(head)
        return head

    def add(self, samples: Sequence[Sample]) -> bytes:
        """The next cluster."""
        blocks = sorted(((_ms(sample), sample) for sample in samples), key=_in_order)
        start = min(ms for ms, _ in blocks)
        data = _number(0xE7, start)
        cues = []
        for ms, sample in blocks:
            if sample.track == "video" and sample.keyframe:
                cues.append((ms, len(data)))
            flags = 0x80 if sample.keyframe else 0
            track = _VIDEO if sample.track == "video" else _AUDIO
            head = struct.pack(">BhB", 0x80 | track, ms - start, flags)
            data += element(0xA3, head, sample.data)
            self._end_ms = max(self._end_ms, ms + _duration_ms(sample))
        cluster = element(0x1F43B675, data)
        self._cues += [_cue(ms, self._size - self._segment, place) for ms, place in cues]
        self._size += len(cluster)
        return cluster

    def marks(self) -> list[tuple[int, bytes]]:
        """The length so far: without it, players do not show how long a cut-off file is."""
        return [(self._duration_at, _float(0x4489, self._end_ms))]

    def retag(self, metadata: Mapping[str, str]) -> None:
        """Have the finished file say this; one that is cut off says what it began with."""
        self._metadata = dict(metadata)
        self._retagged = True

    def end(self) -> tuple[bytes, list[tuple[int, bytes]]]:
        """What is appended at last, and then what is written over: (offset, bytes)."""
        tail, seeks = b"", []
        cues = element(_CUES, *self._cues) if self._cues else b""
        for kind, part in (_CUES, cues), (_TAGS, self._tags() if self._retagged else b""):
            if part:
                seeks.append(_seek(kind, self._size + len(tail) - self._segment))
                tail += part
        size = self._size + len(tail) - self._segment
        patches = [*self.marks(), (self._segment - 8, (size | 1 << 56).to_bytes(8, "big"))]
        if seeks:
            head = element(0x114D9B74, *seeks)
            patches.insert(0, (self._room_at, head + _room(_SEEK_HEAD_SIZE - len(head))))
        if self._retagged:
            patches.append((self._tags_at, _voided(self._tags_size)))
        return tail, patches

    def _information(self) -> bytes:
        title = self._metadata.get("title")
        head = _number(0x2AD7B1, 1_000_000)
        rest = b"".join(
            [
                element(0x4461, struct.pack(">q", _nanoseconds(self._created))),
                _text(0x7BA9, title) if title else b"",
                _text(0x4D80, "mien"),
                _text(0x5741, self._metadata.get("encoder", "mien")),
            ]
        )
        information = element(0x1549A966, head, _room(_DURATION_SIZE), rest)
        # Its place, from the end: what stands before has a size of one or two bytes.
        at = len(information) - len(rest) - _DURATION_SIZE
        self._duration_at = self._room_at + _SEEK_HEAD_SIZE + at
        return information

    def _tracks(self) -> bytes:
        pictures = self._pictures
        colour = element(
            0x55B0,  # BT.601, limited range: what the encoders are given
            _number(0x55B1, 6),
            _number(0x55B9, 1),
            _number(0x55BA, 6),
            _number(0x55BB, 6),
        )
        video = element(
            0xAE,
            _number(0xD7, _VIDEO),
            _number(0x73C5, _VIDEO),
            _number(0x83, 1),
            _number(0x9C, 0),
            _text(0x22B59C, "und"),
            _text(0x86, f"V_{pictures.codec.upper()}"),
            _number(0x23E383, 1_000_000_000 // FPS),
            element(0xE0, _number(0xB0, pictures.width), _number(0xBA, pictures.height), colour),
        )
        opus = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, OPUS_DELAY_SAMPLES, SAMPLE_RATE, 0, 0)
        audio = element(
            0xAE,
            _number(0xD7, _AUDIO),
            _number(0x73C5, _AUDIO),
            _number(0x83, 2),
            _number(0x9C, 0),
            _text(0x22B59C, "und"),
            _text(0x86, "A_OPUS"),
            _number(0x56AA, OPUS_DELAY_SAMPLES * 1_000_000_000 // SAMPLE_RATE),
            _number(0x56BB, _SEEK_PRE_ROLL_NS),
            element(0x63A2, opus),
            element(0xE1, _float(0xB5, SAMPLE_RATE), _number(0x9F, 1)),
        )
        return element(0x1654AE6B, video, audio)

    def _tags(self) -> bytes:
        if not self._metadata:
            return b""
        tags = (
            element(0x67C8, _text(0x45A3, name.upper()), _text(0x4487, text))
            for name, text in self._metadata.items()
        )
        return element(_TAGS, element(0x7373, element(0x63C0), *tags))


def _voided(size: int) -> bytes:
    """What makes Void of an element of ``size`` bytes in all, written over its beginning."""
    return b"\xec" + (size - 9 | 1 << 56).to_bytes(8, "big")


def _seek(kind: int, at: int) -> bytes:
    """Where in the segment an element is."""
    return element(
        0x4DBB,
        element(0x53AB, struct.pack(">I", kind)),
        element(0x53AC, struct.pack(">Q", at)),
    )


def _cue(ms: int, cluster: int, place: int) -> bytes:
    position = element(0xB7, _number(0xF7, _VIDEO), _number(0xF1, cluster), _number(0xF0, place))
    return element(0xBB, _number(0xB3, ms), position)


def _ms(sample: Sample) -> int:
    return round(sample.pts / (90 if sample.track == "video" else 48))


def _duration_ms(sample: Sample) -> int:
    return round(sample.duration / (90 if sample.track == "video" else 48))


def _in_order(block: tuple[int, Sample]) -> tuple[int, bool]:
    """By time; sound before the picture that it belongs to."""
    return block[0], block[1].track == "video"


def _nanoseconds(created: datetime) -> int:
    return int((created - EPOCH).total_seconds()) * 1_000_000_000
