"""Seeded Bert-VITS2 weights, the reference numbers computed with them, and a small voice to run.

The rule that fills a tensor from its name is that of the reference numbers (their README, 2).
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from mien.tts.bert_vits2.backend import Sentence
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.config import VoiceConfig
from mien.tts.bert_vits2.seeded import CONFIG, OFFICIAL, seeded_checkpoint
from mien.tts.bert_vits2.variant import Encoder, Variant

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "bert_vits2"
SYMBOLS = 31

_SIX_LAYERS = replace(OFFICIAL.flow, layers=6)

VARIANTS = {
    "2.0": OFFICIAL,
    "2.1": replace(OFFICIAL, name="2.1", emotion="vector1024"),
    "2.2": replace(OFFICIAL, name="2.2", emotion="clap512"),
    "2.3": OFFICIAL,
    "jpextra": replace(
        OFFICIAL,
        name="jpextra",
        emotion="clap512",
        flow=_SIX_LAYERS,
        bert_widths={"bert": 1024},
    ),
    "zhextra": replace(
        OFFICIAL,
        name="zhextra",
        emotion="clap512",
        flow=_SIX_LAYERS,
        gin=256,
        bert_widths={"bert": 2048},
        pre_bert=1024,
    ),
}
"""At full size, with the four speakers of the reference numbers."""


def seeded(variant: Variant, config: VoiceConfig = CONFIG) -> Checkpoint:
    """Weights by the rule, weight norms folded in. Takes about 2 s and 200 MB at full size."""
    return seeded_checkpoint(variant, config)


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
    OFFICIAL,
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
    config = replace(CONFIG, speakers={"anna": 0, "bert": 1})
    return seeded_checkpoint(variant, config, FRAMES_PER_SYMBOL)


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
