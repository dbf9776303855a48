"""What a chosen emotion adds to every symbol: the nearest of the codes that were learned.

The vectors are those of a wav2vec emotion model (2.1) or of CLAP (2.2 and later), which listen to a
recording or read a description.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.variant import Variant

Array = NDArray[np.float32]
State = Mapping[str, Array]

NORM_EPS = 1e-5

# Abramowitz and Stegun 7.1.26, whose error of 1.5e-7 is that of float32.
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_P = 0.3275911


class Emotions:
    """The part of the text encoder that only emotions go through."""

    def __init__(self, variant: Variant, state: State) -> None:
        """state: of the whole network; only its emotion tensors are kept."""
        self._variant = variant
        names = ("emo_", "in_feature_net.", "out_feature_net.")
        self._state = {
            key.removeprefix("enc_p."): value
            for key, value in state.items()
            if key.removeprefix("enc_p.").startswith(names)
        }

    def __call__(self, emotion: Array | int | None) -> Array:
        """float32[hidden]; zeros where the variant knows no emotions.

        emotion: float32[``Variant.emotion_width``]; the number of a code (2.1 only); None for
            neutral: code 0, or the vector of zeros.
        Raises ValueError for anything else.
        """
        v = self._variant
        if v.emotion is None:
            return np.zeros(v.hidden, np.float32)
        if v.emotion == "vector1024":
            code = self._nearest_code(0 if emotion is None else emotion)
            return self._linear("emo_q_proj", code)
        if emotion is None:
            emotion = np.zeros(v.emotion_width, np.float32)
        featured = self._featured(self._vector(emotion))
        return self._linear("out_feature_net", self._quantised(featured))

    def _vector(self, emotion: Array | int) -> Array:
        if isinstance(emotion, int) or emotion.shape != (self._variant.emotion_width,):
            what = f"{emotion}" if isinstance(emotion, int) else f"{list(emotion.shape)} numbers"
            raise ValueError(
                f"an emotion of this voice is {self._variant.emotion_width} numbers, not {what}"
            )
        return emotion

    def _nearest_code(self, emotion: Array | int) -> Array:
        """2.1: one codebook, nearest by Euclidean distance."""
        codes = self._state["emo_quantizer._codebook.embed"][0]
        if isinstance(emotion, int):
            if not 0 <= emotion < len(codes):
                raise ValueError(f"emotions of this voice are 0 to {len(codes) - 1}, not {emotion}")
            chosen: Array = codes[emotion]
            return chosen
        wanted = self._linear("emo_proj", self._vector(emotion))
        nearest: Array = codes[np.square(codes - wanted).sum(axis=1).argmin()]
        return nearest

    def _featured(self, vector: Array) -> Array:
        x = self._linear("in_feature_net.0", vector)
        x = self._norm("in_feature_net.2", _gelu(x))
        y = self._norm("in_feature_net.3.norm", x)
        gate = self._linear("in_feature_net.3.mlp.c_fc1", y)
        y = gate / (1 + np.exp(-gate)) * self._linear("in_feature_net.3.mlp.c_fc2", y)
        x = x + self._linear("in_feature_net.3.mlp.c_proj", y)
        return self._linear("in_feature_net.4", x)

    def _quantised(self, x: Array) -> Array:
        """As many parts as there are codebooks, each replaced by the nearest row of its own."""
        books = self._state["emo_vq._codebook.embed"]
        if self._variant.name == "jpextra":
            # By the angle to the rows as they are stored, which need not have length 1.
            likeness = np.einsum("bkd,bd->bk", books, x.reshape(len(books), -1))
            alike: Array = books[np.arange(len(books)), likeness.argmax(axis=1)].reshape(-1)
            return alike
        parts = self._linear("emo_vq.project_in", x).reshape(len(books), 1, -1)
        nearest = np.square(books - parts).sum(axis=2).argmin(axis=1)
        chosen = books[np.arange(len(books)), nearest].reshape(-1)
        return self._linear("emo_vq.project_out", chosen)

    def _linear(self, name: str, x: Array) -> Array:
        y: Array = self._state[f"{name}.weight"] @ x
        bias = self._state.get(f"{name}.bias")
        return y if bias is None else y + bias

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean()
        scaled: Array = centred / np.sqrt(np.square(centred).mean() + np.float32(NORM_EPS))
        return scaled * self._state[f"{name}.weight"] + self._state[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    wide = x.astype(np.float64)
    at = np.abs(wide) / sqrt(2)
    t = 1 / (1 + _ERF_P * at)
    series = t * np.polynomial.polynomial.polyval(t, _ERF)
    erf = np.sign(wide) * (1 - series * np.exp(-at * at))
    return (wide * (1 + erf) / 2).astype(np.float32)
