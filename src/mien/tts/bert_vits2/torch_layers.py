"""Parts that the text encoder, the duration predictors and the flow are made of, in PyTorch.

Modules are named as in the checkpoints. Everything is laid out (batch, channels, positions); masks
are float (batch, 1, positions), 1 where there is something. What lies behind the end of a sentence
never reaches what lies before it, so that sentences of unlike lengths can share a batch.
"""

from __future__ import annotations

from math import sqrt

from mien.passive_torch import torch
from mien.tts.bert_vits2.architecture import DURATION_KERNEL, DURATION_LAYERS
from mien.tts.bert_vits2.variant import Encoder

NORM_EPS = 1e-5

SPEAKER_LAYER = 2
"""The layer of a transformer before which it is told who speaks."""

MASKED = -1e4
"""Score of a position that is not to be attended to, as in training."""


class ChannelNorm(torch.nn.Module):
    """Layer norm over the channels of each position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = torch.nn.Parameter(torch.empty(width))
        self.beta = torch.nn.Parameter(torch.empty(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.layer_norm(
            x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, NORM_EPS
        )
        return y.transpose(1, 2)


class Attention(torch.nn.Module):
    """Self-attention that tells neighbours apart by their distance.

    Shaw, Uszkoreit, Vaswani 2018, "Self-Attention with Relative Position Representations"; beyond
    the window distances are not told apart, so that only a band along the diagonal is computed.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.conv_q, self.conv_k, self.conv_v, self.conv_o = (
            torch.nn.Conv1d(width, width, 1) for _ in range(4)
        )
        positions = (1, 2 * window + 1, width // heads)
        self.emb_rel_k = torch.nn.Parameter(torch.empty(positions))
        self.emb_rel_v = torch.nn.Parameter(torch.empty(positions))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = (self._split(conv(x)) for conv in (self.conv_q, self.conv_k, self.conv_v))
        q = q.transpose(2, 3) / sqrt(q.shape[2])
        scores = q @ k + self._spread(q @ self.emb_rel_k.transpose(1, 2))
        scores = scores.masked_fill(mask[:, None] == 0, MASKED)
        weights = torch.softmax(scores, dim=-1)
        y = weights @ v.transpose(2, 3) + self._band(weights) @ self.emb_rel_v
        return self.conv_o(y.transpose(2, 3).reshape(x.shape))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, heads, channels of each, positions)."""
        return x.reshape(x.shape[0], self.heads, -1, x.shape[2])

    def _spread(self, near: torch.Tensor) -> torch.Tensor:
        """Row i of near (…, n, distances) put around column i of a square (…, n, n).

        Rows that are padded by n and then read as if they were one shorter each move one to the
        right of the one above.
        """
        n, distances = near.shape[2], 2 * self.window + 1
        padded = torch.nn.functional.pad(near, (0, n)).flatten(2)
        skewed = padded[:, :, : n * (n + distances - 1)]
        skewed = skewed.reshape(near.shape[0], near.shape[1], n, n + distances - 1)
        return skewed[:, :, :, self.window : self.window + n]

    def _band(self, weights: torch.Tensor) -> torch.Tensor:
        """The reverse: (…, n, distances) of the values around the diagonal."""
        n, distances = weights.shape[2], 2 * self.window + 1
        flat = torch.nn.functional.pad(weights, (self.window, self.window)).flatten(2)
        flat = torch.nn.functional.pad(flat, (0, n))
        straight = flat.reshape(weights.shape[0], weights.shape[1], n, n + distances)
        return straight[:, :, :, :distances]


class FeedForward(torch.nn.Module):
    def __init__(self, width: int, encoder: Encoder) -> None:
        super().__init__()
        around = encoder.kernel // 2
        self.conv_1 = torch.nn.Conv1d(width, encoder.filter, encoder.kernel, padding=around)
        self.conv_2 = torch.nn.Conv1d(encoder.filter, width, encoder.kernel, padding=around)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.conv_1(x * mask))
        return self.conv_2(y * mask) * mask


class Transformer(torch.nn.Module):
    """Norms come after what they normalise; the speaker is told in the middle."""

    def __init__(self, width: int, gin: int, encoder: Encoder) -> None:
        super().__init__()
        layers = range(encoder.layers)
        self.spk_emb_linear = torch.nn.Linear(gin, width)
        self.attn_layers = torch.nn.ModuleList(
            Attention(width, encoder.heads, encoder.window) for _ in layers
        )
        self.norm_layers_1 = torch.nn.ModuleList(ChannelNorm(width) for _ in layers)
        self.ffn_layers = torch.nn.ModuleList(FeedForward(width, encoder) for _ in layers)
        self.norm_layers_2 = torch.nn.ModuleList(ChannelNorm(width) for _ in layers)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        """speaker: (batch, gin)."""
        x = x * mask
        layers = zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        )
        for number, (attention, norm_1, forward, norm_2) in enumerate(layers):
            if number == SPEAKER_LAYER:
                x = (x + self.spk_emb_linear(speaker)[:, :, None]) * mask
            x = norm_1(x + attention(x, mask))
            x = norm_2(x + forward(x, mask))
        return x * mask


class Separable(torch.nn.Module):
    """Dilated convolutions of each channel by itself, and across channels, in turn."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = range(DURATION_LAYERS)
        dilations = [DURATION_KERNEL**layer for layer in layers]
        self.convs_sep = torch.nn.ModuleList(
            torch.nn.Conv1d(
                width,
                width,
                DURATION_KERNEL,
                groups=width,
                dilation=dilation,
                padding=dilation * (DURATION_KERNEL // 2),
            )
            for dilation in dilations
        )
        self.convs_1x1 = torch.nn.ModuleList(torch.nn.Conv1d(width, width, 1) for _ in layers)
        self.norms_1 = torch.nn.ModuleList(ChannelNorm(width) for _ in layers)
        self.norms_2 = torch.nn.ModuleList(ChannelNorm(width) for _ in layers)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        gelu = torch.nn.functional.gelu
        layers = zip(self.convs_sep, self.norms_1, self.convs_1x1, self.norms_2, strict=True)
        for apart, norm_1, across, norm_2 in layers:
            y = gelu(norm_1(apart(x * mask)))
            x = x + gelu(norm_2(across(y)))
        return x * mask
