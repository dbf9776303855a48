"""Random changes of log-mel frames while training: throats, microphones, levels, noise, gaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def distorted(mel: Tensor) -> Tensor:
    """float32[batch, t, bands] → another speaker at another microphone."""
    batch, _, bands = mel.shape
    mel = _contrasted(_warped(mel))
    band = torch.linspace(-1, 1, bands)
    tilt = torch.randn(batch, 1, 1) * 1.2 * band
    knots = torch.randn(batch, 1, 8) * 0.9
    curve = torch.nn.functional.interpolate(knots, size=bands, mode="linear", align_corners=True)
    level = torch.empty(batch, 1, 1).uniform_(-3.2, 1.8)  # -28…+16 dB
    mel = mel + (tilt + curve + level)
    mel = torch.maximum(mel, torch.tensor(math.log(1e-5)))
    noise = torch.empty(batch, 1, 1).uniform_(-12, -5) + torch.randn(batch, 1, 1) * band
    noisy = torch.logaddexp(mel, noise + 0.5 * torch.randn_like(mel))
    mel = torch.where(torch.rand(batch, 1, 1) < 0.5, noisy, mel)
    return _masked(mel)


def _warped(mel: Tensor) -> Tensor:
    """Formants moved by 0.78…1.28, differently in the low and the high half."""
    batch, frames, bands = mel.shape
    low = torch.exp(torch.randn(batch, 1) * 0.12).clamp(0.78, 1.28)
    high = low * torch.exp(torch.randn(batch, 1) * 0.05)
    at = torch.arange(bands, dtype=torch.float32)
    bend = at / (bands - 1)
    source = (at * (low * (1 - bend) + high * bend)).clamp(0, bands - 1)
    floor = source.floor().long()
    share = (source - floor)[:, None, :]
    first = floor[:, None, :].expand(batch, frames, bands)
    second = (floor + 1).clamp(max=bands - 1)[:, None, :].expand(batch, frames, bands)
    return mel.gather(2, first) * (1 - share) + mel.gather(2, second) * share


def _contrasted(mel: Tensor) -> Tensor:
    """Harmonics and formants sharper or flatter, as between natural and modelled voices."""
    smooth = torch.nn.functional.avg_pool1d(mel, 5, 1, 2, count_include_pad=False)
    sharpness = torch.empty(len(mel), 1, 1).uniform_(0.4, 1.5)
    mean = mel.mean(1, keepdim=True)
    depth = torch.empty(len(mel), 1, 1).uniform_(0.85, 1.15)
    return mean + depth * (smooth - mean) + sharpness * (mel - smooth)


def _masked(mel: Tensor) -> Tensor:
    """Up to six and four neighbouring bands and up to six frames blotted out."""
    batch, frames, bands = mel.shape
    for size, axis, most in ((bands, 2, 6), (bands, 2, 4), (frames, 1, 6)):
        width = torch.randint(0, most + 1, (batch, 1))
        begin = (torch.rand(batch, 1) * size).long()
        at = torch.arange(size)[None]
        mask = (at >= begin) & (at < begin + width)
        mask = mask[:, None, :] if axis == 2 else mask[:, :, None]
        mel = torch.where(mask, mel.mean(dim=(1, 2), keepdim=True), mel)
    return mel
