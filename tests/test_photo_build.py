"""A photo becomes an avatar that the ordinary runtime plays: judged by what a face reader sees."""

from __future__ import annotations

import re
import shutil
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np
import pytest

from mien.avatar.atlas import AtlasAvatar
from mien.avatar.background import Background
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.avatar.photo import PhotoError, Request, build, build_avatar
from mien.avatar.photo.builder import STATEMENT
from mien.avatar.photo.geometry import Frame
from mien.avatar.photo.lips import gap
from mien.avatar.resample import premultiplied
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image
from photo_faces import astronaut, encoded, models, reader, small_presenter

Whose = Callable[[], Image]
BOTH = pytest.mark.parametrize("whose", [astronaut, small_presenter])


@cache
def built(whose: Whose) -> tuple[Path, list[tuple[float, str]]]:
    """The folder, and what was told of the progress. A build takes seconds: one for each."""
    models()
    told: list[tuple[float, str]] = []
    request = Request(name="me", title="Me", consent=True, root=Path(mkdtemp()))
    done = build(encoded(whose()), request, lambda share, step: told.append((share, step)))
    return done.path, told


def folder(whose: Whose) -> Path:
    return built(whose)[0]


@cache
def avatar(whose: Whose) -> AtlasAvatar:
    return load_avatar(folder(whose), size=(768, 768))


def shown(whose: Whose, shape: MouthShape | None = None, pose: Pose | None = None) -> Image:
    mouth = None if shape is None else Mouth(shape)
    return avatar(whose).compose(0, mouth, pose or Pose())


def points(image: Image) -> np.ndarray:
    return reader().faces(image)[0].points[:, :2].astype(np.float64)


def chin(image: Image, whose: Whose) -> float:
    """Below the eyes of the resting face, in its units."""
    rest = Frame.of(points(shown(whose)))
    return float(rest.local(points(image))[152, 1])


def pupils(image: Image, at: np.ndarray) -> np.ndarray:
    """float[2, 3] RGB in the middle of each open eye. at: points of the resting face."""
    radius = 0.015 * Frame.of(at).unit
    found = []
    for lids in ([159, 145], [386, 374]):
        x, y = at[lids].mean(0)
        box = np.s_[int(y - radius) : int(y + radius) + 1, int(x - radius) : int(x + radius) + 1]
        found.append(np.median(image[box].reshape(-1, 3), 0))
    return np.array(found)


@BOTH
def test_it_looks_like_the_photo(whose: Whose) -> None:
    """At rest, with its own background, only the mouth (closed now) may differ."""
    data = tomllib.loads((folder(whose) / "avatar.toml").read_text(encoding="utf-8"))
    width, height = data["size"]
    square = avatar(whose).package
    assert square.size == (width, height) and square.backdrop is not None
    rest = shown(whose)
    face = points(rest)
    photo_face = points(whose())
    # Lay the photo over the picture by the eyes and the nose.
    use = [33, 133, 362, 263, 4, 6]
    place, _ = cv2.estimateAffinePartial2D(photo_face[use], face[use])
    laid = cv2.warpAffine(whose(), place, (768, 768), borderMode=cv2.BORDER_REPLICATE)
    top = slice(20, int(face[2, 1]) - 10)
    different = cv2.GaussianBlur(cv2.absdiff(laid, rest)[top], (0, 0), 3)
    assert different.mean() < 8, "a shift by 10 pixels gives 14 and 8.5"


@BOTH
def test_rest_and_pp_are_closed_and_vowels_open(whose: Whose) -> None:
    gaps = {
        name: gap(points(shown(whose, shape)))
        for name, shape in {
            "rest": MouthShape(),
            "PP": MouthShape(consonant="PP", grip=1),
            "small": MouthShape(0.4, 0),
            "wide": MouthShape(1, 0),
        }.items()
    }
    # The network sees the smiling lips of the astronaut a little apart even when they touch.
    assert gaps["rest"] < 0.065 and gaps["PP"] < gaps["rest"]
    assert gaps["small"] > gaps["rest"] + 0.05
    assert gaps["wide"] > gaps["small"] + 0.05


@BOTH
def test_the_jaw_drops_with_the_mouth(whose: Whose) -> None:
    closed, wide = shown(whose), shown(whose, MouthShape(1, 0))
    assert chin(wide, whose) > chin(closed, whose) + 0.06


