"""``mien bench`` as far as nothing is measured in real time."""

import json

import pytest
from typer.testing import CliRunner

from mien.bench.cli import bench_app

runner = CliRunner()


@pytest.mark.parametrize(
    "command",
    ["sync", "latency", "sessions", "soak", "idle", "compose", "viseme", "lipsync", "rtmp"],
)
def test_help_says_what_is_measured(command: str) -> None:
    result = runner.invoke(bench_app, [command, "--help"])
    assert result.exit_code == 0
    assert "--json" in result.stdout


def test_compose_has_every_case() -> None:
    result = runner.invoke(bench_app, ["compose", "--ticks", "3", "--json"])
    assert result.exit_code == 0, result.stderr
    runs = json.loads(result.stdout)["runs"]
    cases = {(r["presenter"], r["width"], r["height"], r["background"]) for r in runs}
    assert {("mei", 512, 512, "soft"), ("mei", 720, 1280, "image")} <= cases
    assert len(cases) == len(runs) and len(runs) % 4 == 0
    for run in runs:
        assert all(run[key]["n"] == 3 for key in ("compose_ms", "i420_ms", "total_ms"))
