"""Which Bert-VITS2 a checkpoint is: told from the names and shapes of its tensors.

The ``version`` that comes with a voice cannot be relied on: the side lines reuse "2.3" and "2.4",
and 2.3 itself was released calling itself "2.2". 2.0 and 2.3 are the same network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from mien.weights.tensor import CheckpointError

Name = Literal["2.0", "2.1", "2.2", "jpextra", "zhextra"]
Emotion = Literal["vector1024", "clap512"]
Shapes = Mapping[str, tuple[int, ...]]
"""Of the tensors that speaking needs, by state-dict key, with weight norms folded in."""

RATES = (8, 8, 2, 2, 2)
DILATIONS = (1, 3, 5)


class VariantError(CheckpointError):
    """Weights of something else than a Bert-VITS2 that is known here. zh: the same in Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        super().__init__(message)
        self.zh = zh


@dataclass(frozen=True)
class Encoder:
    """A transformer. window: how far, in positions, it tells distances apart."""

    layers: int
    heads: int
    window: int
    filter: int
    kernel: int


@dataclass(frozen=True)
class Variant:
    """The network's sizes; 2.3 goes by the name "2.0", which it equals.

    gin: width of what is known of a speaker. hidden: of everything between symbols and latents;
        latent: of a latent frame. bert_widths: inputs, in the order they are added.
    rates, kernels: of the decoder's upsampling; channels: of the decoder before the first.
    resblocks: kernel sizes; dilations: of the convolutions in each.
    pre_bert: width between the two projections of BERT features, 0 where there is but one.
    """

    name: Name
    speakers: int
    symbols: int
    tones: int
    languages: int
    gin: int
    hidden: int
    latent: int
    text: Encoder
    flow: Encoder
    couplings: int
    bert_widths: Mapping[str, int]
    pre_bert: int
    emotion: Emotion | None
    duration_filter: int
    spline_bins: int
    channels: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    resblocks: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def hop(self) -> int:
        """Samples of one latent frame."""
        return prod(self.rates)

    @property
    def emotion_width(self) -> int:
        """Numbers that describe an emotion; 0 where none is heeded."""
        return {None: 0, "vector1024": 1024, "clap512": 512}[self.emotion]


def detect(
    shapes: Shapes, rates: tuple[int, ...] = RATES, dilations: tuple[int, ...] = DILATIONS
) -> Variant:
    """The variant and the sizes of the network that ``shapes`` belong to.

    rates, dilations: what no shape tells, from the voice's config.json.
    Raises VariantError, which names what the weights are or lack.
    """
    name = _name(shapes)
    try:
        return _sized(name, shapes, rates, dilations)
    except KeyError as error:
        raise VariantError(
            f"the weights look like Bert-VITS2 {name}, but {error.args[0]} is missing",
            f"权重看起来是 Bert-VITS2 {name}，但缺少 {error.args[0]}",
        ) from None


def _name(shapes: Shapes) -> Name:
    """By the table of the reference numbers: the first that fits."""
    if "enc_p.emb.weight" not in shapes or "dec.conv_pre.weight" not in shapes:
        raise VariantError(
            "these are not the weights of a Bert-VITS2 voice (no enc_p.emb.weight and "
            "dec.conv_pre.weight); the file is called G_….pth, not D_…, DUR_… or WD_…",
            "这不是 Bert-VITS2 声音的权重；文件名应为 G_….pth，而不是 D_…、DUR_… 或 WD_…",
        )
    if "flow.flows.0.enc.attn_layers.0.conv_q.weight" not in shapes:
        raise VariantError(
            "its flow is made of convolutions; only voices with a transformer flow are known here",
            "该模型的 flow 由卷积构成；这里只支持 transformer flow 的声音",
        )
    vectors = shapes.get("enc_p.emo_vq._codebook.embed")
    if "enc_p.bert_pre_proj.weight" in shapes and vectors:
        return "zhextra"
    if vectors and "enc_p.ja_bert_proj.weight" not in shapes:
        return "jpextra"
    if vectors and "enc_p.en_bert_proj.weight" in shapes:
        return "2.2"
    if "enc_p.emo_quantizer._codebook.embed" in shapes:
        return "2.1"
    if "enc_p.en_bert_proj.weight" in shapes:
        return "2.0"
    which = "1.1" if "enc_p.ja_bert_proj.weight" in shapes else "1.0 or the first Extra"
    raise VariantError(
        f"this is a voice of Bert-VITS2 {which}; versions 2.0 to 2.3 and the Chinese "
        "Extra of version 2.4 work",
        f"这是 Bert-VITS2 {which} 的声音；支持 2.0 至 2.3 和中文特化版（2.4）",
    )


