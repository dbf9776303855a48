"""mien bench voice: what it measures, and that the numbers are of what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bert_vits2_seeded import tiny
from mien.bench import voice
from mien.bench.cli import bench_app
from mien.bench.voice_cli import voice_table

pytest.importorskip("torch", reason="needs PyTorch: pip install 'mien[bert-vits2]'")
pytest.importorskip("onnx", reason="needs onnx: pip install 'mien[bert-vits2]'")
pytest.importorskip("safetensors", reason="needs safetensors: pip install 'mien[bert-vits2]'")


WAYS = [("torch eager", "fp32", "cpu"), ("onnxruntime", "fp32", "cpu")]
"""One of each kind: a process starts in seconds."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One quick run of the whole command on a small voice, in processes of its own."""
    folder = tiny(tmp_path_factory.mktemp("voice"))
    command = ["voice", "--voice", str(folder), "--rounds", "1", "--threads", "1", "--json"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(voice, "_ways", lambda libraries: iter(WAYS))
        run = CliRunner().invoke(bench_app, command)
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


@pytest.mark.thorough
def test_every_way_has_a_row_with_all_figures(result: dict) -> None:
    ways = [(row["backend"], row["precision"], row["device"]) for row in result["rows"]]
    assert ways == WAYS
    assert result["skipped"] == [] and result["threads"] == 1
    assert 2 < result["seconds"] < 30
    for row in result["rows"]:
        assert 0 < row["first_chunk_ms"] <= row["whole_ms"]
        factor = row["whole_ms"] / 1000 / result["seconds"]
        assert row["real_time_factor"] == pytest.approx(factor, rel=0.02, abs=1e-3)
        assert row["gap_ms"] >= 0 and row["cpu_ms"] > 0


@pytest.mark.thorough
def test_ratios_are_to_the_quicker_plain_run(result: dict) -> None:
    plain = [row for row in result["rows"] if row["backend"].startswith("torch eager")]
    assert all(row["first_chunk_ms"] == row["whole_ms"] for row in plain)
    quickest = min(row["whole_ms"] for row in plain)
    for row in result["rows"]:
        for figure, ratio in (("whole_ms", "ratio_whole"), ("first_chunk_ms", "ratio_first")):
            assert row[ratio] == pytest.approx(quickest / row[figure], rel=0.02, abs=0.02)


@pytest.mark.thorough
def test_all_say_the_same(result: dict) -> None:
    assert result["rows"][0]["error"] is None
    for row in result["rows"][1:]:
        assert row["error"] <= 1e-4


def test_a_gap_is_how_long_playback_stood_still() -> None:
    answer = {"ready_ms": [100.0, 150.0, 1400.0, 1500.0], "samples": [44_100, 4410, 4410, 4410]}
    assert voice._gap(answer, 44_100) == pytest.approx(1400 - (100 + 1000 + 100))
    answer["ready_ms"] = [100.0, 150.0, 1150.0, 1250.0]
    assert voice._gap(answer, 44_100) == 0


@pytest.mark.thorough
def test_the_table_has_a_line_for_each_row(result: dict) -> None:
    assert voice_table(result).row_count == len(result["rows"])


def test_a_way_that_fails_is_named_and_the_others_go_on(tmp_path: Path, monkeypatch) -> None:
    ways = [("onnxruntime", "fp16", "cpu"), ("torch", "fp32", "cpu")]
    monkeypatch.setattr(voice, "_ways", lambda libraries: iter(ways))
    monkeypatch.setattr(voice, "_graphs", lambda folder, *_: folder)
    found = voice._measure(lambda share: None, 1, (), 1, str(tiny(tmp_path)))
    assert [row["backend"] for row in found["rows"]] == ["torch"]
    assert found["rows"][0]["ratio_whole"] is None
    ((skipped,)) = found["skipped"]
    assert skipped["backend"] == "onnxruntime" and "fp16" in skipped["why"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(["--backends", "tflite"], "tflite"), (["--voice", "nowhere"], "no such file")],
)
def test_what_is_not_there_is_refused(wrong: list[str], said: str) -> None:
    run = CliRunner().invoke(bench_app, ["voice", *wrong])
    assert run.exit_code == 2
    assert said in run.output
