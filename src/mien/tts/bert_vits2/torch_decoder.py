"""The decoder as it is run: the same sound as ``torch_network.Decoder`` from fewer operations."""

from __future__ import annotations

from mien.passive_torch import torch
from mien.tts.bert_vits2.torch_network import LAST_SLOPE, SLOPE, Decoder, Network

leaky = torch.nn.functional.leaky_relu


class Upsampling(torch.nn.Module):
    """A transposed convolution as a convolution that makes several samples at once.

    Every sample of the result depends on kernel / rate samples of the input. Libraries' transposed
    convolutions take up to seven times as long as the same work in a convolution.
    """

    def __init__(self, up: torch.nn.ConvTranspose1d, scale: float) -> None:
        """scale: of the input; it goes into the weight."""
        super().__init__()
        into, self.width, kernel = up.weight.shape
        (self.rate,), (self.cut,) = up.stride, up.padding
        taps = kernel // self.rate
        weight = up.weight.reshape(into, self.width, taps, self.rate).flip(2) * scale
        self.conv = torch.nn.Conv1d(into, self.width * self.rate, taps, padding=taps - 1)
        self.conv.weight.data = weight.permute(1, 3, 0, 2).reshape(-1, into, taps).contiguous()
        self.conv.bias.data = up.bias.repeat_interleave(self.rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        y = y.reshape(y.shape[0], self.width, self.rate, -1).transpose(2, 3).flatten(2)
        return y[:, :, self.cut : y.shape[2] - self.cut] if self.cut else y


class RunDecoder(torch.nn.Module):
    """Convolutions in place of transposed ones; means as sums, whose scale is in what follows."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        decoder: Decoder = network.dec
        self.emb_g, self.conv_pre, self.cond = network.emb_g, decoder.conv_pre, decoder.cond
        self.rate = decoder.rates[0]
        alike = len(decoder.resblocks) // len(decoder.rates)
        self.ups = torch.nn.ModuleList(
            Upsampling(up, 1 / alike if stage else 1.0) for stage, up in enumerate(decoder.ups)
        )
        self.stages = torch.nn.ModuleList(
            torch.nn.ModuleList(decoder.resblocks[stage * alike : (stage + 1) * alike])
            for stage in range(len(decoder.rates))
        )
        self.conv_post = torch.nn.Conv1d(
            *decoder.conv_post.weight.shape[1::-1], 7, padding=3, bias=False
        )
        self.conv_post.weight.data = decoder.conv_post.weight / alike
        self.requires_grad_(False)

    def forward(
        self,
        latents: torch.Tensor,
        speakers: torch.Tensor,
        left: torch.Tensor | int,
        right: torch.Tensor | int,
    ) -> torch.Tensor:
        """latents: (batch, latent, m). speakers: int64 (batch).

        left, right: frames that are cut off behind the first stage.
        Returns (batch, (m - left - right) * hop).
        """
        g = self.emb_g(speakers)[:, :, None]
        x = self.conv_pre(latents) + self.cond(g.to(latents.dtype))
        for number, (up, blocks) in enumerate(zip(self.ups, self.stages, strict=True)):
            x = up(leaky(x, SLOPE))
            x = _sum([block(x) for block in blocks])
            if number == 0:
                x = x[:, :, left * self.rate : x.shape[2] - right * self.rate]
        return torch.tanh(self.conv_post(leaky(x, LAST_SLOPE)))[:, 0]


def _sum(parts: list[torch.Tensor]) -> torch.Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
