"""Sound as it arrives over a network, in whatever form, as int16 samples of one rate."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import soxr
from av.codec import CodecContext
from numpy.typing import NDArray

from mien.media.tick import Pcm
from mien.tts.http.wav import MAGIC, Samples, SoundError, WavHeader, read_header

NO_SOUND: Pcm = np.zeros(0, np.int16)

# As many bytes as it takes to tell the formats apart; fewer only at the end of the stream.
_ENOUGH = 12
# Of an error message.
_ENOUGH_TEXT = 300
# Ogg, FLAC, Matroska and WebM.
_FILES = (b"OggS", b"fLaC", b"\x1aE\xdf\xa3")
# Chunks that may follow the samples of a WAV file. They are no sound.
_AFTER_SOUND = (b"LIST", b"id3 ", b"ID3 ", b"fact", b"cue ", b"bext", b"JUNK", b"PAD ", b"smpl")
# A file that ends this much earlier than its header says was cut off; headers of servers that
# stream are often wrong by a few samples.
_CUT_SEC = 0.1


class PcmStream:
    """Takes bytes as they come, cut anywhere; gives int16[n] mono at ``out_rate``.

    Understands WAV (header once or again before each piece, lengths wrong or missing), raw
    samples, MP3 and AAC (ADTS) as they arrive, Ogg, FLAC and the like once they are complete.
    """

    def __init__(self, out_rate: int, raw: Samples | None = None) -> None:
        """raw: how to read bytes that do not say themselves what they are; None: only
        self-describing formats are sound."""
        self._out_rate = out_rate
        self._raw = raw
        self._reader: _Raw | _Wav | _Frames | _File | None = None
        self._head = bytearray()
        self._resampler: soxr.ResampleStream | None = None
        self._rate = 0

    @property
    def rate(self) -> int:
        """Of the sound as it arrives, in Hz; 0 before it is known."""
        return self._rate

    def feed(self, data: bytes) -> Pcm:
        """What can be heard by now, int16[n].

        Raises:
            SoundError: when it is no sound.
        """
        if self._reader is None:
            self._head += data
            if len(self._head) < (_ENOUGH_TEXT if _is_text(self._head) else _ENOUGH):
                return NO_SOUND
            self._reader, data = self._choose(), bytes(self._head)
        return self._resampled(self._reader.feed(data), last=False)

    def finish(self) -> Pcm:
        """The rest; nothing can be fed afterwards. Decoding a whole file takes a while.

        Raises:
            SoundError: when it is no sound, or the sound is not complete.
        """
        if self._reader is None:
            self._reader = self._choose()
            if self._head:
                first = self._resampled(self._reader.feed(bytes(self._head)), last=False)
                return np.concatenate([first, self._resampled(self._reader.finish(), last=True)])
        return self._resampled(self._reader.finish(), last=True)

    def _choose(self) -> _Raw | _Wav | _Frames | _File:
        head = bytes(self._head[:_ENOUGH])
        if head[:4] == MAGIC:
            return _Wav()
        if head[:4] in _FILES or head[4:8] == b"ftyp":
            return _File()
        if head[:3] == b"ID3":
            return _Frames("mp3")
        if _is_text(self._head):
            raise SoundError(f"text: {self._head[:_ENOUGH_TEXT].decode('utf-8', 'replace')}")
        if self._raw is not None:
            return _Raw(self._raw)
        if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
            # The two bits of the layer are zero in AAC's ADTS and in no MPEG audio.
            return _Frames("aac" if head[1] & 0x06 == 0 else "mp3")
        if not head:
            return _Raw(Samples(self._out_rate))
        raise SoundError(f"no known sound: it begins with {head!r}")

    def _resampled(self, pieces: Iterator[tuple[Pcm, int]], *, last: bool) -> Pcm:
        out: list[Pcm] = []
        for pcm, rate in pieces:
            if rate != self._rate:
                out.append(self._flushed())
                self._rate = rate
                if rate != self._out_rate:
                    # In float: with int16 soxr dithers, and silence would no longer be silent.
                    self._resampler = soxr.ResampleStream(rate, self._out_rate, 1, dtype="float32")
            if self._resampler is not None:
                resampled = self._resampler.resample_chunk(pcm.astype(np.float32))
                pcm = _rounded(resampled)
            out.append(pcm)
        if last:
            out.append(self._flushed())
        return np.concatenate(out) if out else NO_SOUND

    def _flushed(self) -> Pcm:
        resampler, self._resampler = self._resampler, None
        if resampler is None:
            return NO_SOUND
        return _rounded(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def _is_text(head: bytearray) -> bool:
    """Whether it is an error message by the name of sound. Samples look so once in 100 000."""
    begin = head[:_ENOUGH]
    return (
        len(begin) == _ENOUGH
        and begin[:4] not in (MAGIC, *_FILES)
        and all(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in begin)
    )


class _Raw:
    """Bare samples."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[Pcm, int]]:
        data = self._rest + data
        whole = len(data) - len(data) % self._samples.frame_bytes
        self._rest = data[whole:]
        if whole:
            yield _mono(data[:whole], self._samples), self._samples.rate

    def finish(self) -> Iterator[tuple[Pcm, int]]:
        yield from ()


