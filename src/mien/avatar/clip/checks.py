"""Can this clip be made to speak? Refusals name frames; advice is for what is only not ideal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.avatar.clip.cuts import scene_cuts
from mien.avatar.clip.errors import ClipError, said, spans
from mien.avatar.clip.smoothing import STEADY, Array
from mien.avatar.clip.tracking import GIVE_UP, LOOK_AROUND, LOOK_CLOSELY, Track
from mien.avatar.photo.checks import BLURRED, DARK, DOMINANT, GLARING, Advice, angles
from mien.avatar.photo.geometry import CHEEKS, CHIN, FOREHEAD, OVAL
from mien.avatar.photo.lips import gap
from mien.media.tick import FPS

MOST_MISSED = 5  # frames in a row that are bridged: a fifth of a second, a fast blink of the net
SMALLEST, SMALL = 80, 160  # pixels of the face's height; the networks draw 96 or 256
# Degrees, by the mesh's depth. The published weights speak up to about half profile.
TURNED, TURNED_ADVICE = 40.0, 25.0
NODDED, NODDED_ADVICE = 32.0, 20.0
LEANING = 40.0
OUTSIDE = 0.03  # of the face's width that may lie beyond the picture's edge
LASTING = 3  # frames: what is shorter is the net's mistake, or gone before it is seen

OPEN_MOUTH, OPEN_SHARE = 0.13, 0.35  # face units between the lips; share of the frames
SHAKY = 0.004  # of the face's size: how far it is from where its neighbours expect it, median
SHORT_SEC = 4.0


@dataclass(frozen=True)
class Seen:
    """A track without holes. points: float64[N, 468, 3] pixels, smoothed; raw: before that.
    first: the number of the first frame in the clip's own counting."""

    track: Track
    raw: Array
    points: Array
    first: int


def check_face_is_there(track: Track, first: int) -> None:
    """Raises ClipError: "scene_cut", "no_face". first: number of the first frame."""
    missing = [i for i, p in enumerate(track.points) if p is None]
    cuts = scene_cuts(track)
    if cuts and len(missing) < len(track.points):
        en, zh = said(spans([first + c for c in cuts], bridge=0))
        raise ClipError(
            "scene_cut",
            f"The picture changes to another scene at {en}; use one uncut take, or a part of it "
            "with --part.",
            f"画面在{zh}切换到另一个镜头；请使用一镜到底的视频，或用 --part 选取其中一段。",
        )
    lasting = [s for s in spans(missing) if s.last - s.first + 1 > MOST_MISSED]
    ends = {0, len(track.points) - 1}
    lasting = lasting or [s for s in spans(missing) if {s.first, s.last} & ends]
    if not lasting:
        return
    on = track.missed >= GIVE_UP
    if on and len(missing) == len(track.points):
        raise ClipError(
            "no_face",
            f"There is no face in the first {GIVE_UP / FPS:.0f} seconds, or it is hidden, turned "
            "away or tiny; use a clip of one person who looks at the camera all the time.",
            f"前 {GIVE_UP / FPS:.0f} 秒没有找到人脸，或人脸被遮挡、没有朝向镜头、过小；"
            "请使用一个人始终看着镜头的视频。",
        )
    en, zh = said(spans([first + i for s in lasting for i in range(s.first, s.last + 1)]))
    raise ClipError(
        "no_face",
        f"There is no face in {en}"
        + (" and perhaps after that" if on else "")
        + "; it must be seen all the time. Film again, or use a part with --part.",
        f"{zh}没有找到人脸" + ("，之后也可能没有" if on else "") + "；人脸必须始终可见。"
        "请重新拍摄，或用 --part 选取其中一段。",
    )


def check_track(seen: Seen) -> list[Advice]:
    """Raises ClipError: "several_faces", "too_small", "sideways", "turned_away", "cut_off",
    "mouth_covered"."""
    advice = _others(seen) + _size(seen)
    advice += _direction(seen)
    _inside(seen)
    covered = [seen.first + f for f in seen.track.covered]
    found = [s for s in spans(covered, LOOK_CLOSELY) if s.last > s.first]
    if found:
        en, zh = said(found)
        raise ClipError(
            "mouth_covered",
            f"The mouth is covered (a hand, a microphone, a mask?) or cannot be told from the skin "
            f"in {en}; keep everything away from the lips.",
            f"{zh}的嘴部被遮挡（手、话筒或口罩？）或无法与皮肤区分；请不要遮挡嘴唇。",
        )
    return advice + _quality(seen)


def _others(seen: Seen) -> list[Advice]:
    comparable = [seen.first + f for f, share in seen.track.others.items() if share > 1 / DOMINANT]
    if comparable:
        en, zh = said(spans(sorted(comparable), LOOK_AROUND))
        raise ClipError(
            "several_faces",
            f"There is a second face of similar size in {en}; film one person alone, or crop the "
            "clip to one.",
            f"{zh}出现了第二张大小相近的人脸；请只拍一个人，或把画面裁剪到一个人。",
        )
    if not seen.track.others:
        return []
    en, zh = said(spans(sorted(seen.first + f for f in seen.track.others), LOOK_AROUND))
    return [
        Advice(
            "largest_face",
            f"There are smaller faces in the background ({en}); the largest one was taken.",
            f"背景中有较小的人脸（{zh}），已采用最大的一张。",
        )
    ]


