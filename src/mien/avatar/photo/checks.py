"""Is this a face that can be made to speak? Refusals, and advice where it is only not ideal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.avatar.photo.errors import PhotoError
from mien.avatar.photo.geometry import (
    CHEEKS,
    CHIN,
    FOREHEAD,
    INNER_LOWER,
    INNER_UPPER,
    OUTER_LOWER,
    OUTER_UPPER,
    Array,
    Frame,
)
from mien.avatar.photo.landmarks import Face
from mien.avatar.photo.lips import PARTED, gap
from mien.avatar.photo.tones import LUMA, mask_of, skin_colour
from mien.media.tick import Image

SMALLEST = 160  # pixels of a face's larger side: below, lips are a few pixels high
DOMINANT = 3.0  # times the area of the next face: then that one is in the background

# Degrees, by the mesh's depth; it is 9 nodding for a face that looks straight at the camera.
LEVEL_PITCH = 9.0
TURNED, TURNED_ADVICE = 22.0, 12.0  # from 25 on the far corner of the mouth disappears
NODDED, NODDED_ADVICE = 24.0, 14.0

# Lips are redder than the skin around them by 9…12 (CIELAB a*) in photos, 0 ± 1 on masks, hands
# and microphones. On very dark skin and in grey photos they are darker instead.
RED_LIPS, DARK_LIPS = 2.0, (-30.0, -4.0)
LIKE_SKIN_LIGHT, LIKE_SKIN_COLOUR = 18.0, 12.0  # of the skin round the mouth against the rest

SHARP_UNIT = 100  # pixels between the eyes' corners at which sharpness is measured
BLURRED = 0.09  # 0.5 for a sharp photo, 0.18 enlarged twofold, 0.06 with a blur of 2 pixels
DARK, GLARING = 60.0, 238.0  # luma of the skin

AROUND_MOUTH = [
    *(164, 393, 391, 322, 410, 432, 422, 424, 418, 421, 200, 201, 194, 204, 202, 212, 186, 92),
    *(165, 167),
]
BROW_TO_BROW = [107, 336, 337, 108]


@dataclass(frozen=True, slots=True)
class Advice:
    """What would make a better avatar, in English and Chinese. code: as in PhotoError."""

    code: str
    en: str
    zh: str


def choose_face(faces: Sequence[Face]) -> tuple[Face, list[Advice]]:
    """The one face of the photo. faces: the largest first.

    Raises PhotoError: "no_face", "several_faces", "too_small".
    """
    if not faces:
        raise PhotoError(
            "no_face",
            "There is no face in this photo, or it is hidden or turned away; use one that looks "
            "straight at the camera.",
            "照片中没有找到人脸，或人脸被遮挡、没有朝向镜头；请使用正对镜头的照片。",
        )
    face, advice = faces[0], []
    if len(faces) > 1:
        area, next_area = (f.width * f.height for f in faces[:2])
        if area < DOMINANT * next_area:
            raise PhotoError(
                "several_faces",
                f"There are {len(faces)} faces in this photo; crop it to the one you want.",
                f"照片中有 {len(faces)} 张人脸；请裁剪到只剩想要的那一张。",
            )
        advice.append(
            Advice(
                "largest_face",
                f"There are {len(faces)} faces; the largest one was taken.",
                f"照片中有 {len(faces)} 张人脸，已采用最大的一张。",
            )
        )
    side = round(max(face.width, face.height))
    if side < SMALLEST:
        raise PhotoError(
            "too_small",
            f"The face is only {side} pixels high; at least {SMALLEST} are needed: use a larger "
            "photo, or one from closer by.",
            f"人脸只有 {side} 像素高，至少需要 {SMALLEST} 像素；请用更大的照片或靠近一些拍摄。",
        )
    return face, advice


def check_face(photo: Image, face: Face) -> list[Advice]:
    """Advice on a usable face. photo: uint8[H, W, 3] RGB.

    Raises PhotoError: "sideways", "turned_away", "mouth_covered", "cut_off".
    """
    points = face.points.astype(np.float64)
    advice = _check_direction(points)
    _check_inside(photo, points)
    if mouth_covered(photo, points[:, :2]):
        raise PhotoError(
            "mouth_covered",
            "The mouth is covered (a mask, a hand, a microphone?) or cannot be told from the "
            "skin; use a photo that shows the lips.",
            "嘴部被遮挡（口罩、手或话筒？）或无法与皮肤区分；请使用能看清嘴唇的照片。",
        )
    if gap(points[:, :2]) > PARTED:
        advice.append(
            Advice(
                "mouth_open",
                "The mouth is open or smiles with teeth; a photo with closed, relaxed lips gives "
                "a better avatar.",
                "照片中嘴是张开的或露齿而笑；闭嘴、放松的照片效果更好。",
            )
        )
    return advice + _light(photo, points)


def angles(points: Array) -> tuple[float, float, float]:
    """Yaw, pitch and roll of the head in degrees; 0 looks straight at the camera.

    points: float64[468, 3], pixels.
    """
    frame = Frame.of(points)
    local, z = frame.local(points[:, :2]), points[:, 2] / frame.unit
    right, left = CHEEKS
    yaw = np.arctan2(z[left] - z[right], local[left, 0] - local[right, 0])
    pitch = np.arctan2(z[CHIN] - z[FOREHEAD], local[CHIN, 1] - local[FOREHEAD, 1])
    roll = np.arctan2(frame.axes[0, 1], frame.axes[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)) - LEVEL_PITCH, float(np.degrees(roll))


def mouth_covered(photo: Image, points: Array) -> bool:
    """Whether where the lips should be there is something else.

    photo: uint8[H, W, 3] RGB. points: float64[468, 2] pixels: the mesh network puts a mouth on
    masks and hands too.
    """
    low, high = _bounds(points, photo)
    face = photo[low[1] : high[1], low[0] : high[0]]
    lab = cv2.cvtColor(face.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    at = points - low
    red = [OUTER_UPPER + INNER_UPPER[::-1], OUTER_LOWER + INNER_LOWER[::-1]]
    lips = mask_of(lab.shape, [at[i] for i in red])
    mouth = mask_of(lab.shape, [at[OUTER_UPPER + OUTER_LOWER[::-1]]])
    margin = max(3, round(0.025 * Frame.of(points).unit))
    mouth = cv2.dilate(mouth.astype(np.uint8), np.ones((margin, margin))) > 0
    around = mask_of(lab.shape, [at[AROUND_MOUTH]]) & ~mouth
    brow = mask_of(lab.shape, [at[BROW_TO_BROW]])
    if not (lips.any() and around.any() and brow.any()):
        return True
    lip, skin, clear = (np.median(lab[m], 0) for m in (lips, around, brow))
    if lip[1] - skin[1] >= RED_LIPS:
        return False
    like_skin = (
        abs(skin[0] - clear[0]) < LIKE_SKIN_LIGHT
        and np.hypot(*(skin - clear)[1:]) < LIKE_SKIN_COLOUR
    )
    return not (like_skin and DARK_LIPS[0] <= lip[0] - skin[0] <= DARK_LIPS[1])


def sharpness(photo: Image, points: Array) -> float:
    """How fine the face's detail is, see ``BLURRED``; at one scale, whatever the photo's."""
    low, high = _bounds(points, photo)
    grey = cv2.cvtColor(photo[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    image = np.asarray(grey, np.float32)
    scale = SHARP_UNIT / Frame.of(points).unit
    if scale < 1:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = np.asarray(small, np.float32)
    return float(cv2.Laplacian(image, cv2.CV_32F).std() / max(float(image.std()), 1.0))


def _check_direction(points: Array) -> list[Advice]:
    yaw, pitch, roll = angles(points)
    if abs(roll) > 40:
        raise PhotoError(
            "sideways",
            "The head lies on its side; turn the photo upright.",
            "照片中的头是横着的；请先把照片旋转摆正。",
        )
    if abs(yaw) > TURNED or abs(pitch) > NODDED:
        raise PhotoError(
            "turned_away",
            f"The face is turned too far to the side, up or down (about {abs(yaw):.0f}° and "
            f"{abs(pitch):.0f}°); look straight at the camera.",
            f"脸部转向或俯仰过大（约 {abs(yaw):.0f}° 和 {abs(pitch):.0f}°）；请正对镜头。",
        )
    if abs(yaw) > TURNED_ADVICE or abs(pitch) > NODDED_ADVICE:
        return [
            Advice(
                "slightly_turned",
                "The face is slightly turned; looking straight at the camera gives a better "
                "avatar.",
                "脸部略有偏转；正对镜头效果更好。",
            )
        ]
    return []


def _check_inside(photo: Image, points: Array) -> None:
    height, width = photo.shape[:2]
    x, y = points[:, 0], points[:, 1]
    margin = 0.03 * Frame.of(points).unit
    if x.min() < -margin or y.max() > height + margin or x.max() > width + margin:
        raise PhotoError(
            "cut_off",
            "Part of the face lies outside the photo; use one with the whole head on it.",
            "脸的一部分在照片之外；请使用包含整个头部的照片。",
        )


def _light(photo: Image, points: Array) -> list[Advice]:
    found = []
    if sharpness(photo, points[:, :2]) < BLURRED:
        found.append(
            Advice(
                "blurred",
                "The photo is blurred; a sharper one gives a better avatar.",
                "照片比较模糊；更清晰的照片效果更好。",
            )
        )
    brightness = float(skin_colour(photo, points[:, :2]) @ LUMA)
    if brightness < DARK:
        found.append(
            Advice(
                "dark",
                "The face is dark; soft light from the front gives a better avatar.",
                "脸部偏暗；正面柔和的光线效果更好。",
            )
        )
    elif brightness > GLARING:
        found.append(
            Advice(
                "glaring",
                "The face is overexposed; softer light gives a better avatar.",
                "脸部过曝；更柔和的光线效果更好。",
            )
        )
    return found


def _bounds(points: Array, photo: Image) -> tuple[Array, Array]:
    """The face's box within the photo, int[2] left top and right bottom."""
    limit = np.array(photo.shape[1::-1])
    low = np.clip(np.floor(points[:, :2].min(0)).astype(int), 0, limit - 2)
    return low, np.clip(np.ceil(points[:, :2].max(0)).astype(int), low + 2, limit)
