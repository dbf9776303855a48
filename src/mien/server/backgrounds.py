"""The backgrounds a visitor can choose: colours, pictures that come with mien, and their own."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import platformdirs

from mien.avatar.background import Background, BackgroundError
from mien.problems import Problem

BUILT_IN = Path(__file__).parent.parent / "assets" / "backgrounds"
CONFIGURED = "configured"

MAX_UPLOAD_BYTES = 10_000_000
MAX_OWN = 40
# Larger than any picture of ours; stored so, a switch decodes it in some 20 ms.
LONGEST_SIDE = 1920
PREVIEW_SIZE = (192, 192)

LABELS = {
    "soft": ("Soft", "柔和"),
    "green": ("Green screen", "绿幕"),
    "#f4f1ea": ("Paper", "纸白"),
    "#a9c3d6": ("Sky", "天蓝"),
    "#2f4858": ("Slate", "石板灰"),
    "#1d1f26": ("Night", "夜色"),
    "studio": ("Studio", "影棚"),
    "office": ("Office", "办公室"),
    "evening": ("Evening", "傍晚"),
    CONFIGURED: ("From the settings", "配置的背景"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """name: what the API takes. image: its file, for a picture. own: uploaded here."""

    name: str
    image: Path | None = None
    own: bool = False

    @property
    def label(self) -> dict[str, str]:
        en, zh = LABELS.get(self.name, ("Your picture", "我的图片"))
        return {"en": en, "zh": zh}


def own_folder() -> Path:
    """Where uploaded pictures lie."""
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "backgrounds"


class Backgrounds:
    """Finds them by name, keeps uploaded ones. Its methods read files: not for the event loop."""

    def __init__(self, configured: Background) -> None:
        self._configured = configured

    @property
    def default(self) -> str:
        """The name of what the settings say."""
        if self._configured.kind == "image":
            return CONFIGURED
        if self._configured.colour is not None:
            return "#" + bytes(self._configured.colour).hex()
        return self._configured.kind

    def all(self) -> list[Choice]:
        """Soft, green, colours, pictures; the newest of the visitors' own last."""
        plain = [Choice(name) for name in LABELS if name in ("soft", "green") or name[0] == "#"]
        pictures = [Choice(path.stem, path) for path in sorted(BUILT_IN.glob("*.webp"))]
        if self._configured.image is not None:
            pictures.append(Choice(CONFIGURED, self._configured.image))
        own = sorted(own_folder().glob("*.jpg"), key=lambda path: path.stat().st_mtime)
        return plain + pictures + [Choice(path.stem, path, own=True) for path in own]

    def find(self, name: str, blur: float) -> Background:
        """Raises Problem 404 for a name that is none of ours; files are only opened by name."""
        if name in ("soft", "green") or re.fullmatch("#[0-9a-fA-F]{6}", name):
            return Background.parse(name, blur)
        return Background("image", image=self.image(name), blur=blur)

    def image(self, name: str) -> Path:
        """The file of a picture. Raises Problem 404."""
        for choice in self.all():
            if choice.name == name and choice.image is not None:
                return choice.image
        raise Problem(
            "no_such_background",
            f"There is no background {name!r}. GET /api/v1/backgrounds lists those there are.",
            f"没有名为 {name!r} 的背景，GET /api/v1/backgrounds 可列出全部背景。",
            status=404,
        )

    def add(self, data: bytes) -> Choice:
        """Keep an uploaded picture. The same picture again is the same choice.

        Only its pixels are kept, at most 1920 across: no place or camera from its metadata.

        Raises:
            Problem: 422 for what is no picture we can use, 409 when there are too many.
        """
        image = _decoded(data)
        scale = LONGEST_SIDE / max(image.shape[:2])
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        stored = jpeg.tobytes()
        folder = own_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(stored).hexdigest()[:16]}.jpg"
        if not path.exists():
            if len(list(folder.glob("*.jpg"))) >= MAX_OWN:
                raise Problem(
                    "too_many_backgrounds",
                    f"There are {MAX_OWN} uploaded pictures already; delete one first.",
                    f"已上传 {MAX_OWN} 张图片，请先删除一张。",
                    status=409,
                )
            partial = path.with_suffix(".partial")
            partial.write_bytes(stored)
            partial.replace(path)
        return Choice(path.stem, path, own=True)

    def remove(self, name: str) -> None:
        """Delete an uploaded picture. Raises Problem 404, or 403 for one that is not."""
        image = self.image(name)
        if image.parent != own_folder():
            raise Problem(
                "not_yours",
                "Only uploaded pictures can be deleted.",
                "只能删除上传的图片。",
                status=403,
            )
        image.unlink(missing_ok=True)


def preview(image: Path) -> bytes:
    """A small JPEG of a background picture."""
    small = Background("image", image=image).picture(PREVIEW_SIZE, (0, 0, 0), (0, 0, 0))
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _decoded(data: bytes) -> np.ndarray:
    """uint8[H, W, 3] BGR, upright. Raises Problem 422."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(data)
        try:
            preview(path)
        except BackgroundError as error:
            raise _unusable(str(error).replace(str(path), "It")) from None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None  # it was decoded a moment ago
    return np.asarray(image, np.uint8)


def _unusable(reason: str) -> Problem:
    return Problem(
        "bad_picture",
        f"This picture cannot be used. {reason}.",
        "无法使用这张图片：需要完好的 JPEG、PNG 或 WebP，且不超过 5000 万像素。",
        status=422,
    )
