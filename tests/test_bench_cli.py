"""The command line of ``mien bench``, and the life of the server it measures."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from mien.bench.cli import bench_app
from mien.bench.server import ServerDied, running_server
from voice_dialects import gpt_sovits
from voice_servers import voice_server_thread

runner = CliRunner()


@pytest.mark.thorough
def test_any_voice_is_measured_and_no_other_in_its_place(tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    with voice_server_thread(gpt_sovits) as anna:
        config.write_text(
            f'[voices.anna]\nservice = "gpt-sovits"\nurl = "{anna.url}"\n'
            'ref_audio_path = "a"\nprompt_text = "b"\n'
        )
        command = ["latency", "--turns", "1", "--voice", "anna", "--config", str(config), "--json"]
        result = runner.invoke(bench_app, command)
        assert result.exit_code == 0, result.stderr
        figures = json.loads(result.stdout)
        assert figures["voice"] == "anna"
        for key in (
            "text_to_packet_ms",
            "text_to_frame_ms",
            "pcm_to_packet_ms",
            "interrupt_to_silence_ms",
        ):
            assert figures[key]["n"] == 1, figures
            assert figures[key]["p50"] is not None and figures[key]["p95"] is not None
        assert figures["stages"]["first_packet"]["n"] == 1
        assert figures["not_idle_after_interrupt"] == 0 and figures["events_after_interrupt"] == 0
        assert len(anna.texts) >= 3, "warm-up and measured turns"
        anna.fault = "http_500"
        failed = runner.invoke(bench_app, command)
    assert failed.exit_code == 2 and not failed.stdout
    assert "anna: GPT-SoVITS" in failed.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("sessions --n 2", {"sessions", "fps_p5", "late_ticks", "cpu_percent", "rss_mb"}),
        ("idle", {"cpu_percent", "compose_ms", "encode_ms", "fps", "rss_mb"}),
    ],
)
def test_short_runs_have_every_figure(command: str, keys: set[str]) -> None:
    result = runner.invoke(bench_app, [*command.split(), "--seconds", "3", "--json"])
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert keys <= figures.keys()
    assert all(figures[key] is not None for key in keys), figures


def test_unknown_voice_is_told_in_words() -> None:
    result = runner.invoke(bench_app, ["latency", "--voice", "nobody"])
    assert result.exit_code == 2
    assert "unknown voice 'nobody'" in result.stderr


def test_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(ServerDied, match="there is no avatar"),
        running_server("product", avatar="nobody"),
    ):
        pass


def test_server_ends_with_the_process_that_started_it() -> None:
    script = (
        "import os\n"
        "from mien.bench.server import running_server\n"
        "with running_server('marker') as server:\n"
        "    print(server.pid, flush=True)\n"
        "    os._exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 90
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.1)
