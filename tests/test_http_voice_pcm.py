"""Sound in every form, cut anywhere, comes out as the same samples."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.tts.http.pcm import PcmStream
from mien.tts.http.wav import Samples, SoundError, read_header
from tones import encoded, heard, spelled, tones

TEXT = "voices"
FORMATS = {"u1": (1, 8), "i2": (1, 16), "i3": (1, 24), "i4": (1, 32), "f4": (3, 32), "f8": (3, 64)}


def through(data: bytes, out_rate: int, raw: Samples | None = None, step: int = 1000) -> np.ndarray:
    stream = PcmStream(out_rate, raw)
    pieces = [stream.feed(data[at : at + step]) for at in range(0, len(data), step)]
    return np.concatenate([*pieces, stream.finish()])


def header(length: int, rate: int = 24_000, kind: str = "i2", channels: int = 1) -> bytes:
    tag, bits = FORMATS[kind]
    frame = bits // 8 * channels
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", length)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + chunks


def as_kind(pcm: np.ndarray, kind: str) -> bytes:
    if kind == "u1":
        return (pcm // 256 + 128).astype(np.uint8).tobytes()
    if kind == "i3":
        return (pcm.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if kind.startswith("f"):
        return (pcm / 32768).astype(f"<{kind}").tobytes()
    return (pcm.astype("<i8") << (8 * int(kind[1]) - 16)).astype(f"<{kind}").tobytes()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_of_every_sample_type(kind, channels):
    pcm = tones(TEXT, 24_000)
    data = as_kind(np.repeat(pcm, channels), kind)
    result = through(header(len(data), kind=kind, channels=channels) + data, 24_000)
    assert len(result) == len(pcm)
    assert np.abs(result.astype(int) - pcm).max() <= (256 if kind == "u1" else 1)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])
def test_every_rate_is_made_the_asked_one(rate):
    result = through(encoded(tones(TEXT, rate), rate, "wav"), 48_000)
    assert heard(result, 48_000) == spelled(TEXT)
    assert len(result) == pytest.approx(len(TEXT) * 0.08 * 48_000, abs=20)


def test_a_rate_that_is_right_is_left_alone():
    pcm = tones(TEXT, 24_000)
    np.testing.assert_array_equal(through(encoded(pcm, 24_000, "wav"), 24_000), pcm)
    np.testing.assert_array_equal(
        through(encoded(pcm, 24_000, "raw"), 24_000, Samples(24_000)), pcm
    )


@given(st.lists(st.integers(1, 700), max_size=30), st.sampled_from(["wav", "wav_stream", "raw"]))
def test_cut_anywhere_it_is_the_same_sound(cuts, form):
    pcm = tones("ab", 8_000)
    data, raw = encoded(pcm, 8_000, form), Samples(8_000) if form == "raw" else None
    stream, at, pieces = PcmStream(16_000, raw), 0, []
    for cut in cuts:
        pieces.append(stream.feed(data[at : at + cut]))
        at += cut
    result = np.concatenate([*pieces, stream.feed(data[at:]), stream.finish()])
    np.testing.assert_array_equal(result, through(data, 16_000, raw, step=len(data)))


@pytest.mark.parametrize("announced", [0, 1_000, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0xFFFFFFFF])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_header_that_is_wrong_about_the_length(announced, step):
    """As of servers that stream: nothing, the greatest number, or the length of a first piece."""
    pcm = tones("ab", 24_000)
    data = header(announced) + pcm.tobytes()
    np.testing.assert_array_equal(through(data, 24_000, step=step), pcm)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_header_before_every_piece(step):
    first, second = tones("ab", 24_000), tones("cd", 24_000)
    data = encoded(first, 24_000, "wav") + encoded(second, 24_000, "wav")
    np.testing.assert_array_equal(through(data, 24_000, step=step), np.concatenate([first, second]))


def test_pieces_of_different_rates():
    data = encoded(tones("ab", 24_000), 24_000, "wav") + encoded(tones("cd", 32_000), 32_000, "wav")
    assert heard(through(data, 48_000), 48_000) == spelled("abcd")


@pytest.mark.parametrize("step", [1, 100_000])
def test_what_stands_around_the_samples_is_not_heard(step):
    pcm = tones("ab", 24_000)
    whole = header(pcm.nbytes)
    note = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    data = whole[:12] + note + whole[12:] + pcm.tobytes() + note * 400
    np.testing.assert_array_equal(through(data, 24_000, step=step), pcm)


def test_an_extensible_header():
    pcm = tones("ab", 24_000)
    form = struct.pack("<HHIIHH", 0xFFFE, 1, 24_000, 48_000, 2, 16)
    form += struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + b"\0" * 14
    data = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(form)) + form
    data += b"data" + struct.pack("<I", pcm.nbytes) + pcm.tobytes()
    np.testing.assert_array_equal(through(data, 24_000), pcm)


def test_a_file_that_is_cut_off_is_an_error():
    data = encoded(tones(TEXT, 24_000), 24_000, "wav")
    stream = PcmStream(24_000)
    assert len(stream.feed(data[:-9_600]))
    with pytest.raises(SoundError, match="9600 bytes before"):
        stream.finish()


def test_a_file_that_is_short_by_a_few_samples_is_none():
    pcm = tones(TEXT, 24_000)
    np.testing.assert_array_equal(through(header(pcm.nbytes + 480) + pcm.tobytes(), 24_000), pcm)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (header(0)[:20], "within the WAV header"),
        (header(0, rate=1_000), "1000 Hz"),
        (header(0, channels=9), "9 channels"),
        (header(0).replace(b"WAVE", b"AVI "), "no WAV header"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "without its format"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcd", "cut short"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\x7f", "a part of"),
        (header(0).replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 85, 1), 1), "format 85"),
        (b'{"message": "made to fail"}', "made to fail"),
        (b"<html><body>", "<html>"),
        (b"\x01\x02" * 20, "no known sound"),
        (b"\x01\x02", "no known sound"),
        (b"OggS" + bytes(100), "cannot be decoded"),
        (b"ID3\x04\0\0\0\0\0\0" + bytes(4_000), "no sound in it"),
        (b"\xff\xfb" + bytes(4_000), "no sound in it"),
    ],
)
@pytest.mark.parametrize("step", [1, 5_000])
def test_what_is_no_sound(data, why, step):
    with pytest.raises(SoundError, match=why):
        through(data, 24_000, step=step)


def test_text_where_bare_samples_should_be_is_no_sound():
    with pytest.raises(SoundError, match="made to fail"):
        through(b'{"message": "made to fail"}', 24_000, Samples(24_000))


def test_half_a_sample_at_the_end_is_left_out():
    pcm = tones("ab", 24_000)
    result = through(pcm.tobytes() + b"\x12", 24_000, Samples(24_000), step=7)
    np.testing.assert_array_equal(result, pcm)


def test_floats_beyond_the_range_and_none_at_all():
    values = np.array([0.5, 2.0, -2.0, np.nan, np.inf, -np.inf], "<f4")
    result = through(values.tobytes(), 24_000, Samples(24_000, "f4"))
    np.testing.assert_array_equal(result, [16_384, 32_767, -32_768, 0, 0, 0])


def test_silence_stays_silent():
    assert not through(bytes(48_000), 48_000, Samples(24_000)).any()


def test_nothing_is_no_sound():
    assert not len(through(b"", 24_000))
    assert not len(through(b"", 24_000, Samples(24_000)))
    assert not len(through(encoded(np.zeros(0, np.int16), 24_000, "wav"), 24_000))


@pytest.mark.parametrize("form", ["mp3", "aac", "ogg", "flac"])
@pytest.mark.parametrize("step", [1, 100, 100_000])
def test_compressed(form, step):
    result = through(encoded(tones(TEXT, 24_000), 24_000, form), 48_000, step=step)
    assert heard(result, 48_000) == spelled(TEXT)


@pytest.mark.parametrize("form", ["mp3", "aac"])
def test_mp3_and_aac_are_heard_as_they_arrive(form):
    data = encoded(tones(TEXT, 24_000), 24_000, form)
    stream = PcmStream(48_000)
    letters = heard(stream.feed(data[: len(data) * 2 // 3]), 48_000)
    assert len(letters) >= 2
    assert letters == spelled(TEXT)[: len(letters)]


def test_mp3_behind_a_tag_of_its_title_and_picture():
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 40, 5]) + bytes(40 * 128 + 5)
    data = tag + encoded(tones(TEXT, 24_000), 24_000, "mp3")
    assert heard(through(data, 48_000, step=100), 48_000) == spelled(TEXT)


def test_mp3_with_damage_in_the_middle_goes_on():
    data = bytearray(encoded(tones(TEXT, 24_000), 24_000, "mp3"))
    middle = len(data) // 2
    data[middle : middle + 50] = bytes(50)
    assert heard(through(bytes(data), 48_000), 48_000)[:2] == spelled(TEXT)[:2]


def test_a_header_is_read_when_it_is_complete():
    data = header(8)
    for length in range(len(data)):
        assert read_header(data[:length]) is None
    found = read_header(data)
    assert found is not None
    assert (found.begin, found.length, found.samples) == (44, 8, Samples(24_000))
