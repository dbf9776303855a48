"""The boxes of an MP4 file that say what its tracks are (ISO/IEC 14496-12 and -14, -15)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mien.media.annexb import ParameterSets

VIDEO_ID = 1
AUDIO_ID = 2
# Of both other clocks a multiple, so that a track can begin at any sample.
MOVIE_CLOCK = 720_000
VIDEO_CLOCK = 90_000
AUDIO_CLOCK = 48_000

# Seconds from 1904-01-01, where MP4 counts from, to 1970-01-01.
EPOCH = 2_082_844_800
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED = 0x55C4  # the language "und"

# Names that the tags of iTunes have an atom for.
_ATOMS = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "comment": b"\xa9cmt",
    "date": b"\xa9day",
    "encoder": b"\xa9too",
    "description": b"desc",
    "copyright": b"cprt",
}


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


@dataclass(frozen=True, slots=True)
class AvcTrack:
    """H.264. Stamps in 1/90000."""

    sets: ParameterSets

    @property
    def codec(self) -> str:
        return self.sets.codec

    def entry(self) -> bytes:
        info = self.sets.info
        return box(
            b"avc1",
            struct.pack(">6xH16xHH", 1, info.width, info.height),
            struct.pack(">IIIH32xHh", 0x480000, 0x480000, 0, 1, 24, -1),
            box(b"avcC", self.sets.configuration()),
        )


@dataclass(frozen=True, slots=True)
class AacTrack:
    """AAC-LC, 48 kHz. Stamps in 1/48000, of the samples that the packet is decoded to.

    config: the AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
    """

    config: bytes
    codec: str = "mp4a.40.2"

    def entry(self) -> bytes:
        decoder = _descriptor(
            4,
            # MPEG-4 audio; an audio stream; no buffer size, no rates given.
            struct.pack(">BB3xII", 0x40, 0x15, 0, 0) + _descriptor(5, self.config),
        )
        stream = _descriptor(3, struct.pack(">HB", 0, 0) + decoder + _descriptor(6, b"\x02"))
        channels = self.config[1] >> 3 & 0xF
        return _audio_entry(b"mp4a", channels, full_box(b"esds", 0, 0, stream))


@dataclass(frozen=True, slots=True)
class OpusTrack:
    """Opus, mono 48 kHz (the encapsulation of opus-codec.org). Stamps in 1/48000, of the samples
    that the packet is decoded to: a packet's own less ``OPUS_DELAY_SAMPLES``; no pre-skip then."""

    codec: str = "opus"

    def entry(self) -> bytes:
        head = struct.pack(">BBHIhB", 0, 1, 0, AUDIO_CLOCK, 0, 0)
        return _audio_entry(b"Opus", 1, box(b"dOps", head))


AudioTrack = AacTrack | OpusTrack


def _audio_entry(kind: bytes, channels: int, config: bytes) -> bytes:
    head = struct.pack(">6xH8xHH4xI", 1, channels, 16, AUDIO_CLOCK << 16)
    return box(kind, head, config)


def _descriptor(tag: int, payload: bytes) -> bytes:
    if len(payload) > 0x7F:
        raise ValueError("an MPEG-4 descriptor of ours has at most 127 bytes")
    return bytes([tag, len(payload)]) + payload


def file_type() -> bytes:
    return box(b"ftyp", b"iso6", struct.pack(">I", 1), b"iso6", b"isom", b"mp41")


def movie_header(created: datetime | None, duration: int) -> bytes:
    """duration: in 1/720000 s, 0 while it is not known."""
    seconds = _since_1904(created)
    return full_box(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQ", seconds, seconds, MOVIE_CLOCK, duration),
        struct.pack(">IH10x", 0x10000, 0x100),
        _UNITY,
        struct.pack(">24xI", AUDIO_ID + 1),
    )


