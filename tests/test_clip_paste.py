"""A painted mouth in the picture: where it shows, that it shows no patch, and the original way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import clip_folder
from clip_folder import LOWER, painted, picture, tinted
from mien.avatar.clip.colour import colour_gain, with_gain
from mien.avatar.clip.mask import GRID, masks
from mien.avatar.clip.package import cropped
from mien.avatar.clip.paste import Place, paste_published, paste_soft, rim_gain
from mien.lipsync.contract import Mouth
from mien.media.tick import Image

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "wav2lip_prep.npz"
BOXES = clip_folder.boxes()
MASKS = masks(BOXES, clip_folder.landmarks())


def soft(frame: int, mouth: Mouth, **options: float) -> Image:
    image = picture(frame).copy()
    assert mouth.patch is not None
    paste_soft(image, mouth.patch, BOXES[frame], MASKS[frame], mouth.place, **options)
    return image


def hard(frame: int, mouth: Mouth) -> Image:
    image = picture(frame).copy()
    assert mouth.patch is not None
    paste_published(image, mouth.patch, BOXES[frame], mouth.place)
    return image


def alpha(frame: int) -> np.ndarray:
    """float[H, W], 0…1: how much of a patch shows at each pixel; sampled independently."""
    left, top, right, bottom = (float(v) for v in BOXES[frame])
    y, x = np.mgrid[0 : clip_folder.SIZE[1], 0 : clip_folder.SIZE[0]].astype(np.float32) + 0.5
    u, v = (x - left) / (right - left) * GRID - 0.5, (y - top) / (bottom - top) * GRID - 0.5
    mask = MASKS[frame].astype(np.float32)
    found = cv2.remap(mask, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(found) / 255


def error(a: Image, b: Image, where: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b)[where].mean())


# -- the original way --------------------------------------------------------------------


def test_published_paste_is_the_original_one() -> None:
    if not GOLDEN.is_file():
        pytest.skip("shared/golden/wav2lip_prep.npz is not at hand")
    golden = np.load(GOLDEN)
    for i, prediction in enumerate(golden["pred"]):
        frame = golden["frames"][golden["frame_index"][i]].copy()
        top, bottom, left, right = golden["coords"][i]
        patch = (prediction.transpose(1, 2, 0) * 255).astype(np.uint8)
        paste_published(frame, patch, np.array([left, top, right, bottom], np.float32))
        assert np.array_equal(frame, golden["pasted"][i])


def test_published_paste_takes_parts_and_picture_borders() -> None:
    box = np.array([-20, 300, 80, 400], np.float32)
    image = picture(0).copy()
    paste_published(image, np.full((48, 96, 3), 200, np.uint8), box, LOWER)
    changed = (image != picture(0)).any(2)
    assert (image[350:360, 0:80] == 200).all()
    assert not changed[:350].any() and not changed[:, 80:].any()


# -- region --------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0.0, 0.0, 1.0, 1.0), LOWER, (0.125, 0.5, 0.75, 0.5)])
@pytest.mark.parametrize("sharpen", [0.0, 1.0])
def test_nothing_changes_outside_the_mask(place: Place, sharpen: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    for frame in (0, 5, 11):
        changed = soft(frame, Mouth(patch=noise, place=place), sharpen=sharpen) != picture(frame)
        inside = cv2.dilate((alpha(frame) > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert changed.any(2).any() and not changed.any(2)[~inside].any()
        nose = clip_folder.landmarks()[frame, 2, 1]
        assert not changed[: int(nose) + 1].any()


def test_nothing_changes_outside_the_patch() -> None:
    place = (0.3, 0.6, 0.3, 0.2)
    noise = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    changed = (soft(3, Mouth(patch=noise, place=place)) != picture(3)).any(2)
    left, top, right, bottom = BOXES[3]
    columns = np.flatnonzero(changed.any(0)) + 0.5
    rows = np.flatnonzero(changed.any(1)) + 0.5
    assert columns[0] > left + 0.3 * (right - left) and columns[-1] < left + 0.6 * (right - left)
    assert rows[0] > top + 0.6 * (bottom - top) and rows[-1] < top + 0.8 * (bottom - top)


def test_weight_goes_from_the_picture_to_the_mouth() -> None:
    mouth = painted(2, 0.7)
    assert np.array_equal(soft(2, mouth, weight=0.0), picture(2))
    whole = soft(2, mouth).astype(int)
    half = soft(2, mouth, weight=0.5).astype(int)
    assert np.abs(half - (whole + picture(2).astype(int)) / 2).max() <= 1


def test_faces_that_leave_the_picture_are_pasted_as_far_as_they_are_seen() -> None:
    mouth = painted(2, 0.7)
    assert mouth.patch is not None
    whole = soft(2, mouth)
    for rows, columns in ((slice(0, 240), slice(0, 480)), (slice(0, 360), slice(200, 480))):
        part = picture(2)[rows, columns].copy()
        box = BOXES[2] - np.float32([columns.start, rows.start] * 2)
        gain = rim_gain(picture(2), mouth.patch, BOXES[2], MASKS[2], mouth.place)
        paste_soft(part, mouth.patch, box, MASKS[2], mouth.place, gain=gain)
        assert np.abs(part.astype(int) - whole[rows, columns]).max() <= 1
        again = picture(2)[rows, columns].copy()
        paste_soft(again, mouth.patch, box, MASKS[2], mouth.place)  # its rim is seen in part
        assert np.abs(again.astype(int) - part).mean() < 0.5
    away = picture(2).copy()
    paste_soft(away, mouth.patch, BOXES[2] + 2000, MASKS[2], mouth.place)
    assert np.array_equal(away, picture(2))


# -- place ---------------------------------------------------------------------------------


def test_a_patch_lies_where_it_was_cut_from() -> None:
    """Her own face, cut out and pasted back, lies on itself to a tenth of a pixel."""
    for frame in (0, 7, 13):
        large = painted(frame, 0.0, side=256)
        inside = alpha(frame) > 0.99
        back = soft(frame, large).astype(np.float32).mean(2)
        original = picture(frame).astype(np.float32).mean(2)
        left, top, right, bottom = (int(v) for v in BOXES[frame])
        window = np.s_[(top + bottom) // 2 : bottom, left:right]
        shift, _ = cv2.phaseCorrelate(
            original[window] * inside[window], back[window] * inside[window]
        )
        assert np.abs(shift).max() < 0.1
        assert error(soft(frame, large), picture(frame), inside) < 1.5


def test_all_ways_to_cut_the_patch_show_the_same_mouth() -> None:
    whole = painted(4, 0.8, lower=False)
    assert whole.patch is not None
    lower = Mouth(patch=whole.patch[48:].copy(), place=LOWER)
    middle = Mouth(patch=whole.patch[48:, 12:84].copy(), place=(0.125, 0.5, 0.75, 0.5))
    core = alpha(4) > 0.95
    for other in (lower, middle):
        assert error(soft(4, other), soft(4, whole), core) < 1.5


def test_a_large_patch_is_shrunk_as_a_whole() -> None:
    """What lies between two pixels of a small picture is in it too: noise comes out as its mean."""
    noise = np.random.default_rng(3).integers(0, 256, (256, 256, 3), np.uint8)
    image = np.full((360, 480, 3), 128, np.uint8)
    mask = np.full((GRID, GRID), 255, np.uint8)
    paste_soft(image, noise, np.float32([100, 100, 164, 164]), mask)
    shown = image[105:159, 105:159].astype(float)
    expected = cv2.resize(noise, (64, 64), interpolation=cv2.INTER_AREA)[5:59, 5:59].astype(float)
    assert np.abs(shown - expected).mean() < 1 and shown.std() < 0.35 * noise.std()


# -- no patch is seen ------------------------------------------------------------------------


def step_at_rim(image: Image, frame: int) -> float:
    """How much more the picture changes across the rim of what was pasted than it did as filmed;
    levels of 255 per pixel, the 95th percentile."""
    show = alpha(frame)
    rim = (show > 0.02) & (show < 0.6)
    left, top, right, bottom = (int(v) for v in BOXES[frame])
    rim[: (top + bottom) // 2 - 2] = False
    # The hard rectangle has its rim elsewhere: at the middle row and the sides of the box.
    edge = np.zeros_like(rim)
    edge[(top + bottom) // 2 - 2 : (top + bottom) // 2 + 3, left + 20 : right - 20] = True

    def steps(values: Image) -> np.ndarray:
        grey = values.astype(float).mean(2)
        return np.hypot(np.gradient(grey, axis=0), np.gradient(grey, axis=1))

    more = np.maximum(steps(image) - steps(picture(frame)), 0)
    return float(np.percentile(more[rim | edge], 95))


@pytest.mark.parametrize(
    "gain", [(1.0, 1.0, 1.0), (1.1, 1.0, 0.92), (0.88, 0.88, 0.88), (1.06, 1.1, 1.12)]
)
@pytest.mark.parametrize("frame", [0, 9])
def test_there_is_no_seam(gain: tuple[float, float, float], frame: int) -> None:
    mouth = tinted(painted(frame, 0.0), gain)
    assert step_at_rim(soft(frame, mouth), frame) < 1.5
    if gain != (1.0, 1.0, 1.0):
        assert step_at_rim(soft(frame, mouth), frame) < 0.4 * step_at_rim(hard(frame, mouth), frame)


GAINS = [(1.1, 1.0, 0.92), (0.85, 0.85, 0.85), (1.1, 1.15, 1.2)]


@pytest.mark.parametrize("gain", GAINS)
def test_colours_are_those_of_the_picture(gain: tuple[float, float, float]) -> None:
    """A tinted mouth comes out as the untinted one was filmed."""
    core = alpha(6) > 0.9
    mouth = tinted(painted(6, 0.0), gain)
    assert error(soft(6, mouth), picture(6), core) < 2.5
    assert error(soft(6, mouth), picture(6), core) < 0.2 * error(hard(6, mouth), picture(6), core)


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("openness", [0.5, 1.0])
def test_colours_settled_in_silence_hold_for_speech(
    gain: tuple[float, float, float], openness: float
) -> None:
    """The match found with the mouth at rest fits every other: cheeks that an open mouth stretches
    keep the light they have in the patch."""
    filmed, core = picture(6, openness), alpha(6) > 0.9
    rest, mouth = tinted(painted(6, 0.0), gain), tinted(painted(6, openness), gain)
    assert rest.patch is not None and mouth.patch is not None
    settled = rim_gain(picture(6), rest.patch, BOXES[6], MASKS[6], LOWER)
    image = picture(6).copy()
    paste_soft(image, mouth.patch, BOXES[6], MASKS[6], LOWER, gain=settled)
    assert error(image, filmed, core) < 5
    assert error(image, filmed, core) < 0.6 * error(soft(6, mouth), filmed, core)


def test_uneven_light_is_matched() -> None:
    """Brighter towards one side, as a lamp would."""
    mouth = painted(6, 0.0)
    assert mouth.patch is not None
    slope = 1 + 0.15 * np.linspace(-1, 1, 96)[None, :, None]
    lit = np.clip(mouth.patch * slope, 0, 255).astype(np.uint8)
    core = alpha(6) > 0.9
    assert error(soft(6, Mouth(patch=lit, place=LOWER)), picture(6), core) < 3


def test_dark_stays_dark_and_white_teeth_white() -> None:
    """The match multiplies: a veil over the open mouth would show."""
    open_mouth = picture(6, 1.0)
    inside = (open_mouth.max(2) < 40) & (alpha(6) > 0.99)
    assert inside.sum() > 50
    shown = soft(6, tinted(painted(6, 1.0), (0.85, 0.85, 0.85)))
    assert error(shown, open_mouth, inside) < 8


def test_the_match_does_not_flicker_with_the_mouth() -> None:
    """The skin beside a mouth that talks keeps its colour from one mouth to the next."""
    beside = (alpha(6) > 0.3) & (alpha(6) < 0.8)
    values = [
        soft(6, tinted(painted(6, openness)))[beside].mean(0)
        for openness in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    assert np.ptp(values, axis=0).max() < 4  # of 255, from closed to wide open
    assert np.abs(np.diff(values, axis=0)).max() < 2


def test_gain_is_found_exactly_and_held() -> None:
    rng = np.random.default_rng(2)
    skin = cv2.GaussianBlur(rng.uniform(120, 200, (64, 64, 3)), (0, 0), 4)
    ring = np.hypot(*(np.mgrid[0:32, 0:32] - 15.5)) / 16
    show = np.clip(2 - 2.2 * ring, 0, 1).astype(np.float32)
    patch = np.clip(skin / (1.1, 1.0, 0.9), 0, 255).astype(np.uint8)
    gain = colour_gain(skin.astype(np.uint8), patch, show)
    assert gain is not None and np.abs(np.exp(gain[0]) - (1.1, 1.0, 0.9)).max() < 0.01
    assert np.abs(gain[1:]).max() < 0.01
    assert np.abs(with_gain(patch, gain) - skin).max() < 3
    held = colour_gain(skin.astype(np.uint8), np.full((64, 64, 3), 4, np.uint8), show)
    assert held is not None and np.abs(held).max() <= 0.5


def test_outliers_at_the_rim_do_not_tint() -> None:
    """A dark lock of hair across the rim is in the picture and not in the patch."""
    skin = np.full((64, 64, 3), 170, np.uint8)
    ring = np.hypot(*(np.mgrid[0:32, 0:32] - 15.5)) / 16
    show = np.clip(2 - 2.2 * ring, 0, 1).astype(np.float32)
    hair = skin.copy()
    hair[:, :10] = 30
    gain = colour_gain(hair, skin, show)
    assert gain is not None and np.abs(with_gain(skin, gain)[20:44, 20:44] - 170).max() < 12


def test_without_a_rim_nothing_is_changed() -> None:
    skin = np.full((32, 32, 3), 170, np.uint8)
    assert colour_gain(skin, skin // 2, np.ones((32, 32), np.float32)) is None
    assert colour_gain(skin, skin // 2, np.zeros((32, 32), np.float32)) is None


# -- sharpness -------------------------------------------------------------------------------


def detail(image: Image, frame: int) -> float:
    core = alpha(frame) > 0.99
    return float(np.abs(cv2.Laplacian(image.astype(np.float32).mean(2), cv2.CV_32F))[core].mean())


def test_sharpening_gives_back_what_enlarging_took() -> None:
    small = painted(6, 0.6, side=64)
    filmed = detail(picture(6, 0.6), 6)
    plain, sharp = detail(soft(6, small), 6), detail(soft(6, small, sharpen=0.6), 6)
    assert plain < 0.8 * filmed and plain * 1.1 < sharp < 1.3 * filmed


def test_a_patch_that_is_not_enlarged_is_not_sharpened() -> None:
    large = painted(6, 0.6, side=256)
    assert np.array_equal(soft(6, large, sharpen=1.0), soft(6, large))


# -- steadiness ------------------------------------------------------------------------------


def test_teeth_and_lips_do_not_tremble() -> None:
    """A mouth that holds still on a head that moves by parts of pixels: seen from the face, the
    picture is nearly as still as the filmed one, and stiller than where boxes are whole pixels."""

    def trembling(show: Callable[[int], Image]) -> float:
        seen = [cropped(show(frame), BOXES[frame], 128)[70:110, 34:94] for frame in range(10)]
        steps = [np.abs(a.astype(float) - b).mean() for a, b in itertools.pairwise(seen)]
        return float(np.mean(steps))

    def rounded(frame: int) -> Image:
        image, patch = picture(frame).copy(), painted(frame, 0.6).patch
        assert patch is not None
        paste_soft(image, patch, np.round(BOXES[frame]), MASKS[frame], LOWER)
        return image

    filmed = trembling(lambda frame: picture(frame, 0.6))
    shown = trembling(lambda frame: soft(frame, painted(frame, 0.6), sharpen=0.3))
    assert shown < 2 * filmed  # a crop of 96 pixels is not filtered, and shimmers a little
    assert shown < 0.7 * trembling(rounded)
