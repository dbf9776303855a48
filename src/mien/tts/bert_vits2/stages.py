"""What all back ends have in common: everything between the three stages of the network.

A back end is three functions of arrays (:class:`Stages`). Batches, durations and noises are made
here, in NumPy, so that the same sentence sounds the same on each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.backend import BackendError, Choice, Latents, Sentence, Slab
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.emotion import Emotions
from mien.tts.bert_vits2.streaming import FIRST, OVERLAP
from mien.tts.bert_vits2.variant import Variant

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
_Number = TypeVar("_Number", np.float32, np.int64)

NEAR = 2
"""Frames on either side that a sample depends on from the decoder's second stage on: 1.92, counted
from the kernels. The first stage hears 13; what surrounds a piece is cut off behind it, which saves
two thirds of its cost."""

LONGEST = 500.0
"""Frames of one symbol (5.8 s). Durations are exponentials: without a limit one odd value of a
badly trained voice fills all memory."""


class Stages(Protocol):
    """The network in three stages."""

    def text(
        self,
        ids: Integers,
        tones: Integers,
        languages: Integers,
        lengths: Integers,
        speakers: Integers,
        emotions: Floats,
        noise: Floats,
        berts: Sequence[Floats],
    ) -> tuple[Floats, Floats, Floats]:
        """Text to durations and latents of symbols.

        ids, tones, languages: [batch, n]. lengths, speakers: [batch]. emotions: [batch, hidden].
        noise: [batch, 2, n]. berts: [batch, width, n] each, in the variant's order.
        Returns mean and log scale, [batch, 2 latent, n]; two logarithms of durations, [batch, n]:
        the stochastic predictor's and the other's.
        """
        ...

    def flow(self, latents: Floats, lengths: Integers, speakers: Integers) -> Floats:
        """latents: [batch, latent, frames]. Returns what the decoder takes, of that shape."""
        ...

    def decode(self, latents: Floats, speakers: Integers, left: int, right: int) -> Floats:
        """latents: [batch, latent, m]. left, right: frames cut off behind the first stage.

        Returns sound, [batch, (m - left - right) * hop].
        """
        ...

    def close(self) -> None: ...


class StagedBackend:
    """A :class:`~mien.tts.bert_vits2.backend.Backend` of any library's stages."""

    def __init__(self, checkpoint: Checkpoint, choice: Choice, stages: Stages) -> None:
        self.choice = choice
        self.sample_rate = checkpoint.config.sample_rate
        # Not the checkpoint: its tensors would stay in memory beside the library's.
        self._variant = checkpoint.variant
        self._emotions = Emotions(checkpoint.variant, checkpoint.state)
        self._stages: Stages | None = stages
        self._warm_up()

    @property
    def variant(self) -> Variant:
        return self._variant

    @property
    def hop(self) -> int:
        return self._variant.hop

    def latents(self, batch: Sequence[Sentence]) -> list[Latents]:
        stages = self._open()
        if not batch:
            return []
        for sentence in batch:
            self._check(sentence)
        v, n = self._variant, max(len(sentence.ids) for sentence in batch)
        randoms = [np.random.default_rng(sentence.seed) for sentence in batch]
        noise = [
            random.standard_normal((2, len(sentence.ids)), np.float32)
            * np.float32(sentence.noise_w)
            for random, sentence in zip(randoms, batch, strict=True)
        ]
        speakers = np.array([sentence.speaker for sentence in batch], np.int64)
        stats, stochastic, plain = stages.text(
            _padded([sentence.ids for sentence in batch], n),
            _padded([sentence.tones for sentence in batch], n),
            _padded([sentence.languages for sentence in batch], n),
            np.array([len(sentence.ids) for sentence in batch], np.int64),
            speakers,
            np.stack([self._emotions(sentence.emotion) for sentence in batch]),
            _padded(noise, n),
            [
                _padded([_bert(sentence, name, width) for sentence in batch], n)
                for name, width in v.bert_widths.items()
            ],
        )
        durations = [
            _durations(sentence, *(logs[i, : len(sentence.ids)] for logs in (stochastic, plain)))
            for i, sentence in enumerate(batch)
        ]
        drawn = [
            _drawn(stats[i], durations[i], sentence.noise, randoms[i])
            for i, sentence in enumerate(batch)
        ]
        lengths = np.array([frames.shape[1] for frames in drawn], np.int64)
        flowed = stages.flow(_padded(drawn, int(lengths.max())), lengths, speakers)
        return [
            Latents(durations[i], flowed[i, :, : lengths[i]].copy(), sentence.speaker)
            for i, sentence in enumerate(batch)
        ]

    def decode(self, slabs: Sequence[Slab]) -> list[Floats]:
        stages = self._open()
        alike: dict[tuple[int, int, int], list[int]] = {}
        for index, slab in enumerate(slabs):
            alike.setdefault((slab.z.shape[1], slab.left, slab.right), []).append(index)
        sound: dict[int, Floats] = {}
        for (_, left, right), indices in alike.items():
            near, beyond = left - _cut(left), right - _cut(right)
            decoded = stages.decode(
                np.stack([slabs[index].z for index in indices]),
                np.array([slabs[index].speaker for index in indices], np.int64),
                _cut(left),
                _cut(right),
            )
            end = decoded.shape[1] - beyond * self.hop
            for row, index in zip(decoded, indices, strict=True):
                sound[index] = row[near * self.hop : end]
        return [sound[index] for index in range(len(slabs))]

    def close(self) -> None:
        if self._stages is not None:
            self._stages.close()
        self._stages = None

    def _warm_up(self) -> None:
        """Libraries prepare themselves at the first run; no listener need wait for that."""
        nothing = np.zeros(1, np.int64)
        (latents,) = self.latents([Sentence(nothing, nothing, nothing)])
        z = np.zeros((len(latents.z), FIRST + OVERLAP), np.float32)
        self.decode([Slab(z, 0, right=OVERLAP)])

    def _open(self) -> Stages:
        if self._stages is None:
            raise BackendError("this back end is closed", "load it again")
        return self._stages

    def _check(self, sentence: Sentence) -> None:
        v, n = self._variant, len(sentence.ids)
        if not n:
            raise ValueError("a sentence without symbols")
        for what, values, count in (
            ("symbols", sentence.ids, v.symbols),
            ("tones", sentence.tones, v.tones),
            ("languages", sentence.languages, v.languages),
            ("speakers", np.array([sentence.speaker] * n), v.speakers),
        ):
            if values.shape != (n,) or values.min() < 0 or values.max() >= count:
                raise ValueError(f"{what} of this voice are {n} numbers from 0 to {count - 1}")
        for name, features in sentence.bert.items():
            expected = (v.bert_widths.get(name), n)
            if features.shape != expected:
                raise ValueError(f"features {name}: expected {expected}, got {features.shape}")


