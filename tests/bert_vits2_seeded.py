"""Seeded Bert-VITS2 weights, the reference numbers computed with them, and a small voice to run.

The rule that fills a tensor from its name is that of the reference numbers (their README, 2).
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from mien.tts.bert_vits2.architecture import parameters
from mien.tts.bert_vits2.backend import Sentence
from mien.tts.bert_vits2.checkpoint import Checkpoint, checkpoint_of
from mien.tts.bert_vits2.config import VoiceConfig
from mien.tts.bert_vits2.variant import DILATIONS, RATES, Encoder, Variant

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "bert_vits2"
SYMBOLS = 31

_OFFICIAL = Variant(
    name="2.0",
    speakers=4,
    symbols=112,
    tones=12,
    languages=3,
    gin=512,
    hidden=192,
    latent=192,
    text=Encoder(layers=6, heads=2, window=4, filter=768, kernel=3),
    flow=Encoder(layers=4, heads=2, window=4, filter=768, kernel=5),
    couplings=4,
    bert_widths={"bert": 1024, "ja_bert": 1024, "en_bert": 1024},
    pre_bert=0,
    emotion=None,
    duration_filter=256,
    spline_bins=10,
    channels=512,
    rates=RATES,
    kernels=(16, 16, 8, 2, 2),
    resblocks=(3, 7, 11),
    dilations=DILATIONS,
)
_SIX_LAYERS = replace(_OFFICIAL.flow, layers=6)

VARIANTS = {
    "2.0": _OFFICIAL,
    "2.1": replace(_OFFICIAL, name="2.1", emotion="vector1024"),
    "2.2": replace(_OFFICIAL, name="2.2", emotion="clap512"),
    "2.3": _OFFICIAL,
    "jpextra": replace(
        _OFFICIAL,
        name="jpextra",
        emotion="clap512",
        flow=_SIX_LAYERS,
        bert_widths={"bert": 1024},
    ),
    "zhextra": replace(
        _OFFICIAL,
        name="zhextra",
        emotion="clap512",
        flow=_SIX_LAYERS,
        gin=256,
        bert_widths={"bert": 2048},
        pre_bert=1024,
    ),
}
"""At full size, with the four speakers of the reference numbers."""

CONFIG = VoiceConfig(
    sample_rate=44_100,
    speakers={f"speaker{number}": number for number in range(4)},
    add_blank=True,
    version="2.3",
    rates=RATES,
    dilations=DILATIONS,
)


def seeded(variant: Variant, config: VoiceConfig = CONFIG) -> Checkpoint:
    """Weights by the rule, weight norms folded in. Takes about 2 s and 200 MB at full size."""
    state = {key: filled(key, shape) for key, shape in parameters(variant).items()}
    return checkpoint_of(variant, config, state, f"seeded-{variant.name}")


def filled(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """One tensor, from its name alone."""
    if _weight_normed(key):
        return np.float32(0.7) * _drawn(key.replace(".weight", ".weight_v"), shape)
    return _drawn(key, shape)


def published_state(variant: Variant) -> dict[str, np.ndarray]:
    """The same weights as checkpoints have them: with weight norms, by their old names."""
    state = {}
    for key, shape in parameters(variant).items():
        if not _weight_normed(key):
            state[key] = _drawn(key, shape)
            continue
        direction = _drawn(f"{key}_v", shape)
        axes = tuple(range(1, len(shape)))
        state[f"{key}_v"] = direction
        state[f"{key}_g"] = 0.7 * np.sqrt((direction**2).sum(axis=axes, keepdims=True))
    return state


def _weight_normed(key: str) -> bool:
    return key.startswith(("dec.ups.", "dec.resblocks.")) and key.endswith(".weight")


def _drawn(key: str, shape: tuple[int, ...]) -> np.ndarray:
    r = np.random.default_rng(crc32(key.encode())).standard_normal(shape)
    leaf = key.rpartition(".")[2]
    if leaf == "gamma":
        r = 1 + 0.05 * r
    elif leaf in ("beta", "bias"):
        r = 0.02 * r
    elif leaf in ("m", "logs"):
        r = 0.1 * r
    elif leaf == "weight" and "emb" in key:
        r = 0.3 * r
    elif leaf.startswith("emb_rel"):
        r = 0.1 * r
    else:
        r = r / np.sqrt(prod(shape[1:]))
    return r.astype(np.float32)


# -- the reference numbers ---------------------------------------------------------------


def golden(name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays and facts of one variant; skips the test where they are not at hand."""
    path = GOLDEN / f"golden_{name}.npz"
    if not path.is_file():
        pytest.skip(f"reference numbers are not at hand: {path.name} beside the repository")
    with np.load(path) as arrays:
        return dict(arrays), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def golden_sentence(variant: Variant, sdp_ratio: float) -> Sentence:
    """What the reference numbers were computed of."""
    random = np.random.default_rng(20260101)
    ids = random.integers(0, 112, (1, SYMBOLS))[0]
    tones = random.integers(0, 12, (1, SYMBOLS))[0]
    languages = random.integers(0, 3, (1, SYMBOLS))[0]
    bert = {
        name: random.standard_normal((1, width, SYMBOLS)).astype(np.float32)[0]
        for name, width in variant.bert_widths.items()
    }
    emotion = None
    if variant.emotion:
        emotion = random.standard_normal((1, variant.emotion_width)).astype(np.float32)[0]
    return Sentence(
        ids, tones, languages, bert, emotion, 1, 0.5, noise=0, noise_w=0, sdp_ratio=sdp_ratio
    )