class _Wav:
    """A WAV file, or several in a row."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._header: WavHeader | None = None
        self._raw: _Raw | None = None
        self._left: int | None = None
        self._over = False

    def feed(self, data: bytes) -> Iterator[tuple[Pcm, int]]:
        self._data += data
        while self._data and not self._over:
            if self._raw is None and not self._begin():
                return
            assert self._raw is not None
            if self._left is None:
                yield from self._take(len(self._data))
            elif self._left > 0:
                yield from self._take(min(self._left, len(self._data)))
            elif not self._what_follows():
                return

    def finish(self) -> Iterator[tuple[Pcm, int]]:
        if self._over:
            return
        if self._raw is None:
            raise SoundError("it ends within the WAV header")
        if self._left == 0:  # a few bytes that could have been another header
            yield from self._take(len(self._data))
        elif self._left is not None and self._header is not None:
            samples = self._header.samples
            if self._left > _CUT_SEC * samples.rate * samples.frame_bytes:
                total = self._header.length
                raise SoundError(f"it ends {self._left} bytes before the {total} it announced")

    def _begin(self) -> bool:
        self._header = read_header(self._data)
        if self._header is None:
            return False
        self._raw, self._left = _Raw(self._header.samples), self._header.length
        del self._data[: self._header.begin]
        return True

    def _take(self, count: int) -> Iterator[tuple[Pcm, int]]:
        assert self._raw is not None
        data = bytes(self._data[:count])
        del self._data[:count]
        if self._left is not None:
            self._left = max(0, self._left - count)
        yield from self._raw.feed(data)

    def _what_follows(self) -> bool:
        """The announced length is over. Whether what comes now can be told."""
        head = bytes(self._data[:4])
        if len(head) < 4:
            return False
        if head == MAGIC:
            self._raw = None
        elif head in _AFTER_SOUND:
            self._over = True
        else:  # a server that streams, whose header told the length of its first piece
            self._left = None
        return True


class _Frames:
    """MP3 or ADTS: frames that can be decoded one by one."""

    def __init__(self, codec: str) -> None:
        self._codec: Any = CodecContext.create(codec, "r")
        self._head: bytearray | None = bytearray()
        self._any = False

    def feed(self, data: bytes) -> Iterator[tuple[Pcm, int]]:
        if self._head is not None:
            self._head += data
            begin = _after_id3(self._head)
            if begin is None or len(self._head) < begin:
                return
            data, self._head = bytes(self._head[begin:]), None
        if data:
            yield from self._decoded(self._codec.parse(data))

    def finish(self) -> Iterator[tuple[Pcm, int]]:
        # None makes the decoder give what it holds.
        yield from self._decoded([*self._codec.parse(b""), None])
        if not self._any:
            raise SoundError("it looks like MP3 or AAC but has no sound in it")

    def _decoded(self, packets: list[Any]) -> Iterator[tuple[Pcm, int]]:
        for packet in packets:
            try:
                frames = self._codec.decode(packet)
            except av.FFmpegError:
                continue  # a damaged frame; the format is made to be picked up again
            for frame in frames:
                self._any = True
                yield _heard(frame), frame.sample_rate


class _File:
    """A container that is decoded when it is complete."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Pcm, int]]:
        self._data += data
        yield from ()

    def finish(self) -> Iterator[tuple[Pcm, int]]:
        try:
            with av.open(io.BytesIO(bytes(self._data)), mode="r") as container:
                for frame in container.decode(audio=0):
                    yield _heard(frame), frame.sample_rate
        except (av.FFmpegError, IndexError) as error:
            raise SoundError(f"it cannot be decoded: {error}") from error


def _after_id3(head: bytearray) -> int | None:
    """Where the frames begin; None as long as that cannot be told."""
    if len(head) < 10:
        return None
    if head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:10]:  # 7 bits each
        size = size << 7 | byte & 0x7F
    return 10 + size


def _heard(frame: Any) -> Pcm:
    """One decoded frame, its channels mixed."""
    data: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    return _to_int16(data.T)


def _mono(data: bytes, samples: Samples) -> Pcm:
    if samples.kind == "i2" and samples.channels == 1:
        return np.frombuffer(data, "<i2").astype(np.int16, copy=False)
    if samples.kind == "i3":
        bytes_of = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(bytes_of), 4), np.uint8)
        wide[:, 1:] = bytes_of
        values: NDArray[Any] = wide.view("<i4").ravel()
    else:
        values = np.frombuffer(data, f"<{samples.kind}")
    return _to_int16(values.reshape(-1, samples.channels))


def _to_int16(values: NDArray[Any]) -> Pcm:
    """[n, channels] of any sample type to int16[n]."""
    if values.dtype == np.uint8:
        values = values.astype(np.int16) - 128
        scale = 256.0
    elif values.dtype.kind == "i":
        scale = 32768.0 / (1 << (8 * values.dtype.itemsize - 1))
    else:
        scale = 32768.0
    mixed = np.nan_to_num(values.astype(np.float64).mean(axis=1) * scale, posinf=0, neginf=0)
    return _rounded(mixed)


def _rounded(values: NDArray[Any]) -> Pcm:
    """Floats of ±32768 to int16."""
    rounded: Pcm = np.clip(np.rint(values), -32768, 32767).astype(np.int16)
    return rounded
