"""Fragmented MP4, for files that survive a crash and for players in a browser.

An init segment says what the tracks are; then fragments (``moof`` + ``mdat``) of any number of
samples follow, each complete in itself (ISO/IEC 14496-12, 8.8; the byte stream format of Media
Source Extensions). Stamps are exact and need no edit list: whoever feeds the muxer shifts both
tracks by the same time, so that nothing is negative.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mien.media import mp4_boxes as boxes
from mien.media.annexb import ParameterSets, parameter_sets, with_lengths
from mien.media.mp4_boxes import AacTrack, AudioTrack, AvcTrack, OpusTrack, box, full_box

__all__ = ["AacTrack", "Chunk", "Mp4Muxer", "OpusTrack", "Sample"]

# sample_depends_on and sample_is_non_sync_sample (8.8.3.1).
_SYNC = 0x0200_0000
_NOT_SYNC = 0x0101_0000


Track = Literal["video", "audio"]
_TRACKS: tuple[Track, Track] = ("video", "audio")


@dataclass(frozen=True, slots=True)
class Sample:
    """One packet of a track.

    pts, duration: in 1/90000 (video) or 1/48000 (audio). data: Annex B for video.
    """

    track: Track
    pts: int
    duration: int
    keyframe: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples of one track that lie one behind the other.

    offset: of their bytes in the fragment. begin: stamp of the first.
    """

    track: Track
    offset: int
    begin: int
    sizes: tuple[int, ...]
    durations: tuple[int, ...]
    keyframes: tuple[bool, ...]


class Mp4Muxer:
    """Makes the bytes of a fragmented MP4; knows nothing of files or sockets.

    keyframe: the first video packet (Annex B), whose parameter sets describe the video track.
    metadata: tags such as ``title``; names without an atom of their own are keys.

    Raises:
        ValueError: when ``keyframe`` carries no parameter sets.
    """

    def __init__(
        self,
        keyframe: bytes,
        audio: AudioTrack | None,
        metadata: Mapping[str, str] | None = None,
        created: datetime | None = None,
    ) -> None:
        self.video = AvcTrack(parameter_sets(keyframe))
        self.audio = audio
        self._metadata = dict(metadata or {})
        self._created = created
        self._sequence = 0

    @property
    def parameter_sets(self) -> ParameterSets:
        return self.video.sets

    @property
    def mime(self) -> str:
        """What ``MediaSource.isTypeSupported`` and ``addSourceBuffer`` are asked."""
        codecs = [self.video.codec, *([self.audio.codec] if self.audio else [])]
        return f'video/mp4; codecs="{",".join(codecs)}"'

    def init(self) -> bytes:
        """``ftyp`` and ``moov``: what a player must have before the first fragment."""
        return boxes.file_type() + self.movie()

    def movie(self) -> bytes:
        """The ``moov`` of a file whose samples are all in fragments."""
        none = struct.pack(">I", 0)
        tables = b"".join(
            [
                full_box(b"stts", 0, 0, none),
                full_box(b"stsc", 0, 0, none),
                full_box(b"stsz", 0, 0, none, none),
                full_box(b"stco", 0, 0, none),
            ]
        )
        tracks: list[AvcTrack | AudioTrack] = [self.video, *([self.audio] if self.audio else [])]
        extends = b"".join(
            full_box(b"trex", 0, 0, struct.pack(">5I", boxes.track_id(track), 1, 0, 0, 0))
            for track in tracks
        )
        return box(
            b"moov",
            boxes.movie_header(self._created, 0),
            *(boxes.track(track, tables, self._created, 0) for track in tracks),
            box(b"mvex", extends),
            boxes.tags(self._metadata),
        )

    def fragment(self, samples: Sequence[Sample]) -> bytes:
        """``moof`` and ``mdat`` with these samples, in order of time within each track.

        A sample's ``duration`` is also where the next one of its track lies in the same fragment;
        between fragments each track's first ``pts`` says where it goes on.
        """
        return self.fragment_and_chunks(samples)[0]

    def fragment_and_chunks(self, samples: Sequence[Sample]) -> tuple[bytes, list[Chunk]]:
        """The fragment, and where in it the samples lie.

        Raises:
            ValueError: when a stamp is negative or there is no sample.
        """
        if not samples or min(sample.pts for sample in samples) < 0:
            raise ValueError("a fragment holds samples, none of them before time 0")
        runs = [
            (track, own)
            for track in _TRACKS
            if (own := [sample for sample in samples if sample.track == track])
        ]
        payloads = [[self._payload(sample) for sample in own] for _, own in runs]
        self._sequence += 1
        header = full_box(b"mfhd", 0, 0, struct.pack(">I", self._sequence))
        head = sum(_traf_size(len(own)) for _, own in runs) + len(header) + 8
        offset, trafs, chunks = head + 8, [], []
        for (track, own), data in zip(runs, payloads, strict=True):
            sizes = tuple(map(len, data))
            trafs.append(_traf(own, sizes, offset))
            durations = tuple(sample.duration for sample in own)
            keyframes = tuple(sample.keyframe for sample in own)
            chunks.append(Chunk(track, offset, own[0].pts, sizes, durations, keyframes))
            offset += sum(sizes)
        moof = box(b"moof", header, *trafs)
        assert len(moof) == head
        return moof + box(b"mdat", *(part for data in payloads for part in data)), chunks

    def _payload(self, sample: Sample) -> bytes:
        if sample.track == "audio":
            return sample.data
        return with_lengths(sample.data, self.video.sets)


# traf, tfhd, tfdt and trun without its entries; an entry of trun.
_TRAF_SIZE = 8 + 16 + 20 + 20
_ENTRY_SIZE = 12


def _traf_size(samples: int) -> int:
    return _TRAF_SIZE + samples * _ENTRY_SIZE


def _traf(samples: Sequence[Sample], sizes: Sequence[int], offset: int) -> bytes:
    """offset: of the track's first byte, from the beginning of the ``moof``."""
    track = boxes.VIDEO_ID if samples[0].track == "video" else boxes.AUDIO_ID
    entries = b"".join(
        struct.pack(">III", sample.duration, size, _SYNC if sample.keyframe else _NOT_SYNC)
        for sample, size in zip(samples, sizes, strict=True)
    )
    return box(
        b"traf",
        full_box(b"tfhd", 0, 0x020000, struct.pack(">I", track)),  # offsets count from the moof
        full_box(b"tfdt", 1, 0, struct.pack(">Q", samples[0].pts)),
        # Data offset; duration, size and flags of each sample.
        full_box(b"trun", 0, 0x701, struct.pack(">Ii", len(samples), offset), entries),
    )
