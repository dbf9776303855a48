"""The transformers behind the features: BERT, Megatron-BERT, DeBERTa v2 and v3.

After Devlin et al. 2018 (BERT), Shoeybi et al. 2019 (Megatron: norms before instead of after) and
He et al. 2021 (DeBERTa: attention to content and to relative position apart). Tensors have the
names that checkpoints on Hugging Face give them. One text at a time, so nothing is masked.

Written down once: ``Ops`` either computes (``bert_torch.py``) or notes down a graph
(``bert_onnx.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Value = Any
"""What ``Ops`` handles: a tensor, or the name of one in a graph."""
Positions = NDArray[np.int64]

ACTIVATIONS = ("gelu", "gelu_new")


class Ops(Protocol):
    """n tokens, width features, heads of ``size`` features each."""

    def embed(self, table: str, rows: Value) -> Value:
        """float[n, width]: the rows of a weight."""

    def head(self, table: str, count: int) -> Value:
        """float[count, width]: the first rows of a weight."""

    def linear(self, name: str, x: Value) -> Value: ...

    def norm(self, name: str, x: Value, eps: float) -> Value: ...

    def gelu(self, x: Value, kind: str) -> Value: ...

    def add(self, x: Value, y: Value) -> Value: ...

    def scale(self, x: Value, factor: float) -> Value: ...

    def matmul(self, x: Value, y: Value) -> Value: ...

    def softmax(self, x: Value) -> Value:
        """Over the last axis."""

    def heads(self, x: Value, count: int) -> Value:
        """float[n, width] → float[heads, n, size]."""

    def joined(self, x: Value) -> Value:
        """The way back."""

    def swapped(self, x: Value) -> Value:
        """The last two of three axes exchanged."""

    def pick(self, x: Value, rows: Value) -> Value:
        """float[heads, n, p] → float[heads, n, n]: of each row those in int64[heads, n, n]."""


class Bert:
    """Token ids to features, ``layers`` layers up."""

    norm_first = False
    relative = False

    def __init__(self, config: Mapping[str, Any], layers: int) -> None:
        """Raises KeyError or ValueError for a config.json that is not known here."""
        self._config = config
        self._layers = layers
        self._heads = int(config["num_attention_heads"])
        self._eps = float(config.get("layer_norm_eps", 1e-12))
        self._activation = config.get("hidden_act", "gelu")
        self.longest = int(config["max_position_embeddings"])
        if self._activation not in ACTIVATIONS:
            raise ValueError(f"its activation {self._activation!r} is not known here")

    def inputs(self, ids: list[int]) -> dict[str, Positions]:
        """What ``__call__`` takes for these tokens: int64[n] ids and at."""
        return {"ids": np.array(ids, np.int64), "at": np.arange(len(ids))}

    def constants(self, ops: Ops) -> dict[str, Value]:
        """What ``__call__`` takes besides, the same for every text."""
        return {}

    def __call__(self, ops: Ops, inputs: Mapping[str, Value]) -> Value:
        """float[n, width]. inputs: those of ``inputs`` and ``constants``."""
        hidden = self._embedded(ops, inputs)
        for number in range(self._layers):
            layer = f"encoder.layer.{number}"
            if self.norm_first:
                inner = ops.norm(f"{layer}.attention.ln", hidden, self._eps)
                hidden = ops.add(hidden, self._attended(ops, layer, inner, inputs))
                inner = ops.norm(f"{layer}.ln", hidden, self._eps)
                hidden = ops.add(hidden, self._fed(ops, layer, inner))
            else:
                hidden = ops.add(hidden, self._attended(ops, layer, hidden, inputs))
                hidden = ops.norm(f"{layer}.attention.output.LayerNorm", hidden, self._eps)
                hidden = ops.add(hidden, self._fed(ops, layer, hidden))
                hidden = ops.norm(f"{layer}.output.LayerNorm", hidden, self._eps)
        return hidden

    def _embedded(self, ops: Ops, inputs: Mapping[str, Value]) -> Value:
        hidden = ops.embed("embeddings.word_embeddings.weight", inputs["ids"])
        if self._config.get("position_biased_input", True):
            place = ops.embed("embeddings.position_embeddings.weight", inputs["at"])
            hidden = ops.add(hidden, place)
        if self._config.get("type_vocab_size", 2):
            kind = ops.head("embeddings.token_type_embeddings.weight", 1)
            hidden = ops.add(hidden, kind)
        return hidden if self.norm_first else ops.norm("embeddings.LayerNorm", hidden, self._eps)

    def _attended(self, ops: Ops, layer: str, x: Value, inputs: Mapping[str, Value]) -> Value:
        query, key, value = (
            ops.heads(ops.linear(f"{layer}.attention.self.{part}", x), self._heads)
            for part in ("query", "key", "value")
        )
        # Scaled before, not after, so that 16 bits are enough for the products.
        query = ops.scale(query, self._scale(1))
        return self._mixed(ops, layer, ops.matmul(query, ops.swapped(key)), value)

    def _scale(self, parts: int) -> float:
        """1 / √(features of a head · products that are added up)."""
        return 1 / math.sqrt(int(self._config["hidden_size"]) // self._heads * parts)

    def _mixed(self, ops: Ops, layer: str, scores: Value, value: Value) -> Value:
        mixed = ops.joined(ops.matmul(ops.softmax(scores), value))
        return ops.linear(f"{layer}.attention.output.dense", mixed)

    def _fed(self, ops: Ops, layer: str, x: Value) -> Value:
        inner = ops.gelu(ops.linear(f"{layer}.intermediate.dense", x), self._activation)
        return ops.linear(f"{layer}.output.dense", inner)


class MegatronBert(Bert):
    norm_first = True


class Deberta(Bert):
    """Its attention also looks from content to relative position, and from position to content."""

    relative = True

    def __init__(self, config: Mapping[str, Any], layers: int) -> None:
        super().__init__(config, layers)
        if config.get("conv_kernel_size", 0) or not config.get("relative_attention", False):
            raise ValueError("a DeBERTa with a convolution, or without relative attention")
        self._eps = float(config.get("layer_norm_eps", 1e-7))
        self._shared = bool(config.get("share_att_key", False))
        kinds = config.get("pos_att_type") or ()
        self._kinds = set(kinds.split("|") if isinstance(kinds, str) else kinds) & {"c2p", "p2c"}
        self._parts = 1 + len(self._kinds)
        farthest = int(config.get("max_relative_positions", -1))
        self._farthest = farthest if farthest > 0 else self.longest
        self._buckets = int(config.get("position_buckets", -1))
        self._span = self._buckets if self._buckets > 0 else self._farthest

    def inputs(self, ids: list[int]) -> dict[str, Positions]:
        """Also rows, int64[heads, n, n]: the relative embedding of each pair of tokens."""
        found = super().inputs(ids)
        apart = found["at"][:, None] - found["at"][None, :]
        if self._buckets > 0:
            apart = bucket(apart, self._buckets, self._farthest)
        rows = (apart + self._span).clip(0, 2 * self._span - 1)
        return found | {"rows": np.repeat(rows[None], self._heads, axis=0)}

    def constants(self, ops: Ops) -> dict[str, Value]:
        """How each layer sees the relative positions: a third of all the work, done once."""
        relative = ops.head("encoder.rel_embeddings.weight", 2 * self._span)
        if "layer_norm" in str(self._config.get("norm_rel_ebd", "none")).lower():
            relative = ops.norm("encoder.LayerNorm", relative, self._eps)
        found = {}
        for number in range(self._layers):
            name = f"encoder.layer.{number}.attention.self"
            for kind, shared in (("c2p", "key"), ("p2c", "query")):
                if kind not in self._kinds:
                    continue
                part = shared if self._shared else f"pos_{shared}"
                places = ops.heads(ops.linear(f"{name}.{part}_proj", relative), self._heads)
                if kind == "p2c":
                    places = ops.scale(places, self._scale(self._parts))
                found[f"{name}.{kind}"] = ops.swapped(places)
        return found

    def _attended(self, ops: Ops, layer: str, x: Value, inputs: Mapping[str, Value]) -> Value:
        name, rows = f"{layer}.attention.self", inputs["rows"]
        query, key, value = (
            ops.heads(ops.linear(f"{name}.{part}_proj", x), self._heads)
            for part in ("query", "key", "value")
        )
        query = ops.scale(query, self._scale(self._parts))
        scores = ops.matmul(query, ops.swapped(key))
        if "c2p" in self._kinds:
            seen = ops.pick(ops.matmul(query, inputs[f"{name}.c2p"]), rows)
            scores = ops.add(scores, seen)
        if "p2c" in self._kinds:
            # Row j is about key j, so the distance i - j to query i is in column j of ``rows``.
            seen = ops.pick(ops.matmul(key, inputs[f"{name}.p2c"]), ops.swapped(rows))
            scores = ops.add(scores, ops.swapped(seen))
        return self._mixed(ops, layer, scores, value)


def bucket(apart: Positions, buckets: int, farthest: int) -> Positions:
    """Distances up to half the buckets as they are, farther ones ever more coarsely."""
    middle = buckets // 2
    distance = np.abs(apart).clip(middle).astype(np.float32)
    reach = np.log(np.float32((farthest - 1) / middle))
    coarse = np.ceil(np.log(distance / np.float32(middle)) / reach * np.float32(middle - 1))
    coarse = coarse.astype(np.int64) + middle
    return np.where(np.abs(apart) <= middle, apart, coarse * np.sign(apart))


NETWORKS: dict[str, type[Bert]] = {
    "bert": Bert,
    "megatron-bert": MegatronBert,
    "deberta-v2": Deberta,
}
"""By ``model_type`` of config.json."""
