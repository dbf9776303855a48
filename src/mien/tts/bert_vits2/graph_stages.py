"""The network's three stages run from graphs, by whichever library has loaded them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.variant import Variant

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Graph(Protocol):
    """A loaded graph: arrays by name in, its results in their order out."""

    def __call__(self, inputs: dict[str, NDArray[Any]]) -> Sequence[Floats]: ...


class GraphStages:
    """:class:`~mien.tts.bert_vits2.stages.Stages`, with the graphs of ``onnx_export.py``."""

    def __init__(self, variant: Variant, text: Graph, flow: Graph, decoder: Graph) -> None:
        self._berts = tuple(variant.bert_widths)
        self._graphs: tuple[Graph, Graph, Graph] | None = (text, flow, decoder)

    def text(
        self,
        ids: Integers,
        tones: Integers,
        languages: Integers,
        lengths: Integers,
        speakers: Integers,
        emotions: Floats,
        noise: Floats,
        berts: Sequence[Floats],
    ) -> tuple[Floats, Floats, Floats]:
        stats, stochastic, plain = self._open()[0](
            {
                "ids": ids,
                "tones": tones,
                "languages": languages,
                "lengths": lengths,
                "speakers": speakers,
                "emotions": emotions,
                "noise": noise,
                **dict(zip(self._berts, berts, strict=True)),
            }
        )
        return stats, stochastic, plain

    def flow(self, latents: Floats, lengths: Integers, speakers: Integers) -> Floats:
        (flowed,) = self._open()[1]({"latents": latents, "lengths": lengths, "speakers": speakers})
        return flowed

    def decode(self, latents: Floats, speakers: Integers, left: int, right: int) -> Floats:
        edges = {"left": np.array(left, np.int64), "right": np.array(right, np.int64)}
        (sound,) = self._open()[2]({"latents": latents, "speakers": speakers, **edges})
        return sound

    def close(self) -> None:
        self._graphs = None

    def _open(self) -> tuple[Graph, Graph, Graph]:
        assert self._graphs is not None  # StagedBackend lets nothing through after close
        return self._graphs
