"""The folder on disk: what is accepted, and what is refused with words that help."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.avatar.errors import AvatarError
from mien.avatar.library import BUILT_IN, list_avatars, load_avatar
from mien.avatar.package import read_package


@pytest.fixture
def folder(tmp_path: Path, drawn_avatar: Path) -> Path:
    return Path(shutil.copytree(drawn_avatar, tmp_path / "drawn"))


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "avatar.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(AvatarError) as caught:
        read_package(folder)
    return str(caught.value)


def test_built_in_presenters_are_listed_and_shared() -> None:
    built_in = [a for a in list_avatars() if a.built_in]
    assert "mei" in {a.name for a in built_in}
    for info in built_in:
        assert info.why_not == "" and info.license == "CC0-1.0"
        avatar = load_avatar(info.name)
        assert avatar is load_avatar(info.path) is load_avatar(str(info.path))
        assert avatar.size == (512, 512) and avatar.engines == ("viseme",)


def test_the_presenters_stay_small() -> None:
    assert sum(f.stat().st_size for f in BUILT_IN.rglob("*") if f.is_file()) < 8e6


def test_everything_is_read(folder: Path) -> None:
    package = read_package(folder)
    assert (package.name, package.title, package.title_zh) == ("drawn", "Drawn", "画的")
    assert package.size == (256, 256) and package.focus == (48, 24, 160, 160)
    assert [layer.name for layer in package.layers] == ["back", "body", "head"]
    assert package.face == 2 and package.neck == (128, 190) and package.chin == 176
    head = package.layers[2]
    assert head.image.shape == (256, 256, 4) and head.depth is not None
    assert head.follow is not None and head.follow.shape == head.depth.shape
    assert [p.smile for p in package.mouth.places].count(1) == 2
    assert package.eyes is not None
    assert [p.brow for p in package.eyes.places if p.brow] == ["up", "frown"]


def test_arrays_cannot_be_changed(folder: Path) -> None:
    package = read_package(folder)
    for array in (package.layers[0].image, package.mouth.images, package.mouth.fields):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_unknown_name_says_what_is_known() -> None:
    with pytest.raises(AvatarError, match=r"no avatar 'nobody'; known: .*mei"):
        load_avatar("nobody")
    for name in ("", ".", ".."):
        with pytest.raises(AvatarError):
            load_avatar(name)


def test_folder_without_avatar(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match=r"no avatar\.toml"):
        load_avatar(tmp_path)
    with pytest.raises(AvatarError, match="no folder"):
        load_avatar(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 2", "format = 1", "format is 1, this version reads 2"),
        ("format = 2", "format = ", "cannot be read"),
        ('name = "drawn"', "name = 3", "give it a name"),
        ('kind = "atlas"', 'kind = "film"', 'expected "atlas"'),
        ("size = [256, 256]", "size = [256, 255]", "even numbers"),
        ("fps = 25", "fps = 30", "only 25"),
        ("size = [256, 256]", "size = [300, 300]", "has 256×256 pixels, expected 300×300"),
        ("focus = [48, 24, 160", "focus = [48, 24, 360", "inside the picture of 256×256"),
        ('name = "body"', 'name = "back"', "names must differ"),
        ('name = "body"\n', "", "every [[layers]] needs a name"),
        ('face = "head"', 'face = "heart"', "expected a layer: back, body, head"),
        ('image = "head.webp"', 'image = "../drawn/../head.webp"', "leads out of the folder"),
        ('image = "head.webp"', 'image = "/etc/passwd"', "leads out of the folder"),
        ('image = "head.webp"', 'image = "legs.webp"', "legs.webp is missing"),
        ('image = "head.webp"', 'image = "eyes.npz"', "no readable 8-bit picture"),
        ('motion = "head.npz"', 'motion = "head.webp"', "no readable .npz"),
        ('motion = "head.npz"', 'motion = "mouth.npz"', "lacks the array 'depth'"),
        ('morph = "mouth.npz"', 'morph = "eyes.npz"', "does not fit its"),
        ("openness = 0.5", "openness = 0.3", "must fill a grid"),
        ("openness = 0.5", "openness = 7", "openness 0…1"),
        ("smile = 1", "smile = 2", "smile must be 0 or 1"),
        ('consonant = "PP"', 'consonant = "XX"', "is none of PP, FF"),
        ('consonant = "PP"', 'consonant = "FF"', "occurs twice"),
        ("closure = 1.0", "closure = 0.9", "closure 0 (open) and 1 (closed)"),
        ('gaze = "up"', 'gaze = "away"', "is none of right, left, up, down"),
        ('brow = "frown"', 'brow = "odd"', "is none of up, frown"),
        ("box = [92, 116", "box = [200, 116", "mouth.box"),
        ("[background]", "[backdrop]", "[background] table is missing"),
        ("neck = [", "neck = [1, ", "neck must be 2 number(s)"),
    ],
)
def test_damage_is_named(folder: Path, old: str, new: str, message: str) -> None:
    edit(folder, old, new)
    assert message in refusal(folder)


def test_a_figure_needs_a_layer(folder: Path) -> None:
    file = folder / "avatar.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("[[layers]]", "[[sheets]]"))
    assert "no [[layers]] tables: add at least one" in refusal(folder)


def test_a_smile_needs_its_own_grid(folder: Path) -> None:
    edit(folder, "openness = 1.0\nrounding = 0.0\nsmile = 1", 'consonant = "TH"\nnear = [0, 0]')
    assert "with smile = 1 need openness 0 and 1" in refusal(folder)


def test_truncated_files(folder: Path) -> None:
    image = folder / "head.webp"
    for rest in (image.read_bytes()[:40], b""):
        image.write_bytes(rest)
        assert "no readable 8-bit picture" in refusal(folder)


def test_truncated_arrays(folder: Path) -> None:
    arrays = folder / "mouth.npz"
    arrays.write_bytes(arrays.read_bytes()[:200])
    assert "no readable .npz" in refusal(folder)


def test_motion_must_be_sensible(folder: Path) -> None:
    good = np.ones((8, 8))
    bad: list[tuple[dict[str, object], str]] = [
        ({"depth": np.array([{"a": 1}], dtype=object), "follow": good}, "no readable .npz"),
        ({"depth": good[0], "follow": good}, "depth in head.npz must be finite numbers"),
        ({"depth": good * np.nan, "follow": good}, "depth in head.npz must be finite numbers"),
        ({"depth": good, "follow": good * 2}, "follow in head.npz must lie in 0…1"),
    ]
    for arrays, message in bad:
        np.savez(folder / "head.npz", **arrays)  # type: ignore[arg-type]
        assert message in refusal(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    image = folder / "head.webp"
    outside = folder.parent / "outside.webp"
    image.rename(outside)
    image.symlink_to(outside)
    assert "leads out of the folder" in refusal(folder)


def test_a_layer_may_be_a_part_of_the_canvas_and_have_no_alpha(folder: Path) -> None:
    opaque = np.full((100, 80, 3), 90, np.uint8)
    assert cv2.imwrite(str(folder / "back.jpg"), opaque)
    edit(folder, 'image = "back.webp"', 'image = "back.jpg"\nbox = [10, 20, 80, 100]')
    layer = read_package(folder).layers[0]
    assert layer.box == (10, 20, 80, 100) and (layer.image[..., 3] == 255).all()


def test_works_without_geometry_eyes_and_motion(folder: Path) -> None:
    edit(folder, 'morph = "mouth.npz"\n', "")
    edit(folder, 'motion = "head.npz"\n', "")
    file = folder / "avatar.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.index("[eyes]")], encoding="utf-8")
    package = read_package(folder)
    assert package.eyes is None and package.layers[2].depth is None
    assert package.mouth.fields is None


def test_a_changed_folder_is_read_again(folder: Path) -> None:
    before = load_avatar(folder)
    edit(folder, 'title = "Drawn"', 'title = "Drawn B"')
    after = load_avatar(folder)
    assert (before.title, after.title) == ("Drawn", "Drawn B")


def test_a_broken_avatar_is_listed_with_its_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, "format = 2", "format = 3")
    monkeypatch.setattr("mien.avatar.library.user_folder", lambda: folder.parent)
    broken = [a for a in list_avatars() if not a.built_in]
    assert len(broken) == 1 and "format is 3" in broken[0].why_not