@BOTH
def test_teeth_and_dark_appear_between_the_lips(whose: Whose) -> None:
    wide = shown(whose, MouthShape(0.8, 0))
    at = points(wide)
    mask = np.zeros(wide.shape[:2], np.uint8)
    inner = [78, 81, 13, 311, 308, 402, 14, 178]
    cv2.fillPoly(mask, [at[inner].astype(np.int32)], 1)
    light = cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY)[mask > 0]
    skin = np.median(cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY)[_cheek(wide, at)])
    assert (light < 0.4 * skin).mean() > 0.15  # the dark of the mouth
    assert (light > 0.75 * skin).mean() > 0.08  # teeth
    # Teeth are warm: never bluer than red, as grey ones in warm light would be.
    bright = wide[mask > 0][light > 0.75 * skin].astype(float)
    assert (bright[:, 0] - bright[:, 2]).mean() > 5


def _cheek(image: Image, at: np.ndarray) -> np.ndarray:
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [at[[50, 205, 187, 123]].astype(np.int32)], 1)
    return mask > 0


@BOTH
def test_rounding_narrows_and_spreading_widens(whose: Whose) -> None:
    def width(rounding: float) -> float:
        local = Frame.of(points(shown(whose))).local(
            points(shown(whose, MouthShape(0.4, rounding)))
        )
        return float(local[291, 0] - local[61, 0])

    round_, neutral, spread = (width(r) for r in (1.0, 0.0, -1.0))
    # Less than what is drawn: the network sees only a part of it.
    assert round_ < 0.96 * neutral and spread > 1.04 * neutral


@BOTH
def test_a_blink_closes_the_eyes(whose: Whose) -> None:
    """Where the pupils were there is skin like that of the cheeks, only shaded."""
    rest = shown(whose)
    at = points(rest)
    skin = np.median(rest[_cheek(rest, at)], 0)
    shut = pupils(shown(whose, pose=Pose(blink=1)), at)
    assert (pupils(rest, at) < 0.65 * skin).all()  # a catchlight is in them
    assert (shut > 0.68 * skin).all() and (shut < 1.15 * skin).all()


@BOTH
def test_in_betweens_show_one_mouth(whose: Whose) -> None:
    """Half way between two pictures: a fading mixture would keep both edges of the lower lip, and
    lie far from both; a bent one has a single mouth that opens evenly."""
    low, middle, high = (shown(whose, MouthShape(o, 0)) for o in (0.4, 0.5, 0.6))
    gaps = [gap(points(i)) for i in (low, middle, high)]
    assert gaps[0] < gaps[1] < gaps[2]
    left, top, width, height = avatar(whose).stage.mouth_place
    box = np.s_[top : top + height, left : left + width]
    faded = cv2.addWeighted(low, 0.5, high, 0.5, 0)

    def edges(image: Image) -> float:
        """Sharpness: a double picture has half of it."""
        grey = cv2.cvtColor(image[box], cv2.COLOR_RGB2GRAY).astype(np.float32)
        return float((cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2).mean())

    assert edges(middle) > 0.8 * min(edges(low), edges(high))
    assert edges(middle) > 1.06 * edges(faded)


@BOTH
def test_nothing_jumps_at_the_border_of_the_mouth_and_the_eyes(whose: Whose) -> None:
    """The pictures equal the figure where they end, so no seam can be seen."""
    package = avatar(whose).package
    figure = premultiplied(package.layers[package.face].image).astype(int)
    for patches in (package.mouth, package.eyes):
        assert patches is not None
        left, top, width, height = patches.box
        still = figure[top : top + height, left : left + width]
        rim = np.ones((height, width), bool)
        rim[6:-6, 6:-6] = False
        for image in patches.images:
            apart = abs(premultiplied(image).astype(int) - still).max(-1)[rim]
            assert np.percentile(apart, 99) < 16, "WebP alone differs by less"


@BOTH
def test_the_background_stays_when_the_head_turns(whose: Whose) -> None:
    still, turned_ = shown(whose), shown(whose, pose=Pose(yaw=6, roll=4))
    corner = np.s_[10:120, 10:90]
    assert abs(still[corner].astype(int) - turned_[corner]).max() <= 2
    assert abs(points(still)[4] - points(turned_)[4]).max() > 8


