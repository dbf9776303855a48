"""``mien models optimize``: what it makes is used, said to be good or not, and whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from mien.commands.calibration import faces_of_clip, faces_of_presenters, spoken_mels
from mien.commands.models_optimize import optimize
from mien.lipsync.wav2lip import backends
from mien.lipsync.wav2lip.artefacts import artefact_folder, cache_folder, figures
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.optimize import Made, Samples, make, makeable
from mien.lipsync.wav2lip.window import MOUTH
from wav2lip_seeded import narrow, narrow_files

__all__ = ["narrow_files"]

pytest.importorskip("onnx", reason="needs onnx: pip install 'mien[wav2lip]'")

WINDOW = MOUTH(narrow().architecture)
FP32 = Choice("onnxruntime", "fp32")
INT8 = Choice("onnxruntime", "int8")

app = Typer(rich_markup_mode="rich")
app.command()(optimize)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "models"))


@pytest.fixture(scope="module")
def samples() -> Samples:
    return Samples(faces_of_presenters(96, 8), spoken_mels(8), "presenters")


def test_half_precision_for_gpus_is_measured(samples):
    made = make(narrow(), WINDOW, Choice("onnxruntime", "fp16"), samples)
    assert 60 <= made.psnr_db < 100
    assert 1e6 < made.size_bytes < 2e6  # the encoder stays in float32


def test_eight_bits_for_openvino(samples):
    pytest.importorskip("openvino", reason="needs openvino: pip install 'mien[wav2lip]'")
    int8 = Choice("openvino", "int8")
    shares: list[float] = []
    made = make(narrow(), WINDOW, int8, samples, shares.append)
    assert made.psnr_db >= 35  # of two samples that chose nothing
    assert shares == sorted(shares) and shares[-1] == 1
    assert figures(made.folder)["psnr_db"] == pytest.approx(made.psnr_db, abs=0.01)
    assert backends.load(narrow(), WINDOW, int8).feature_dtype == np.uint8


def test_an_interruption_leaves_nothing(samples):
    def interrupted(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(narrow(), WINDOW, FP32, samples, interrupted)
    assert list(cache_folder().iterdir()) == []


def test_bad_eight_bits_are_not_recommended():
    bad = Made(Choice("onnxruntime", "int8"), Path(), 35.9, 1.0)
    assert bad.verdict == "int8 35.9 dB: below 38, fp32 is preferred"
    assert Made(Choice("onnxruntime", "int8"), Path(), 38.2, 1.0).verdict == "int8 38.2 dB"


def test_what_can_be_made_here():
    assert [c.precision for c in makeable("onnxruntime")][:2] == ["fp32", "int8"]
    with pytest.raises(BackendError, match="nothing to make for torch"):
        makeable("torch")


def test_samples_come_in_pairs():
    with pytest.raises(ValueError, match="2 faces cannot go with 3 sounds"):
        Samples(np.zeros((2, 96, 96, 3), np.uint8), np.zeros((3, 80, 16), np.float32), "")


# -- what is calibrated on ---------------------------------------------------------------


def test_presenters_show_different_faces():
    faces = faces_of_presenters(96, 4)
    assert (faces.shape, faces.dtype) == ((4, 96, 96, 3), np.uint8)
    assert all(np.abs(faces[0].astype(int) - face).mean() > 2 for face in faces[1:])
    skin = faces[:, 40:56, 40:56].reshape(-1, 3).mean(0)
    assert skin[0] > skin[2]  # red, green, blue
    np.testing.assert_array_equal(faces_of_presenters(96, 4), faces)


def test_a_clip_is_seen_from_beginning_to_end():
    class Clip:
        key = "numbers"

        def __len__(self) -> int:
            return 50

        def crop(self, frame: int, size: int) -> np.ndarray:
            return np.full((size, size, 3), frame, np.uint8)

    faces = faces_of_clip(Clip(), 8, 5)
    assert [face[0, 0, 0] for face in faces] == [0, 12, 24, 37, 49]


def test_speech_is_loud_and_silent():
    mels = spoken_mels(8)
    assert (mels.shape, mels.dtype) == ((8, 80, 16), np.float32)
    assert mels.min() == -4 and mels.max() > 1
    silent = [index for index, mel in enumerate(mels) if mel.max() == -4]
    assert silent == [0, 7]


# -- the command -------------------------------------------------------------------------


@pytest.mark.usefixtures("narrow_files")
def test_the_command_makes_and_says_what_it_made(tmp_path, filmed_folder):
    save = pytest.importorskip("safetensors.numpy", reason="needs mien[wav2lip]").save_file
    path = tmp_path / "weights.safetensors"
    save(narrow().state, str(path))
    arguments = ["wav2lip", "--weights", str(path), "--backend", "onnxruntime"]
    arguments += ["--calibrate", str(filmed_folder)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "fp32 exact" in result.output
    assert "int8" in result.output and "dB" in result.output
    measured = figures(artefact_folder(narrow(), WINDOW, INT8))
    assert measured["psnr_db"] >= 35
    assert measured["faces"] == "filmed"
    assert measured["samples"] == 8
    assert measured["weights"] == "weights.safetensors"

    # What was made is what runs from now on.
    assert backends.load(narrow(), WINDOW, INT8).feature_dtype == np.uint8
    folder = artefact_folder(narrow(), WINDOW, FP32)
    (folder / "decoder.onnx").write_bytes(b"damaged")
    with pytest.raises(BackendError, match="mien models optimize"):
        backends.load(narrow(), WINDOW, FP32)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["wav2lip"], "mien models pull wav2lip"),
        (["wav2lip", "--backend", "torch"], "nothing to make for torch"),
        (["musetalk"], "wav2lip and bert-vits2 can be"),
        (["wav2lip", "--decode", "upper"], "mouth, lower, full"),
        (["wav2lip", "--weights", "/nowhere.pth"], "nowhere.pth"),
    ],
)
def test_what_the_command_refuses(arguments, text):
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "LANG": "C"})
    assert result.exit_code == 2, result.output
    assert text in result.output
    assert not cache_folder().exists()


@pytest.mark.usefixtures("narrow_files")
def test_only_clips_calibrate(tmp_path):
    save = pytest.importorskip("safetensors.numpy", reason="needs mien[wav2lip]").save_file
    save(narrow().state, str(tmp_path / "w.safetensors"))
    arguments = ["wav2lip", "--weights", str(tmp_path / "w.safetensors"), "--calibrate"]
    for avatar, text in (("mei", "mei is no clip"), ("nobody", "there is no avatar 'nobody'")):
        result = CliRunner().invoke(app, [*arguments, avatar], env={"COLUMNS": "200"})
        assert result.exit_code == 2, result.output
        assert text in result.output