def _sized(
    name: Name, shapes: Shapes, rates: tuple[int, ...], dilations: tuple[int, ...]
) -> Variant:
    symbols, hidden = shapes["enc_p.emb.weight"]
    speakers, gin = shapes["emb_g.weight"]
    berts = {
        key: shapes[f"enc_p.{key}_proj.weight"][1]
        for key in ("bert", "ja_bert", "en_bert")
        if f"enc_p.{key}_proj.weight" in shapes
    }
    pre_bert = 0
    if name == "zhextra":
        pre_bert, berts["bert"], _ = shapes["enc_p.bert_pre_proj.weight"]
    blocks = _count(shapes, "dec.resblocks.{}.convs1.0.weight")
    bins = (shapes["sdp.flows.3.proj.weight"][0] + 1) // 3
    variant = Variant(
        name=name,
        speakers=speakers,
        symbols=symbols,
        tones=shapes["enc_p.tone_emb.weight"][0],
        languages=shapes["enc_p.language_emb.weight"][0],
        gin=gin,
        hidden=hidden,
        latent=shapes["enc_p.proj.weight"][0] // 2,
        text=_encoder(shapes, "enc_p.encoder"),
        flow=_encoder(shapes, "flow.flows.0.enc"),
        couplings=_count(shapes, "flow.flows.{}.pre.weight", step=2),
        bert_widths=berts,
        pre_bert=pre_bert,
        emotion={"2.0": None, "2.1": "vector1024"}.get(name, "clap512"),
        duration_filter=shapes["dp.conv_1.weight"][0],
        spline_bins=bins,
        channels=shapes["dec.conv_pre.weight"][0],
        rates=rates,
        kernels=tuple(
            shapes[f"dec.ups.{i}.weight"][2] for i in range(_count(shapes, "dec.ups.{}.weight"))
        ),
        resblocks=tuple(
            shapes[f"dec.resblocks.{i}.convs1.0.weight"][2] for i in range(blocks // len(rates))
        ),
        dilations=dilations,
    )
    if len(variant.kernels) != len(rates):
        raise VariantError(
            f"its decoder has {len(variant.kernels)} stages, config.json names {len(rates)} "
            "(upsample_rates); do the two files belong together?",
            f"解码器有 {len(variant.kernels)} 级，而 config.json 中 upsample_rates 有 "
            f"{len(rates)} 级；两个文件是否属于同一个声音？",
        )
    return variant


def _encoder(shapes: Shapes, prefix: str) -> Encoder:
    hidden = shapes[f"{prefix}.attn_layers.0.conv_q.weight"][0]
    _, positions, width = shapes[f"{prefix}.attn_layers.0.emb_rel_k"]
    filter_, _, kernel = shapes[f"{prefix}.ffn_layers.0.conv_1.weight"]
    layers = _count(shapes, f"{prefix}.attn_layers.{{}}.emb_rel_k")
    return Encoder(layers, hidden // width, positions // 2, filter_, kernel)


def _count(shapes: Shapes, key: str, step: int = 1) -> int:
    count = 0
    while key.format(count * step) in shapes:
        count += 1
    return count
