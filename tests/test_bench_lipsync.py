"""mien bench lipsync: what it measures, and that the numbers are of what they say."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.bench import lipsync
from mien.bench.cli import bench_app
from mien.bench.lipsync_process import EAGER
from mien.bench.lipsync_samples import sample_faces, sample_mels
from mien.bench.lipsync_table import lipsync_table
from wav2lip_seeded import FILES_HOLD, narrow

pytest.importorskip("openvino", reason="needs openvino: pip install 'mien[wav2lip]'")
save_file = pytest.importorskip("safetensors.numpy", reason="needs mien[wav2lip]").save_file

KEYS = "backend precision batch cached ms_per_frame cpu_ms_per_frame ratio psnr_db".split()


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One quick run of the whole command, in processes of its own, with the narrow network."""
    path = tmp_path_factory.mktemp("weights") / "narrow.safetensors"
    save_file(narrow().state, path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(FILES_HOLD, narrow().architecture)
        monkeypatch.setattr(lipsync, "_ways", lambda libraries: iter(quick_ways()))
        command = ["lipsync", "--weights", str(path), "--seconds", "1", "--json"]
        run = CliRunner().invoke(bench_app, command)
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def quick_ways() -> list[tuple[str, str, str]]:
    """One of each kind: a process starts in seconds."""
    eager = [(EAGER, "fp32", "cpu")] if find_spec("torch") else []
    return [*eager, ("openvino", "fp32", "cpu"), ("openvino", "int8", "cpu")]


@pytest.mark.thorough
def test_every_way_has_a_row_with_all_figures(result: dict) -> None:
    ways = {(row["precision"], row["cached"], row["window"]) for row in result["rows"]}
    for precision in ("fp32", "int8"):
        for cached, window in ((False, "full"), (True, "full"), (True, "lower"), (True, "mouth")):
            assert (precision, cached, window) in ways
    for row in result["rows"]:
        assert set(KEYS) <= set(row)
        assert 0 <= row["ms_best"] <= row["ms_per_frame"]
        assert row["cpu_ms_per_frame"] >= 0 and row["batch"] == 1 and row["size"] == 96
    assert result["skipped"] == []


@pytest.mark.thorough
def test_rows_say_how_close_to_float32_they_are(result: dict) -> None:
    for row in result["rows"]:
        if row["precision"] == "fp32":
            assert row["psnr_db"] is None or row["psnr_db"] > 100
        elif row["precision"] == "int8":
            assert 36 <= row["psnr_db"] < 60


@pytest.mark.thorough
def test_ratios_are_to_plain_pytorch(result: dict) -> None:
    eager = [row for row in result["rows"] if row["backend"].startswith("torch eager")]
    if not eager:
        assert "mien[torch]" in result["why_no_ratio"]
        assert all(row["ratio"] is None for row in result["rows"])
        return
    assert result["why_no_ratio"] is None
    assert all(row["window"] == "full" and not row["cached"] for row in eager)
    quickest = min(row["ms_per_frame"] for row in eager)
    for row in result["rows"]:
        assert row["ratio"] == pytest.approx(quickest / row["ms_per_frame"], rel=0.1, abs=0.02)


@pytest.mark.thorough
def test_the_table_has_a_line_for_each_row(result: dict) -> None:
    assert lipsync_table(result).row_count == len(result["rows"])


def test_a_way_that_fails_is_named_and_the_others_go_on(monkeypatch) -> None:
    ways = [("openvino", "fp16", "cpu"), ("openvino", "fp32", "cpu")]
    monkeypatch.setattr(lipsync, "_ways", lambda libraries: iter(ways))
    lower = ({"window": (48, 0, 96), "cached": True}, "lower")
    monkeypatch.setattr(lipsync, "_cases", lambda network: iter([lower]))
    found = lipsync._measure(lambda share: None, (96,), 0.1, (), 2, 1, narrow())
    assert [(s["precision"], s["backend"]) for s in found["skipped"]] == [("fp16", "openvino")]
    assert "fp16" in found["skipped"][0]["why"]
    assert {row["precision"] for row in found["rows"]} == {"fp32"}
    assert {row["batch"] for row in found["rows"]} == {2}


@pytest.mark.parametrize("wrong", [["--size", "128"], ["--backends", "tflite"]])
def test_what_is_not_there_is_refused(wrong: list[str]) -> None:
    assert CliRunner().invoke(bench_app, ["lipsync", *wrong]).exit_code == 2


def test_samples_are_varied_and_the_same_every_time() -> None:
    faces, mels = sample_faces(3, 96, 1), sample_mels(3, 1, pauses=True)
    np.testing.assert_array_equal(faces, sample_faces(3, 96, 1))
    assert faces.shape == (3, 96, 96, 3) and faces.std() > 20
    assert mels.shape == (3, 80, 16) and mels.dtype == np.float32
    assert np.all(mels[0] == -4) and mels[1].std() > 0.5