def track(
    kind: AvcTrack | AudioTrack,
    tables: bytes,
    created: datetime | None,
    duration: int,
    begin: int = 0,
) -> bytes:
    """The ``trak`` of a track. tables: boxes of its ``stbl`` behind the sample descriptions.
    duration: in units of the track's clock. begin: where its first sample lies, in the same."""
    seconds = _since_1904(created)
    is_video = isinstance(kind, AvcTrack)
    clock = VIDEO_CLOCK if is_video else AUDIO_CLOCK
    width, height = (
        (kind.sets.info.width, kind.sets.info.height) if isinstance(kind, AvcTrack) else (0, 0)
    )
    shown = (begin + duration) * MOVIE_CLOCK // clock
    header = full_box(
        b"tkhd",
        1,
        3,  # enabled, in the movie
        struct.pack(">QQI4xQ", seconds, seconds, track_id(kind), shown),
        struct.pack(">8xhhH2x", 0, 0, 0 if is_video else 0x100),
        _UNITY,
        struct.pack(">II", width << 16, height << 16),
    )
    media_header = full_box(
        b"mdhd", 1, 0, struct.pack(">QQIQHH", seconds, seconds, clock, duration, _UNDETERMINED, 0)
    )
    handler = _handler(b"vide", b"picture") if is_video else _handler(b"soun", b"sound")
    what = full_box(b"vmhd", 0, 1, bytes(8)) if is_video else full_box(b"smhd", 0, 0, bytes(4))
    here = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    entries = full_box(b"stsd", 0, 0, struct.pack(">I", 1), kind.entry())
    information = box(b"minf", what, box(b"dinf", here), box(b"stbl", entries, tables))
    edits = _edits(begin * MOVIE_CLOCK // clock, duration * MOVIE_CLOCK // clock) if begin else b""
    return box(b"trak", header, edits, box(b"mdia", media_header, handler, information))


def _edits(empty: int, duration: int) -> bytes:
    """Nothing for a while, then the whole track. Both in units of the movie's clock."""
    entries = struct.pack(">QqI", empty, -1, 0x10000) + struct.pack(">QqI", duration, 0, 0x10000)
    return box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", 2), entries))


def track_id(kind: AvcTrack | AudioTrack) -> int:
    return VIDEO_ID if isinstance(kind, AvcTrack) else AUDIO_ID


def tags(metadata: Mapping[str, str]) -> bytes:
    """Tags of a movie: as iTunes writes those it knows, which is what players read; any other name
    as a key (QuickTime File Format, metadata), which is where the practice guides on China's AI
    label want it. Empty when there are none.
    """
    known = {name: text for name, text in metadata.items() if name in _ATOMS}
    others = {name: text for name, text in metadata.items() if name not in _ATOMS}
    return (_user_data(known) if known else b"") + (_keyed(others) if others else b"")


def _user_data(metadata: Mapping[str, str]) -> bytes:
    items = b"".join(box(_ATOMS[name], _value(text)) for name, text in metadata.items())
    handler = full_box(b"hdlr", 0, 0, struct.pack(">4x4s4s8xx", b"mdir", b"appl"))
    return box(b"udta", full_box(b"meta", 0, 0, handler, box(b"ilst", items)))


def _keyed(metadata: Mapping[str, str]) -> bytes:
    names = b"".join(box(b"mdta", name.encode()) for name in metadata)
    keys = full_box(b"keys", 0, 0, struct.pack(">I", len(metadata)), names)
    items = b"".join(
        box(struct.pack(">I", number), _value(text))
        for number, text in enumerate(metadata.values(), 1)
    )
    handler = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12xx", b"mdta"))
    return full_box(b"meta", 0, 0, handler, keys, box(b"ilst", items))


def _value(text: str) -> bytes:
    """UTF-8, of no country."""
    return box(b"data", struct.pack(">II", 1, 0), text.encode())


def _handler(kind: bytes, name: bytes) -> bytes:
    return full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", kind), name, b"\x00")


def _since_1904(created: datetime | None) -> int:
    return 0 if created is None else int(created.timestamp()) + EPOCH
