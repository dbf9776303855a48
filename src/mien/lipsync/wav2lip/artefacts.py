"""What ``mien models optimize`` made of a checkpoint: where it is kept and how good it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import platformdirs

from mien.lipsync.wav2lip.backend import Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.window import Window

FIGURES = "figures.json"

FORMAT = 1
"""Of the graphs; what another version of the code made counts as absent."""

# Below this an int8 network is visibly worse than its own float32 on trained weights, and bfloat16
# is preferred where it can be had.
GOOD_PSNR_DB = 38.0


def cache_folder() -> Path:
    """Everything here can be made again."""
    return Path(platformdirs.user_cache_dir("mien", appauthor=False)) / "wav2lip"


def artefact_folder(checkpoint: Checkpoint, window: Window, choice: Choice) -> Path:
    """Where what ``choice`` needs to run these weights is kept; it may not exist.

    Named after the weights, so that another checkpoint never gets these.
    """
    how = choice.backend if choice.device == "cpu" else choice.device
    return cache_folder() / f"{checkpoint.sha256[:16]}-{window.key}-{how}-{choice.precision}"


def figures(folder: Path) -> dict[str, Any] | None:
    """What was measured when the folder was made (``psnr_db`` …); None: there is nothing usable."""
    try:
        found = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def write_figures(folder: Path, values: dict[str, Any]) -> None:
    """values: JSON; ``psnr_db`` decides whether int8 is used unasked."""
    text = json.dumps({"format": FORMAT, **values}, indent=2, sort_keys=True)
    (folder / FIGURES).write_text(text + "\n", encoding="utf-8")
