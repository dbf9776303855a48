"""Video files become upright pictures at 25 a second, or an error that says what to do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import encode, turned_by_metadata
from mien.avatar.clip.errors import ClipError
from mien.avatar.clip.hdr import HLG, PQ, Hdr
from mien.avatar.clip.kind import kind_of
from mien.avatar.clip.resampled import resampled
from mien.avatar.clip.video_reader import Part, VideoReader
from mien.media.tick import FPS, Image

SIZE = (128, 96)
BIT = 12  # pixels of a square of the frame counter


def numbered(index: int, size: tuple[int, int] = SIZE) -> Image:
    """A picture that says its number in eight squares, with three corners of different colours."""
    picture = np.full((size[1], size[0], 3), 110, np.uint8)
    for bit in range(8):
        left = 16 + bit * BIT
        picture[size[1] // 2 - 8 : size[1] // 2 + 8, left : left + BIT] = 255 * (index >> bit & 1)
    picture[:24, :32], picture[:24, -32:], picture[-24:, :32] = (220, 40, 40), (40, 200, 40), 250
    return picture


def number(picture: Image) -> int:
    row = picture[picture.shape[0] // 2].mean(1)
    return sum((row[16 + bit * BIT + BIT // 2] > 128) << bit for bit in range(8))


def read(path: Path, part: Part | None = None) -> list[Image]:
    video = VideoReader(path, part)
    pictures = list(video.pictures())
    assert all(p.shape == (video.size[1], video.size[0], 3) for p in pictures)
    assert len(pictures) <= video.frames
    return pictures


def refused(path: Path, part: Part | None = None) -> ClipError:
    with pytest.raises(ClipError) as error:
        read(path, part)
    assert error.value.en and error.value.zh != error.value.en
    return error.value


CODECS = [("mp4", "libx264"), ("mov", "libx265"), ("webm", "libvpx-vp9"), ("mkv", "libsvtav1")]


@pytest.mark.parametrize(("ending", "codec"), [*CODECS, ("avi", "mpeg4"), ("ts", "libx264")])
def test_what_cameras_and_browsers_write(tmp_path: Path, ending: str, codec: str) -> None:
    path = encode(tmp_path / f"clip.{ending}", map(numbered, range(50)), codec)
    pictures = read(path)
    assert [number(p) for p in pictures] == list(range(len(pictures)))
    assert len(pictures) >= 49, "an AVI may hold back its last picture"
    assert np.abs(pictures[9].astype(int) - numbered(9)).mean() < 4
    assert kind_of(path) == "clip"


def test_sound_is_ignored(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", map(numbered, range(30)), sound=True)
    assert [number(p) for p in read(path)] == list(range(30))


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 1, -1, 0), lambda p: np.rot90(p, 1)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, -1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    ],
)
def test_turns_and_mirrors_of_telephones(tmp_path: Path, matrix, turn) -> None:  # type: ignore[no-untyped-def]
    """The file holds a turned picture and a matrix that undoes it."""
    stored = [np.ascontiguousarray(turn(numbered(i))) for i in range(15)]
    path = turned_by_metadata(encode(tmp_path / "t.mp4", stored), matrix)
    pictures = read(path)
    assert [number(p) for p in pictures] == list(range(15))
    for corner in (np.s_[4:20, 4:28], np.s_[4:20, -28:-4], np.s_[-20:-4, 4:28]):
        assert np.abs(pictures[3][corner].mean((0, 1)) - numbered(3)[corner].mean((0, 1))).max() < 9


@pytest.mark.parametrize(("rate", "count"), [(30, 60), (50, 100), (60, 120), (10, 20), (24, 48)])
def test_other_rates_keep_their_time(tmp_path: Path, rate: int, count: int) -> None:
    pictures = read(encode(tmp_path / "r.mp4", map(numbered, range(count)), rate=rate))
    assert len(pictures) == 2 * FPS
    for tick, picture in enumerate(pictures):
        instant = min(tick / FPS, (count - 1) / rate)  # the last picture stays its own time
        assert abs(number(picture) / rate - instant) <= 0.5 / rate + 1e-6


def test_variable_rates_do_not_drift(tmp_path: Path) -> None:
    """A telephone that slows down in the dark: 30 a second, then 12, then a gap, then 30."""
    steps = [Fraction(1, 30)] * 40 + [Fraction(1, 12)] * 12 + [Fraction(1, 2)]
    steps += [Fraction(1, 30)] * 40
    times = [sum(steps[:i], Fraction(0)) for i in range(len(steps) + 1)]
    path = encode(tmp_path / "v.mp4", map(numbered, range(len(times))), times=times, rate=30)
    pictures = read(path)
    shown = [float(times[number(p)]) for p in pictures]
    nearest = [min((abs(float(t) - k / FPS)) for t in times) for k in range(len(pictures))]
    for tick, at in enumerate(shown):
        assert abs(at - tick / FPS) <= nearest[tick] + 2e-3
    assert abs(len(pictures) / FPS - float(times[-1]) - 1 / 30) < 0.04


def test_each_instant_shows_the_nearest_picture() -> None:
    """Against the definition, for irregular times."""
    rng = np.random.default_rng(4)
    times = np.cumsum(rng.uniform(0.005, 0.11, 200)) + 3
    shown = list(resampled(((t, 0.03, t) for t in times), None, FPS))
    for k, at in enumerate(shown):
        instant = times[0] + k / FPS
        assert abs(at - instant) == pytest.approx(np.abs(times - instant).min())


def test_a_gap_is_named(tmp_path: Path) -> None:
    times = [Fraction(i, FPS) + (3 if i >= 30 else 0) for i in range(60)]
    path = encode(tmp_path / "gap.mp4", map(numbered, range(60)), times=times)
    error = refused(path)
    assert error.code == "frozen" and "between 1.16 s and 4.20 s" in error.en
    assert len(read(path, Part(4.3, 5.3))) == 25
    assert len(read(path, Part(0, 1.0))) == 25


def test_a_part_is_cut_at_its_frames(tmp_path: Path) -> None:
    path = encode(tmp_path / "p.mp4", map(numbered, range(100)), options={"g": "30"})
    assert [number(p) for p in read(path, Part(1.2, 3.0))] == list(range(30, 75))
    assert [number(p) for p in read(path, Part(3.0, 9.0))] == list(range(75, 100))
    for part in (Part(3.8, 9.0), Part(5.0, 9.0), Part(0.0, 0.2)):
        assert refused(path, part).code == "bad_part"
    assert "4.0 s long" in refused(path, Part(5.0, 9.0)).en


def test_long_clips_are_cut_and_say_so(tmp_path: Path) -> None:
    times = [Fraction(i) for i in range(70)]  # a picture a second is the fewest
    path = encode(tmp_path / "l.mp4", map(numbered, range(70)), times=times)
    video = VideoReader(path)
    assert video.cropped_sec > 69 and video.frames == 60 * FPS
    assert sum(1 for _ in video.pictures()) == 60 * FPS


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = encode(tmp_path / "s.mp4", map(numbered, range(15)), aspect=Fraction(4, 3))
    video = VideoReader(path)
    assert video.size == (170, 96) and video.stored_size == SIZE


def test_large_clips_are_scaled_and_say_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "4k.mp4", [numbered(0, (3840, 2160))] * 13)
    video = VideoReader(path)
    assert video.size == (1920, 1080) and video.notes == ["scaled"]
    assert next(video.pictures()).shape == (1080, 1920, 3)


def test_odd_sizes_lose_a_line_and_no_sharpness(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (97, 129, 3)).astype(np.uint8)
    path = encode(tmp_path / "o.mkv", [noise] * 13, "ffv1", pixels="bgr0")
    picture = read(path)[0]
    assert np.array_equal(picture, noise[:96, :128])


def test_colours_of_both_standards(tmp_path: Path) -> None:
    """A file that does not say so is BT.601 when small and BT.709 when large."""
    for size, matrix in ((SIZE, 5), ((1280, 720), 1)):
        said, unsaid = tmp_path / f"s{size[0]}.mp4", tmp_path / f"u{size[0]}.mp4"
        red = np.full((size[1], size[0], 3), (200, 60, 50), np.uint8)
        for path, tags in ((said, {"colorspace": matrix}), (unsaid, {})):
            with av.open(str(path), "w") as container:
                stream = container.add_stream("libx264", FPS, options={"crf": "5"})
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                for name, value in tags.items():
                    setattr(stream.codec_context, name, value)
                frame = av.VideoFrame.from_ndarray(red, format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
                for i in range(13):
                    frame.pts, frame.time_base = i, Fraction(1, FPS)
                    if not tags:
                        frame.colorspace = 2
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            assert np.abs(read(path)[0].astype(int) - (200, 60, 50)).max() <= 4


@pytest.mark.parametrize(("curve", "trc"), [(PQ, 16), (HLG, 18)])
def test_high_dynamic_range_looks_as_meant(tmp_path: Path, curve: str, trc: int) -> None:
    """Grey of 18 % stays a middle grey, diffuse white nearly white, and grey has no colour."""
    grey, white = {PQ: (0.3806, 0.5806), HLG: (0.3804, 0.75)}[curve]
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:, :64], picture[:, 64:] = round(255 * grey), round(255 * white)
    tags = {"color_trc": trc, "color_primaries": 9, "colorspace": 9}
    path = encode(tmp_path / "h.mp4", [picture] * 13, "libx265", pixels="yuv420p10le", tags=tags)
    video = VideoReader(path)
    assert video.notes == ["hdr"]
    seen = next(video.pictures()).astype(int)
    assert np.ptp(seen, axis=2).max() <= 3
    assert 90 <= seen[48, 20].mean() <= 125 and 220 <= seen[48, 110].mean() <= 240


def test_hdr_colours_turn_to_srgb() -> None:
    """BT.709's red, written in BT.2020 and PQ, comes back as red."""
    linear = np.array([0.6274, 0.0691, 0.0164]) * 0.3  # of diffuse white
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = (linear * 203 / 10000) ** m1
    signal = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    picture = np.full((4, 4, 3), np.round(signal * 65535), np.uint16)
    expected = 255 * (1.055 * 0.3 ** (1 / 2.4) - 0.055)
    assert np.abs(Hdr(PQ).to_sdr(picture)[0, 0] - [expected, 0, 0]).max() <= 4


