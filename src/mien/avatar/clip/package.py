"""A clip avatar's folder, read and checked. The format is in docs/avatars.md."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.clip.points import MOUTH_CORNERS, POINTS
from mien.avatar.errors import AvatarError
from mien.avatar.folder import Box, Folder, read_toml
from mien.avatar.image_header import HeaderError, image_size
from mien.media.tick import FPS, Image

Floats = NDArray[np.float32]
Loop = Literal["pingpong", "forward"]

LONGEST_SIDE = 1920
MOST_FRAMES = 600 * FPS
MOST_FACE_BYTES = 256_000_000  # unpacked; ten minutes take 60 MB
SMALLEST_FACE = 16  # pixels
HEADER_BYTES = 4096  # usually hold a JPEG's size; camera files with a preview need all of it
ROUNDING = 0.01  # pixels a box may lie beyond the picture


@dataclass(frozen=True, eq=False)
class ClipPackage:
    """A filmed person, checked; pictures are decoded when asked for. Use it from any thread.

    size: width, height of the clip's pictures. focus: the close-up a square picture shows.
    boxes: float32[N, 4] left, top, right, bottom of the face that lip-sync engines see, pixels.
    landmarks: float32[N, 468, 2], see ``points``. published: int32[N, 4] top, bottom, left, right
    as the original Wav2Lip would box the faces, or None. idle: first and one past the last frame
    of a silent passage. Implements ``mien.lipsync.wav2lip.faces.Faces``.
    """

    path: Path
    name: str
    title: str
    title_zh: str
    size: tuple[int, int]
    focus: Box
    engines: tuple[str, ...]
    license: str
    pictures: tuple[Path, ...]
    boxes: Floats
    landmarks: Floats
    published: NDArray[np.int32] | None
    loop: Loop
    idle: tuple[int, int] | None
    _keys: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def pictures_key(self) -> str:
        """SHA-256 of all pictures; hashed at the first use, some 0.1 s for ten seconds."""
        with self._lock:
            if "pictures" not in self._keys:
                digest = hashlib.sha256()
                for path in self.pictures:
                    digest.update(hashlib.sha256(_bytes(path)).digest())
                self._keys["pictures"] = digest.hexdigest()
            return self._keys["pictures"]

    @property
    def key(self) -> str:
        """SHA-256 of all pictures and boxes: what is worked out from ``crop`` holds while it is
        the same."""
        content = bytes.fromhex(self.pictures_key) + self.boxes.tobytes()
        return hashlib.sha256(content).hexdigest()

    def picture(self, frame: int) -> Image:
        """uint8[H, W, 3] RGB of ``size``, newly decoded. Raises AvatarError for a damaged file."""
        path = self.pictures[frame]
        raw = np.frombuffer(_bytes(path), np.uint8)
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None or image.shape != (self.size[1], self.size[0], 3):
            raise AvatarError(f"{path} is damaged: it cannot be decoded; build the avatar again")
        return np.asarray(image, np.uint8)

    def crop(self, frame: int, size: int) -> Image:
        """The face of ``frame`` as networks take it: uint8[size, size, 3] RGB.

        Bilinear and without a filter when it shrinks, as the published weights were trained.
        """
        return cropped(self.picture(frame), self.boxes[frame], size)

    def as_published(self) -> Self:
        """The same clip with the boxes of the original code; itself when it was built without."""
        if self.published is None:
            return self
        top, bottom, left, right = self.published.T
        boxes = np.stack([left, top, right, bottom], 1).astype(np.float32)
        boxes.setflags(write=False)
        return replace(self, boxes=boxes)


def cropped(picture: Image, box: Floats, size: int) -> Image:
    """uint8[size, size, c]: ``box`` (left, top, right, bottom; pixels, may lie between them) of
    ``picture``, sampled as ``cv2.resize`` does with whole pixels."""
    if (box == np.round(box)).all():
        left, top, right, bottom = (int(v) for v in box)
        part = picture[top:bottom, left:right]
        return np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    x, y = (box[2:] - box[:2]).astype(float) / size  # pixels of the picture per pixel of the crop
    place = np.array([[x, 0, box[0] + x / 2 - 0.5], [0, y, box[1] + y / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    edge = cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(picture, place, (size, size), flags=flags, borderMode=edge)
    return np.asarray(warped, np.uint8)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AvatarError(f"{path} cannot be read: {error.strerror or error}") from error


def read_clip(path: Path) -> ClipPackage:
    """Reads and checks a clip avatar; raises AvatarError.

    Of every picture the header is read; pixels are decoded later.
    """
    path = path.resolve()
    data = read_toml(path)
    folder = Folder(path, data)
    if data.get("kind") != "clip":
        raise folder.fail(f'kind is {data.get("kind")!r}, expected "clip"')
    if data.get("fps", FPS) != FPS:
        raise folder.fail(f"fps is {data['fps']}, only {FPS} is supported")
    engines = data.get("engines", ["wav2lip"])
    if not isinstance(engines, list) or not all(isinstance(e, str) for e in engines):
        raise folder.fail('engines must be a list of names, such as ["wav2lip"]')
    size = clip_size(folder)
    clip = folder.table(data, "clip")
    pictures = _pictures(folder, clip, size)
    boxes, landmarks, published = _faces(folder, clip, size, len(pictures))
    return ClipPackage(
        path=path,
        name=data["name"],
        title=str(data.get("title", data["name"])),
        title_zh=str(data.get("title_zh", data.get("title", data["name"]))),
        size=size,
        focus=folder.box(data, "focus", size, "focus") if "focus" in data else (0, 0, *size),
        engines=tuple(engines),
        license=str(data.get("license", "")),
        pictures=pictures,
        boxes=boxes,
        landmarks=landmarks,
        published=published,
        loop=_loop(folder, clip),
        idle=_idle(folder, clip, len(pictures)),
    )


def clip_size(folder: Folder) -> tuple[int, int]:
    """Width, height the clip was filmed in. Raises AvatarError."""
    width, height = (int(v) for v in folder.numbers(folder.data, "size", 2))
    if not all(64 <= v <= LONGEST_SIDE and v % 2 == 0 for v in (width, height)):
        raise folder.fail(
            f"size must be two even numbers of 64…{LONGEST_SIDE}, not {folder.data['size']}"
        )
    return (width, height)


def _pictures(folder: Folder, clip: dict[str, Any], size: tuple[int, int]) -> tuple[Path, ...]:
    count = clip.get("frames")
    if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= MOST_FRAMES:
        raise folder.fail(f"clip.frames must be a whole number of 2…{MOST_FRAMES}, not {count!r}")
    pattern = clip.get("pictures")
    if not isinstance(pattern, str) or not re.fullmatch(r"[^%]*%0\dd[^%]*\.jpe?g", pattern):
        raise folder.fail(
            f'clip.pictures must name numbered JPEG files, such as "frames/%05d.jpg", not '
            f"{pattern!r}"
        )
    found = []
    for frame in range(count):
        path = folder.file({"clip.pictures": pattern % frame}, "clip.pictures")
        _check_picture(path, size)
        found.append(path)
    return tuple(found)


def _check_picture(path: Path, size: tuple[int, int]) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            if not head.startswith(b"\xff\xd8"):
                raise AvatarError(f"{path} is no JPEG")
            try:
                found = image_size(head)
            except HeaderError:
                head += file.read()
                found = image_size(head)
            file.seek(-2, 2)
            end = file.read(2)
    except HeaderError as error:
        raise AvatarError(f"{path} is no readable JPEG: {error}") from None
    except OSError as error:
        raise AvatarError(f"{path} cannot be read: {error.strerror or error}") from error
    if found != size:
        raise AvatarError(
            f"{path} has {found[0]}×{found[1]} pixels, expected {size[0]}×{size[1]} as the others"
        )
    if end != b"\xff\xd9":
        raise AvatarError(f"{path} is cut off; build the avatar again")


def _faces(
    folder: Folder, clip: dict[str, Any], size: tuple[int, int], count: int
) -> tuple[Floats, Floats, NDArray[np.int32] | None]:
    path = folder.file(clip, "faces")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise AvatarError(f"{path} is no readable .npz: {error}") from error
    if unpacked > MOST_FACE_BYTES:  # known before anything is unpacked
        raise AvatarError(f"{path} is too large: {unpacked // 1_000_000} MB unpacked")
    arrays = folder.arrays(clip, "faces", ("boxes", "landmarks"))
    boxes = _numbers(path, arrays, "boxes", (count, 4))
    _check_boxes(path, boxes, size)
    landmarks = _numbers(path, arrays, "landmarks", (count, POINTS, 2))
    mouth = landmarks[:, MOUTH_CORNERS].mean(1)
    astray = ((mouth <= boxes[:, :2]) | (mouth >= boxes[:, 2:])).any(1)
    if astray.any():
        raise AvatarError(f"{path}: frame {astray.argmax()}: the mouth lies outside the face's box")
    published = None
    if "published" in arrays:
        published = _numbers(path, arrays, "published", (count, 4)).astype(np.int32)
        published.setflags(write=False)
        _check_boxes(path, published[:, [2, 0, 3, 1]].astype(np.float32), size)
    return boxes, landmarks, published


def _numbers(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, shape: tuple[int, ...]
) -> Floats:
    array = arrays[key]
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise AvatarError(
            f"{path}: {key} must be numbers {list(shape)}, not {array.dtype}{list(array.shape)}"
        )
    finite = np.isfinite(array).reshape(len(array), -1).all(1)
    if not finite.all():
        raise AvatarError(f"{path}: frame {finite.argmin()}: {key} must be finite numbers")
    floats = np.ascontiguousarray(array, np.float32)
    floats.setflags(write=False)
    return floats


def _check_boxes(path: Path, boxes: Floats, size: tuple[int, int]) -> None:
    low, high = boxes[:, :2], boxes[:, 2:]
    outside = (low < -ROUNDING).any(1) | (high > np.array(size) + ROUNDING).any(1)
    wrong = outside | (high - low < SMALLEST_FACE).any(1)
    if wrong.any():
        frame = int(wrong.argmax())
        raise AvatarError(
            f"{path}: frame {frame}: the box {boxes[frame].tolist()} must be left, top, right, "
            f"bottom of at least {SMALLEST_FACE}×{SMALLEST_FACE} pixels inside the picture of "
            f"{size[0]}×{size[1]}"
        )


def _loop(folder: Folder, clip: dict[str, Any]) -> Loop:
    loop = clip.get("loop", "pingpong")
    if loop == "pingpong":
        return "pingpong"
    if loop == "forward":
        return "forward"
    raise folder.fail(f'clip.loop is {loop!r}, expected "pingpong" or "forward"')


def _idle(folder: Folder, clip: dict[str, Any], count: int) -> tuple[int, int] | None:
    if "idle" not in clip:
        return None
    first, stop = folder.numbers(clip, "idle", 2)
    if first != int(first) or stop != int(stop) or not 0 <= first <= stop - 2 <= count - 2:
        raise folder.fail(
            f"clip.idle {clip['idle']} must be the first and one past the last of at least two of "
            f"the {count} frames"
        )
    return int(first), int(stop)
