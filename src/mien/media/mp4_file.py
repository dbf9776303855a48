"""An MP4 that plays whenever writing it ends: fragmented meanwhile, ordinary when finished.

While it grows, every fragment is complete in itself, so that a crash costs the last half second.
Finishing appends one ``moov`` with the tables of all samples and turns the padding at the front
into an ``mdat`` around everything before it: then every editor can open it, and players know its
length. Those 16 bytes are the last to be written; until then the fragments count.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby

import numpy as np

from mien.media import mp4_boxes as boxes
from mien.media.fmp4 import Chunk, Mp4Muxer, Sample
from mien.media.mp4_boxes import AudioTrack, box, full_box

# Room for the header of an mdat with a length of 64 bits.
_PADDING = box(b"free", bytes(8))


class Mp4File:
    """Turns samples into the bytes of the file, in the order in which they are to be written.

    keyframe: as for ``Mp4Muxer``. A file takes 16 bytes of memory for each sample.

    Raises:
        ValueError: when ``keyframe`` carries no parameter sets.
    """

    def __init__(
        self,
        keyframe: bytes,
        audio: AudioTrack,
        metadata: Mapping[str, str],
        created: datetime,
    ) -> None:
        self._muxer = Mp4Muxer(keyframe, audio, metadata, created)
        self._audio = audio
        self._metadata, self._created = metadata, created
        self._tables = {"video": _Tables(), "audio": _Tables()}
        self._size = 0

    def begin(self) -> bytes:
        head = boxes.file_type() + _PADDING + self._muxer.movie()
        self._size = len(head)
        return head

    def add(self, samples: Sequence[Sample]) -> bytes:
        """The next fragment."""
        data, chunks = self._muxer.fragment_and_chunks(samples)
        for chunk in chunks:
            self._tables[chunk.track].add(chunk, self._size + chunk.offset)
        self._size += len(data)
        return data

    def marks(self) -> list[tuple[int, bytes]]:
        """Nothing: players take the length from the fragments."""
        return []

    def end(self) -> tuple[bytes, list[tuple[int, bytes]]]:
        """What is appended at last, and then what is written over: (offset, bytes)."""
        tracks = [
            (kind, tables, clock)
            for kind, tables, clock in (
                (self._muxer.video, self._tables["video"], boxes.VIDEO_CLOCK),
                (self._audio, self._tables["audio"], boxes.AUDIO_CLOCK),
            )
            if tables.sizes
        ]
        length = max(
            (tables.end * boxes.MOVIE_CLOCK // clock for _, tables, clock in tracks), default=0
        )
        movie = box(
            b"moov",
            boxes.movie_header(self._created, length),
            *(
                boxes.track(
                    kind, tables.boxes(), self._created, tables.end - tables.begin, tables.begin
                )
                for kind, tables, _ in tracks
            ),
            boxes.user_data(self._metadata),
        )
        front = len(boxes.file_type())
        return movie, [(front, struct.pack(">I4sQ", 1, b"mdat", self._size - front))]


class _Tables:
    """Where the samples of a track lie and how long they last (14496-12, 8.6 and 8.7).

    begin, end: of the track, in its clock.
    """

    def __init__(self) -> None:
        self.begin = self.end = 0
        self.sizes = array("I")
        self._durations = array("I")
        self._keyframes = array("I")
        self._offsets = array("Q")
        self._lengths = array("I")

    def add(self, chunk: Chunk, offset: int) -> None:
        first = len(self.sizes) + 1
        if self.sizes:  # what is missing between two fragments, the sample before lasts through
            self._durations[-1] += chunk.begin - self.end
        else:
            self.begin = chunk.begin
        self.end = chunk.begin + sum(chunk.durations)
        self._keyframes.extend(first + n for n, is_key in enumerate(chunk.keyframes) if is_key)
        self.sizes.extend(chunk.sizes)
        self._durations.extend(chunk.durations)
        self._offsets.append(offset)
        self._lengths.append(len(chunk.sizes))

    def boxes(self) -> bytes:
        durations = [(len(list(run)), value) for value, run in groupby(self._durations)]
        chunks: list[tuple[int, int, int]] = []
        for number, length in enumerate(self._lengths, 1):
            if not chunks or chunks[-1][1] != length:
                chunks.append((number, length, 1))
        parts = [
            _table(b"stts", len(durations), _words(chain.from_iterable(durations))),
            _table(b"stsc", len(chunks), _words(chain.from_iterable(chunks))),
            full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(self.sizes)), _words(self.sizes)),
            _table(b"co64", len(self._offsets), _long_words(self._offsets)),
        ]
        if len(self._keyframes) < len(self.sizes):
            parts.append(_table(b"stss", len(self._keyframes), _words(self._keyframes)))
        return b"".join(parts)


def _table(kind: bytes, count: int, entries: bytes) -> bytes:
    return full_box(kind, 0, 0, struct.pack(">I", count), entries)


def _words(values: Iterable[int]) -> bytes:
    return np.fromiter(values, ">u4").tobytes()


def _long_words(values: Iterable[int]) -> bytes:
    return np.fromiter(values, ">u8").tobytes()
