"""The net: log-mel frames → posteriors of ``SOUNDS``, one frame at a time, 100 ms behind.

Two convolutions look at nine neighbouring frames; two recurrent layers remember the voice. The
answer for a frame comes ``DELAY`` frames later, which is all the net ever knows of the future.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.lipsync.viseme.features import BANDS
from mien.lipsync.viseme.sounds import SOUNDS

DELAY = 10
"""Frames of look-ahead: 100 ms."""
KERNEL = 5
CONTEXT = 2 * (KERNEL - 1)
"""Frames before the first one that yields an answer."""


class SoundNet(nn.Module):
    """float32[batch, CONTEXT + t, BANDS] → logits float32[batch, t, len(SOUNDS)].

    Output ``i`` speaks about input frame ``CONTEXT + i - DELAY``.
    """

    def __init__(self, width: int = 96, hidden: int = 128, dropout: float = 0.15) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("scale", torch.ones(BANDS))
        self.conv1 = nn.Conv1d(BANDS, width, KERNEL)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, KERNEL)
        self.norm2 = nn.BatchNorm1d(width)
        self.gru1 = nn.GRU(width, hidden, batch_first=True)
        self.gru2 = nn.GRU(hidden, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, len(SOUNDS))

    def forward(self, mel: Tensor) -> Tensor:
        x = ((mel - self.mean) * self.scale).transpose(1, 2)
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.norm2(self.conv2(x))).transpose(1, 2)
        x, _ = self.gru1(self.drop(x))
        x, _ = self.gru2(self.drop(x))
        logits: Tensor = self.out(self.drop(x))
        return logits