# -- a small voice -----------------------------------------------------------------------

SMALL = replace(
    _OFFICIAL,
    speakers=2,
    gin=16,
    hidden=32,
    latent=32,
    text=Encoder(layers=3, heads=2, window=4, filter=48, kernel=3),
    flow=Encoder(layers=3, heads=2, window=4, filter=48, kernel=5),
    couplings=2,
    duration_filter=32,
    channels=32,
)
"""As a 2.3, but narrow: speaks several times faster than real time on one core."""

FRAMES_PER_SYMBOL = 5.0
LOUDER = 40.0


def small(variant: Variant = SMALL) -> Checkpoint:
    """A narrow voice; a symbol lasts about 60 ms and is as loud as in speech."""
    checkpoint = seeded(variant, replace(CONFIG, speakers={"anna": 0, "bert": 1}))
    log = np.float32(np.log(FRAMES_PER_SYMBOL))
    state = dict(checkpoint.state)
    state["dp.proj.weight"] = state["dp.proj.weight"] * np.float32(0.2)
    state["dp.proj.bias"] = state["dp.proj.bias"] + log
    state["sdp.flows.0.m"] = state["sdp.flows.0.m"] - log
    state["dec.conv_post.weight"] = state["dec.conv_post.weight"] * np.float32(LOUDER)
    return checkpoint_of(variant, checkpoint.config, state, "tiny")


def tiny(folder: Path, variant: Variant = SMALL) -> Path:
    """Write ``small`` as the folder of a voice, config.json and G_0.safetensors; returns it."""
    from safetensors.numpy import save_file

    checkpoint = small(variant)
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, checkpoint.config)
    save_file(checkpoint.state, folder / "G_0.safetensors")
    return folder


def write_config(folder: Path, config: VoiceConfig) -> None:
    """``config.json`` as training writes it, as far as speaking reads it."""
    written = {
        "train": {"learning_rate": 0.0002},
        "data": {
            "sampling_rate": config.sample_rate,
            "hop_length": prod(config.rates),
            "add_blank": config.add_blank,
            "n_speakers": len(config.speakers),
            "spk2id": dict(config.speakers),
        },
        "model": {
            "resblock": "1",
            "resblock_dilation_sizes": [list(config.dilations)] * 3,
            "upsample_rates": list(config.rates),
        },
        "version": config.version,
    }
    (folder / "config.json").write_text(json.dumps(written), encoding="utf-8")
