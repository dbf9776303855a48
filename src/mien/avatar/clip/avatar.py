"""A filmed presenter: their clip runs on and on, and an engine's mouths are laid into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from mien.avatar.background import SOFT, Background, BackgroundError
from mien.avatar.clip.enhancer import enhanced, open_enhancer
from mien.avatar.clip.frames import Cache, Progress
from mien.avatar.clip.life import ClipLife
from mien.avatar.clip.package import ClipPackage
from mien.avatar.clip.paste import lay_over, paste_published, paste_soft
from mien.avatar.clip.reel import Reel
from mien.avatar.contract import Pose
from mien.avatar.errors import AvatarError
from mien.lipsync.contract import LipSync, Mouth
from mien.media.tick import Image

SMALLEST_SIDE, LARGEST_SIDE = 16, 4096


@dataclass(frozen=True, slots=True)
class ClipStyle:
    """How a clip is shown.

    cache: where pictures are kept at the size they are shown in, see ``frames.open_frames``.
    paste: "soft", or "published": the hard rectangle of the original code, to compare with.
    sharpen: 0 … 1, of what a mouth loses by being enlarged. enhancer: the path of a face
    restoration network, see ``enhancer``; None: none.
    """

    cache: Cache = "none"
    paste: Literal["soft", "published"] = "soft"
    sharpen: float = 0.3
    enhancer: Path | None = None


class ClipAvatar:
    """Implements ``mien.avatar.contract.Avatar``. Immutable; use it from any thread."""

    def __init__(
        self,
        package: ClipPackage,
        size: tuple[int, int] | None = None,
        background: Background = SOFT,
        style: ClipStyle | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        """size: width, height of its pictures, both even; None for the clip's own.

        on_progress: called with 0…1 while pictures are made ready.

        Raises:
            ValueError: an odd size. BackgroundError: any background but the default.
            AvatarError: a damaged picture, too little room for them, an enhancer that does not fit.
        """
        style = style or ClipStyle()
        if style.paste == "published":
            package = package.as_published()
        size = size or package.size
        if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE and side % 2 == 0 for side in size):
            raise ValueError(
                f"pictures of {size[0]}×{size[1]}: both must be even, "
                f"{SMALLEST_SIDE}…{LARGEST_SIDE}"
            )
        _check_background(package, background)
        self._style = style
        self._enhancer = open_enhancer(style.enhancer) if style.enhancer else None
        self._reel = Reel(package, size, style.cache, on_progress)

    @property
    def name(self) -> str:
        return self.package.name

    @property
    def title(self) -> str:
        return self.package.title

    @property
    def path(self) -> Path:
        return self.package.path

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the lip-sync engines it can be driven by, best first."""
        return self.package.engines

    @property
    def package(self) -> ClipPackage:
        """The faces an engine paints mouths for, boxed as this avatar pastes them."""
        return self._reel.package

    @property
    def reel(self) -> Reel:
        """Its material at the size of its pictures."""
        return self._reel

    @property
    def size(self) -> tuple[int, int]:
        return self._reel.size

    @property
    def style(self) -> ClipStyle:
        return self._style

    @property
    def background(self) -> Background:
        """Always the default: a clip keeps what is behind it."""
        return SOFT

    def with_background(self, background: Background) -> Self:
        """Itself. Raises BackgroundError for any background but the default."""
        _check_background(self.package, background)
        return self

    def framed(self, size: tuple[int, int], on_progress: Progress | None = None) -> Self:
        """The same person in pictures of another size; its colours are matched anew."""
        if size == self.size:
            return self
        return type(self)(self.package, size, SOFT, self._style, on_progress)

    def matched_to(self, lipsync: LipSync) -> Self:
        """The same person with colours settled for an engine; see ``Reel.matched_to``."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._reel = self._reel.matched_to(lipsync)
        return other

    def life(self, seed: int) -> ClipLife:
        return ClipLife(len(self.package), self.package.loop, self.package.idle, seed)

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """uint8[H, W, 3] RGB, newly made; depends on mouth and ``pose.frame`` only.

        Without a mouth the clip as it was filmed. Raises ValueError for a mouth that is a shape:
        this avatar pastes what an engine painted.
        """
        if mouth is not None and mouth.patch is None and mouth.shape is not None:
            raise ValueError(
                f"avatar {self.name!r} is a clip: it takes painted mouths, such as Wav2Lip's, "
                "and cannot draw a shape"
            )
        frame = pose.frame % len(self.package)
        picture = self._reel.frames[frame].copy()
        if mouth is not None and mouth.patch is not None and mouth.weight > 0:
            self._paste(picture, frame, mouth.patch, mouth)
        return picture

    def _paste(self, picture: Image, frame: int, patch: Image, mouth: Mouth) -> None:
        reel, box = self._reel, self._reel.boxes[frame]
        weight = min(1.0, mouth.weight)
        if self._style.paste == "published":
            paste_published(picture, patch, box, mouth.place, weight)
            return
        mask, grain = reel.masks[frame], reel.grain(frame)
        paste_soft(
            picture,
            patch,
            box,
            mask,
            place=mouth.place,
            weight=weight,
            sharpen=self._style.sharpen,
            gain=None if reel.gains is None else reel.gains[frame],
            grain=None if self._enhancer else grain,  # which it would take for a fault
        )
        if self._enhancer is not None:
            restored = enhanced(picture, reel.landmarks[frame], self._enhancer)
            lay_over(picture, restored, box, mask, weight, grain)

    @property
    def has_outline(self) -> bool:
        """Never: nobody knows the outline of a filmed person."""
        return False

    def cutout(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """Raises AvatarError."""
        raise AvatarError(
            f"avatar {self.name!r} is a clip with its own background and cannot be cut out"
        )


def _check_background(package: ClipPackage, background: Background) -> None:
    if background.kind != "soft":
        raise BackgroundError(
            f"avatar {package.name!r} is a clip and keeps its own background; choose soft"
        )
