"""What ``mien models optimize`` made of weights that nobody uses any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import platformdirs

from mien.models.catalogue import catalogue
from mien.models.store import all_installed
from mien.weights.tensor import CheckpointError

Weights = Mapping[str, Iterable[Path]]
"""By engine: the files or folders that its users' settings name."""


def unused_caches(named: Weights) -> Iterator[tuple[str, Path]]:
    """Engines and folders that belong to no weights of the store and to none of ``named``.

    Reads the weights, which takes a second each, where there is anything to judge. Where weights
    that are named cannot be read, what was made of them cannot be told from the rest: it all stays.
    """
    for engine, key in KEYS.items():
        folder = Path(platformdirs.user_cache_dir("mien", appauthor=False)) / engine
        found = sorted(entry for entry in folder.glob("*") if entry.is_dir())
        if not found:
            continue
        try:
            used = {key(path) for path in {*_installed(engine), *named.get(engine, ())}}
        except (CheckpointError, OSError):
            continue
        for entry in found:
            # What a killed process was making is called ".KEY-….xxxx".
            if entry.name.removeprefix(".").partition("-")[0] not in used:
                yield engine, entry


def _installed(engine: str) -> Iterator[Path]:
    for found in all_installed():
        if catalogue()[found.name].engine == engine:
            yield found.path if engine == "wav2lip" else found.folder


def _wav2lip(path: Path) -> str:
    from mien.lipsync.wav2lip.checkpoint import read_checkpoint

    return read_checkpoint(path).sha256[:16]


def _bert_vits2(path: Path) -> str:
    from mien.tts.bert_vits2.checkpoint import load_voice

    return load_voice(path).sha256[:16]


# Folders below the user's caches, and what the names of those in it begin with.
KEYS: dict[str, Callable[[Path], str]] = {"wav2lip": _wav2lip, "bert-vits2": _bert_vits2}
