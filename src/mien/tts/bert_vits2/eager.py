"""The network as everybody runs it, for comparison: whole, with its weight norms, in float32."""

from __future__ import annotations

import warnings

from mien.passive_torch import torch
from mien.tts.bert_vits2.backend import Choice
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.seeded import weight_normed
from mien.tts.bert_vits2.torch_network import DecoderStage, network_of
from mien.tts.bert_vits2.torch_stages import TorchStages


class EagerStages(TorchStages):
    """Decoder weights are made of lengths and directions anew in every run, as while training."""

    def __init__(self, checkpoint: Checkpoint, choice: Choice) -> None:
        super().__init__(checkpoint, choice)
        network = network_of(checkpoint).to(choice.device)
        for name, module in network.named_modules():
            if weight_normed(f"{name}.weight") and hasattr(module, "weight"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FutureWarning)
                    torch.nn.utils.weight_norm(module)
        self._decoder = DecoderStage(network)
