"""Our MP4, read by FFmpeg."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import pytest

from encoded import encoded
from mien.media.annexb import nal_units, parameter_sets, with_lengths
from mien.media.encoders import AAC_CONFIG, OpusEncoder
from mien.media.fmp4 import AacTrack, Mp4Muxer, OpusTrack, Sample
from mien.media.lengths import described
from mien.media.mp4_file import Mp4File
from mien.media.tick import SAMPLES_PER_TICK
from ticking import sound

CREATED = datetime(2026, 11, 23, 2, 15, tzinfo=UTC)


@cache
def _samples() -> list[Sample]:
    """Three seconds; sound begins with the first packet that is not before time 0."""
    return [
        Sample(
            "video" if kind == "video" else "audio",
            packet.pts,
            3600 if kind == "video" else 1024,
            packet.is_keyframe,
            bytes(packet),
        )
        for kind, packet in encoded(0, 75)
        if packet.pts is not None and packet.pts >= 0
    ]


def _packets(data: bytes, track: str) -> list[tuple[int, int, bool, bytes]]:
    with av.open(io.BytesIO(data)) as container:
        (stream,) = (one for one in container.streams if one.type == track)
        return [
            (packet.pts, packet.duration, packet.is_keyframe, bytes(packet))
            for packet in container.demux(stream)
            if packet.pts is not None
        ]


def _as_given(track: str, muxer: Mp4Muxer) -> list[tuple[int, int, bool, bytes]]:
    return [
        (
            one.pts,
            one.duration,
            one.keyframe,
            with_lengths(one.data, muxer.parameter_sets) if track == "video" else one.data,
        )
        for one in _samples()
        if one.track == track
    ]


@pytest.mark.parametrize("per_fragment", [1, 7, 1000])
def test_every_packet_comes_out_as_it_went_in(per_fragment: int) -> None:
    samples = _samples()
    muxer = Mp4Muxer(samples[0].data if samples[0].keyframe else b"", AacTrack(AAC_CONFIG))
    data = muxer.init() + b"".join(
        muxer.fragment(samples[at : at + per_fragment])
        for at in range(0, len(samples), per_fragment)
    )
    for track in ("video", "audio"):
        assert _packets(data, track) == _as_given(track, muxer)


def test_what_a_browser_and_a_player_are_told() -> None:
    muxer = Mp4Muxer(
        _samples()[0].data,
        AacTrack(AAC_CONFIG),
        {"title": "直播 Ü", "encoder": "mien 1", "ai_generated": "yes"},
        CREATED,
    )
    assert muxer.mime == 'video/mp4; codecs="avc1.42C01F,mp4a.40.2"'
    with av.open(io.BytesIO(muxer.init() + muxer.fragment(_samples()))) as container:
        tags = container.metadata
        assert (tags["title"], tags["encoder"]) == ("直播 Ü", "mien 1")
        assert tags["ai_generated"] == "yes"
        assert tags["creation_time"].startswith("2026-11-23T02:15:00")
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (320, 240)
        assert (audio.codec_context.name, audio.sample_rate, audio.channels) == ("aac", 48000, 1)


def test_a_finished_file_is_an_ordinary_one(tmp_path: Path) -> None:
    """As ffprobe, a program of its own, sees it; unfinished, it holds the same."""
    samples = [one for one in _samples() if one.track == "video" or one.pts > 500]
    file = Mp4File(samples[0].data, AacTrack(AAC_CONFIG), {"title": "t"}, CREATED)
    data = bytearray(file.begin())
    for at in range(0, 75, 10):
        part = [one for one in samples if at <= one.pts // _per_tick(one) < at + 10]
        data += file.add(part)
    unfinished = bytes(data)
    tail, patches = file.end()
    data += tail
    for offset, patch in patches:
        data[offset : offset + len(patch)] = patch
    for track in ("video", "audio"):
        assert _packets(bytes(data), track) == _packets(unfinished, track) != []
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    probe = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    told = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)
    video, audio = told["streams"]
    assert (video["codec_name"], audio["codec_name"]) == ("h264", "aac")
    assert video["avg_frame_rate"] == video["r_frame_rate"] == "25/1"
    assert video["nb_frames"] == "75" and video["start_pts"] == 0
    first = next(one.pts for one in samples if one.track == "audio")
    assert audio["start_pts"] == first > 0  # kept, although the file begins with the picture
    assert float(told["format"]["duration"]) == pytest.approx(3.0, abs=0.03)
    assert described(path).seconds == pytest.approx(3.0, abs=0.03)
    assert described(path).created == CREATED


def test_what_is_missing_between_fragments_is_missing_in_the_finished_file() -> None:
    """Holes of 3 ticks, twice behind a single sample."""
    file = Mp4File(_samples()[0].data, AacTrack(AAC_CONFIG), {}, CREATED)
    data, given = bytearray(file.begin()), []
    video = [one for one in _samples() if one.track == "video"]
    audio = [one for one in _samples() if one.track == "audio"]
    parts = [(0, 10), (10, 11), (11, 12), (12, 30)]
    for shift, (first, last) in enumerate(parts):
        moved = [
            replace(one, pts=one.pts + shift * 3 * _per_tick(one))
            for one in [*video[first:last], *audio[first:last]]
        ]
        given += moved
        data += file.add(moved)
    tail, patches = file.end()
    data += tail
    for offset, patch in patches:
        data[offset : offset + len(patch)] = patch
    for track in ("video", "audio"):
        stamps = [stamp for stamp, *_ in _packets(bytes(data), track)]
        assert stamps == [one.pts for one in given if one.track == track]


def _per_tick(sample: Sample) -> int:
    return 3600 if sample.track == "video" else SAMPLES_PER_TICK


def test_opus_in_mp4() -> None:
    encoder = OpusEncoder()
    packets = [
        packet
        for index in range(50)
        for half in (0, 960)
        for packet in encoder.encode(
            sound(index)[half : half + 960], index * SAMPLES_PER_TICK + half
        )
    ]
    samples = [Sample("audio", n * 960, 960, True, bytes(p)) for n, p in enumerate(packets)]
    muxer = Mp4Muxer(_samples()[0].data, OpusTrack())
    assert muxer.mime.endswith(',opus"')
    data = muxer.init() + muxer.fragment([_samples()[0], *samples])
    with av.open(io.BytesIO(data)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
    assert heard == 50 * SAMPLES_PER_TICK


@pytest.mark.parametrize("size", [(320, 240), (322, 246), (640, 642), (1080, 1920)])
@pytest.mark.parametrize("profile", ["baseline", "high"])
def test_sizes_and_profiles(size: tuple[int, int], profile: str) -> None:
    """Sizes that are no multiple of 16 are cropped; High says more in its configuration."""
    codec = av.VideoCodecContext.create("libx264", "w")
    codec.width, codec.height = size
    codec.pix_fmt, codec.time_base = "yuv420p", Fraction(1, 25)
    codec.options = {"tune": "zerolatency", "profile": profile, "preset": "veryfast"}
    frame = av.VideoFrame(*size, "yuv420p")
    frame.pts = 0
    (packet,) = codec.encode(frame)
    sets = parameter_sets(bytes(packet))
    assert (sets.info.width, sets.info.height) == size
    assert sets.info.profile == (100 if profile == "high" else 66)
    muxer = Mp4Muxer(bytes(packet), None)
    data = muxer.init() + muxer.fragment([Sample("video", 0, 3600, True, bytes(packet))])
    with av.open(io.BytesIO(data)) as container:
        (frame,) = container.decode(video=0)
        assert (frame.width, frame.height) == size


def test_units_are_found_behind_short_and_long_start_codes() -> None:
    data = b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65\0\0\3\1d\0\0\0"
    assert nal_units(data) == [b"\x67ab", b"\x68c", b"\x65\0\0\3\1d"]
    assert nal_units(b"") == nal_units(b"\0\0") == []


def test_parameter_sets_that_are_known_are_left_out_and_others_stay() -> None:
    keyframe = _samples()[0].data
    sets = parameter_sets(keyframe)
    sample = with_lengths(keyframe, sets)
    assert sets.sps not in sample and sets.pps not in sample
    again = with_lengths(b"\0\0\1\x09\xf0" + b"\0\0\1" + sets.sps + b"x", sets)
    assert again == len(sets.sps + b"x").to_bytes(4, "big") + sets.sps + b"x"


def test_what_cannot_be_muxed_is_refused() -> None:
    with pytest.raises(ValueError, match="parameter sets"):
        Mp4Muxer(b"\0\0\1\x65abc", None)
    muxer = Mp4Muxer(_samples()[0].data, None)
    with pytest.raises(ValueError, match="before time 0"):
        muxer.fragment([Sample("audio", -1, 1024, True, b"x")])
    with pytest.raises(ValueError, match="holds samples"):
        muxer.fragment([])
