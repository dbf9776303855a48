"""OBS pulls the stream of a media server that the program publishes to. Only on request: it takes
half a minute, and OBS with a screen to draw on (``apt install obs-studio xvfb ffmpeg``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.avatar.background import Background
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from obs_studio import HEIGHT, WIDTH, missing

pytestmark = [
    pytest.mark.skipif(os.environ.get("MIEN_TEST_OBS") != "1", reason="set MIEN_TEST_OBS=1"),
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
    pytest.mark.timeout(400),
]
LEFT = (WIDTH - HEIGHT) // 2


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what OBS showed and heard."""
    folder = tmp_path_factory.mktemp("obs")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("may not make a network of its own: run as root")
    inside = [sys.executable, str(Path(__file__).with_name("obs_studio.py")), str(folder)]
    run = subprocess.run(["unshare", "-n", *inside], capture_output=True, text=True, timeout=300)
    log = folder / "home" / "obs.log"
    assert run.returncode == 0, f"{run.stderr}\n{log.read_text()[-2000:] if log.exists() else ''}"
    return folder


def picture(path: Path) -> NDArray[np.int_]:
    """The square with the presenter, RGB."""
    shown = cv2.imread(str(path))
    assert shown.shape == (HEIGHT, WIDTH, 3)
    return shown[:, LEFT : LEFT + HEIGHT, ::-1].astype(int)


def test_the_programme_shows_the_presenter(recorded: Path) -> None:
    seen = picture(recorded / "rest.png")
    mei = load_avatar("mei", (HEIGHT, HEIGHT), Background.parse("#203040"))
    true = mei.compose(0, None, Pose()).astype(int)
    likeness = np.corrcoef(seen[..., 1].ravel(), true[..., 1].ravel())[0, 1]
    assert likeness > 0.9
    assert np.abs(seen[20, 20] - (0x20, 0x30, 0x40)).max() < 12, "colours as they were sent"


def test_lips_move_and_the_voice_is_heard(recorded: Path) -> None:
    x, y, w, h = load_avatar("mei", (HEIGHT, HEIGHT)).stage.mouth_place
    rest = picture(recorded / "rest.png")[y : y + h, x : x + w]
    moved = [
        np.abs(picture(path)[y : y + h, x : x + w] - rest).mean()
        for path in sorted(recorded.glob("speaking-*.png"))
    ]
    assert len(moved) == 6 and max(moved) > 8
    assert max(json.loads((recorded / "levels.json").read_text())) > 0.1
