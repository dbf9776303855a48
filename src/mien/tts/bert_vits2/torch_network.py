"""The network in PyTorch, in three stages: text, flow and decoder.

VITS (Kim, Kong, Son 2021, arXiv:2106.06103) with the transformer flow and the speaker-conditioned
encoder of VITS2 (Kong et al. 2023, arXiv:2307.16430); the decoder is HiFi-GAN's (Kong, Kim, Bae
2020, arXiv:2010.05646). What Bert-VITS2 adds are features of language models and emotions.
"""

from __future__ import annotations

from math import sqrt

from mien.passive_torch import torch
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.torch_durations import DurationPredictor, StochasticDurationPredictor
from mien.tts.bert_vits2.torch_layers import Transformer
from mien.tts.bert_vits2.variant import Variant

SLOPE = 0.1
LAST_SLOPE = 0.01
"""Slopes of the decoder's leaky ReLUs: of all, and of the last, below zero."""


class TextEncoder(torch.nn.Module):
    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.emb = torch.nn.Embedding(v.symbols, v.hidden)
        self.tone_emb = torch.nn.Embedding(v.tones, v.hidden)
        self.language_emb = torch.nn.Embedding(v.languages, v.hidden)
        if v.pre_bert:
            self.bert_pre_proj = torch.nn.Conv1d(v.bert_widths["bert"], v.pre_bert, 1)
        for name, width in v.bert_widths.items():
            self.add_module(f"{name}_proj", torch.nn.Conv1d(v.pre_bert or width, v.hidden, 1))
        self.encoder = Transformer(v.hidden, v.gin, v.text)
        self.proj = torch.nn.Conv1d(v.hidden, 2 * v.latent, 1)
        self._names = tuple(v.bert_widths)
        self._pre = bool(v.pre_bert)

    def forward(
        self,
        ids: torch.Tensor,
        tones: torch.Tensor,
        languages: torch.Tensor,
        mask: torch.Tensor,
        speaker: torch.Tensor,
        emotion: torch.Tensor,
        berts: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the symbols mean, (batch, hidden, n); mean and log scale, (batch, 2 latent, n)."""
        x = self.emb(ids) + self.tone_emb(tones) + self.language_emb(languages)
        x = x.transpose(1, 2) + emotion[:, :, None]
        for name, bert in zip(self._names, berts, strict=True):
            if self._pre:
                bert = self.bert_pre_proj(bert)
            x = x + getattr(self, f"{name}_proj")(bert)
        x = self.encoder(x * sqrt(x.shape[1]), mask, speaker)
        return x, self.proj(x) * mask


class Coupling(torch.nn.Module):
    """One half of the channels tells by how much the other is shifted."""

    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.half = v.latent // 2
        self.pre = torch.nn.Conv1d(self.half, v.hidden, 1)
        self.enc = Transformer(v.hidden, v.gin, v.flow)
        self.post = torch.nn.Conv1d(v.hidden, self.half, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        kept, shifted = x.split((self.half, self.half), dim=1)
        shift = self.post(self.enc(self.pre(kept) * mask, mask, speaker))
        return torch.cat((kept, (shifted - shift) * mask), 1)


class Flow(torch.nn.Module):
    """From what the text says to what the decoder is given: the flow, run backwards."""

    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.flows = torch.nn.ModuleDict({str(2 * n): Coupling(v) for n in range(v.couplings)})

    def forward(self, x: torch.Tensor, mask: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        for coupling in reversed(self.flows.values()):
            x = coupling(x.flip(1), mask, speaker)
        return x


class ResBlock(torch.nn.Module):
    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        around = kernel // 2
        self.convs1 = torch.nn.ModuleList(
            torch.nn.Conv1d(width, width, kernel, dilation=dilation, padding=dilation * around)
            for dilation in dilations
        )
        self.convs2 = torch.nn.ModuleList(
            torch.nn.Conv1d(width, width, kernel, padding=around) for _ in dilations
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        leaky = torch.nn.functional.leaky_relu
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = x + second(leaky(first(leaky(x, SLOPE)), SLOPE))
        return x


class Decoder(torch.nn.Module):
    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.rates = v.rates
        self.conv_pre = torch.nn.Conv1d(v.latent, v.channels, 7, padding=3)
        self.cond = torch.nn.Conv1d(v.gin, v.channels, 1)
        stages = [v.channels >> (stage + 1) for stage in range(len(v.rates))]
        self.ups = torch.nn.ModuleList(
            torch.nn.ConvTranspose1d(2 * width, width, kernel, rate, (kernel - rate) // 2)
            for width, kernel, rate in zip(stages, v.kernels, v.rates, strict=True)
        )
        self.resblocks = torch.nn.ModuleList(
            ResBlock(width, kernel, v.dilations) for width in stages for kernel in v.resblocks
        )
        self.conv_post = torch.nn.Conv1d(stages[-1], 1, 7, padding=3, bias=False)
        self._alike = len(v.resblocks)

    def forward(
        self, z: torch.Tensor, g: torch.Tensor, left: torch.Tensor | int, right: torch.Tensor | int
    ) -> torch.Tensor:
        """z: (batch, latent, m). g: (batch, gin, 1). Returns (batch, (m - left - right) * hop).

        left, right: frames that are cut off behind the first stage.
        """
        leaky = torch.nn.functional.leaky_relu
        x = self.conv_pre(z) + self.cond(g)
        for stage, up in enumerate(self.ups):
            x = up(leaky(x, SLOPE))
            blocks = self.resblocks[stage * self._alike : (stage + 1) * self._alike]
            x = torch.stack([block(x) for block in blocks]).mean(0)
            if stage == 0:
                begin, end = left * self.rates[0], x.shape[2] - right * self.rates[0]
                x = x[:, :, begin:end]
        return torch.tanh(self.conv_post(leaky(x, LAST_SLOPE)))[:, 0]


class Network(torch.nn.Module):
    """All of it, with the names of official state dicts; emotions are in ``emotion.py``."""

    def __init__(self, v: Variant) -> None:
        super().__init__()
        self.emb_g = torch.nn.Embedding(v.speakers, v.gin)
        self.enc_p = TextEncoder(v)
        self.sdp = StochasticDurationPredictor(v)
        self.dp = DurationPredictor(v)
        self.flow = Flow(v)
        self.dec = Decoder(v)


class TextStage(torch.nn.Module):
    """Text to durations and latents of symbols."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        ids: torch.Tensor,
        tones: torch.Tensor,
        languages: torch.Tensor,
        lengths: torch.Tensor,
        speakers: torch.Tensor,
        emotions: torch.Tensor,
        noise: torch.Tensor,
        *berts: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """ids, tones, languages: int64 (batch, n). lengths, speakers: int64 (batch).
        emotions: (batch, hidden). noise: (batch, 2, n). berts: (batch, width, n) each.

        Returns mean and log scale, (batch, 2 latent, n); two logarithms of durations, (batch, n):
        the stochastic predictor's and the other's.
        """
        net = self.network
        speaker = net.emb_g(speakers)
        mask = mask_of(lengths, ids.shape[1])
        x, stats = net.enc_p(ids, tones, languages, mask, speaker, emotions, berts)
        g = speaker[:, :, None]
        return stats, net.sdp(x, mask, g, noise), net.dp(x, mask, g)


class FlowStage(torch.nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, latents: torch.Tensor, lengths: torch.Tensor, speakers: torch.Tensor
    ) -> torch.Tensor:
        """latents: (batch, latent, frames). lengths, speakers: int64 (batch)."""
        mask = mask_of(lengths, latents.shape[2])
        return self.network.flow(latents * mask, mask, self.network.emb_g(speakers))


class DecoderStage(torch.nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        latents: torch.Tensor,
        speakers: torch.Tensor,
        left: torch.Tensor | int,
        right: torch.Tensor | int,
    ) -> torch.Tensor:
        """latents: (batch, latent, m). speakers: int64 (batch). left, right: see ``Decoder``."""
        g = self.network.emb_g(speakers)[:, :, None]
        return self.network.dec(latents, g.to(latents.dtype), left, right)


def mask_of(lengths: torch.Tensor, positions: int) -> torch.Tensor:
    """float (batch, 1, positions)."""
    return (torch.arange(positions, device=lengths.device) < lengths[:, None])[:, None].float()


def network_of(checkpoint: Checkpoint) -> Network:
    """The network with a voice's weights, ready to be run, on the CPU."""
    with torch.device("meta"):
        network = Network(checkpoint.variant)
    wanted = network.state_dict().keys()  # each call walks through a thousand modules
    state = {
        key: torch.from_numpy(value) for key, value in checkpoint.state.items() if key in wanted
    }
    network.load_state_dict(state, assign=True)
    network.eval().requires_grad_(False)
    return network
