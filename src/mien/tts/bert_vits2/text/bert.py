"""What a BERT makes of a text: the features the voices take their prosody from.

Read from a folder as Hugging Face lays it out, never from the network, and never running code or
pickles that come with it. The voices are trained with the third layer from the top, so the two
above it and the head are not even loaded.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.text.extra import needs
from mien.tts.bert_vits2.text.phonemes import BertText
from mien.tts.voice import VoiceError

logger = logging.getLogger(__name__)

Features = NDArray[np.float32]

_UNUSED_LAYERS = 2
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = ("vocab.txt", "tokenizer.json", "spm.model", "spiece.model")


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
    """One BERT. Thread-safe; the first ``features`` loads it, 1 to 3 s and 1.2 GB for a large one.

    A text of 30 characters takes about 0.3 s of one CPU core, 8 ms of a GPU.
    """

    def __init__(self, name: str, folder: Path | None, device: str = "cpu") -> None:
        """name: what ``mien models pull`` calls it. folder: None when it is not known where.

        device: as torch names it; on "cuda" it computes in half precision.
        """
        self.name = name
        self._folder = folder
        self._device = device
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._model: Any = None

    def check(self) -> None:
        """Raise BertMissing when the folder or a part of it is not there; loads nothing."""
        if self._folder is None or not self._folder.is_dir():
            raise BertMissing(self.name, self._folder)
        for what in (("config.json",), _WEIGHTS, _TOKENIZERS):
            if not any(any(self._folder.glob(pattern)) for pattern in what):
                raise BertMissing(self.name, self._folder, f"no {' / '.join(what)}")

    def load(self) -> None:
        """Load it now.

        Raises BertMissing, and VoiceError when a package is missing or the folder is damaged.
        """
        with self._lock:
            self._load()

    @property
    def width(self) -> int:
        """Features per token."""
        self.load()
        return int(self._model.config.hidden_size)

    def features(self, text: BertText) -> Features:
        """float32[width, text.stop - text.begin]: for each id what BERT makes of its part."""
        self.load()
        torch = needs("torch")
        encoded = self._tokenizer(
            text.text,
            return_offsets_mapping=True,
            truncation=True,
            max_length=self._model.config.max_position_embeddings,
        )
        with self._lock, torch.inference_mode():
            ids, mask = (
                torch.tensor([encoded[key]], device=self._device)
                for key in ("input_ids", "attention_mask")
            )
            hidden = self._model(ids, attention_mask=mask).last_hidden_state[0]
            rows = hidden.float().cpu().numpy()
        tokens = spread(text, encoded["offset_mapping"])
        return np.ascontiguousarray(rows[tokens].T, dtype=np.float32)

    def _load(self) -> None:
        if self._model is not None:
            return
        self.check()
        torch, transformers = needs("torch"), needs("transformers")
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        level = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity_error()  # it reports each layer left out as a mistake
        try:
            config = transformers.AutoConfig.from_pretrained(self._folder, **local)
            config.num_hidden_layers -= _UNUSED_LAYERS
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._folder, **local)
            model = transformers.AutoModel.from_pretrained(
                self._folder,
                config=config,
                weights_only=True,
                dtype=torch.float16 if self._device.startswith("cuda") else torch.float32,
                **local,
            )
        except Exception as error:  # whatever a damaged or hostile folder makes them raise
            raise VoiceError(
                f"{self.name} cannot be read from {self._folder}: {error}",
                retryable=False,
                zh=f"无法从 {self._folder} 读取 {self.name}：{error}",
            ) from error
        finally:
            transformers.logging.set_verbosity(level)
        if hasattr(model, "pooler"):
            model.pooler = None
        if hasattr(model.encoder, "ln"):  # Megatron's last norm is not in the layers below
            model.encoder.ln = torch.nn.Identity()
        self._tokenizer, self._model = tokenizer, model.eval().to(self._device)


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
