"""Packages that only this voice needs, imported when it first speaks."""

from __future__ import annotations

import importlib
from typing import Any

from mien.tts.voice import VoiceError


def needs(package: str) -> Any:
    """The module ``package``.

    Raises VoiceError, which says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise VoiceError(
            f"Bert-VITS2 needs the package {name}: pip install 'mien[bert-vits2]'",
            retryable=False,
            zh=f"Bert-VITS2 需要 {name} 包：pip install 'mien[bert-vits2]'",
        ) from error