def test_files_that_are_no_clips(tmp_path: Path) -> None:
    empty, text, cut = (tmp_path / n for n in ("empty.mp4", "text.mp4", "cut.mp4"))
    empty.write_bytes(b"")
    text.write_text("This is not a film.\n" * 300)
    whole = encode(tmp_path / "w.mp4", map(numbered, range(50))).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])  # its index was at the end
    assert "0 bytes" in refused(empty).en
    assert refused(text).code == refused(cut).code == "not_a_video"
    assert "broken off" in refused(cut).en and "中途断开" in refused(cut).zh
    with pytest.raises(FileNotFoundError):
        VideoReader(tmp_path / "nothing.mp4")


def test_a_playlist_that_calls_itself_a_clip_opens_nothing(tmp_path: Path) -> None:
    encode(tmp_path / "secret.ts", map(numbered, range(25)))
    for name, content in (
        ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:1.0,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("concat.mp4", "ffconcat version 1.0\nfile secret.ts\n"),
    ):
        (tmp_path / name).write_text(content)
        assert refused(tmp_path / name).code == "not_a_video"


def test_a_truncated_file_says_where_its_pictures_end(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "crf": "20", "g": "25"}
    path = tmp_path / "t.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(100):
            noise = rng.integers(0, 256, (96, 128, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())
    whole = path.read_bytes()
    path.write_bytes(whole[: round(len(whole) * 0.6)])
    error = refused(path)
    assert error.code == "damaged" and "of 4.0 s" in error.en and "--part 0-2." in error.en
    assert len(read(path, Part(0, 2.0))) == 50, "what is intact can be used"


def test_garbage_within_a_file(tmp_path: Path) -> None:
    path = encode(tmp_path / "g.mp4", map(numbered, range(75)))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    data[start : start + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(data)
    error = refused(path)
    assert error.code == "damaged" and " s of 3.0 s" in error.en


def test_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", 48000)
        for i in range(40):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 48000, i * 1024
            container.mux(stream.encode(silence))
        container.mux(stream.encode())
    assert refused(path).code == "no_pictures"


def test_pictures_that_cannot_be_decoded(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.mp4", map(numbered, range(30)))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    error = refused(path)
    assert error.code in ("damaged", "not_a_video") and "MP4 (H.264)" in error.en


@pytest.mark.parametrize("count", [1, 12])
def test_too_short(tmp_path: Path, count: int) -> None:
    error = refused(encode(tmp_path / "1.mp4", map(numbered, range(count))))
    assert error.code == "too_short" and f"{count / FPS:.2f} s" in error.en


def test_photos_are_told_by_their_content(tmp_path: Path) -> None:
    for ending in (".png", ".jpg", ".webp"):
        data = cv2.imencode(ending, numbered(1))[1].tobytes()
        (tmp_path / "clip.mp4").write_bytes(data)
        assert kind_of(tmp_path / "clip.mp4") == "photo"
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    assert kind_of(tmp_path / "clip.mp4") == "photo", "refused there, with what to do"
    encode(tmp_path / "film.mp4", map(numbered, range(13)))
    (tmp_path / "film.mp4").rename(tmp_path / "film.jpg")
    assert kind_of(tmp_path / "film.jpg") == "clip"
    assert len(read(tmp_path / "film.jpg")) == 13