def _size(seen: Seen) -> list[Advice]:
    height = np.linalg.norm(seen.points[:, CHIN, :2] - seen.points[:, FOREHEAD, :2], axis=1)
    small = _lasting(height < SMALLEST, seen.first)
    if small:
        en, zh = said(spans(small))
        raise ClipError(
            "too_small",
            f"The face is only {height.min():.0f} pixels high in {en}; at least {SMALLEST} are "
            "needed: film from closer by, or in a higher resolution.",
            f"{zh}的人脸只有 {height.min():.0f} 像素高，至少需要 {SMALLEST} 像素；"
            "请靠近一些或用更高分辨率拍摄。",
        )
    if np.median(height) < SMALL:
        return [
            Advice(
                "small",
                f"The face is only {np.median(height):.0f} pixels high; from {SMALL} on it looks "
                "sharper.",
                f"人脸只有 {np.median(height):.0f} 像素高；{SMALL} 像素以上更清晰。",
            )
        ]
    return []


def _direction(seen: Seen) -> list[Advice]:
    found = np.array([angles(p) for p in seen.points])
    yaw, pitch, roll = np.abs(found).T
    leaning = _lasting(roll > LEANING, seen.first)
    if leaning:
        en, zh = said(spans(leaning))
        raise ClipError(
            "sideways",
            f"The head lies on its side in {en}; turn the clip upright.",
            f"{zh}的头是横着的；请先把视频旋转摆正。",
        )
    turned = _lasting((yaw > TURNED) | (pitch > NODDED), seen.first)
    if turned:
        en, zh = said(spans(turned))
        raise ClipError(
            "turned_away",
            f"The face is turned too far to the side, up or down in {en} (up to {yaw.max():.0f}° "
            f"and {pitch.max():.0f}°); look at the camera all the time.",
            f"{zh}的脸转向或俯仰过大（最大 {yaw.max():.0f}° 和 {pitch.max():.0f}°）；"
            "请始终看着镜头。",
        )
    if _lasting((yaw > TURNED_ADVICE) | (pitch > NODDED_ADVICE), 0):
        return [
            Advice(
                "slightly_turned",
                "The face turns away a little now and then; looking at the camera all the time "
                "gives better lips.",
                "脸部有时略有偏转；始终看着镜头，口型效果更好。",
            )
        ]
    return []


def _inside(seen: Seen) -> None:
    width, height = seen.track.size
    flat = seen.points[:, :, :2]
    margin = OUTSIDE * np.linalg.norm(flat[:, CHEEKS[1]] - flat[:, CHEEKS[0]], axis=1)
    x, y = flat[:, OVAL, 0], flat[:, OVAL, 1]
    outside = (x.min(1) < -margin) | (x.max(1) > width + margin) | (y.max(1) > height + margin)
    cut = _lasting(outside, seen.first)
    if cut:
        en, zh = said(spans(cut))
        raise ClipError(
            "cut_off",
            f"Part of the face lies outside the picture in {en}; keep the whole head in it.",
            f"{zh}的脸有一部分在画面之外；请让整个头部始终在画面内。",
        )


def _quality(seen: Seen) -> list[Advice]:
    found = []
    gaps = np.array([gap(p[:, :2]) for p in seen.points])
    if (gaps > OPEN_MOUTH).mean() > OPEN_SHARE:
        found.append(
            Advice(
                "mouth_open",
                "The mouth is wide open much of the time; a listening face with lips closed, or "
                "calm speech, gives a better avatar.",
                "嘴大部分时间张得很开；闭嘴倾听或平静说话的视频效果更好。",
            )
        )
    sharp, light = np.median(seen.track.sharp), np.median(seen.track.light)
    if sharp < BLURRED:
        found.append(
            Advice(
                "blurred",
                "The face is blurred; a sharper clip gives a better avatar.",
                "人脸比较模糊；更清晰的视频效果更好。",
            )
        )
    if light < DARK:
        found.append(
            Advice(
                "dark",
                "The face is dark; soft light from the front gives a better avatar.",
                "脸部偏暗；正面柔和的光线效果更好。",
            )
        )
    elif light > GLARING:
        found.append(
            Advice(
                "glaring",
                "The face is overexposed; softer light gives a better avatar.",
                "脸部过曝；更柔和的光线效果更好。",
            )
        )
    if shakiness(seen.raw) > SHAKY:
        found.append(
            Advice(
                "shaky",
                "The picture shakes; put the camera on something firm.",
                "画面抖动；请把相机或手机固定好。",
            )
        )
    if len(seen.points) < SHORT_SEC * FPS:
        found.append(
            Advice(
                "short",
                f"The clip is only {len(seen.points) / FPS:.1f} s long, so that its repetition "
                "shows; 5 to 20 s are good.",
                f"视频只有 {len(seen.points) / FPS:.1f} 秒，重复会比较明显；5 到 20 秒为宜。",
            )
        )
    return found


def shakiness(raw: Array) -> float:
    """How far the face is from the middle of its neighbours, of its size; median over the clip."""
    middle = raw[:, STEADY, :2].mean(1)
    if len(middle) < 3:
        return 0.0
    size = float(np.median(np.ptp(raw[:, :, 1], axis=1)))
    off = middle[1:-1] - (middle[:-2] + middle[2:]) / 2
    return float(np.median(np.linalg.norm(off, axis=1)) / size)


def _lasting(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], first: int) -> list[int]:
    """Numbers of the frames whose flag holds for ``LASTING`` frames in a row."""
    found = spans([int(i) for i in np.flatnonzero(flags)])
    return [
        first + i
        for s in found
        if s.last - s.first + 1 >= min(LASTING, len(flags))
        for i in range(s.first, s.last + 1)
    ]
