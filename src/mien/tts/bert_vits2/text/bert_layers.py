"""The transformers behind the features, on PyTorch: BERT, Megatron-BERT, DeBERTa v2 and v3.

After Devlin et al. 2018 (BERT), Shoeybi et al. 2019 (Megatron: norms before instead of after) and
He et al. 2021 (DeBERTa: attention to content and to relative position apart). Tensors have the
names that checkpoints on Hugging Face give them. One text at a time, so nothing is masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from mien.passive_torch import torch

functional = torch.nn.functional
Tensor = Any
Tensors = Mapping[str, Tensor]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
}


class Bert:
    """int64[n] token ids to float[n, width]; ``layers`` of them, from the bottom."""

    norm_first = False

    def __init__(self, config: Mapping[str, Any], tensors: Tensors, layers: int) -> None:
        self._config = config
        self._tensors = tensors
        self._layers = layers
        self._heads = int(config["num_attention_heads"])
        self._eps = float(config.get("layer_norm_eps", 1e-12))
        self._activation = ACTIVATIONS[config.get("hidden_act", "gelu")]

    def __call__(self, ids: Tensor) -> Tensor:
        hidden = self._embedded(ids)
        position = self._position(len(ids), hidden)
        for number in range(self._layers):
            layer = f"encoder.layer.{number}"
            if self.norm_first:
                inner = self._norm(f"{layer}.attention.ln", hidden)
                hidden = hidden + self._attended(layer, inner, position)
                hidden = hidden + self._fed(layer, self._norm(f"{layer}.ln", hidden))
            else:
                hidden = hidden + self._attended(layer, hidden, position)
                hidden = self._norm(f"{layer}.attention.output.LayerNorm", hidden)
                hidden = hidden + self._fed(layer, hidden)
                hidden = self._norm(f"{layer}.output.LayerNorm", hidden)
        return hidden

    def _embedded(self, ids: Tensor) -> Tensor:
        tensors = self._tensors
        hidden = tensors["embeddings.word_embeddings.weight"][ids]
        if self._config.get("position_biased_input", True):
            hidden = hidden + tensors["embeddings.position_embeddings.weight"][: len(ids)]
        if self._config.get("type_vocab_size", 2):
            hidden = hidden + tensors["embeddings.token_type_embeddings.weight"][0]
        return hidden if self.norm_first else self._norm("embeddings.LayerNorm", hidden)

    def _position(self, length: int, like: Tensor) -> Tensor:
        """What attention needs of the positions, the same in every layer."""
        return None

    def _attended(self, layer: str, hidden: Tensor, position: Tensor) -> Tensor:
        query, key, value = (
            self._split(self._linear(f"{layer}.attention.self.{part}", hidden))
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
        return self._joined(layer, mixed)

    def _joined(self, layer: str, mixed: Tensor) -> Tensor:
        """float[heads, n, size] → float[n, width]."""
        return self._linear(f"{layer}.attention.output.dense", mixed.transpose(0, 1).flatten(1))

    def _fed(self, layer: str, hidden: Tensor) -> Tensor:
        inner = self._activation(self._linear(f"{layer}.intermediate.dense", hidden))
        return self._linear(f"{layer}.output.dense", inner)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self._eps)

    def _split(self, x: Tensor) -> Tensor:
        """float[n, width] → float[heads, n, size]."""
        return x.unflatten(-1, (self._heads, -1)).transpose(0, 1)


class MegatronBert(Bert):
    norm_first = True


class Deberta(Bert):
    """Its attention also looks from content to relative position, and from position to content."""

    def __init__(self, config: Mapping[str, Any], tensors: Tensors, layers: int) -> None:
        super().__init__(config, tensors, layers)
        self._eps = float(config.get("layer_norm_eps", 1e-7))
        self._shared = bool(config.get("share_att_key", False))
        kinds = config.get("pos_att_type") or ()
        self._kinds = set(kinds.split("|") if isinstance(kinds, str) else kinds)
        farthest = int(config.get("max_relative_positions", -1))
        self._farthest = farthest if farthest > 0 else int(config["max_position_embeddings"])
        self._buckets = int(config.get("position_buckets", -1))
        self._span = self._buckets if self._buckets > 0 else self._farthest

    def _position(self, length: int, like: Tensor) -> Tensor:
        """int64[n, n]: the row of the relative embeddings for each pair; and those embeddings."""
        at = torch.arange(length, device=like.device)
        apart = at[:, None] - at[None, :]
        if self._buckets > 0:
            apart = _bucket(apart, self._buckets, self._farthest)
        rows = (apart + self._span).clamp(0, 2 * self._span - 1)
        relative = self._tensors["encoder.rel_embeddings.weight"][: 2 * self._span]
        if "layer_norm" in str(self._config.get("norm_rel_ebd", "none")).lower():
            relative = self._norm("encoder.LayerNorm", relative)
        return rows, relative

    def _attended(self, layer: str, hidden: Tensor, position: Tensor) -> Tensor:
        rows, relative = position
        name = f"{layer}.attention.self"
        query, key, value = (
            self._split(self._linear(f"{name}.{part}_proj", hidden))
            for part in ("query", "key", "value")
        )
        rows = rows.expand(self._heads, -1, -1)
        scores = query @ key.transpose(1, 2)
        if "c2p" in self._kinds:
            part = "key_proj" if self._shared else "pos_key_proj"
            places = self._split(self._linear(f"{name}.{part}", relative))
            scores = scores + (query @ places.transpose(1, 2)).gather(2, rows)
        if "p2c" in self._kinds:
            part = "query_proj" if self._shared else "pos_query_proj"
            places = self._split(self._linear(f"{name}.{part}", relative))
            # Row j of these is about key j, seen from each distance: i - j is what ``rows`` has.
            seen = (key @ places.transpose(1, 2)).gather(2, rows.transpose(1, 2))
            scores = scores + seen.transpose(1, 2)
        scale = math.sqrt(query.shape[-1] * (1 + len(self._kinds & {"c2p", "p2c"})))
        return self._joined(layer, (scores / scale).softmax(-1) @ value)


def _bucket(apart: Tensor, buckets: int, farthest: int) -> Tensor:
    """Distances up to half the buckets as they are, farther ones ever more coarsely."""
    middle = buckets // 2
    distance = apart.abs().clamp(min=middle).float()
    coarse = torch.log(distance / middle) / torch.log(torch.tensor((farthest - 1) / middle))
    coarse = torch.ceil(coarse * (middle - 1)).long() + middle
    return torch.where(apart.abs() <= middle, apart, coarse * apart.sign())


NETWORKS: dict[str, type[Bert]] = {
    "bert": Bert,
    "megatron-bert": MegatronBert,
    "deberta-v2": Deberta,
}
"""By ``model_type`` of config.json."""
