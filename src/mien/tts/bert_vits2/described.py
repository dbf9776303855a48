"""What the settings of a voice name, found and understood, without loading the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.models.catalogue import catalogue
from mien.models.errors import ModelError
from mien.models.store import find_folder
from mien.tts.bert_vits2.checkpoint import CheckpointError, inspect
from mien.tts.bert_vits2.config import VoiceConfig
from mien.tts.bert_vits2.settings import BertVits2Settings
from mien.tts.bert_vits2.variant import Variant
from mien.tts.voice import VoiceError

# As many names as fit into a message.
SHOWN_SPEAKERS = 12
CODES = 10
"""Emotions that 2.1 knows by number."""


@dataclass(frozen=True, eq=False)
class Described:
    """One voice of a model. path: of the model's folder or file. speaker: its number. emotion: see
    ``Sentence``."""

    path: Path
    variant: Variant
    config: VoiceConfig
    speaker: int
    emotion: NDArray[np.float32] | int | None


def describe(settings: BertVits2Settings) -> Described:
    """Reads the model's config.json and the shapes of its weights, which takes milliseconds.

    Raises:
        VoiceError: what is missing or wrong, and what to do about it.
    """
    path = _path(settings.model)
    try:
        variant, config = inspect(path)
    except CheckpointError as error:
        raise wrong_model(error) from error
    if variant.name == "jpextra":
        raise _wrong(
            f"{path}: this model speaks Japanese only, which mien does not read; use one of "
            "Bert-VITS2 2.0 to 2.3 or the Chinese Extra",
            f"{path}：该模型只会说日语，mien 暂不支持；请使用 Bert-VITS2 2.0–2.3 或中文特化版",
        )
    speaker = _speaker(settings.speaker, variant, config)
    return Described(path, variant, config, speaker, _emotion(settings.emotion, variant))


def wrong_model(error: CheckpointError) -> VoiceError:
    """A model that cannot be read, as a voice's failure."""
    return _wrong(str(error), getattr(error, "zh", f"无法读取模型：{error}"))


def _path(model: str | None) -> Path:
    if model is None:
        raise _wrong(
            'no model is set: write model = "FOLDER" (config.json and G_*.pth) below the voice',
            '没有设置模型：请在该语音下写 model = "文件夹"（内含 config.json 和 G_*.pth）',
        )
    try:
        return find_folder(model) if model in catalogue() else Path(model).expanduser()
    except ModelError as error:
        raise _wrong(error.en, error.zh) from error


def _speaker(wanted: int | str | None, variant: Variant, config: VoiceConfig) -> int:
    named = config.speakers
    if wanted is None:
        return min(named.values(), default=0)
    if wanted in named:
        return named[str(wanted)]
    if str(wanted).isdecimal() and int(wanted) < variant.speakers:
        return int(wanted)
    names = ", ".join(list(named)[:SHOWN_SPEAKERS])
    more = len(named) - SHOWN_SPEAKERS
    raise _wrong(
        f"the model has no speaker {wanted!r}; it has {names}" + (f" and {more} more" * (more > 0)),
        f"模型中没有说话人 {wanted!r}；可选：{names}" + (f" 等，另有 {more} 个" * (more > 0)),
    )


def _emotion(wanted: int | Path | None, variant: Variant) -> NDArray[np.float32] | int | None:
    if wanted is None:
        return None
    width = variant.emotion_width
    if not width:
        raise _wrong(
            f"a model of version {variant.name} takes no emotion; leave the setting out",
            f"{variant.name} 版模型不支持情感设置；请删去 emotion",
        )
    if isinstance(wanted, int):
        codes = CODES if variant.emotion == "vector1024" else 0
        if wanted < codes:
            return wanted
        numbered = (f", or 0 to {codes - 1}", f"，或 0 到 {codes - 1}") if codes else ("", "")
        raise _wrong(
            f"an emotion of this model is a .npy file with {width} numbers{numbered[0]}",
            f"该模型的 emotion 应为含 {width} 个数的 .npy 文件{numbered[1]}",
        )
    return _vector(wanted.expanduser(), width)


def _vector(path: Path, width: int) -> NDArray[np.float32]:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _wrong(
            f"emotion {path}: it cannot be read as a .npy file ({error})",
            f"emotion {path}：无法作为 .npy 文件读取（{error}）",
        ) from error
    numbers = isinstance(found, np.ndarray) and found.dtype.kind in "fiu"
    vector = found.astype(np.float32).reshape(-1) if numbers else np.zeros(0, np.float32)
    if vector.shape != (width,) or not np.isfinite(vector).all():
        raise _wrong(
            f"emotion {path}: it must hold {width} numbers, see docs/bert-vits2.md",
            f"emotion {path}：必须包含 {width} 个数，见 docs/bert-vits2.md",
        )
    return vector


def _wrong(en: str, zh: str) -> VoiceError:
    return VoiceError(en, retryable=False, zh=zh)
