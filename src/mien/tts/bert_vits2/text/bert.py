"""What a BERT makes of a text: the features the voices take their prosody from.

Read from a folder as Hugging Face lays it out, never from the network, and never running what is
in its files. Voices are trained with what comes out of the third layer from the top (hidden state
-3), so the two layers above and the head are not even read.
"""

from __future__ import annotations

import importlib.util
import json
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.text.bert_network import NETWORKS
from mien.tts.bert_vits2.text.bert_network import Bert as Network
from mien.tts.bert_vits2.text.bert_tokens import tokenizer
from mien.tts.bert_vits2.text.extra import needs
from mien.tts.bert_vits2.text.phonemes import BertText
from mien.tts.voice import VoiceError
from mien.weights.archive import open_archive

Features = NDArray[np.float32]

_UNUSED_LAYERS = 2
_MAX_BYTES = 8 << 30  # the largest, Erlangshen-MegatronBert-1.3B, has 5 GB
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_TOKENIZERS = ("vocab.txt", "spm.model", "spiece.model")
_KEY = re.compile(r"(?:embeddings|encoder(?:\.layer\.(?P<layer>\d+))?)\..+")


class BertMissing(VoiceError):
    """There is no BERT of this name. Not retryable: somebody must pull it."""

    def __init__(self, name: str, folder: Path | None, what: str = "") -> None:
        where = f" in {folder}" if folder is not None else ""
        super().__init__(
            f"the voice reads text with {name}, which is not there{where}{what and f' ({what})'}: "
            f"mien models pull {name}",
            retryable=False,
            zh=f"这个声音需要 {name} 来理解文字，但{where and f'在 {folder} '}没有找到"
            f"{what and f'（{what}）'}：mien models pull {name}",
        )
        self.name = name


class Bert:
    """One BERT. Thread-safe; the first ``features`` loads it: seconds and 1.2 GB for a large one.

    30 tokens take a large one about 0.2 s of one CPU core.
    """

    def __init__(self, name: str, folder: Path | None, device: str = "cpu") -> None:
        """name: what ``mien models pull`` calls it. folder: None when it is not known where.

        device: as torch names it; on "cuda" it computes in half precision.
        """
        self.name = name
        self._folder = folder
        self._device = device
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def check(self) -> None:
        """Raise BertMissing when the folder or a part of it is not there; loads nothing."""
        self._files()

    def load(self) -> None:
        """Load it now.

        Raises BertMissing, and VoiceError when a package is missing or the folder is damaged.
        """
        self._get()

    def features(self, text: BertText) -> Features:
        """float32[width, text.stop - text.begin]: for each id what BERT makes of its part.

        Of a text longer than the network's positions, what is over gets what the last token gets.
        """
        loaded = self._get()
        ids, offsets = loaded.tokenizer(text.text)
        if len(ids) > loaded.longest:
            ids = [*ids[: loaded.longest - 1], ids[-1]]
            offsets = [*offsets[: loaded.longest - 1], offsets[-1]]
        rows = loaded.run(ids)
        return np.ascontiguousarray(rows[spread(text, offsets)].T)

    def _files(self) -> tuple[Path, Path]:
        """Configuration and weights."""
        folder = self._folder
        if folder is None or not folder.is_dir():
            raise BertMissing(self.name, folder)
        for names in (("config.json",), _TOKENIZERS):
            if not any((folder / name).is_file() for name in names):
                raise BertMissing(self.name, folder, f"no {' / '.join(names)}")
        for name in _WEIGHTS:
            if (folder / name).is_file():
                return folder / "config.json", folder / name
        raise BertMissing(self.name, folder, f"no {' / '.join(_WEIGHTS)}")

    def _get(self) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                config, weights = self._files()
                try:
                    self._loaded = _Loaded(config, weights, self._device)
                except VoiceError:
                    raise
                except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
                    raise VoiceError(
                        f"{self.name} cannot be read from {weights.parent}: {error}",
                        retryable=False,
                        zh=f"无法从 {weights.parent} 读取 {self.name}：{error}",
                    ) from error
            return self._loaded


class _Loaded:
    def __init__(self, config: Path, weights: Path, device: str) -> None:
        described = json.loads(config.read_text("utf-8"))
        kind = described.get("model_type")
        if kind not in NETWORKS:
            raise ValueError(f"a network of the kind {kind!r} is not known here")
        layers = int(described["num_hidden_layers"]) - _UNUSED_LAYERS
        network = NETWORKS[kind](described, layers)
        self.longest = network.longest
        self.tokenizer = tokenizer(config.parent)
        if self.tokenizer.size > int(described["vocab_size"]):
            raise ValueError("it knows fewer tokens than its vocabulary has")
        self._runner = _runner(network, _read(weights, layers), device)
        self.run(self.tokenizer("")[0])  # a missing tensor is found now

    def run(self, ids: list[int]) -> Features:
        """float32[n, width]."""
        return self._runner.run(ids)


class _Runner(Protocol):
    def run(self, ids: list[int]) -> Features: ...


def _runner(network: Network, tensors: Iterable[tuple[str, Features]], device: str) -> _Runner:
    """PyTorch on a GPU. ONNX Runtime on a CPU: there it takes half the time, and no PyTorch."""
    has = importlib.util.find_spec
    if has("torch") is not None and (device != "cpu" or has("onnx") is None):
        from mien.tts.bert_vits2.text.bert_torch import TorchBert

        return TorchBert(network, tensors, device)
    needs("onnx")
    from mien.tts.bert_vits2.text.bert_onnx import OnnxBert

    return OnnxBert(network, tensors)


def _read(weights: Path, layers: int) -> Iterator[tuple[str, Features]]:
    """The tensors that are needed, by their names without the head's prefix."""
    with open_archive(weights, _MAX_BYTES) as tensors:
        for key, tensor in tensors.items():
            match = _KEY.search(key)
            if match is None or int(match["layer"] or 0) >= layers or "position_ids" in key:
                continue
            name = match[0].replace("LayerNorm.gamma", "LayerNorm.weight")
            yield name.replace("LayerNorm.beta", "LayerNorm.bias"), tensor.float32(key)


def spread(text: BertText, offsets: list[tuple[int, int]]) -> NDArray[np.int64]:
    """int64[n]: the token that each id of ``text`` takes its features from.

    offsets: begin and stop in the text of each token, (0, 0) for those around it.

    The phones of a part are dealt out to its tokens evenly, the first ones getting what is over.
    A part without a token of its own (dropped by the tokenizer, or beyond its longest text) takes
    the one before it.
    """
    begins = np.array([begin for begin, _ in offsets])
    stops = np.array([stop for _, stop in offsets])
    rows = [0] * text.counts[0]
    token = 0
    for (begin, stop), count in zip(text.spans, text.counts[1:-1], strict=True):
        inside = np.flatnonzero((begins < stop) & (stops > begin) & (stops > begins)).tolist()
        own = inside or [token]
        token = own[-1]
        phones = count // text.scale
        each, over = divmod(phones, len(own))
        for place, row in enumerate(own):
            rows += [row] * ((each + (place < over)) * text.scale)
    rows += [len(offsets) - 1] * text.counts[-1]
    return np.array(rows, np.int64)
