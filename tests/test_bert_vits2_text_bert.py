"""BERT features: the networks, what each symbol gets of them, and folders that are not as hoped."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra bert-vits2")
pytest.importorskip("rjieba", reason="needs the extra bert-vits2")
pytest.importorskip("sentencepiece", reason="needs the extra bert-vits2")
pytest.importorskip("safetensors", reason="writes safetensors")


from bert_folders import LAYERS, WIDTH, character_bert, config, piece_bert, weights
from mien.tts.bert_vits2.text import Berts, Phonemes, analyse, bert_names, scheme_of
from mien.tts.bert_vits2.text.bert import Bert, BertMissing, spread
from mien.tts.bert_vits2.text.bert_tokens import tokenizer
from mien.tts.bert_vits2.text.phonemes import BertText
from mien.tts.voice import Run, VoiceError
from mien.weights.archive import open_archive

SCHEME = scheme_of("2.0", "2.0")
ZH, EN = Run("zh", "你好，世界！"), Run("en", "Hello, the tokens are pieces of words.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return character_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return piece_bert(tmp_path_factory.mktemp("deberta"))


def _hidden(described: dict[str, Any], ids: list[int]) -> np.ndarray[Any, Any]:
    """Hidden state -3 of the same weights in Hugging Face's implementation."""
    torch = pytest.importorskip("torch", reason="compares with Hugging Face's implementation")
    transformers = pytest.importorskip("transformers", reason="compares with it")
    cases = {
        "bert": (transformers.BertConfig, transformers.BertModel),
        "megatron-bert": (transformers.MegatronBertConfig, transformers.MegatronBertModel),
        "deberta-v2": (transformers.DebertaV2Config, transformers.DebertaV2Model),
    }
    configuration, model = cases[described["model_type"]]
    network = model(configuration(**described)).eval()
    state = {k: torch.from_numpy(v) for k, v in weights(described, "").items()}
    missing, _ = network.load_state_dict(state, strict=False)
    assert all("pooler" in key or "position_ids" in key for key in missing)
    with torch.no_grad():
        found = network(torch.tensor([ids]), output_hidden_states=True).hidden_states
    assert len(found) == LAYERS + 1
    rows: np.ndarray[Any, Any] = found[-3][0].numpy()
    return rows


@pytest.mark.thorough  # the recorded numbers below are its answers
@pytest.mark.parametrize("kind", ["bert", "megatron-bert"])
def test_chinese_features_are_those_of_the_third_layer_from_the_top(
    tmp_path: Path, kind: str
) -> None:
    found = analyse([ZH], SCHEME)
    features = Bert("x", character_bert(tmp_path, kind)).features(found.texts[0])
    assert features.dtype == np.float32 and features.shape == (WIDTH, len(found))
    ids, _ = tokenizer(tmp_path)(found.texts[0].text)
    assert ids == [2, 5, 6, 13, 7, 8, 14, 3]
    hidden = _hidden(config(kind), ids)
    expected = np.repeat(hidden, [3, 4, 4, 2, 4, 4, 2, 2], axis=0)
    assert np.abs(features.T - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_att_key": False},
        {"norm_rel_ebd": "none", "pos_att_type": ["c2p"]},
        {"position_biased_input": True, "type_vocab_size": 2, "pos_att_type": ["p2c", "c2p"]},
        {"hidden_act": "gelu_new"},
    ],
)
@pytest.mark.thorough
def test_english_features_are_those_of_the_third_layer_from_the_top(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    found = analyse([EN], SCHEME)
    features = Bert("x", piece_bert(tmp_path, **changes)).features(found.texts[0])
    ids, spans = tokenizer(tmp_path)(found.texts[0].text)
    assert len(ids) > 20  # distances beyond the buckets
    hidden = _hidden(config("deberta-v2", **changes), ids)
    expected = hidden[spread(found.texts[0], spans)]
    assert np.abs(features.T - expected).max() < 1e-5 * np.abs(expected).max()


# Recorded from Hugging Face's transformers 5.23, for where it is not installed: the first three
# features of the tokens 2 5 6 3.
GOLDEN = {
    "bert": [
        [1.400113, -1.028024, 1.516201],
        [0.370736, -1.697455, 0.602529],
        [1.321762, -1.500605, 0.753782],
        [1.871759, -1.381080, 0.996323],
    ],
    "megatron-bert": [
        [0.920048, 0.761319, 2.820323],
        [-0.847011, 0.659136, 1.421282],
        [-1.000855, 1.278271, 1.681801],
        [-0.715717, 1.322827, 1.008410],
    ],
    "deberta-v2": [
        [1.554570, -0.770708, -0.100659],
        [-1.042162, 0.127046, -1.185158],
        [0.203448, -0.061125, -1.177693],
        [1.079839, -0.301247, -0.532085],
    ],
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_features_are_as_recorded(tmp_path: Path, kind: str) -> None:
    bert = Bert("x", character_bert(tmp_path, kind))
    rows = bert._get().run([2, 5, 6, 3])
    np.testing.assert_allclose(rows[:, :3], GOLDEN[kind], atol=2e-5)


def test_a_pickled_bert_gives_the_same(tmp_path: Path, folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="writes a file as PyTorch does")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    state = {k: torch.from_numpy(v) for k, v in weights(config("bert")).items()}
    old = {k.replace("LayerNorm.weight", "LayerNorm.gamma"): v for k, v in state.items()}
    torch.save(old, tmp_path / "pytorch_model.bin")
    text = analyse([ZH], SCHEME).texts[0]
    assert np.array_equal(Bert("x", folder).features(text), Bert("x", tmp_path).features(text))


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="writes a file as PyTorch does")

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "was-here",)

    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"embeddings.x": Hostile()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(VoiceError, match="cannot be read"):
        Bert("x", tmp_path).load()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(VoiceError, match="cannot be read"):
        Bert("x", tmp_path).load()
    assert not (tmp_path / "was-here").exists()


