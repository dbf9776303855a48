"""Random weights that are the same everywhere, for tests and benchmarks without a voice.

What they speak is noise, but as much work as a voice, and with durations as speech has them.
"""

from __future__ import annotations

from math import log, prod
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.architecture import parameters
from mien.tts.bert_vits2.checkpoint import Checkpoint, State, checkpoint_of
from mien.tts.bert_vits2.config import VoiceConfig
from mien.tts.bert_vits2.variant import DILATIONS, RATES, Encoder, Variant

OFFICIAL = Variant(
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
"""2.0 and 2.3 at full size, with few speakers."""

CONFIG = VoiceConfig(
    sample_rate=44_100,
    speakers={f"speaker{number}": number for number in range(OFFICIAL.speakers)},
    add_blank=True,
    version="2.3",
    rates=RATES,
    dilations=DILATIONS,
)

NORM = np.float32(0.7)
"""Length of a weight under weight norm, as a share of its direction's."""


def seeded_checkpoint(
    variant: Variant = OFFICIAL, config: VoiceConfig = CONFIG, frames_per_symbol: float = 1.0
) -> Checkpoint:
    """Takes about 2 s and 200 MB at full size.

    frames_per_symbol: how many times longer than by the rule each symbol lasts; the median is then
        about that many frames.
    """
    state = {key: seeded_tensor(key, shape) for key, shape in parameters(variant).items()}
    if frames_per_symbol != 1:
        longer = np.float32(log(frames_per_symbol))
        state["dp.proj.bias"] = state["dp.proj.bias"] + longer
        state["sdp.flows.0.m"] = state["sdp.flows.0.m"] - longer
    return checkpoint_of(variant, config, state, f"seeded-{variant.name}")


def published_state(variant: Variant) -> State:
    """The same weights as checkpoints have them: with weight norms, by their old names."""
    state = {}
    for key, shape in parameters(variant).items():
        if not weight_normed(key):
            state[key] = _drawn(key, shape)
            continue
        direction = state[f"{key}_v"] = _drawn(f"{key}_v", shape)
        axes = tuple(range(1, len(shape)))
        state[f"{key}_g"] = NORM * np.sqrt(np.square(direction).sum(axis=axes, keepdims=True))
    return state


def seeded_tensor(key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One tensor, from its name alone; see the README of the reference numbers."""
    if weight_normed(key):
        return NORM * _drawn(f"{key}_v", shape)
    return _drawn(key, shape)


def weight_normed(key: str) -> bool:
    """Whether published checkpoints keep this weight as a length and a direction."""
    return key.startswith(("dec.ups.", "dec.resblocks.")) and key.endswith(".weight")


def _drawn(key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
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
