"""Voices on disk: every form they are published in, what they are told apart by, and wrong ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bert_vits2_seeded import (
    CONFIG,
    SMALL,
    VARIANTS,
    golden,
    seeded,
    tiny,
    write_config,
)
from mien.tts.bert_vits2.architecture import parameters
from mien.tts.bert_vits2.checkpoint import CheckpointError, inspect, load_voice
from mien.tts.bert_vits2.config import read_config
from mien.tts.bert_vits2.seeded import published_state, seeded_tensor
from mien.tts.bert_vits2.variant import VariantError, detect

NO_TORCH = "writing PyTorch's files needs PyTorch: pip install 'mien[bert-vits2]'"
NO_SAFETENSORS = "needs safetensors: pip install 'mien[bert-vits2]'"


# -- the forms they come in --------------------------------------------------------------


def _published(torch) -> dict:
    """The small voice as training saves it, with parts of what only training uses."""
    state = {key: torch.from_numpy(value) for key, value in published_state(SMALL).items()}
    state["enc_q.pre.weight"] = torch.zeros(32, 1025, 1)
    state["sdp.post_pre.weight"] = torch.zeros(32, 1, 1)
    state["sdp.flows.1.pre.weight"] = torch.zeros(32, 1, 1)
    return state


def _training(torch, path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([parameter], lr=1e-4)
    parameter.sum().backward()
    optimizer.step()
    everything = {
        "model": _published(torch),
        "iteration": 12,
        "optimizer": optimizer.state_dict(),
        "learning_rate": 1e-4,
    }
    torch.save(everything, path)


def _compressed(torch, path: Path) -> None:
    """Half precision, without the posterior encoder."""
    state = {k: v.half() for k, v in _published(torch).items() if not k.startswith("enc_q.")}
    torch.save({"model": state, "iteration": 0, "optimizer": None, "learning_rate": 0}, path)


def _parametrized(torch, path: Path) -> None:
    """Weight norms by the names that they have since PyTorch 2."""
    state = {}
    for key, value in _published(torch).items():
        for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
            if key.endswith(f".{old}"):
                key = key.removesuffix(old) + f"parametrizations.weight.{new}"
        state[key] = value
    torch.save({"model": state}, path)


FORMS: dict[str, tuple[Callable, float]] = {
    "training": (_training, 1e-6),
    "compressed": (_compressed, 2e-3),
    "parametrized": (_parametrized, 1e-6),
    "bare": (lambda torch, path: torch.save(_published(torch), path), 1e-6),
    "several GPUs": (
        lambda torch, path: torch.save(
            {"model": {f"module.{k}": v for k, v in _published(torch).items()}}, path
        ),
        1e-6,
    ),
    "legacy": (
        lambda torch, path: torch.save(
            {"model": _published(torch)}, path, _use_new_zipfile_serialization=False
        ),
        1e-6,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_weights(form: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    write, tolerance = FORMS[form]
    write_config(tmp_path, replace(CONFIG, speakers={"anna": 0, "bert": 1}))
    write(torch, tmp_path / "G_7000.pth")
    voice = load_voice(tmp_path)
    assert (voice.variant, voice.name) == (SMALL, "G_7000.pth")
    expected = seeded(SMALL).state
    assert voice.state.keys() == expected.keys() == parameters(SMALL).keys()
    for key, value in expected.items():
        assert voice.state[key].dtype == np.float32
        assert np.abs(voice.state[key] - value).max() <= tolerance * max(1, np.abs(value).max())


def test_safetensors_and_what_config_json_says(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason=NO_SAFETENSORS)
    voice = load_voice(tiny(tmp_path))
    assert voice.variant == SMALL and voice.variant.hop == 512
    assert voice.config.sample_rate == 44_100 and voice.config.add_blank
    assert voice.config.version == "2.3"
    assert voice.config.speaker("bert") == 1 and voice.config.speaker(None) == 0
    with pytest.raises(CheckpointError, match="no speaker is called 'carl'; there are: anna, bert"):
        voice.config.speaker("carl")
    assert inspect(tmp_path) == (voice.variant, voice.config)


def test_the_same_weights_have_the_same_name_in_the_cache(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason=NO_SAFETENSORS)
    first, second = load_voice(tiny(tmp_path / "a")), load_voice(tiny(tmp_path / "b"))
    assert first.sha256 == second.sha256
    assert load_voice(tiny(tmp_path / "c", replace(SMALL, languages=4))).sha256 != first.sha256


def test_of_several_the_longest_trained_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason=NO_SAFETENSORS)
    written = tiny(tmp_path) / "G_0.safetensors"
    (tmp_path / "models").mkdir()
    for name in ("G_900.safetensors", "G_12000.safetensors", "D_99000.safetensors"):
        (tmp_path / "models" / name).write_bytes(written.read_bytes())
    assert load_voice(tmp_path).name == "G_12000.safetensors"
    # One of them by its path: config.json lies one folder above.
    assert load_voice(tmp_path / "models" / "G_900.safetensors").name == "G_900.safetensors"


# -- which variant it is -----------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_told_from_its_shapes(name: str) -> None:
    assert detect(parameters(VARIANTS[name])) == VARIANTS[name]


@pytest.mark.parametrize("name", ["2.0", "2.1", "2.2", "jpextra", "zhextra"])
def test_as_many_parameters_as_the_reference_has(name: str) -> None:
    """Its count has, besides, what training alone uses; codebooks are not in it."""
    _, facts = golden(name)
    training = {"sdp.flows.1": 0, "sdp.post": 0}
    variant = VARIANTS[name]
    one_flow = sum(
        np.prod(shape)
        for key, shape in parameters(variant).items()
        if key.startswith("sdp.flows.3.")
    )
    convs = sum(
        np.prod(shape) for key, shape in parameters(variant).items() if key.startswith("sdp.convs.")
    )
    training["sdp.flows.1"] = one_flow
    # post_pre, post_proj, post_convs, and flows like those of the other half.
    training["sdp.post"] = (2 * 192 + 192 * 193 + convs) + 4 * one_flow + 4
    normed = sum(
        shape[0]
        for key, shape in parameters(variant).items()
        if key.startswith(("dec.ups.", "dec.resblocks.")) and key.endswith(".weight")
    )
    counted = sum(
        np.prod(shape) for key, shape in parameters(variant).items() if "_codebook" not in key
    )
    total = (counted + sum(training.values()) + normed) / 1e6
    assert total == pytest.approx(facts["infer_params_M"], abs=0.012)


def test_weights_are_those_of_the_reference() -> None:
    """Its spot checks, of each of its rules for filling a tensor."""
    for key, shape, first in (
        ("enc_p.emb.weight", (112, 192), (0.2987695, -0.4591553, -0.2023854)),
        ("enc_p.encoder.spk_emb_linear.weight", (192, 512), (-0.157207, 0.3121671, 0.1564686)),
        ("enc_p.encoder.attn_layers.0.emb_rel_k", (1, 9, 96), (-0.02010103, 0.06233531, 0.1222426)),
        ("enc_p.encoder.norm_layers_1.0.gamma", (192,), (0.931008, 1.078226, 0.9752458)),
        ("flow.flows.0.post.weight", (96, 192, 1), (-0.06787838, -0.007819252, -0.01760251)),
        ("sdp.flows.0.m", (2, 1), (0.05201577, 0.0159576)),
        (
            "dec.ups.0.weight",
            (512, 256, 16),
            np.multiply(0.7, (0.009663908, 0.009005844, -0.0316244)),
        ),
    ):
        assert parameters(VARIANTS["2.0"])[key] == shape
        assert seeded_tensor(key, shape).ravel()[: len(first)] == pytest.approx(first, rel=1e-5)


# -- what is wrong with others -----------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said", "zh"),
    [
        ({"enc_p.en_bert_proj.weight": None}, "Bert-VITS2 1.1; versions 2.0 to 2.3", "1.1 的声音"),
        (
            {"enc_p.en_bert_proj.weight": None, "enc_p.ja_bert_proj.weight": None},
            "1.0 or the first Extra",
            "支持 2.0 至 2.3",
        ),
        (
            {"flow.flows.0.enc.attn_layers.0.conv_q.weight": None},
            "flow is made of convolutions",
            "flow 由卷积构成",
        ),
        ({"dec.conv_pre.weight": None}, "not the weights of a Bert-VITS2 voice", "不是 Bert-VITS2"),
        ({"dp.conv_1.weight": None}, "2.0, but dp.conv_1.weight is missing", "缺少 dp.conv_1"),
        ({"dec.ups.4.weight": None}, "decoder has 4 stages, config.json names 5", "解码器有 4 级"),
    ],
)
def test_other_networks_are_named(change: dict, said: str, zh: str) -> None:
    shapes = {k: v for k, v in parameters(SMALL).items() if k not in change}
    with pytest.raises(VariantError, match=said) as refusal:
        detect(shapes)
    assert zh in refusal.value.zh


def _broken(tmp_path: Path, change: Callable[[dict], None]) -> Path:
    library = pytest.importorskip("safetensors.numpy", reason=NO_SAFETENSORS)
    folder = tiny(tmp_path)
    state = seeded(SMALL).state
    change(state)
    library.save_file(state, folder / "G_0.safetensors")
    return folder


def test_tensors_that_do_not_fit_are_named(tmp_path: Path) -> None:
    def change(state: dict) -> None:
        del state["flow.flows.2.post.bias"]
        state["dec.resblocks.7.convs2.1.bias"] = np.zeros(5, np.float32)

    with pytest.raises(VariantError) as refusal:
        load_voice(_broken(tmp_path, change))
    for part in (
        "G_0.safetensors",
        "missing (1): flow.flows.2.post.bias",
        "unlike (1): dec.resblocks.7.convs2.1.bias 5 instead of",
    ):
        assert part in str(refusal.value)


def test_lengths_without_their_directions_are_refused(tmp_path: Path) -> None:
    def change(state: dict) -> None:
        weight = state.pop("dec.ups.0.weight")
        state["dec.ups.0.weight_v"] = weight
        state["dec.ups.0.weight_g"] = np.ones((3, 1, 1), np.float32)

    with pytest.raises(CheckpointError, match=r"dec\.ups\.0\.weight_g is missing or of another"):
        load_voice(_broken(tmp_path, change))


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    def change(state: dict) -> None:
        state["dp.proj.bias"][:] = np.nan

    with pytest.raises(CheckpointError, match="not numbers"):
        load_voice(_broken(tmp_path, change))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file or folder"):
        load_voice(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no weights in it"):
        load_voice(tmp_path)
    (tmp_path / "G_0.pth").write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match=r"config\.json is missing; it belongs beside"):
        load_voice(tmp_path)
    write_config(tmp_path, CONFIG)
    with pytest.raises(CheckpointError, match="a web page"):
        load_voice(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("{}", r"no config\.json of a Bert-VITS2 voice \(KeyError\('data'\)\)"),
        ('{"data": 3, "model": {}}', "no config.json of a Bert-VITS2 voice"),
        (
            json.dumps({"data": {"sampling_rate": 1, "spk2id": {}}, "model": {"resblock": "2"}}),
            "resblocks of another kind",
        ),
    ],
)
def test_a_config_of_something_else_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=said):
        read_config(tmp_path / "config.json")


def test_a_pickle_that_runs_something_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)

    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    write_config(tmp_path, CONFIG)
    torch.save({"model": {"enc_p.emb.weight": Harm()}}, tmp_path / "G_0.pth")
    with pytest.raises(CheckpointError, match="nothing of it was run"):
        load_voice(tmp_path)
    assert not (tmp_path / "ran").exists()
