"""Recordings of voices to be imitated, on this machine."""

from __future__ import annotations

from pathlib import Path

# Half a minute of speech is 6 MB at the most; a film that was named by mistake is larger.
_MAX_BYTES = 20 << 20


def existing_recording(path: Path | None) -> Path | None:
    """For pydantic: ``~`` is resolved, and the file is there and of a likely size."""
    if path is None:
        return None
    path = path.expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if not 0 < (size := path.stat().st_size) <= _MAX_BYTES:
        raise ValueError(f"{path} has {size} bytes; a recording of a voice has 1 … {_MAX_BYTES}")
    return path