@BOTH
def test_other_backgrounds_and_transparency_work(whose: Whose) -> None:
    person = avatar(whose)
    green = person.with_background(Background("green")).compose(0, None, Pose())
    assert tuple(green[20, 20]) == (0, 177, 64)
    cut = person.cutout(0, None, Pose())
    at = points(shown(whose))[4].astype(int)
    assert cut[20, 20, 3] == 0 and cut[at[1], at[0], 3] == 255


def test_frames_of_every_size() -> None:
    person = avatar(small_presenter)
    for size in ((512, 512), (720, 1280), (1280, 720)):
        image = person.framed(size).compose(0, Mouth(MouthShape(0.5, 0)), Pose(yaw=3))
        assert image.shape == (size[1], size[0], 3)
        assert len(reader().faces(image)) == 1


def test_cost_of_a_tick() -> None:
    person = avatar(astronaut).framed((512, 512))
    random = np.random.default_rng(0)
    took = []
    for tick in range(60):
        mouth = Mouth(MouthShape(*random.uniform(0, 1, 2)))
        pose = Pose(yaw=float(random.normal()), blink=float(tick % 20 == 0), smile=0.1)
        started = time.process_time()
        cv2.cvtColor(person.compose(tick, mouth, pose), cv2.COLOR_RGB2YUV_I420)
        took.append(time.process_time() - started)
    print(f"\n{1e3 * float(np.median(took)):.1f} ms of computing per 512×512 tick")


def test_consent_is_recorded() -> None:
    data = tomllib.loads((folder(small_presenter) / "avatar.toml").read_text(encoding="utf-8"))
    today = datetime.now(UTC).date()
    found = re.fullmatch(re.escape(STATEMENT) + r" \((.+), (\d{4}-\d\d-\d\d)\)", data["consent"])
    assert found and abs((datetime.fromisoformat(found[2]).date() - today).days) <= 1
    assert data["title"] == "Me" and "Apache-2.0" in data["creator"]


def test_progress_grows_to_one_and_names_its_steps() -> None:
    path, seen = built(astronaut)
    shares = [share for share, _ in seen]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert list(dict.fromkeys(step for _, step in seen)) == [
        *("models", "face", "figure", "mouth", "eyes", "files")
    ]
    assert [f.name for f in path.parent.iterdir()] == ["me"]


def test_an_old_avatar_stays_unless_it_may_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.avatar.photo.builder.user_folder", lambda: tmp_path)
    first = tmp_path / "me"
    shutil.copytree(folder(small_presenter), first)
    data = encoded(small_presenter())
    with pytest.raises(PhotoError) as caught:
        build_avatar(data, "me", "Second", True)
    assert caught.value.code == "name_taken" and "'me-2'" in caught.value.en
    assert 'title = "Me"' in (first / "avatar.toml").read_text()
    build(data, Request(name="me", title='A "b"\n\\', consent=True, replace_old=True))
    assert [f.name for f in tmp_path.iterdir()] == ["me"]
    assert load_avatar(first).title == 'A "b"\n\\'


def test_a_build_that_fails_leaves_the_old_avatar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "avatar.toml").write_text("old")

    def full(*args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("mien.avatar.photo.builder.write_arrays", full)
    models()
    request = Request(name="me", consent=True, root=tmp_path, replace_old=True)
    with pytest.raises(OSError, match="no space"):
        build(encoded(small_presenter()), request)
    assert [f.name for f in tmp_path.iterdir()] == ["me"]
    assert (tmp_path / "me" / "avatar.toml").read_text() == "old"


def test_a_photo_that_cannot_be_cut_out_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.avatar.photo.matte.MOST_DOUBT", 0.0)
    models()
    built = build(encoded(small_presenter()), Request(name="me", consent=True, root=tmp_path))
    person = load_avatar(built.path)
    assert person.package.backdrop is None
    still, moved = (person.compose(0, None, p) for p in (Pose(), Pose(yaw=6, pitch=4)))
    far = np.s_[8:60, 8:60]
    assert abs(still[far].astype(int) - moved[far]).max() <= 3
