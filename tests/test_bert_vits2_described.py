"""What the settings of a Bert-VITS2 voice name: found, or refused in words, in two languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_vits2_seeded import SMALL, tiny
from mien.tts.bert_vits2.described import Described, describe
from mien.tts.bert_vits2.settings import BertVits2Settings
from mien.tts.bert_vits2.variant import Variant
from mien.tts.voice import VoiceError

pytest.importorskip("safetensors", reason="needs safetensors: pip install 'mien[bert-vits2]'")

CLAP = replace(SMALL, name="2.2", emotion="clap512")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    variants: dict[str, Variant] = {
        "2.0": SMALL,
        "2.1": replace(SMALL, name="2.1", emotion="vector1024"),
        "2.2": CLAP,
        "jpextra": replace(CLAP, name="jpextra", bert_widths={"bert": 1024}),
        "zhextra": replace(CLAP, name="zhextra", bert_widths={"bert": 2048}, pre_bert=64),
    }
    folder = tmp_path_factory.mktemp("models")
    return {name: tiny(folder / name, variant) for name, variant in variants.items()}


def described(model: Path | str | None, **settings: Any) -> Described:
    return describe(BertVits2Settings(model=None if model is None else str(model), **settings))


def refusal(model: Path | str | None, **settings: Any) -> VoiceError:
    with pytest.raises(VoiceError) as caught:
        described(model, **settings)
    error = caught.value
    assert not error.retryable
    assert any("\u4e00" <= c <= "\u9fff" for c in error.zh), "said in Chinese, too"
    return error


def vector(folder: Path, values: np.ndarray) -> Path:
    np.save(folder / "emotion.npy", values)
    return folder / "emotion.npy"


@pytest.mark.parametrize("name", ["2.0", "2.1", "2.2", "zhextra"])
def test_a_model_is_known_by_its_weights(models: dict[str, Path], name: str) -> None:
    voice = described(models[name])
    assert voice.variant.name == name
    assert (voice.speaker, voice.emotion) == (0, None)
    assert voice.config.sample_rate == 44_100


def test_speakers_go_by_name_and_number(models: dict[str, Path]) -> None:
    wanted = {speaker: described(models["2.0"], speaker=speaker).speaker for speaker in ("bert", 1)}
    assert wanted == {"bert": 1, 1: 1}
    assert described(models["2.0"], speaker="1").speaker == 1, "as the environment says numbers"


@pytest.mark.parametrize("speaker", ["carl", 2, -1, "²"])
def test_an_unknown_speaker_is_told_who_there_is(
    models: dict[str, Path], speaker: int | str
) -> None:
    error = refusal(models["2.0"], speaker=speaker)
    assert "anna, bert" in str(error) and "anna, bert" in error.zh


def test_what_takes_no_emotion_refuses_one(models: dict[str, Path]) -> None:
    assert "takes no emotion" in str(refusal(models["2.0"], emotion=1))


def test_2_1_takes_a_code_or_a_vector(models: dict[str, Path], tmp_path: Path) -> None:
    assert described(models["2.1"], emotion=9).emotion == 9
    assert "0 to 9" in str(refusal(models["2.1"], emotion=10))
    values = np.arange(1024, dtype=np.float64)
    found = described(models["2.1"], emotion=vector(tmp_path, values)).emotion
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert np.array_equal(found, values)


@pytest.mark.parametrize("name", ["2.2", "zhextra"])
def test_clap_variants_take_a_vector_only(
    models: dict[str, Path], tmp_path: Path, name: str
) -> None:
    found = described(models[name], emotion=vector(tmp_path, np.ones((1, 512), np.float16))).emotion
    assert isinstance(found, np.ndarray) and found.shape == (512,)
    assert "512 numbers" in str(refusal(models[name], emotion=3))


@pytest.mark.parametrize(
    "values", [np.ones(511), np.full(512, np.nan), np.array(["a"] * 512), np.ones(512, complex)]
)
def test_a_vector_that_is_none_is_refused(
    models: dict[str, Path], tmp_path: Path, values: np.ndarray
) -> None:
    assert "512 numbers" in str(refusal(models["2.2"], emotion=vector(tmp_path, values)))


def test_an_emotion_file_is_data_and_never_run(models: dict[str, Path], tmp_path: Path) -> None:
    pickled = vector(tmp_path, np.array([print], object))
    assert "cannot be read" in str(refusal(models["2.2"], emotion=pickled))
    (tmp_path / "text.npy").write_text("happy")
    assert "cannot be read" in str(refusal(models["2.2"], emotion=tmp_path / "text.npy"))
    assert "cannot be read" in str(refusal(models["2.2"], emotion=tmp_path / "none.npy"))


def test_japanese_models_are_refused_in_words(models: dict[str, Path]) -> None:
    assert "Japanese" in str(refusal(models["jpextra"]))


def test_missing_models_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "none"))
    assert "model =" in str(refusal(None))
    assert "there is no such" in str(refusal(tmp_path / "nowhere"))
    assert "no weights" in str(refusal(tmp_path))
    pull = refusal("chinese-roberta-wwm-ext-large")
    assert "mien models pull" in str(pull) and "mien models pull" in pull.zh


def test_a_config_that_is_missing_or_broken_is_named(
    models: dict[str, Path], tmp_path: Path
) -> None:
    weights = (models["2.0"] / "G_0.safetensors").read_bytes()
    (tmp_path / "G_0.safetensors").write_bytes(weights)
    assert "config.json is missing" in str(refusal(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert "config.json" in str(refusal(tmp_path))
