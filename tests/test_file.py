"""Video files of every kind, judged by what a player decodes from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mien.media.alpha import bled
from mien.media.file import FileWriter
from mien.media.recipe import OPAQUE, TRANSPARENT
from mien.media.tick import SAMPLES_PER_TICK, TICK_SEC, Tick

SIZE = (320, 256)
TICKS = 30
SKIN, SHIRT = (224, 172, 148), (40, 70, 180)
TONE_HZ = 440


def figure(index: int, soft: float = 6) -> np.ndarray:
    """uint8[256, 320, 4] RGBA: a disc above a block, edges ``soft`` pixels wide, else black."""
    picture = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    inside = 60 - np.hypot(x - 160 - 8 * np.sin(index / 4), y - 90)
    inside = np.maximum(inside, np.minimum(70 - abs(x - 160), y - 130))
    picture[..., 3] = np.clip(inside / soft * 255, 0, 255)
    picture[..., :3] = np.where((y < 140)[..., None], SKIN, SHIRT) * (picture[..., 3:] > 0)
    return picture


def write(path: Path, transparent: bool, soft: float = 6) -> None:
    time = np.arange(TICKS * SAMPLES_PER_TICK) / 48_000
    sound = (9000 * np.sin(2 * np.pi * TONE_HZ * time)).astype(np.int16)
    with FileWriter(path, SIZE, transparent) as writer:
        for index, audio in enumerate(np.split(sound, TICKS)):
            image = figure(index, soft)
            image = image if transparent else np.ascontiguousarray(image[..., :3])
            writer.write(Tick(7 + index, image, audio, 0))
    assert writer.seconds == pytest.approx(TICKS * TICK_SEC)


def pictures(path: Path) -> Iterator[np.ndarray]:
    """uint8[H, W, 4] RGBA as decoded. FFmpeg's own VP9 decoder drops alpha, libvpx' does not."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if decoder.name == "vp9":
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in container.demux(stream):
            for frame in decoder.decode(packet if packet.size else None):
                yield frame.reformat(format="rgba", src_colorspace="ITU601").to_ndarray()


def sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", 48_000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def over(picture: np.ndarray, colour: int) -> np.ndarray:
    share = picture[..., 3:].astype(float) / 255
    return picture[..., :3] * share + colour * (1 - share)


@pytest.mark.parametrize("ending", sorted(TRANSPARENT))
def test_a_transparent_file_gives_back_figure_edge_and_nothing_else(
    ending: str, tmp_path: Path
) -> None:
    write(tmp_path / f"out{ending}", transparent=True)
    shown = list(pictures(tmp_path / f"out{ending}"))
    assert len(shown) == TICKS
    for index in (0, TICKS // 2, TICKS - 1):
        true, seen = figure(index), shown[index]
        alpha, seen_alpha = true[..., 3].astype(int), seen[..., 3].astype(int)
        far = cv2.dilate(true[..., 3], np.ones((9, 9))) == 0
        deep = cv2.erode(true[..., 3], np.ones((9, 9))) == 255
        assert seen_alpha[far].max() <= 3, "nothing outside"
        assert seen_alpha[deep].min() >= 252, "nothing shines through inside"
        edge = (alpha > 60) & (alpha < 195)
        assert np.abs(seen_alpha - alpha)[edge].mean() < 12, "the edge is as soft as it was"
        for ground in (0, 255):
            error = np.abs(over(seen, ground) - over(true, ground))
            assert error[deep].mean() < 3 and error[edge].mean() < 4, ground
    assert abs(len(sound(tmp_path / f"out{ending}")) / SAMPLES_PER_TICK - TICKS) < 1


def test_a_sharp_edge_has_no_dark_rim(tmp_path: Path) -> None:
    write(tmp_path / "out.webm", transparent=True, soft=1)
    for index, seen in enumerate(pictures(tmp_path / "out.webm")):
        true = figure(index, soft=1)
        rim = (true[..., 3] > 0) & (cv2.erode(true[..., 3], np.ones((5, 5))) < 255)
        error = np.abs(over(seen, 255) - over(true, 255))[rim]
        assert error.mean() < 3, "with black beside the figure it is 4 to 5"


@pytest.mark.parametrize("ending", sorted(OPAQUE))
def test_each_ending_gives_a_file_with_equal_lengths_and_the_right_colours(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"out{ending}"
    write(path, transparent=False)
    shown = list(pictures(path))
    assert len(shown) == TICKS and shown[0].shape == (SIZE[1], SIZE[0], 4)
    true = figure(TICKS - 1)[..., :3].astype(int)
    assert np.abs(shown[-1][..., :3] - true).mean() < 3
    assert np.abs(shown[-1][90, 160, :3] - np.array(SKIN)).max() < 8
    heard = sound(path)
    assert abs(len(heard) / SAMPLES_PER_TICK - TICKS) < 1
    middle = heard[12_000:36_000] * np.hanning(24_000)
    assert np.argmax(np.abs(np.fft.rfft(middle))) * 2 == pytest.approx(TONE_HZ, abs=3)
    assert list(tmp_path.iterdir()) == [path], "nothing half-made is left"


@pytest.mark.parametrize(
    ("name", "transparent", "message"),
    [
        ("out.mp4", True, "mp4 cannot carry transparency; use .webm or .mov"),
        ("out.txt", False, "must end in one of .mp4"),
        ("out", True, "must end in one of .webm, .mov"),
    ],
)
def test_endings_that_will_not_do_are_told_before_anything_is_written(
    name: str, transparent: bool, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        FileWriter(tmp_path / name, SIZE, transparent)
    assert not list(tmp_path.iterdir())


def test_colours_go_on_beyond_the_edge_and_stay_as_they_are_within() -> None:
    true = figure(0)
    out = bled(true)
    assert np.array_equal(out[..., 3], true[..., 3])
    inside = true[..., 3] == 255
    assert np.abs(out[..., :3].astype(int) - true[..., :3])[inside].max() <= 1
    near = (true[..., 3] == 0) & (cv2.dilate(true[..., 3], np.ones((17, 17))) > 0)
    upper = near & (np.indices(near.shape)[0] < 100)
    assert np.abs(out[upper][:, :3].astype(int) - SKIN).max() < 12, "skin beside skin, not black"
    empty = np.zeros((64, 64, 4), np.uint8)
    assert not bled(empty)[..., 3].any(), "an empty picture is no special case"
