"""An MP4 that plays whenever writing it ends: fragmented meanwhile, ordinary when finished.

While it grows, every fragment is complete in itself, so that a crash costs the last half second.
Finishing appends one ``moov`` with the tables of all samples and turns the padding at the front
into an ``mdat`` around everything before it: then every editor can open it, and players know its
length. Those 16 bytes are the last to be written; until then the fragments count.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime

from mien.media import mp4_boxes as boxes
from mien.media.fmp4 import Chunk, Mp4Muxer, Sample
from mien.media.mp4_boxes import AudioTrack, box, full_box

# Room for the header of an mdat with a length of 64 bits.
_PADDING = box(b"free", bytes(8))


class Mp4File:
    """Turns samples into the bytes of the file, in the order in which they are to be written.

    keyframe: as for ``Mp4Muxer``. Of each sample five bytes are kept: 30 MB for
    a day.

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

    def retag(self, metadata: Mapping[str, str]) -> None:
        """Have the finished file say this; one that is cut off says what it began with."""
        self._metadata = metadata

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
            boxes.tags(self._metadata),
        )
        front = len(boxes.file_type())
        return movie, [(front, struct.pack(">I4sQ", 1, b"mdat", self._size - front))]


class _Tables:
    """Where the samples of a track lie and how long they last (14496-12, 8.6 and 8.7).

    Kept as the file has them, so that ending a recording of a day takes no time.
    begin, end: of the track, in its clock.
    """

    def __init__(self) -> None:
        self.begin = self.end = 0
        self.sizes = array("I")
        self._durations = array("I")  # pairs: so many samples in a row last so long
        self._keyframes = array("I")  # numbers of samples, from 1
        self._offsets = array("Q")  # of chunks
        self._chunks = array("I")  # triples: from this chunk on, so many samples in each, entry 1

    def add(self, chunk: Chunk, offset: int) -> None:
        if not self.sizes:
            self.begin = chunk.begin
        elif gap := chunk.begin - self.end:  # the sample before lasts until this one
            count, lasted = self._durations[-2:]
            del self._durations[-2:]
            if count > 1:
                self._durations.extend((count - 1, lasted))
            self._lasts(lasted + gap)
        for duration in chunk.durations:
            self._lasts(duration)
        self.end = chunk.begin + sum(chunk.durations)
        if chunk.track == "video":  # of sound, every sample is one
            first = len(self.sizes) + 1
            self._keyframes.extend(first + n for n, is_key in enumerate(chunk.keyframes) if is_key)
        self.sizes.extend(chunk.sizes)
        self._offsets.append(offset)
        if not self._chunks or self._chunks[-2] != len(chunk.sizes):
            self._chunks.extend((len(self._offsets), len(chunk.sizes), 1))

    def _lasts(self, duration: int) -> None:
        """Note how long one more sample lasts."""
        if self._durations and self._durations[-1] == duration:
            self._durations[-2] += 1
        else:
            self._durations.extend((1, duration))

    def boxes(self) -> bytes:
        sizes = struct.pack(">II", 0, len(self.sizes)) + _big_endian(self.sizes)
        parts = [
            _table(b"stts", self._durations, 2),
            _table(b"stsc", self._chunks, 3),
            full_box(b"stsz", 0, 0, sizes),
            _table(b"co64", self._offsets, 1),
        ]
        if self._keyframes:
            parts.append(_table(b"stss", self._keyframes, 1))
        return b"".join(parts)


def _table(kind: bytes, values: array[int], width: int) -> bytes:
    """A box of entries of ``width`` values."""
    return full_box(kind, 0, 0, struct.pack(">I", len(values) // width), _big_endian(values))


def _big_endian(values: array[int]) -> bytes:
    swapped = values[:]
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped.tobytes()
