"""One filmed clip → an avatar folder; docs/clip-avatar.md says what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mien.avatar.clip.boxes import detections, face_boxes, published_boxes
from mien.avatar.clip.checks import Seen, check_face_is_there, check_track
from mien.avatar.clip.errors import ClipError
from mien.avatar.clip.half_made import half_made
from mien.avatar.clip.idle import idle_passage
from mien.avatar.clip.loop import Loop, best_loop
from mien.avatar.clip.pictures import PATTERN, PIXEL_BYTES, PictureWriter
from mien.avatar.clip.smoothing import Array, filled, smoothed, without_slips
from mien.avatar.clip.tracking import Tracker
from mien.avatar.clip.video_reader import USUAL_SEC, Part, VideoReader
from mien.avatar.photo.atlas import toml, write_arrays
from mien.avatar.photo.builder import (
    Built,
    OnProgress,
    Request,
    check_consent,
    consent_note,
    target_folder,
)
from mien.avatar.photo.checks import Advice
from mien.avatar.photo.geometry import CHIN, FOREHEAD
from mien.avatar.photo.landmarks import FaceReader
from mien.avatar.photo.models import WHEEL, obtain_models
from mien.media.tick import FPS

CLOSE_UP = 2.6  # times the face's height is the side of a square picture …
ABOVE = 0.75  # … with this much of it above the forehead

FACES = "faces.npz"


@dataclass(frozen=True)
class ClipRequest(Request):
    """As for a photo, and: part: of the clip, its beginning if left out. idle: seconds in the
    clip where the person is silent, found in the clip if left out. loop: how it is repeated.
    as_published: also the boxes that the original Wav2Lip code would use, and use them."""

    part: Part | None = None
    idle: tuple[float, float] | None = None
    loop: Loop | Literal["auto"] = "auto"
    as_published: bool = False


@dataclass(frozen=True)
class ClipBuilt(Built):
    """size: width, height. idle: first and one past the last silent frame. bytes: on disk."""

    size: tuple[int, int] = (0, 0)
    frames: int = 0
    loop: Loop = "pingpong"
    idle: tuple[int, int] | None = None
    bytes: int = 0


def build_clip(
    path: Path, request: ClipRequest, on_progress: OnProgress | None = None
) -> ClipBuilt:
    """Makes an avatar of the video file ``path``.

    on_progress: called with the share done, 0…1, and what is being done: "models", "frames",
    "motion", "files"; at least once a frame. What it raises ends the build and is let through:
    that is how to cancel. However a build ends early, nothing of it is left.

    The same clip gives the same bytes, but for the date of the consent. Takes seconds to minutes
    of computing; call it off the event loop. Raises ClipError and PhotoError; OSError when the
    file cannot be read.
    """
    tell = on_progress or (lambda share, step: None)
    target = target_folder(request)
    check_consent(request)
    video = VideoReader(path, request.part)
    tell(0.01, "models")
    models = obtain_models(request.models, lambda share: tell(0.01 + 0.06 * share, "models"))
    tell(0.07, "frames")
    width, height = video.size
    needed = round(video.frames * width * height * PIXEL_BYTES)
    with half_made(target, needed) as folder:
        tracker = Tracker(FaceReader(models), video.size)
        with PictureWriter(folder) as writer:
            for picture in video.pictures():
                writer.write(picture)
                if not tracker.see(picture):
                    break
                share = min(1.0, len(tracker.track.points) / video.frames)
                tell(0.07 + 0.85 * share, "frames")
        tell(0.92, "motion")
        check_face_is_there(tracker.track, video.first_frame)
        raw = without_slips(filled(tracker.track.points))
        seen = Seen(tracker.track, raw, smoothed(raw), video.first_frame)
        advice = check_track(seen)
        idle, idle_advice = idle_passage(seen.points, request.idle, video.first_frame)
        advice += idle_advice
        if request.strict and advice:
            raise ClipError(advice[0].code, advice[0].en, advice[0].zh)
        loop = best_loop(seen.points, seen.track) if request.loop == "auto" else request.loop
        tell(0.97, "files")
        _write_faces(folder / FACES, seen, request.as_published)
        data = _description(request, seen, loop, idle)
        (folder / "avatar.toml").write_text(toml(data), encoding="utf-8")
        size = writer.bytes + sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
    tell(1.0, "files")
    return ClipBuilt(target, _notes(video) + advice, video.size, len(raw), loop, idle, size)


def _notes(video: VideoReader) -> list[Advice]:
    """What was done to the pictures: worth saying, and no reason to refuse a clip."""
    width, height = video.size
    stored = f"{video.stored_size[0]}×{video.stored_size[1]}"
    found = []
    if "scaled" in video.notes:
        found.append(
            Advice(
                "scaled",
                f"The clip of {stored} was made smaller, {width}×{height}: more is never shown.",
                f"视频从 {stored} 缩小到 {width}×{height}：显示不会用到更大的尺寸。",
            )
        )
    if "hdr" in video.notes:
        found.append(
            Advice(
                "hdr",
                "The clip is HDR; its light was brought to what screens show. If it looks wrong, "
                "film without HDR.",
                "这是 HDR 视频，已转换为普通亮度；如果效果不对，请关闭 HDR 后重新拍摄。",
            )
        )
    if "interlaced" in video.notes:
        found.append(
            Advice(
                "interlaced",
                "The clip is interlaced, so that edges comb when the head moves; film or export "
                "it progressive.",
                "视频是隔行扫描的，头部移动时边缘会有锯齿；请用逐行方式拍摄或导出。",
            )
        )
    if video.cropped_sec:
        found.append(
            Advice(
                "long",
                f"The clip is {video.cropped_sec:.0f} s long; its first {USUAL_SEC:.0f} s are "
                "used. Choose others with --part.",
                f"视频长 {video.cropped_sec:.0f} 秒，只使用前 {USUAL_SEC:.0f} 秒；"
                "可用 --part 选择其他部分。",
            )
        )
    return found


def _write_faces(path: Path, seen: Seen, as_published: bool) -> None:
    size = seen.track.size
    arrays: dict[str, Any] = {
        "boxes": face_boxes(seen.points, size),
        "landmarks": seen.points[:, :, :2].astype(np.float32),
    }
    if as_published:
        arrays["published"] = published_boxes(detections(seen.raw), size).astype(np.int32)
    write_arrays(path, arrays)


def _description(
    request: ClipRequest, seen: Seen, loop: Loop, idle: tuple[int, int] | None
) -> dict[str, Any]:
    clip: dict[str, Any] = {
        "frames": len(seen.points),
        "pictures": PATTERN,
        "faces": FACES,
        "loop": loop,
    }
    if idle is not None:
        clip["idle"] = list(idle)
    return {
        "format": 2,
        "kind": "clip",
        "name": request.name,
        "title": request.title.strip() or request.name,
        "size": list(seen.track.size),
        "focus": _focus(seen.points, seen.track.size),
        "fps": FPS,
        "engines": ["wav2lip"],
        "creator": f"mien avatar create; face found with models of {WHEEL} (Apache-2.0)",
        "license": "the clip's; not for sharing without its owner's agreement",
        "consent": consent_note(),
        "clip": clip,
    }


def _focus(points: Array, size: tuple[int, int]) -> list[int]:
    """Left, top, width, height of the close-up: head and shoulders, where they are on average."""
    forehead, chin = np.median(points[:, [FOREHEAD, CHIN], :2], axis=0)
    tall = float(np.linalg.norm(chin - forehead))
    side = round(min(CLOSE_UP * tall, *size))
    left = round(float((forehead[0] + chin[0]) / 2) - side / 2)
    top = round(float(forehead[1]) - ABOVE * tall)
    return [min(max(left, 0), size[0] - side), min(max(top, 0), size[1] - side), side, side]
