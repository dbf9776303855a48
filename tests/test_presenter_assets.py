"""The presenters that are shipped: whole, small, free to use, and without seams."""

from __future__ import annotations

import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.avatar.library import BUILT_IN
from mien.avatar.package import Package, read_package
from mien.avatar.patches import Patches

Floats = NDArray[np.float64]

PRESENTERS = sorted(f.name for f in BUILT_IN.iterdir() if (f / "avatar.toml").is_file())


@pytest.fixture(scope="module", params=PRESENTERS)
def package(request: pytest.FixtureRequest) -> Package:
    return read_package(BUILT_IN / request.param)


def layer_on_canvas(package: Package, index: int) -> Floats:
    """float[H, W, 4], premultiplied colour and alpha, 0…1."""
    width, height = package.size
    layer = package.layers[index]
    out = np.zeros((height, width, 4))
    left, top, w, h = layer.box
    image = layer.image / 255.0
    out[top : top + h, left : left + w, :3] = image[..., :3] * image[..., 3:]
    out[top : top + h, left : left + w, 3] = image[..., 3]
    return out


def figure(package: Package) -> Floats:
    """All layers over each other, as at rest."""
    out = layer_on_canvas(package, 0)
    for index in range(1, len(package.layers)):
        above = layer_on_canvas(package, index)
        out = above + out * (1 - above[..., 3:])
    return out


def test_both_are_there_and_small() -> None:
    assert {"mei", "lin"} <= set(PRESENTERS)
    assert sum(f.stat().st_size for f in BUILT_IN.rglob("*") if f.is_file()) < 8e6


def test_licence_and_consent_are_stated(package: Package) -> None:
    about = tomllib.loads((package.path / "avatar.toml").read_text(encoding="utf-8"))
    assert about["license"] == "CC0-1.0"
    assert "Nobody's likeness" in about["consent"]
    assert about["title"] and about["title_zh"]


def test_the_canvas_holds_a_large_close_up(package: Package) -> None:
    assert min(package.size) >= 1024 and min(package.focus[2:]) >= 768


def test_the_mouths_fill_dense_grids(package: Package) -> None:
    vowels = {(p.openness, p.rounding) for p in package.mouth.places if not p.consonant}
    rows, columns = ({v[i] for v in vowels} for i in (0, 1))
    assert len(rows) >= 8 and columns == {-1, -0.5, 0, 0.5, 1}
    assert max(np.diff(sorted(rows))) < 0.16  # wider steps show in the in-betweens
    smiles = [p for p in package.mouth.places if p.smile]
    assert {(o, r) for o in (0, 1) for r in (-1, 0, 1)} <= {
        (p.openness, p.rounding) for p in smiles if not p.consonant
    }
    plain = {p.consonant for p in package.mouth.places if not p.smile}
    assert plain == {"", "PP", "FF", "TH", "CH", "SS"}
    assert package.mouth.fields is not None


def test_the_eyes_blink_look_and_frown(package: Package) -> None:
    assert package.eyes is not None and package.eyes.fields is not None
    places = package.eyes.places
    assert len([p for p in places if not p.gaze and not p.brow]) >= 5
    assert {p.gaze for p in places} == {"", "right", "left", "up", "down"}
    assert {p.brow for p in places} == {"", "up", "frown"}


def test_layers_give_depth_and_the_neck_meets_the_head(package: Package) -> None:
    names = [layer.name for layer in package.layers]
    assert names[-2:] == ["body", "head"]
    body, head = package.layers[-2:]
    assert body.follow is not None and head.follow is not None and head.depth is not None
    assert head.follow.min() == 1
    step = package.size[1] / body.follow.shape[0]
    column = body.follow[:, body.follow.shape[1] // 2]
    assert column[int((package.chin - 20) / step)] > 0.9 and column[-1] == 0
    assert np.ptp(head.depth) > 60  # a face is not flat


def test_there_is_no_hole_in_the_figure_at_rest(package: Package) -> None:
    """Above the shoulders, what the outline encloses is opaque, but for specks between locks."""
    alpha = figure(package)[..., 3]
    outside = np.zeros((alpha.shape[0] + 2, alpha.shape[1] + 2), np.uint8)
    solid = (alpha > 0.5).astype(np.uint8)
    cv2.floodFill(solid, outside, (0, 0), 2)
    inside = (solid[: int(package.chin + 40)] == 0).astype(np.uint8)
    _, _, about, _ = cv2.connectedComponentsWithStats(inside)
    assert about[1:, cv2.CC_STAT_AREA].max(initial=0) < 40


def test_a_turning_head_uncovers_neck(package: Package) -> None:
    """The body goes on behind the chin."""
    body = layer_on_canvas(package, len(package.layers) - 2)
    x = int(package.neck[0])
    band = body[int(package.chin) - 60 : int(package.chin) + 20, x - 60 : x + 60]
    assert band[..., 3].min() > 0.97


@pytest.mark.parametrize("part", ["mouth", "eyes"])
def test_no_seam_at_the_border_of_a_patch(package: Package, part: str) -> None:
    """There a patch shows what the figure shows, so that nothing jumps when it is painted on."""
    patches: Patches[object] = getattr(package, part)
    head = layer_on_canvas(package, package.face)
    left, top, width, height = patches.box
    under = head[top : top + height, left : left + width]
    border = np.ones((height, width), bool)
    border[3:-3, 3:-3] = False
    for image in patches.images:
        straight = image / 255.0
        over = np.dstack([straight[..., :3] * straight[..., 3:], straight[..., 3]])
        difference = abs(over - under)[border] * 255
        assert difference.mean() < 5 and np.quantile(difference, 0.98) < 26


def test_every_file_is_used(package: Package) -> None:
    """Nothing is left from an earlier rendering."""
    about = (package.path / "avatar.toml").read_text(encoding="utf-8")
    for file in package.path.rglob("*"):
        if file.is_file() and file.name != "avatar.toml":
            assert f'"{file.relative_to(Path(package.path)).as_posix()}"' in about, file
