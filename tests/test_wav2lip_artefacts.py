"""What is made of a checkpoint is there whole or not at all."""

from __future__ import annotations

import json
import os
import time

import pytest

from mien.lipsync.wav2lip.architecture import WAV2LIP
from mien.lipsync.wav2lip.artefacts import (
    FIGURES,
    artefact_folder,
    figures,
    write_figures,
)
from mien.lipsync.wav2lip.backend import Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.window import FULL, LOWER
from mien.weights.made import ABANDONED_SEC, written_whole


def test_a_folder_for_each_weights_window_and_way_of_running():
    one, other = (Checkpoint(WAV2LIP, {}, digest * 64, "") for digest in "ab")
    int8 = Choice("onnxruntime", "int8")
    folders = {
        artefact_folder(checkpoint, window, choice)
        for checkpoint in (one, other)
        for window in (FULL(WAV2LIP), LOWER(WAV2LIP))
        for choice in (
            int8,
            Choice("openvino", "int8"),
            Choice("onnxruntime", "fp16", "cuda"),
            Choice("onnxruntime", "fp16", "tensorrt"),
        )
    }
    assert len(folders) == 16
    threads = Choice("onnxruntime", "int8", threads=3)
    window = FULL(WAV2LIP)
    assert artefact_folder(one, window, threads) == artefact_folder(one, window, int8)


def test_it_takes_the_old_ones_place_at_the_end(tmp_path):
    folder = tmp_path / "cache" / "made"
    for text in ("first", "second"):
        with written_whole(folder) as fresh:
            (fresh / "file").write_text(text)
            assert text == "first" or (folder / "file").read_text() == "first"
        assert (folder / "file").read_text() == text
    assert os.listdir(folder.parent) == ["made"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError("no space left")])
def test_interrupted_nothing_changes(tmp_path, interruption):
    folder = tmp_path / "made"
    with written_whole(folder) as fresh:
        (fresh / "file").write_text("good")
    with pytest.raises((KeyboardInterrupt, OSError)), written_whole(folder) as fresh:
        (fresh / "file").write_text("half")
        raise interruption
    assert (folder / "file").read_text() == "good"
    assert os.listdir(tmp_path) == ["made"]


def test_what_was_killed_is_swept_away_but_not_what_is_being_made(tmp_path):
    killed, working = tmp_path / ".made.killed", tmp_path / ".made.working"
    for folder in (killed, working):
        folder.mkdir()
        (folder / "file").write_text("half")
    long_ago = time.time() - ABANDONED_SEC - 60
    os.utime(killed, (long_ago, long_ago))
    with written_whole(tmp_path / "made"):
        pass
    assert not killed.exists()
    assert working.exists()


def test_figures_are_read_back(tmp_path):
    write_figures(tmp_path, {"psnr_db": 38.5})
    assert figures(tmp_path)["psnr_db"] == 38.5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"psnr_db": 40}', '{"format": 0, "psnr_db": 40}'])
def test_figures_of_another_version_or_damaged_count_as_none(tmp_path, text):
    (tmp_path / FIGURES).write_text(text)
    assert figures(tmp_path) is None


def test_no_figures_where_nothing_was_made(tmp_path):
    assert figures(tmp_path / "nothing") is None


def test_figures_are_json_for_others(tmp_path):
    write_figures(tmp_path, {"faces": "梅"})
    assert json.loads((tmp_path / FIGURES).read_text(encoding="utf-8"))["faces"] == "梅"
