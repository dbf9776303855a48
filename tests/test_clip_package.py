"""A clip's folder: what is read, what is refused, and the faces engines get."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import clip_folder
from mien.avatar.clip import package as package_module
from mien.avatar.clip.package import ClipPackage, cropped, read_clip
from mien.avatar.errors import AvatarError

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "wav2lip_prep.npz"


@pytest.fixture
def folder(filmed_folder: Path, tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copytree(filmed_folder, tmp_path / "filmed"))


@pytest.fixture
def package(filmed_folder: Path) -> ClipPackage:
    return read_clip(filmed_folder)


def test_all_of_it_is_read(package: ClipPackage) -> None:
    assert (package.name, package.title, package.title_zh) == ("filmed", "Filmed", "拍摄的")
    assert package.size == clip_folder.SIZE and len(package) == clip_folder.COUNT
    assert package.engines == ("wav2lip",) and package.loop == "pingpong" and package.idle is None
    assert np.array_equal(package.boxes, clip_folder.boxes())
    assert np.array_equal(package.landmarks, clip_folder.landmarks())
    assert not package.boxes.flags.writeable and not package.landmarks.flags.writeable
    seen = package.picture(5).astype(int)
    assert np.abs(seen - clip_folder.picture(5)).mean() < 1


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "avatar.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


def faces(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        arrays = {"boxes": clip_folder.boxes(), "landmarks": clip_folder.landmarks()}
        change(arrays)
        clip_folder.write_faces(folder, **arrays)

    return write


def at(frame: int, key: str, value: object) -> Callable[[Path], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays[key][frame] = value

    return faces(change)


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        file = folder / name
        file.write_bytes(change(file.read_bytes()))

    return write


def smaller(folder: Path) -> None:
    cv2.imwrite(str(folder / "frames/00007.jpg"), np.zeros((100, 100, 3), np.uint8))


def link_out(folder: Path) -> None:
    (folder / "frames/00003.jpg").rename(folder.parent / "elsewhere.jpg")
    (folder / "frames/00003.jpg").symlink_to(folder.parent / "elsewhere.jpg")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit('"clip"', '"atlas"'), 'expected "clip"'),
        (edit("fps = 25", "fps = 30"), "only 25"),
        (edit("[480, 360]", "[481, 360]"), "two even numbers"),
        (edit("[480, 360]", "[480, 4000]"), "two even numbers"),
        (edit("[480, 360]", "[640, 360]"), "00000.jpg has 480×360 pixels, expected 640×360"),
        (edit("frames = 24", "frames = 25"), "00024.jpg is missing"),
        (edit("frames = 24", "frames = 23"), "boxes must be numbers [23, 4]"),
        (edit("frames = 24", "frames = 1"), "whole number of 2…"),
        (edit("frames = 24", "frames = true"), "whole number of 2…"),
        (edit("frames = 24", "frames = 99999999"), "whole number of 2…"),
        (edit("frames/%05d.jpg", "frames/%s.jpg"), "numbered JPEG files"),
        (edit("frames/%05d.jpg", "%05d%05d.jpg"), "numbered JPEG files"),
        (edit("frames/%05d.jpg", "../other/%05d.jpg"), "leads out of the folder"),
        (link_out, "leads out of the folder"),
        (edit('"faces.npz"', '"/etc/faces.npz"'), "leads out of the folder"),
        (edit('"faces.npz"', '"none.npz"'), "none.npz is missing"),
        (edit('"pingpong"', '"circle"'), 'expected "pingpong" or "forward"'),
        (edit('loop = "pingpong"', "idle = [5, 25]"), "clip.idle [5, 25] must be"),
        (edit('loop = "pingpong"', "idle = [5, 6]"), "clip.idle [5, 6] must be"),
        (edit('loop = "pingpong"', "idle = [1.5, 6]"), "clip.idle [1.5, 6] must be"),
        (edit("[110, 0, 290, 290]", "[300, 0, 290, 290]"), "focus [300, 0, 290, 290] must be"),
        (edit('["wav2lip"]', "[1]"), "engines must be a list"),
        (edit("[clip]", "[film]"), "the [clip] table is missing"),
        (smaller, "00007.jpg has 100×100 pixels, expected 480×360"),
        (rewrite("frames/00004.jpg", lambda data: data[:-900]), "00004.jpg is cut off"),
        (rewrite("frames/00004.jpg", lambda data: b""), "00004.jpg is no JPEG"),
        (rewrite("frames/00004.jpg", lambda data: data[:12]), "00004.jpg is no readable JPEG"),
        (rewrite("faces.npz", lambda data: data[:200]), "no readable .npz"),
        (faces(lambda a: a.pop("landmarks")), "lacks the array 'landmarks'"),
        (faces(lambda a: a.update(boxes=a["boxes"].astype(str))), "boxes must be numbers"),
        (faces(lambda a: a.update(landmarks=a["landmarks"][:, :68])), "[24, 468, 2]"),
        (at(3, "boxes", (np.nan, 0, 99, 99)), "frame 3: boxes must be finite"),
        (at(6, "landmarks", np.inf), "frame 6: landmarks must be finite"),
        (at(9, "boxes", (-4, 90, 300, 300)), "frame 9: the box [-4.0, 90.0, 300.0, 300.0]"),
        (at(9, "boxes", (300, 90, 100, 300)), "frame 9: the box"),
        (at(2, "boxes", (0, 0, 60, 60)), "frame 2: the mouth lies outside"),
        (
            faces(lambda a: a.update(published=np.full((24, 4), 7))),
            "frame 0: the box [7.0, 7.0, 7.0, 7.0]",
        ),
    ],
)
def test_damage_is_named(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(AvatarError) as error:
        read_clip(folder)
    assert message in str(error.value)


def test_what_would_fill_the_memory_is_not_unpacked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = np.zeros((24, 4_000_000), np.uint8)  # 0.1 MB in the file
    clip_folder.write_faces(folder, boxes=zeros, landmarks=clip_folder.landmarks())
    monkeypatch.setattr(package_module, "MOST_FACE_BYTES", 90_000_000)
    with pytest.raises(AvatarError, match="too large: 96 MB unpacked"):
        read_clip(folder)


def test_a_picture_broken_inside_is_told_when_it_is_shown(folder: Path) -> None:
    file = folder / "frames/00002.jpg"
    data = file.read_bytes()
    begin = data.index(b"\xff\xda")
    file.write_bytes(data[: begin + 2] + b"\x00\x03" + data[-2:])
    package = read_clip(folder)
    with pytest.raises(AvatarError, match=r"00002\.jpg is damaged"):
        package.picture(2)
    (folder / "frames/00003.jpg").unlink()
    with pytest.raises(AvatarError, match=r"00003\.jpg cannot be read"):
        package.picture(3)


def test_faces_are_cropped_as_published() -> None:
    if not GOLDEN.is_file():
        pytest.skip("shared/golden/wav2lip_prep.npz is not at hand")
    golden = np.load(GOLDEN)
    for (top, bottom, left, right), index, expected in zip(
        golden["coords"], golden["frame_index"], golden["net_input_u8"], strict=True
    ):
        box = np.array([left, top, right, bottom], np.float32)
        face = cropped(golden["frames"][index], box, 96)
        assert np.array_equal(face.transpose(2, 0, 1), expected[3:])
    whole = np.array([0, 0, *golden["big"].shape[1::-1]], np.float32)
    for side in (96, 256):
        assert np.array_equal(cropped(golden["big"], whole, side), golden[f"big_to{side}"])


def test_boxes_between_pixels_are_sampled_there() -> None:
    """On a linear ramp bilinear sampling is exact, wherever the box lies."""
    y, x = np.mgrid[0:120, 0:160]
    ramp = np.stack([x, y, x / 2 + y / 2], 2)
    box = np.array([20.3, 15.8, 130.1, 101.4], np.float32)
    face = cropped(ramp.astype(np.uint8), box, 96)
    at = (np.arange(96) + 0.5) / 96
    left, top, right, bottom = box
    assert np.abs(face[0, :, 0] - (left + at * (right - left) - 0.5)).max() < 0.75  # u8, 1/32 px
    assert np.abs(face[:, 0, 1] - (top + at * (bottom - top) - 0.5)).max() < 0.75
    whole = np.array([20, 15, 130, 101], np.float32)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    nearly = cropped(noise, whole + np.float32(1e-3), 96).astype(int)
    assert np.abs(nearly - cropped(noise, whole, 96)).mean() < 0.5


def test_key_follows_pictures_and_boxes(package: ClipPackage, folder: Path) -> None:
    assert read_clip(folder).key == package.key
    boxes = clip_folder.boxes()
    boxes[3, 0] += 0.25
    clip_folder.write_faces(folder, boxes=boxes, landmarks=clip_folder.landmarks())
    moved = read_clip(folder)
    assert moved.key != package.key and moved.pictures_key == package.pictures_key
    shutil.copy(folder / "frames/00001.jpg", folder / "frames/00002.jpg")
    assert read_clip(folder).pictures_key != package.pictures_key


def test_published_boxes_are_used_when_asked_for(folder: Path) -> None:
    whole = np.round(clip_folder.boxes()).astype(np.int32)
    published = whole[:, [1, 3, 0, 2]]
    clip_folder.write_faces(
        folder,
        boxes=clip_folder.boxes(),
        landmarks=clip_folder.landmarks(),
        published=published,
    )
    package = read_clip(folder)
    assert package.published is not None and np.array_equal(package.published, published)
    original = package.as_published()
    assert np.array_equal(original.boxes, whole) and original.key != package.key
    left, top, right, bottom = whole[4]
    part = package.picture(4)[top:bottom, left:right]
    assert np.array_equal(original.crop(4, 96), cv2.resize(part, (96, 96)))


def test_without_published_boxes_the_usual_ones_serve(package: ClipPackage) -> None:
    assert package.as_published() is package
