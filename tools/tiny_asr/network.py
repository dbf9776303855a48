"""The network: a word or character of a closed vocabulary, every 40 ms, from what came before."""

from __future__ import annotations

import torch
from fbank import BANDS
from torch import Tensor, nn

STACK = 4  # frames of 10 ms that become one
KERNEL = 3
WIDTH = 96
HIDDEN = 128


class TinyNet(nn.Module):
    """Causal all through, so that a stream can be fed in pieces."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("scale", torch.ones(BANDS))
        self.stack = nn.Conv1d(BANDS, WIDTH, STACK, stride=STACK)
        self.norm1 = nn.BatchNorm1d(WIDTH)
        self.conv = nn.Conv1d(WIDTH, WIDTH, KERNEL)
        self.norm2 = nn.BatchNorm1d(WIDTH)
        self.gru1 = nn.GRU(WIDTH, HIDDEN)
        self.gru2 = nn.GRU(HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, tokens)
        self.drop = nn.Dropout(0.15)

    def forward(self, mel: Tensor) -> Tensor:
        """float32[batch, t, BANDS] → logits float32[t // STACK, batch, tokens]"""
        x = ((mel - self.mean) * self.scale).transpose(1, 2)
        x = torch.relu(self.norm1(self.stack(x)))
        x = nn.functional.pad(x, (KERNEL - 1, 0))
        x = self.drop(torch.relu(self.norm2(self.conv(x)))).permute(2, 0, 1)
        x, _ = self.gru1(x)
        x, _ = self.gru2(self.drop(x))
        logits: Tensor = self.out(self.drop(x))
        return logits
