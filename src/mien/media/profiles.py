"""Picture sizes and rates that platforms ask for, by name."""

from __future__ import annotations

from mien.media.rendition import Rendition, VideoSettings


class ProfileError(ValueError):
    """There is no such profile; the message names those there are. zh: the same in Chinese."""

    def __init__(self, name: str) -> None:
        names = ", ".join(["source", *PROFILES])
        super().__init__(f"there is no profile {name!r}; choose one of {names}")
        self.zh = f"没有名为 {name!r} 的清晰度，可选：{names}"


def _landscape(height: int, kilobits: int) -> Rendition:
    width = round(height * 16 / 9 / 2) * 2
    return Rendition(width, height, video=_constant(kilobits), fit="contain")


def _portrait(width: int, kilobits: int) -> Rendition:
    height = round(width * 16 / 9 / 2) * 2
    return Rendition(width, height, video=_constant(kilobits), fit="cover")


def _constant(kilobits: int) -> VideoSettings:
    """Platforms watch the rate: constant, and a key frame every two seconds."""
    return VideoSettings(kilobits * 1000, keyframe_sec=2.0, preset="veryfast", constant=True)


# Rates between what YouTube, Bilibili and Douyin recommend for 25 to 30 pictures a second.
PROFILES: dict[str, Rendition] = {
    "360p": _landscape(360, 1000),
    "480p": _landscape(480, 1500),
    "540p": _landscape(540, 2000),
    "720p": _landscape(720, 3000),
    "1080p": _landscape(1080, 4500),
    "360p-portrait": _portrait(360, 1000),
    "480p-portrait": _portrait(480, 1500),
    "540p-portrait": _portrait(540, 2000),
    "720p-portrait": _portrait(720, 3000),
    "1080p-portrait": _portrait(1080, 4500),
}


def rendition_for(name: str | None) -> Rendition | None:
    """The rendition of a profile; None for "source": the shared pictures, not encoded again.

    Raises:
        ProfileError: for an unknown name.
    """
    if name in (None, "source"):
        return None
    try:
        return PROFILES[str(name)]
    except KeyError:
        raise ProfileError(str(name)) from None
