"""Tiny BERTs in Hugging Face's layout, of seeded weights, for tests without downloads."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, LAYERS, INNER, POSITIONS = 32, 4, 48, 64
CHARACTERS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"你好世界重庆的一,!.'…")
Weights = dict[str, NDArray[np.float32]]


def config(kind: str, **changes: Any) -> dict[str, Any]:
    """config.json for "bert", "megatron-bert" or "deberta-v2"."""
    found: dict[str, Any] = {
        "model_type": kind,
        "vocab_size": 300,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-7 if kind == "deberta-v2" else 1e-12,
    }
    if kind == "deberta-v2":  # as in microsoft/deberta-v3-large
        found |= {
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": "p2c|c2p",
            "position_biased_input": False,
            "max_relative_positions": -1,
            "type_vocab_size": 0,
        }
    return found | changes


def weights(described: dict[str, Any], prefix: str = "bert.") -> Weights:
    """Every tensor, each seeded by its name, and a head that must be ignored."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (described["vocab_size"], WIDTH),
        "cls.predictions.transform.dense.weight": (WIDTH, WIDTH),
    }
    kind = described["model_type"]
    if described.get("position_biased_input", True):
        shapes["embeddings.position_embeddings.weight"] = (POSITIONS, WIDTH)
    if described["type_vocab_size"]:
        shapes["embeddings.token_type_embeddings.weight"] = (2, WIDTH)
    norms = [] if kind == "megatron-bert" else ["embeddings.LayerNorm"]
    squares = []
    if kind == "megatron-bert":
        norms.append("encoder.ln")
    if kind == "deberta-v2":
        norms.append("encoder.LayerNorm")
        shapes["encoder.rel_embeddings.weight"] = (16, WIDTH)
    for number in range(described["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        ending = "_proj" if kind == "deberta-v2" else ""
        squares += [f"{layer}.attention.self.{p}{ending}" for p in ("query", "key", "value")]
        if kind == "deberta-v2" and not described["share_att_key"]:
            squares += [f"{layer}.attention.self.pos_{p}_proj" for p in ("query", "key")]
        squares.append(f"{layer}.attention.output.dense")
        shapes[f"{layer}.intermediate.dense.weight"] = (INNER, WIDTH)
        shapes[f"{layer}.intermediate.dense.bias"] = (INNER,)
        shapes[f"{layer}.output.dense.weight"] = (WIDTH, INNER)
        shapes[f"{layer}.output.dense.bias"] = (WIDTH,)
        ends = ("attention.ln", "ln") if kind == "megatron-bert" else (
            "attention.output.LayerNorm", "output.LayerNorm",
        )  # fmt: skip
        norms += [f"{layer}.{end}" for end in ends]
    for name in squares:
        shapes |= {f"{name}.weight": (WIDTH, WIDTH), f"{name}.bias": (WIDTH,)}
    found = {key: _seeded(key, shape) for key, shape in shapes.items()}
    for name in norms:
        found[f"{name}.weight"] = 1 + _seeded(f"{name}.weight", (WIDTH,))
        found[f"{name}.bias"] = _seeded(f"{name}.bias", (WIDTH,))
    return {key if key.startswith("cls.") else prefix + key: w for key, w in found.items()}


def _seeded(key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    generator = np.random.default_rng(zlib.crc32(key.encode()))
    return (0.2 * generator.standard_normal(shape)).astype(np.float32)


def character_bert(folder: Path, kind: str = "bert", **changes: Any) -> Path:
    """A folder with a BERT whose tokens are characters."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    described = config(kind, **changes)
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "vocab.txt").write_text("\n".join(CHARACTERS) + "\n", "utf-8")
    save_file(weights(described), folder / "model.safetensors")
    return folder


def piece_bert(folder: Path, **changes: Any) -> Path:
    """A folder with a DeBERTa whose tokens are pieces of words."""
    import sentencepiece
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    described = config("deberta-v2", **changes)
    (folder / "config.json").write_text(json.dumps(described))
    sentences = Path(__file__).read_text("utf-8").splitlines()
    with (folder / "spm.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=file,
            vocab_size=200,
            hard_vocab_limit=False,
            pad_id=0,
            pad_piece="[PAD]",
            bos_id=1,
            bos_piece="[CLS]",
            eos_id=2,
            eos_piece="[SEP]",
            unk_id=3,
            unk_piece="[UNK]",
            minloglevel=2,
        )
    save_file(weights(described, "deberta."), folder / "model.safetensors")
    return folder