def _cut(around: int) -> int:
    """How many frames of the surroundings are no longer needed behind the first stage.

    What there is beyond the usual is not counted: widths then stay alike in all stages.
    """
    return max(0, min(around, OVERLAP) - NEAR)


def _padded(arrays: Sequence[NDArray[_Number]], length: int) -> NDArray[_Number]:
    """Arrays as one batch, zeros behind the last axis of the shorter ones."""
    batch = np.zeros((len(arrays), *arrays[0].shape[:-1], length), arrays[0].dtype)
    for row, array in zip(batch, arrays, strict=True):
        row[..., : array.shape[-1]] = array
    return batch


def _bert(sentence: Sentence, name: str, width: int) -> Floats:
    given = sentence.bert.get(name)
    return np.zeros((width, len(sentence.ids)), np.float32) if given is None else given


def _durations(sentence: Sentence, stochastic: Floats, plain: Floats) -> Integers:
    """Frames of each symbol, at least one in all."""
    ratio = np.float32(sentence.sdp_ratio)
    logs = stochastic * ratio + plain * (np.float32(1) - ratio)
    with np.errstate(over="ignore"):
        frames = np.exp(logs) * np.float32(1 / sentence.speed)
    return np.ceil(np.minimum(frames, np.float32(LONGEST))).astype(np.int64)


def _drawn(stats: Floats, durations: Integers, noise: float, random: np.random.Generator) -> Floats:
    """Latents before the flow: each symbol's mean for as long as it lasts, and its noise."""
    mean, log_scale = np.split(np.repeat(stats[:, : len(durations)], durations, axis=1), 2)
    drawn = random.standard_normal(mean.shape, np.float32)
    latents: Floats = mean + drawn * np.exp(log_scale) * np.float32(noise)
    return latents
