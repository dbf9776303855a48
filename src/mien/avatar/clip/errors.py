"""Why a clip cannot become an avatar: which frames, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from mien.avatar.photo.errors import PhotoError
from mien.media.tick import FPS


class ClipError(PhotoError):
    """A refusal as ``PhotoError`` is one: a stable ``code``, and one sentence in each language."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames ``first`` … ``last``, both included, counted at 25 fps from the clip's own start."""

    first: int
    last: int

    @property
    def en(self) -> str:
        if self.first == self.last:
            return f"frame {self.first} ({self.first / FPS:.2f} s)"
        return f"frames {self.first}–{self.last} ({self.first / FPS:.2f}–{self.last / FPS:.2f} s)"

    @property
    def zh(self) -> str:
        if self.first == self.last:
            return f"第 {self.first} 帧（{self.first / FPS:.2f} 秒）"
        return f"第 {self.first}–{self.last} 帧（{self.first / FPS:.2f}–{self.last / FPS:.2f} 秒）"


def spans(frames: list[int], bridge: int = 1) -> list[Span]:
    """Ascending frame numbers as runs; gaps shorter than ``bridge`` frames do not end one."""
    found: list[Span] = []
    for frame in frames:
        if found and frame - found[-1].last <= bridge:
            found[-1] = Span(found[-1].first, frame)
        else:
            found.append(Span(frame, frame))
    return found


def said(found: list[Span], most: int = 3) -> tuple[str, str]:
    """The spans in English and in Chinese; beyond ``most`` they are counted."""
    more = len(found) - most
    en = ", ".join(s.en for s in found[:most]) + (f" and {more} more times" if more > 0 else "")
    zh = "、".join(s.zh for s in found[:most]) + (f" 等共 {len(found)} 处" if more > 0 else "")
    return en, zh
