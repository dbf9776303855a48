"""``config.json``, which comes with every voice: its speakers, its rate, how text was prepared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.tts.bert_vits2.variant import DILATIONS, RATES
from mien.weights.tensor import CheckpointError


@dataclass(frozen=True)
class VoiceConfig:
    """What the network itself does not tell.

    sample_rate: Hz. speakers: number by name. add_blank: a blank symbol between all others.
    version: as written, which is not always true; "" where there is none.
    rates, dilations: of the decoder, see ``Variant``.
    """

    sample_rate: int
    speakers: Mapping[str, int]
    add_blank: bool
    version: str
    rates: tuple[int, ...]
    dilations: tuple[int, ...]

    def speaker(self, name: str | None) -> int:
        """The number of a speaker; None: the first.

        Raises CheckpointError, which lists the names there are.
        """
        if name is None:
            return min(self.speakers.values(), default=0)
        if name in self.speakers:
            return self.speakers[name]
        names = ", ".join(sorted(self.speakers)[:20])
        raise CheckpointError(f"no speaker is called {name!r}; there are: {names}")


def read_config(path: Path) -> VoiceConfig:
    """Raises CheckpointError, which says what is wrong with the file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CheckpointError(f"{path}: it cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: it is not JSON ({error})") from error
    try:
        return _read(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: it is no config.json of a Bert-VITS2 voice ({error!r})"
        ) from error


def _read(found: dict[str, Any]) -> VoiceConfig:
    data, model = found["data"], found["model"]
    dilations = {tuple(map(int, row)) for row in model.get("resblock_dilation_sizes", [DILATIONS])}
    if len(dilations) != 1 or str(model.get("resblock", "1")) != "1":
        raise ValueError("resblocks of another kind than 1, or with unlike dilations")
    return VoiceConfig(
        sample_rate=int(data["sampling_rate"]),
        speakers={str(name): int(number) for name, number in data["spk2id"].items()},
        add_blank=bool(data.get("add_blank", True)),
        version=str(found.get("version", "")),
        rates=tuple(map(int, model.get("upsample_rates", RATES))),
        dilations=dilations.pop(),
    )
