"""Nothing that mien loads reports home."""

from __future__ import annotations

import os
import subprocess
import sys


def test_onnxruntime_leaves_no_device_identifier(tmp_path):
    """Its telemetry writes one into the user's cache as soon as it is loaded."""
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", "import mien, onnxruntime"], env=environment, check=True, timeout=60
    )
    assert not list(tmp_path.rglob("deviceid"))
    assert not list(tmp_path.rglob("onnxruntime.db"))
