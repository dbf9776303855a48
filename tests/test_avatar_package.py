"""The folder on disk: what is accepted, and what is refused with words that help."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mien.avatar.errors import AvatarError
from mien.avatar.library import BUILT_IN, list_avatars, load_avatar
from mien.avatar.package import read_package

MEI = BUILT_IN / "mei"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "mei"
    shutil.copytree(MEI, copy)
    return copy


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "avatar.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_built_in_presenter_is_listed_and_shared() -> None:
    info = {a.name: a for a in list_avatars()}["mei"]
    assert info.built_in and info.why_not == "" and info.license == "CC0-1.0"
    avatar = load_avatar("mei")
    assert avatar is load_avatar(MEI) is load_avatar(str(MEI))
    assert avatar.size == (512, 512) and avatar.engines == ("viseme",)


def test_arrays_cannot_be_changed() -> None:
    package = load_avatar("mei").package
    with pytest.raises(ValueError, match="read-only"):
        package.figure[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        package.mouth.images[0, 0, 0, 0] = 1


def test_the_whole_presenter_stays_small() -> None:
    size = sum(f.stat().st_size for f in MEI.rglob("*") if f.is_file())
    assert size < 6e6


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
        ("format = 1", "format = 9", "format is 9, this version reads 1"),
        ("format = 1", "format = ", "cannot be read"),
        ('name = "mei"', "name = 3", "give it a name"),
        ('kind = "atlas"', 'kind = "film"', 'expected "atlas"'),
        ("size = [512, 512]", "size = [512, 511]", "even numbers"),
        ("fps = 25", "fps = 30", "only 25"),
        ("size = [512, 512]", "size = [256, 256]", "expected (256, 256)"),
        ('image = "figure.webp"', 'image = "../mei/../figure.webp"', "leads out of the folder"),
        ('image = "figure.webp"', 'image = "/etc/passwd"', "leads out of the folder"),
        ('image = "figure.webp"', 'image = "body.webp"', "body.webp is missing"),
        ('image = "figure.webp"', 'image = "eyes.npz"', "no readable 8-bit picture"),
        ('motion = "motion.npz"', 'motion = "figure.webp"', "no readable .npz"),
        ('motion = "motion.npz"', 'motion = "mouth.npz"', "lacks the array 'depth'"),
        ('morph = "mouth.npz"', 'morph = "eyes.npz"', "does not fit its"),
        ("openness = 0.2", "openness = 0.3", "must fill a grid"),
        ("openness = 0.2", "openness = 7", "openness 0…1"),
        ('consonant = "PP"', 'consonant = "XX"', "is none of"),
        ("closure = 1.0", "closure = 0.9", "closure 0 (open) and 1 (closed)"),
        ("[background]", "[backdrop]", "[background] table is missing"),
        ("neck = [", "neck = [1, ", "neck must be 2 number(s)"),
    ],
)
def test_damage_is_named(folder: Path, old: str, new: str, message: str) -> None:
    edit(folder, old, new)
    with pytest.raises(AvatarError) as caught:
        read_package(folder)
    assert message in str(caught.value)


def test_box_must_lie_inside(folder: Path) -> None:
    text = (folder / "avatar.toml").read_text()
    start = text.index("box = [")
    end = text.index("]", start)
    (folder / "avatar.toml").write_text(text[:start] + "box = [400, 400, 200, 148" + text[end:])
    with pytest.raises(AvatarError, match="does not lie inside"):
        read_package(folder)


def test_truncated_files(folder: Path) -> None:
    image = folder / "figure.webp"
    image.write_bytes(image.read_bytes()[:40])
    with pytest.raises(AvatarError, match="no readable 8-bit picture"):
        read_package(folder)
    image.write_bytes(b"")
    with pytest.raises(AvatarError, match="no readable 8-bit picture"):
        read_package(folder)


def test_truncated_arrays(folder: Path) -> None:
    arrays = folder / "mouth.npz"
    arrays.write_bytes(arrays.read_bytes()[:5000])
    with pytest.raises(AvatarError, match=r"no readable \.npz"):
        read_package(folder)


def test_pickles_are_refused(folder: Path) -> None:
    np.savez(folder / "motion.npz", depth=np.array([{"a": 1}], dtype=object))
    with pytest.raises(AvatarError, match=r"no readable \.npz"):
        read_package(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    image = folder / "figure.webp"
    outside = folder.parent / "outside.webp"
    image.rename(outside)
    image.symlink_to(outside)
    with pytest.raises(AvatarError, match="leads out of the folder"):
        read_package(folder)


def test_works_without_geometry_eyes_and_depth(folder: Path) -> None:
    """What a hand-made avatar may leave out."""
    edit(folder, 'morph = "mouth.npz"\n', "")
    edit(folder, 'motion = "motion.npz"\n', "")
    file = folder / "avatar.toml"
    text = file.read_text()
    file.write_text(text[: text.index("[eyes]")])
    package = read_package(folder)
    assert package.eyes is None and package.depth is None and package.mouth.fields is None


def test_a_changed_folder_is_read_again(folder: Path) -> None:
    before = load_avatar(folder)
    edit(folder, 'title = "Mei"', 'title = "Mei B"')
    after = load_avatar(folder)
    assert (before.title, after.title) == ("Mei", "Mei B")


def test_a_broken_avatar_is_listed_with_its_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, "format = 1", "format = 2")
    monkeypatch.setattr("mien.avatar.library.user_folder", lambda: folder.parent)
    broken = [a for a in list_avatars() if not a.built_in]
    assert len(broken) == 1 and "format is 2" in broken[0].why_not
