"""One photo → an avatar folder that is played like any other."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mien.avatar.errors import AvatarError
from mien.avatar.library import BUILT_IN, user_folder
from mien.avatar.photo import matte
from mien.avatar.photo.atlas import Part, eyes, mouths, toml, write_arrays, write_picture
from mien.avatar.photo.checks import Advice, check_face, choose_face
from mien.avatar.photo.errors import PhotoError
from mien.avatar.photo.eyes import EyePainter
from mien.avatar.photo.figure import Portrait, eyes_box, mouth_box, portrait
from mien.avatar.photo.geometry import INNER_LOWER, INNER_UPPER
from mien.avatar.photo.inside import Inside
from mien.avatar.photo.landmarks import FaceReader
from mien.avatar.photo.lips import with_lip_line
from mien.avatar.photo.models import WHEEL, obtain_models
from mien.avatar.photo.mouth import MouthPainter
from mien.avatar.photo.picture import read_photo
from mien.avatar.photo.relief import relief
from mien.avatar.photo.tones import skin_colour, tones
from mien.media.tick import Image

STATEMENT = "I have the right to use this face: it is mine, or its owner agreed."
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
RESERVED = {"con", "prn", "aux", "nul"} | {f"{p}{i}" for p in ("com", "lpt") for i in range(10)}

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True)
class Request:
    """What is wanted. models: a wheel or folder instead of pip. strict: advice is a refusal.
    replace_old: an avatar of that name may be replaced. root: where the folder goes; None = the
    user's avatars."""

    name: str
    title: str = ""
    consent: bool = False
    models: Path | None = None
    strict: bool = False
    replace_old: bool = False
    root: Path | None = None


@dataclass(frozen=True)
class Built:
    """The folder, and what would have made it better."""

    path: Path
    advice: list[Advice] = field(default_factory=list)


def build_avatar(
    image_bytes: bytes,
    name: str,
    title: str = "",
    consent: bool = False,
    on_progress: OnProgress | None = None,
) -> Path:
    """Makes the avatar ``name`` from the bytes of a JPEG, PNG or WebP photo; returns its folder.

    consent: whoever asks has the right to use this face; recorded in avatar.toml.
    on_progress: called with the share done, 0…1, and what is being done: "models", "face",
    "figure", "mouth", "eyes", "files".

    Takes seconds of computing; call it off the event loop. Raises PhotoError.
    """
    request = Request(name=name, title=title, consent=consent)
    return build(image_bytes, request, on_progress).path


def build(image_bytes: bytes, request: Request, on_progress: OnProgress | None = None) -> Built:
    """As ``build_avatar``, with all choices, and with advice."""
    tell = on_progress or (lambda share, step: None)
    target = target_folder(request)
    check_consent(request)
    photo = read_photo(image_bytes)
    tell(0.01, "models")
    models = obtain_models(request.models, lambda share: tell(0.01 + 0.09 * share, "models"))
    tell(0.1, "face")
    face, advice = choose_face(FaceReader(models).faces(photo))
    advice += check_face(photo, face)
    if request.strict and advice:
        raise PhotoError(advice[0].code, advice[0].en, advice[0].zh)
    tell(0.2, "figure")
    person = portrait(photo, face.points.astype(np.float64))
    folder = _write(person, models, request, target, tell)
    tell(1.0, "files")
    return Built(folder, advice)


def check_consent(request: Request) -> None:
    """Raises PhotoError: "no_consent"."""
    if not request.consent:
        raise PhotoError(
            "no_consent",
            "Say that you have the right to use this face (--i-have-the-right-to-use-this-face): "
            "your own, or with its owner's agreement.",
            "请确认您有权使用这张脸（--i-have-the-right-to-use-this-face）：本人，或已得到本人同意。",
        )


def consent_note() -> str:
    """What the avatar says of the consent that was given."""
    return f"{STATEMENT} ({who()}, {datetime.now(UTC):%Y-%m-%d})"


def check_name(name: str, replace_old: bool = False, root: Path | None = None) -> None:
    """Raises PhotoError: "bad_name" or "name_taken", with a name that would do."""
    target_folder(Request(name=name, replace_old=replace_old, root=root))