def test_a_header_as_long_as_a_pickles_first_byte_is_still_safetensors(tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    data = struct.pack("<Q", 0x80) + header.ljust(0x80) + np.ones(1, np.float32).tobytes()
    (tmp_path / "x.safetensors").write_bytes(data)
    with open_archive(tmp_path / "x.safetensors") as tensors:
        assert tensors["x"].float32("x").tolist() == [1.0]


@pytest.mark.parametrize("lost", ["", "config.json", "vocab.txt", "model.safetensors"])
def test_what_is_missing_is_named_with_the_command(tmp_path: Path, folder: Path, lost: str) -> None:
    if lost:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        (tmp_path / lost).unlink()
    where = tmp_path if lost else tmp_path / "nowhere"
    bert = Bert("chinese-roberta-wwm-ext-large", where)
    for attempt in (bert.check, bert.load):
        with pytest.raises(BertMissing) as caught:
            attempt()
        for said in (str(caught.value), caught.value.zh):
            assert "mien models pull chinese-roberta-wwm-ext-large" in said
            assert str(where) in said and (not lost or lost in said)
        assert not caught.value.retryable
    with pytest.raises(BertMissing, match="mien models pull x"):
        Bert("x", None).check()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", "{}"),
        ("config.json", json.dumps(config("gpt2"))),
        ("config.json", json.dumps(config("bert", num_hidden_layers=9))),
        ("config.json", json.dumps(config("bert", hidden_act="swish"))),
        ("vocab.txt", "a\nb\n"),
        ("vocab.txt", "\n".join(["[CLS]"] + ["x"] * 400 + ["[SEP]", "[UNK]"])),
        ("model.safetensors", "nothing"),
    ],
)
def test_a_damaged_folder_is_an_error_of_the_voice(
    tmp_path: Path, folder: Path, file: str, content: str
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_text(content)
    with pytest.raises(VoiceError, match="cannot be read") as caught:
        Bert("x", tmp_path).load()
    assert "无法" in caught.value.zh and not isinstance(caught.value, BertMissing)


def test_phones_are_dealt_out_to_the_tokens_of_a_word() -> None:
    text = BertText("en", "abcdef gh!", ((0, 6), (6, 9), (9, 10)), (3, 10, 4, 2, 2), 0, 21, 2)
    tokens = [(0, 0), (0, 2), (2, 4), (4, 6), (6, 9), (9, 10), (0, 0)]
    assert spread(text, tokens).tolist() == (
        [0] * 3 + [1] * 4 + [2] * 4 + [3] * 2 + [4] * 4 + [5] * 2 + [6] * 2
    )
    # "gh!" as one token, "f" lost: each part takes what covers it, else the one before.
    tokens = [(0, 0), (0, 5), (7, 10), (0, 0)]
    assert spread(text, tokens).tolist() == [0] * 3 + [1] * 10 + [2] * 6 + [3] * 2
    assert spread(text, [(0, 0), (0, 0)]).tolist() == [0] * 19 + [1] * 2


def test_more_text_than_positions_is_no_error(folder: Path) -> None:
    found = analyse([Run("zh", "你好" * 100)], SCHEME)
    features = Bert("x", folder).features(found.texts[0])
    assert features.shape == (WIDTH, len(found)) and np.isfinite(features).all()


def _both() -> Phonemes:
    return analyse([Run("zh", "你好"), Run("en", "the words"), Run("zh", "世界。")], SCHEME)


def _berts(variant: str, version: str, **folders: Any) -> Berts:
    widths = dict.fromkeys(("bert", "ja_bert", "en_bert"), WIDTH)
    return Berts(variant, widths, scheme_of(variant, version), folders)


def test_each_language_fills_its_own_input(folder: Path, english: Path) -> None:
    found = _both()
    features = _berts("2.1", "2.1", zh=folder, en=english).features(found)
    begin, stop = found.texts[1].begin, found.texts[1].stop
    assert list(features) == ["bert", "ja_bert", "en_bert"]
    assert not features["ja_bert"].any()
    assert not features["bert"][:, begin:stop].any()
    assert features["bert"][:, :begin].all() and features["bert"][:, stop:].all()
    assert not features["en_bert"][:, :begin].any() and not features["en_bert"][:, stop:].any()
    assert features["en_bert"][:, begin:stop].all()
    for rows in features.values():
        assert rows.shape == (WIDTH, len(found)) and rows.dtype == np.float32


@pytest.mark.parametrize(("variant", "version", "low"), [("2.2", "2.2", 0.0), ("2.0", "2.3", -9.0)])
def test_where_a_language_is_silent_there_is_the_noise_of_training(
    folder: Path, variant: str, version: str, low: float
) -> None:
    berts = _berts(variant, version, zh=folder, en="off")
    found = analyse([Run("zh", "你好世界。" * 20)], SCHEME)
    features, again = berts.features(found), berts.features(found)
    for name in ("ja_bert", "en_bert"):
        noise = features[name]
        assert np.array_equal(noise, again[name])
        assert (noise.mean(), noise.std()) == pytest.approx(
            (0.5, 12**-0.5) if low == 0 else (0, 1), abs=0.02
        )
        assert noise.min() >= low
    assert not np.array_equal(features["ja_bert"], features["en_bert"])


def test_off_reads_without_bert() -> None:
    berts = _berts("2.0", "2.3", zh="off", en="off")
    berts.check()
    berts.load("zh")
    found = analyse([ZH], SCHEME)
    features = berts.features(found)
    assert not features["bert"].any() and features["en_bert"].all()


def test_a_missing_bert_is_named(folder: Path) -> None:
    berts = _berts("2.0", "2.3", zh=folder)
    with pytest.raises(BertMissing, match="mien models pull deberta-v3-large"):
        berts.check()
    assert berts.features(analyse([ZH], SCHEME))["bert"].any()  # which needs no English
    with pytest.raises(BertMissing, match="deberta-v3-large"):
        berts.features(_both())


def test_another_bert_than_the_voices_is_an_error(folder: Path) -> None:
    berts = Berts("2.0", {"bert": 1024, "en_bert": 1024}, SCHEME, {"zh": folder})
    with pytest.raises(VoiceError, match="32 features, the voice takes 1024") as caught:
        berts.features(analyse([ZH], SCHEME))
    assert "1024" in caught.value.zh


def test_a_voice_of_one_language_says_so(folder: Path) -> None:
    berts = Berts("zhextra", {"bert": WIDTH}, SCHEME, {"zh": folder})
    assert berts.languages == {"zh"}
    assert berts.features(analyse([ZH], SCHEME))["bert"].any()
    with pytest.raises(VoiceError, match="does not speak English"):
        berts.features(_both())
    assert Berts("jpextra", {"bert": WIDTH}, SCHEME, {}).languages == {"ja"}


def test_the_names_of_the_berts() -> None:
    assert bert_names("2.2") == {"zh": "chinese-roberta-wwm-ext-large", "en": "deberta-v3-large"}
    assert bert_names("zhextra") == {"zh": "erlangshen-megatronbert-1.3b"}


@pytest.mark.parametrize("kind", ["bert", "megatron-bert", "deberta-v2"])
def test_pytorch_computes_the_same_as_onnx_runtime(kind: str) -> None:
    pytest.importorskip("torch", reason="compares with PyTorch")
    from mien.tts.bert_vits2.text.bert_network import NETWORKS
    from mien.tts.bert_vits2.text.bert_onnx import OnnxBert
    from mien.tts.bert_vits2.text.bert_torch import TorchBert

    described = config(kind)
    network, tensors = NETWORKS[kind](described, LAYERS), weights(described, "")
    one, other = TorchBert(network, tensors.items(), "cpu"), OnnxBert(network, tensors.items())
    for ids in ([2, 3], list(range(2, 60))):
        expected = one.run(ids)
        assert np.abs(other.run(ids) - expected).max() < 1e-5 * np.abs(expected).max()
    with pytest.raises(KeyError):
        OnnxBert(network, ())
    wrong = tensors | {"encoder.layer.0.output.dense.weight": np.ones((3, 3), np.float32)}
    with pytest.raises(RuntimeError):
        OnnxBert(network, wrong.items()).run([2, 3])


@pytest.mark.parametrize("lost", ["torch", "onnx"])
def test_one_of_pytorch_and_onnx_is_enough(folder: Path, lost: str) -> None:
    if lost == "onnx":
        pytest.importorskip("torch", reason="does without onnx")
    text = analyse([ZH], SCHEME).texts[0]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.modules[{lost!r}] = None\n"
        "from mien.tts.bert_vits2.text import analyse, scheme_of\n"
        "from mien.tts.bert_vits2.text.bert import Bert\n"
        "from mien.tts.voice import Run\n"
        f"found = analyse([Run('zh', {ZH.text!r})], scheme_of('2.0', '2.0'))\n"
        f"rows = Bert('x', Path({str(folder)!r})).features(found.texts[0])\n"
        "sys.stdout.buffer.write(rows.tobytes())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    expected = Bert("x", folder).features(text)
    rows = np.frombuffer(done.stdout, np.float32).reshape(expected.shape)
    assert np.abs(rows - expected).max() < 1e-5 * np.abs(expected).max()
