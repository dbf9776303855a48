"""Small files that are whole whenever somebody reads them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Whole or not at all: another process may be reading it."""
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".", delete=False
    ) as part:
        part.write(text)
    os.chmod(part.name, 0o644)
    os.replace(part.name, path)
