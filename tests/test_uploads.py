"""What a body is, by its own bytes; and bodies that stop coming."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi import Request

from clips import encode, wall
from mien.problems import Problem
from mien.server import uploads
from mien.server.uploads import is_clip, picture_or_clip

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.avi", "libx264"),
        ("a.flv", "libx264"),
        ("a.wmv", "wmv2"),
    ],
)
def test_clips_are_known_whatever_they_are_called(tmp_path: Path, name: str, codec: str) -> None:
    head = encode(tmp_path / name, [wall((64, 64))] * 3, codec).read_bytes()[:16]
    assert is_clip(head, "application/octet-stream") and is_clip(head, "image/jpeg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_pictures_are_no_clips(suffix: str) -> None:
    head = cv2.imencode(suffix, np.zeros((8, 8, 3), np.uint8))[1].tobytes()[:16]
    assert not is_clip(head, "video/mp4") and not is_clip(HEIC, "video/mp4")


def test_what_says_nothing_is_what_it_is_declared() -> None:
    assert is_clip(b"\x00\x00\x01\xba" + bytes(12)), "MPEG"
    assert is_clip(b"G" * 16, "video/mp2t") and not is_clip(b"Dear Sir or Mada")
    assert not is_clip(b"") and not is_clip(b"\xff\xd8")


def body(*chunks: bytes, ends: str = "stalls") -> Request:
    """A request that sends these and then stalls, or is left."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

    async def receive() -> Any:
        if waiting:
            return waiting.pop(0)
        if ends == "leaves":
            return {"type": "http.disconnect"}
        return await asyncio.Event().wait()

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize("ends", ["stalls", "leaves"])
@pytest.mark.parametrize(
    "chunks", [(), (b"\xff\xd8\xff" + bytes(90),), (HEIC[:4] + b"ftypisom" + bytes(90),)]
)
async def test_a_body_that_does_not_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: tuple[bytes, ...], ends: str
) -> None:
    monkeypatch.setattr(uploads, "STALLED_SEC", 0.05)
    with pytest.raises(Problem) as caught:
        await picture_or_clip(body(*chunks, ends=ends), tmp_path)
    assert caught.value.code == ("left" if ends == "leaves" else "upload_stalled")
    assert not os.listdir(tmp_path)
