"""What ``mien models optimize bert-vits2`` made of a voice: where it is kept, how exact it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import platformdirs

from mien.tts.bert_vits2.backend import BackendError
from mien.tts.bert_vits2.checkpoint import Checkpoint

TEXT_FILE, FLOW_FILE, DECODER_FILE = "text.onnx", "flow.onnx", "decoder.onnx"
FIGURES = "figures.json"

FORMAT = 1
"""Of the graphs; what another version of the code made counts as absent."""


def cache_folder() -> Path:
    """Everything here can be made again."""
    return Path(platformdirs.user_cache_dir("mien", appauthor=False)) / "bert-vits2"


def graph_folder(checkpoint: Checkpoint) -> Path:
    """Where the graphs of these weights are kept; it may not exist.

    Named after the numbers, so that another voice never gets these.
    """
    return cache_folder() / f"{checkpoint.sha256[:16]}-onnx"


def figures(folder: Path) -> dict[str, Any] | None:
    """What was measured when the folder was made (``error`` …); None: there is nothing usable."""
    try:
        found = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def write_figures(folder: Path, values: dict[str, Any]) -> None:
    """values: JSON."""
    text = json.dumps({"format": FORMAT, **values}, indent=2, sort_keys=True)
    (folder / FIGURES).write_text(text + "\n", encoding="utf-8")


def made_graphs(checkpoint: Checkpoint) -> Path:
    """The folder of its graphs. Raises BackendError, which names the command that makes them."""
    folder = graph_folder(checkpoint)
    if figures(folder) is None:
        command = "mien models optimize bert-vits2 --voice …"
        raise BackendError(
            f"there are no graphs of {checkpoint.name} yet",
            f"make them with: {command}",
            f"{checkpoint.name} 尚未导出；请运行：{command}",
        )
    return folder
