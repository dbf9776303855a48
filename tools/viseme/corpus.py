"""The generated parts as one long strip of frames, and random pieces of it for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from model import CONTEXT, DELAY
from numpy.typing import NDArray
from torch import Tensor
from utterance import UNLABELLED

from mien.lipsync.viseme.features import BANDS
from mien.lipsync.viseme.sounds import SILENT

# Shares of what the net hears. A formant synthesizer has many timbres but one way of moving
# between sounds; recorded voices are few and each is worth more.
_SHARES = (
    (lambda name: name.startswith("es-cmn"), 0.08),
    (lambda name: name.startswith("es-en"), 0.06),
    (lambda name: name.startswith("es-"), 0.02),
    (lambda name: name.endswith("-zh"), 0.17),
    (lambda name: name.endswith(("-flite", "-fest")), 0.28),
    (lambda name: name.endswith("-rh") or name.startswith("pico"), 0.28),
    (lambda name: True, 0.11),
)


@dataclass(frozen=True)
class Piece:
    """One sentence: where its frames lie in the strip, and its chance of being drawn."""

    begin: int
    frames: int
    weight: float


class Corpus:
    def __init__(self, folder: Path, relabelled: Path | None = None) -> None:
        """relabelled: folder of ``<part>.npy`` labels that replace those of the synthesizer."""
        mels, marks, self.pieces = [], [], []
        families: dict[int, list[tuple[int, int]]] = {}
        at = 0
        for path in sorted(folder.glob("*.npz")):
            part = np.load(path)
            own = relabelled / f"{path.stem}.npy" if relabelled is not None else None
            if bool(part["held_out"]):
                continue
            label = np.load(own) if own is not None and own.exists() else part["labels"]
            if (label == UNLABELLED).all():
                continue
            family = next(i for i, (fits, _) in enumerate(_SHARES) if fits(str(part["name"])))
            for frames in part["frames"]:
                families.setdefault(family, []).append((at, int(frames)))
                at += int(frames)
            mels.append(part["mel"])
            marks.append(label)
        self.mel = np.concatenate(mels)
        self.label = np.concatenate(marks)
        for family, spans in families.items():
            total = sum(frames for _, frames in spans)
            share = _SHARES[family][1] / total
            self.pieces += [Piece(begin, frames, share * frames) for begin, frames in spans]
        weights = np.array([piece.weight for piece in self.pieces])
        self._weights = weights / weights.sum()

    def batch(self, rng: np.random.Generator, size: int, length: int) -> tuple[Tensor, Tensor]:
        """mel float32[size, CONTEXT + length, BANDS] and what each output should say."""
        mel = np.full((size, CONTEXT + length, BANDS), np.log(1e-5), np.float32)
        label = np.full((size, CONTEXT + length), SILENT, np.uint8)
        chosen = rng.choice(len(self.pieces), size, p=self._weights)
        for row, piece in enumerate(self.pieces[i] for i in chosen):
            # Some begin in the silence before the sentence, as a voice does, some within it.
            offset = int(rng.integers(-40, max(-39, piece.frames - length // 2)))
            first, last = max(offset, 0), min(offset + CONTEXT + length, piece.frames)
            place = slice(first - offset, last - offset)
            mel[row, place] = self.mel[piece.begin + first : piece.begin + last]
            label[row, place] = self.label[piece.begin + first : piece.begin + last]
        about = CONTEXT - DELAY + np.arange(length)
        target = np.where(about >= 0, label[:, np.maximum(about, 0)], UNLABELLED)
        return torch.from_numpy(mel), torch.from_numpy(target.astype(np.int64))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and 1 / standard deviation per band."""
        sample = self.mel[:: max(1, len(self.mel) // 200_000)].astype(np.float32)
        return torch.from_numpy(sample.mean(0)), torch.from_numpy(1 / sample.std(0))


def priors(label: NDArray[np.uint8], classes: int) -> list[float]:
    """How often each class occurs, none of them never."""
    counts = np.bincount(label[label != UNLABELLED], minlength=classes).astype(float) + 1
    shares: list[float] = (counts / counts.sum()).tolist()
    return shares
