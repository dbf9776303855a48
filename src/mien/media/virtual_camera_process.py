"""The process that holds the virtual camera: raw pictures on stdin, lines of JSON on stdout.

pyvirtualcam is licensed under the GPL (version 2): it is loaded here and nowhere else, and this
process shares nothing with the server's but a pipe. Run as

    python -m mien.media.virtual_camera_process WIDTH HEIGHT FPS [DEVICE]

it says ``{"ready": DEVICE}`` and shows each picture of WIDTH × HEIGHT × 3 bytes (RGB) as it comes,
until its input ends: so it ends with its parent, however that goes. Failing, it says
``{"error": CODE, "detail": TEXT}`` and exits with 1; CODE is "missing_package", "no_device",
"device_busy" or "camera_failed".
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from io import BufferedReader
from typing import Any, cast

# What the backends of pyvirtualcam 0.15 say, as far as it tells the one from the other.
_ABSENT = (
    "no v4l2",
    "does not exist",
    "not installed",
    "not found",
    "no camera registered",
    "not a v",
)
_BUSY = ("busy", "in use", "could not be started")


def main(arguments: list[str]) -> int:
    # Ctrl-C and the end of a service are for the parent, which then ends this as it ends itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    width, height, fps = (int(argument) for argument in arguments[:3])
    device = arguments[3] if len(arguments) > 3 else None
    try:
        pyvirtualcam = importlib.import_module("pyvirtualcam")
        camera = pyvirtualcam.Camera(width, height, fps, device=device)
    except ModuleNotFoundError as error:
        return _fail("missing_package", error)
    except Exception as error:  # RuntimeError, and what else a driver may raise
        return _fail(_code(str(error)), error)
    _tell({"ready": camera.device})
    try:
        with camera:
            _show(camera, cast(BufferedReader, sys.stdin.buffer), (height, width, 3))
    except Exception as error:
        return _fail("camera_failed", error)
    return 0


def _show(camera: Any, source: BufferedReader, shape: tuple[int, int, int]) -> None:
    import numpy as np

    picture = np.empty(shape, np.uint8)
    while source.readinto(picture.data.cast("B")) == picture.nbytes:
        camera.send(picture)


def _code(said: str) -> str:
    said = said.lower()
    if any(words in said for words in _BUSY):
        return "device_busy"
    return "no_device" if any(words in said for words in _ABSENT) else "camera_failed"


def _fail(code: str, error: Exception) -> int:
    _tell({"error": code, "detail": str(error)})
    return 1


def _tell(message: dict[str, str]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