def suggested_name(text: str) -> str:
    """A valid name made from any text, such as a file's name."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return plain if NAME.fullmatch(plain) and plain not in RESERVED else "me"


def target_folder(request: Request) -> Path:
    """Where the avatar will lie. Raises PhotoError: "bad_name", "name_taken"."""
    root, name = request.root or user_folder(), request.name
    if not NAME.fullmatch(name) or name in RESERVED:
        other = suggested_name(name)
        raise PhotoError(
            "bad_name",
            f"{name!r} cannot be a name: use small letters, digits, - and _, such as {other!r}.",
            f"{name!r} 不能用作名称：请使用小写字母 a-z、数字、- 和 _，例如 {other!r}。",
        )
    target = root / name
    built_in = (BUILT_IN / name).exists()
    if built_in or (target.exists() and not request.replace_old):
        other = next(
            free
            for free in (f"{name}-{i}" for i in range(2, 1000))
            if not (root / free).exists() and not (BUILT_IN / free).exists()
        )
        raise PhotoError(
            "name_taken",
            f"There is already an avatar {name!r}; choose another name, such as {other!r}"
            + ("." if built_in else ", or replace it with --force."),
            f"名为 {name!r} 的形象已存在；请换一个名称，例如 {other!r}"
            + ("。" if built_in else "，或用 --force 覆盖。"),
        )
    return target


def _write(
    person: Portrait, models: Path, request: Request, target: Path, tell: OnProgress
) -> Path:
    """Everything into a temporary folder beside the target, then into place in one step."""
    points = with_lip_line(person.image, person.points[:, :2])
    person = replace(person, points=np.column_stack([points, person.points[:, 2]]))
    figure, behind = _figure(person, models)
    tell(0.25, "mouth")
    unit = person.frame.unit
    inside = Inside(tones(person.image, points, person.blur), unit, _lip_line(person))
    painter = MouthPainter(figure, points, mouth_box(person), inside)
    mouth = mouths(painter, lambda share: tell(0.25 + 0.5 * share, "mouth"))
    tell(0.75, "eyes")
    box = eyes_box(person)
    lids = eyes(EyePainter(figure, points, box))
    tell(0.85, "files")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        depth, follow = relief(person, opaque=behind is None)
        write_arrays(temporary / "figure.npz", {"depth": depth, "follow": follow})
        write_picture(temporary / "figure.webp", figure)
        if behind is not None:
            write_picture(temporary / "background.webp", behind)
        for part, file in ((mouth, "mouth.npz"), (lids, "eyes.npz")):
            for image, shape in zip(part.images, part.shapes, strict=True):
                write_picture(temporary / shape["image"], image)
            write_arrays(temporary / file, part.arrays)
        data = _description(person, request, behind is not None, painter.box, box, mouth, lids)
        (temporary / "avatar.toml").write_text(toml(data), encoding="utf-8")
        temporary.chmod(0o755)  # mkdtemp makes private folders; avatars are ordinary ones
        swap_in(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _figure(person: Portrait, models: Path) -> tuple[Image, Image | None]:
    """uint8[H, W, 4] RGBA, and the background without the person; None where the photo could not
    be cut out and stays whole."""
    alpha = matte.person(person.image, person.points[:, :2], models)
    if alpha is None:
        return np.dstack([person.image, np.full(person.image.shape[:2], 255, np.uint8)]), None
    return matte.cut_out(person.image, alpha)


def _lip_line(person: Portrait) -> tuple[float, float]:
    local = person.frame.local(person.points[:, :2])
    u, v = (local[INNER_UPPER[5]] + local[INNER_LOWER[5]]) / 2
    return float(u), float(v)


def _description(
    person: Portrait,
    request: Request,
    cut_out: bool,
    mouth_at: tuple[int, ...],
    eyes_at: tuple[int, ...],
    mouth: Part,
    lids: Part,
) -> dict[str, Any]:
    skin = skin_colour(person.image, person.points[:, :2])
    neutral = np.full(3, 205.0) + 0.12 * (skin - skin.mean())
    background: dict[str, Any] = {
        "centre": [int(v) for v in np.clip(neutral, 0, 255)],
        "edge": [int(v) for v in np.clip(neutral * 0.76, 0, 255)],
    }
    if cut_out:
        background["image"] = "background.webp"
    feather = max(4, round(0.05 * person.frame.unit))
    x, y = person.neck
    return {
        "format": 2,
        "kind": "atlas",
        "name": request.name,
        "title": request.title.strip() or request.name,
        "size": list(person.size),
        "focus": list(person.focus),
        "fps": 25,
        "engines": ["viseme"],
        "creator": f"mien avatar create; face found with models of {WHEEL} (Apache-2.0)",
        "license": "the photo's; not for sharing without its owner's agreement",
        "consent": consent_note(),
        "background": background,
        "layers": [{"name": "figure", "image": "figure.webp", "motion": "figure.npz"}],
        "head": {"neck": [round(x, 1), round(y, 1)], "chin": round(person.chin, 1)},
        "mouth": {
            "box": list(mouth_at),
            "feather": feather,
            "morph": "mouth.npz",
            "shapes": mouth.shapes,
        },
        "eyes": {
            "box": list(eyes_at),
            "feather": feather,
            "morph": "eyes.npz",
            "shapes": lids.shapes,
        },
    }


def who() -> str:
    """The user's name, for the record of consent."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, in some containers
        return "unknown user"


def swap_in(temporary: Path, target: Path) -> None:
    """``temporary`` becomes ``target``, which may be there already; both on one disk."""
    if not target.exists():
        os.replace(temporary, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    os.replace(target, old / "old")
    try:
        os.replace(temporary, target)
    except OSError as error:
        os.replace(old / "old", target)
        raise AvatarError(f"{target} could not be replaced: {error}") from error
    finally:
        shutil.rmtree(old, ignore_errors=True)
