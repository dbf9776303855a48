"""How long each symbol lasts: two predictors, one of them stochastic, in PyTorch.

Both as in VITS (Kim, Kong, Son 2021, arXiv:2106.06103, 2.2.2 and appendix); the stochastic one is a
flow of rational quadratic splines (Durkan et al. 2019, arXiv:1906.04032), run backwards.
"""

from __future__ import annotations

from math import exp, log, sqrt

from mien.passive_torch import torch
from mien.tts.bert_vits2.architecture import DURATION_KERNEL, SPLINE_FLOWS
from mien.tts.bert_vits2.torch_layers import ChannelNorm, Separable
from mien.tts.bert_vits2.variant import Variant

TAIL = 5.0
"""The spline bends what lies within ±TAIL and leaves the rest."""

LEAST = 1e-3
"""Of a bin's width and height and of the slope at its sides."""


class DurationPredictor(torch.nn.Module):
    """Logarithms of durations, by convolutions."""

    def __init__(self, v: Variant) -> None:
        super().__init__()
        width, around = v.duration_filter, DURATION_KERNEL // 2
        self.cond = torch.nn.Conv1d(v.gin, v.hidden, 1)
        self.conv_1 = torch.nn.Conv1d(v.hidden, width, DURATION_KERNEL, padding=around)
        self.norm_1 = ChannelNorm(width)
        self.conv_2 = torch.nn.Conv1d(width, width, DURATION_KERNEL, padding=around)
        self.norm_2 = ChannelNorm(width)
        self.proj = torch.nn.Conv1d(width, 1, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """x: (batch, hidden, n). g: (batch, gin, 1). Returns (batch, n)."""
        x = (x + self.cond(g)) * mask
        x = self.norm_1(torch.relu(self.conv_1(x))) * mask
        x = self.norm_2(torch.relu(self.conv_2(x))) * mask
        return (self.proj(x) * mask)[:, 0]


class StochasticDurationPredictor(torch.nn.Module):
    """Logarithms of durations, drawn from what the text allows."""

    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.pre = torch.nn.Conv1d(v.hidden, v.hidden, 1)
        self.cond = torch.nn.Conv1d(v.gin, v.hidden, 1)
        self.convs = Separable(v.hidden)
        self.proj = torch.nn.Conv1d(v.hidden, v.hidden, 1)
        self.flows = torch.nn.ModuleDict({"0": Affine()})
        self.flows.update({str(number): SplineFlow(v) for number in SPLINE_FLOWS})

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor, g: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """x: (batch, hidden, n). g: (batch, gin, 1). noise: (batch, 2, n). Returns (batch, n)."""
        x = self.pre(x) + self.cond(g)
        x = self.proj(self.convs(x, mask)) * mask
        kept, bent = noise[:, 1:], noise[:, :1]  # the two channels change places before each flow
        for number in reversed(SPLINE_FLOWS):
            bent = self.flows[str(number)](kept, bent, mask, x)
            kept, bent = bent, kept
        return self.flows["0"](torch.cat((kept, bent), 1), mask)[:, 0]


class Affine(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.m = torch.nn.Parameter(torch.empty(2, 1))
        self.logs = torch.nn.Parameter(torch.empty(2, 1))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (x - self.m) * torch.exp(-self.logs) * mask


class SplineFlow(torch.nn.Module):
    """One channel tells how the other is bent."""

    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.bins = v.spline_bins
        self.scale = 1 / sqrt(v.hidden)
        self.pre = torch.nn.Conv1d(1, v.hidden, 1)
        self.convs = Separable(v.hidden)
        self.proj = torch.nn.Conv1d(v.hidden, 3 * v.spline_bins - 1, 1)

    def forward(
        self, kept: torch.Tensor, bent: torch.Tensor, mask: torch.Tensor, x: torch.Tensor
    ) -> torch.Tensor:
        """kept, bent: (batch, 1, n). Returns the other side of what ``bent`` was made of."""
        h = self.proj(self.convs(self.pre(kept) + x, mask)) * mask
        widths, heights, slopes = h.transpose(1, 2).split(
            (self.bins, self.bins, self.bins - 1), dim=2
        )
        back = _unbent(bent[:, 0], widths * self.scale, heights * self.scale, slopes)
        return back[:, None] * mask


def _unbent(
    y: torch.Tensor, widths: torch.Tensor, heights: torch.Tensor, slopes: torch.Tensor
) -> torch.Tensor:
    """The x at which the spline is y. y: (batch, n); the rest (batch, n, bins or bins - 1)."""
    xs, ys = _knots(widths), _knots(heights)
    # At ±TAIL the slope is 1, so that the spline goes over into the diagonal.
    one = log(exp(1 - LEAST) - 1)
    slopes = torch.nn.functional.pad(slopes, (1, 1), value=one)
    slopes = LEAST + torch.nn.functional.softplus(slopes)
    inside = y.clamp(-TAIL, TAIL)[:, :, None]
    bin_ = (inside >= ys[:, :, 1:-1]).sum(dim=2, keepdim=True)

    def at(values: torch.Tensor, offset: int = 0) -> torch.Tensor:
        return values.gather(2, bin_ + offset)

    width, height = at(xs, 1) - at(xs), at(ys, 1) - at(ys)
    slope, left, right = height / width, at(slopes), at(slopes, 1)
    up = inside - at(ys)
    curve = up * (left + right - 2 * slope)
    a = curve + height * (slope - left)
    b = height * left - curve
    c = -slope * up
    # The root of a x² + b x + c that lies within the bin, in the form that does not cancel.
    root = 2 * c / (-b - torch.sqrt(b * b - 4 * a * c))
    x = (root * width + at(xs))[:, :, 0]
    return torch.where((y >= -TAIL) & (y <= TAIL), x, y)


def _knots(parts: torch.Tensor) -> torch.Tensor:
    """Sides of the bins, from -TAIL to TAIL: (batch, n, bins + 1)."""
    bins = parts.shape[2]
    shares = LEAST + (1 - LEAST * bins) * torch.softmax(parts, dim=2)
    inner = 2 * TAIL * torch.cumsum(shares, dim=2)[:, :, :-1] - TAIL
    inner = torch.nn.functional.pad(inner, (1, 0), value=-TAIL)
    return torch.nn.functional.pad(inner, (0, 1), value=TAIL)
