"""The tensors that speaking needs, by the names that Bert-VITS2's checkpoints give them.

Left out is what only training uses: the posterior encoder (``enc_q``), the posterior half of the
stochastic duration predictor (``sdp.post_*``) and its first flow (``sdp.flows.1``). Weight norms
are folded into ``weight``.
"""

from __future__ import annotations

from collections.abc import Iterator

from mien.tts.bert_vits2.variant import Encoder, Variant

Named = Iterator[tuple[str, tuple[int, ...]]]

EMOTION_HIDDEN = 1028
EMOTION_WIDTH = 512
DURATION_KERNEL = 3
DURATION_LAYERS = 3
SPLINE_FLOWS = (3, 5, 7)
"""Those of ``sdp.flows`` that are splines and take part in speaking."""


def parameters(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by key."""
    return dict(_all(variant))


def _all(v: Variant) -> Named:
    yield "emb_g.weight", (v.speakers, v.gin)
    yield from _text(v)
    yield from _stochastic_durations(v)
    yield from _durations(v)
    for coupling in range(v.couplings):
        prefix = f"flow.flows.{2 * coupling}"
        yield from _layer(f"{prefix}.pre", v.hidden, v.latent // 2, 1)
        yield from _encoder(f"{prefix}.enc", v.flow, v)
        yield from _layer(f"{prefix}.post", v.latent // 2, v.hidden, 1)
    yield from _decoder(v)


def _text(v: Variant) -> Named:
    yield "enc_p.emb.weight", (v.symbols, v.hidden)
    yield "enc_p.tone_emb.weight", (v.tones, v.hidden)
    yield "enc_p.language_emb.weight", (v.languages, v.hidden)
    if v.pre_bert:
        yield from _layer("enc_p.bert_pre_proj", v.pre_bert, v.bert_widths["bert"], 1)
    for name, width in v.bert_widths.items():
        yield from _layer(f"enc_p.{name}_proj", v.hidden, v.pre_bert or width, 1)
    yield from _emotion(v)
    yield from _encoder("enc_p.encoder", v.text, v)
    yield from _layer("enc_p.proj", 2 * v.latent, v.hidden, 1)


def _emotion(v: Variant) -> Named:
    """The codebooks of the three ways that emotions are quantised."""
    if v.name == "2.1":
        yield from _layer("enc_p.emo_proj", 1024, 1024)
        yield "enc_p.emo_quantizer._codebook.embed", (1, 10, 1024)
        yield from _layer("enc_p.emo_q_proj", v.hidden, 1024)
    if v.emotion != "clap512":
        return
    yield "enc_p.in_feature_net.0.weight", (EMOTION_HIDDEN, EMOTION_WIDTH)
    yield from _norm("enc_p.in_feature_net.2", EMOTION_HIDDEN, "weight", "bias")
    yield from _norm("enc_p.in_feature_net.3.norm", EMOTION_HIDDEN, "weight", "bias")
    for name in ("c_fc1", "c_fc2"):
        yield f"enc_p.in_feature_net.3.mlp.{name}.weight", (EMOTION_WIDTH, EMOTION_HIDDEN)
    yield "enc_p.in_feature_net.3.mlp.c_proj.weight", (EMOTION_HIDDEN, EMOTION_WIDTH)
    yield "enc_p.in_feature_net.4.weight", (EMOTION_WIDTH, EMOTION_HIDDEN)
    if v.name == "jpextra":
        yield "enc_p.emo_vq._codebook.embed", (32, 256, 16)
    else:
        yield from _layer("enc_p.emo_vq.project_in", 1024, EMOTION_WIDTH)
        yield "enc_p.emo_vq._codebook.embed", (32, 64, 32)
        yield from _layer("enc_p.emo_vq.project_out", EMOTION_WIDTH, 1024)
    yield from _layer("enc_p.out_feature_net", v.hidden, EMOTION_WIDTH)


def _encoder(prefix: str, encoder: Encoder, v: Variant) -> Named:
    yield from _layer(f"{prefix}.spk_emb_linear", v.hidden, v.gin)
    positions = (1, 2 * encoder.window + 1, v.hidden // encoder.heads)
    for layer in range(encoder.layers):
        attention = f"{prefix}.attn_layers.{layer}"
        for name in "qkvo":
            yield from _layer(f"{attention}.conv_{name}", v.hidden, v.hidden, 1)
        yield f"{attention}.emb_rel_k", positions
        yield f"{attention}.emb_rel_v", positions
        yield from _norm(f"{prefix}.norm_layers_1.{layer}", v.hidden)
        forward = f"{prefix}.ffn_layers.{layer}"
        yield from _layer(f"{forward}.conv_1", encoder.filter, v.hidden, encoder.kernel)
        yield from _layer(f"{forward}.conv_2", v.hidden, encoder.filter, encoder.kernel)
        yield from _norm(f"{prefix}.norm_layers_2.{layer}", v.hidden)


def _stochastic_durations(v: Variant) -> Named:
    yield from _layer("sdp.pre", v.hidden, v.hidden, 1)
    yield from _layer("sdp.cond", v.hidden, v.gin, 1)
    yield from _separable("sdp.convs", v.hidden)
    yield from _layer("sdp.proj", v.hidden, v.hidden, 1)
    yield "sdp.flows.0.m", (2, 1)
    yield "sdp.flows.0.logs", (2, 1)
    for flow in SPLINE_FLOWS:
        yield from _layer(f"sdp.flows.{flow}.pre", v.hidden, 1, 1)
        yield from _separable(f"sdp.flows.{flow}.convs", v.hidden)
        yield from _layer(f"sdp.flows.{flow}.proj", 3 * v.spline_bins - 1, v.hidden, 1)


def _separable(prefix: str, width: int) -> Named:
    for layer in range(DURATION_LAYERS):
        yield f"{prefix}.convs_sep.{layer}.weight", (width, 1, DURATION_KERNEL)
        yield f"{prefix}.convs_sep.{layer}.bias", (width,)
        yield from _layer(f"{prefix}.convs_1x1.{layer}", width, width, 1)
        yield from _norm(f"{prefix}.norms_1.{layer}", width)
        yield from _norm(f"{prefix}.norms_2.{layer}", width)


def _durations(v: Variant) -> Named:
    width = v.duration_filter
    yield from _layer("dp.cond", v.hidden, v.gin, 1)
    yield from _layer("dp.conv_1", width, v.hidden, DURATION_KERNEL)
    yield from _norm("dp.norm_1", width)
    yield from _layer("dp.conv_2", width, width, DURATION_KERNEL)
    yield from _norm("dp.norm_2", width)
    yield from _layer("dp.proj", 1, width, 1)


def _decoder(v: Variant) -> Named:
    yield from _layer("dec.conv_pre", v.channels, v.latent, 7)
    yield from _layer("dec.cond", v.channels, v.gin, 1)
    for stage, kernel in enumerate(v.kernels):
        before, after = v.channels >> stage, v.channels >> (stage + 1)
        yield f"dec.ups.{stage}.weight", (before, after, kernel)
        yield f"dec.ups.{stage}.bias", (after,)
        for number, size in enumerate(v.resblocks):
            block = f"dec.resblocks.{stage * len(v.resblocks) + number}"
            for part in ("convs1", "convs2"):
                for index in range(len(v.dilations)):
                    yield from _layer(f"{block}.{part}.{index}", after, after, size)
    yield "dec.conv_post.weight", (1, v.channels >> len(v.kernels), 7)


def _layer(prefix: str, out: int, into: int, *kernel: int) -> Named:
    yield f"{prefix}.weight", (out, into, *kernel)
    yield f"{prefix}.bias", (out,)


def _norm(prefix: str, width: int, scale: str = "gamma", shift: str = "beta") -> Named:
    yield f"{prefix}.{scale}", (width,)
    yield f"{prefix}.{shift}", (width,)
