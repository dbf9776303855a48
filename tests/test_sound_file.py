"""Recordings that people send, honest and not."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest

from mien.media import sound_file
from mien.media.sound_file import SoundFileError, read_sound


def encoded(kind: str, codec: str, rate: int, seconds: float = 1.0, layout: str = "mono") -> bytes:
    """A tone of 440 Hz."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        at = np.arange(round(seconds * rate)) / rate
        tone = (9000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
        channels = len(stream.codec_context.layout.channels)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, channels)[None], "s16", layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    "kind, codec, rate, layout",
    [
        ("wav", "pcm_s16le", 8000, "mono"),
        ("wav", "pcm_mulaw", 8000, "mono"),
        ("wav", "pcm_s16le", 44_100, "stereo"),
        ("mp3", "libmp3lame", 22_050, "mono"),
        ("webm", "libopus", 48_000, "mono"),
        ("ogg", "libopus", 48_000, "stereo"),
        ("flac", "flac", 16_000, "mono"),
        ("mp4", "aac", 48_000, "mono"),
        ("adts", "aac", 16_000, "mono"),
    ],
)
def test_formats(kind: str, codec: str, rate: int, layout: str) -> None:
    pcm = read_sound(encoded(kind, codec, rate, layout=layout))
    assert pcm.dtype == np.int16 and pcm.ndim == 1
    assert len(pcm) == pytest.approx(16_000, abs=1700)  # AAC and MP3 add what they begin with
    middle = pcm[4000:12_000].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=3)
    assert np.abs(middle).max() == pytest.approx(9000, rel=0.25)


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"<html><body>hello</body></html>",
        bytes(range(256)) * 40,
        b"RIFF",
        b"\xff",
    ],
)
def test_what_is_no_sound_file(data: bytes) -> None:
    with pytest.raises(SoundFileError, match="no sound file") as told:
        read_sound(data)
    assert told.value.code == "unreadable" and told.value.zh


def test_damaged_ones() -> None:
    good = encoded("ogg", "libopus", 48_000, seconds=4)
    half = read_sound(good[: len(good) * 2 // 3])
    assert 16_000 <= len(half) <= 48_000
    random = np.random.default_rng(1)
    for head in (
        b"OggS",
        b"fLaC",
        b"\x1a\x45\xdf\xa3",
        b"ID3\x04",
        b"RIFF\0\0\0\0WAVE",
        b"\xff\xfb",
    ):
        with pytest.raises(SoundFileError):
            read_sound(head + random.bytes(5000))


def test_a_header_that_promises_too_much() -> None:
    header = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack(
        "<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16
    )
    pcm = read_sound(header + b"data\xff\xff\xff\xff" + bytes(32_000))
    assert len(pcm) == 16_000


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SoundFileError, match="longer than 60 s") as told:
        read_sound(encoded("flac", "flac", 8000, seconds=61))
    assert told.value.code == "too_long"
    monkeypatch.setattr(sound_file, "_DECODE_SEC", -1.0)
    with pytest.raises(SoundFileError, match="too long to decode"):
        read_sound(encoded("flac", "flac", 8000))


def test_a_picture_without_sound() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=5, width=64, height=64, pix_fmt="yuvj420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SoundFileError, match="no sound in the file"):
        read_sound(file.getvalue())
