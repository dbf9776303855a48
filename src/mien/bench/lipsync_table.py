"""The table that ``mien bench lipsync`` prints."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

_FIGURES = {
    "ms_per_frame": "median",
    "cpu_ms_per_frame": "CPU",
    "ratio": "ratio",
    "psnr_db": "dB",
}


def lipsync_table(result: dict[str, Any]) -> Table:
    """What :func:`~mien.bench.lipsync.run_lipsync` found, a line per way of running."""
    batch = result["rows"][0]["batch"]
    title = f"Wav2Lip, ms per picture, batch {batch}, {result['threads']} threads"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("px", "back end", "", "cached", "window"):
        table.add_column(name, no_wrap=True)
    for name in _FIGURES.values():
        table.add_column(name, justify="right", no_wrap=True)
    for row in result["rows"]:
        on = "" if row["device"] == "cpu" else f" ({row['device']})"
        table.add_row(
            str(row["size"]),
            row["backend"] + on,
            row["precision"],
            "yes" if row["cached"] else "no",
            row["window"],
            *("-" if row[key] is None else f"{row[key]:.1f}" for key in _FIGURES),
        )
    return table
