"""Installs PyTorch for the tests where pip offers a build for the CPU; it is no need of mien's.

Elsewhere pip would bring a build for NVIDIA's cards, some gigabytes; then those tests skip.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from typing import Any

WANTED = "torch==2.13.0"
COMPARED_WITH = "transformers==5.23.0"  # BERT features; `make test-thorough`
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def main() -> None:
    thorough = sys.argv[1:] == ["thorough"]
    if thorough and importlib.util.find_spec("transformers") is None:
        _install(COMPARED_WITH)
    if importlib.util.find_spec("torch") is not None:
        return
    offered = _offered()
    if offered is None or not _for_the_cpu(offered):
        print(
            "PyTorch is not installed: the tests that compare with it will skip; to run them too: "
            f"{sys.executable} -m pip install torch --index-url {CPU_BUILDS}"
        )
        return
    print(f"installing PyTorch {offered['version']} for the tests")
    _install(WANTED)


def _install(what: str) -> None:
    """Not compiled: that would take longer than the tests, which import a small part."""
    how = ["--no-compile", "--constraint", "requirements.lock"]
    subprocess.run([*PIP, *how, what], check=False)


def _offered() -> dict[str, Any] | None:
    """What pip would install, as its report describes it; None where it finds nothing."""
    command = [*PIP, "--dry-run", "--no-deps", "--report", "-", WANTED]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        return None
    found: list[dict[str, Any]] = json.loads(asked.stdout)["install"]
    return found[0]["metadata"] if found else None


def _for_the_cpu(metadata: dict[str, Any]) -> bool:
    return "+cpu" in metadata["version"] or platform.system() == "Darwin"


if __name__ == "__main__":
    main()
