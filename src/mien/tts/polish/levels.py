"""How loud each voice was found to be, kept from one start of the program to the next."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import threading
from pathlib import Path

import platformdirs

from mien.language import Language
from mien.tts.settings import VoiceSettings

logger = logging.getLogger(__name__)

# LUFS of voices that every installation has, so that the very first sentence is right.
_KNOWN = {"espeak/zh": -19.1, "espeak/en": -20.1}

# What does not change how loud a voice is by itself.
_IRRELEVANT = {"speed", "loudness", "first_sound_sec", "stall_sec"}


def level_key(name: str, settings: VoiceSettings) -> str:
    """Names a voice and everything that may make it louder or softer."""
    said = settings.model_dump_json(exclude=_IRRELEVANT)
    return f"{settings.service}/{name}/{hashlib.sha256(said.encode()).hexdigest()[:16]}"


class Levels:
    """A small file, ``{"key/language": LUFS}``; without it, or with a broken one, voices are new.

    Thread-safe; several processes may share it, and the last to write wins.
    """

    def __init__(self, path: Path | None = None) -> None:
        """path: elsewhere than in the user's cache folder."""
        self._path = path or _default_path()
        self._lock = threading.Lock()

    def get(self, key: str, language: Language) -> float | None:
        """LUFS; None for a voice never heard."""
        with self._lock:
            found = self._read().get(f"{key}/{language}")
        return found if found is not None else _KNOWN.get(f"{key.partition('/')[0]}/{language}")

    def put(self, key: str, language: Language, loudness: float) -> None:
        """Remember LUFS."""
        with self._lock:
            levels = self._read() | {f"{key}/{language}": round(loudness, 2)}
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(
                    "w", dir=self._path.parent, encoding="utf-8", delete=False
                ) as file:
                    json.dump(levels, file, indent=1, sort_keys=True)
                os.replace(file.name, self._path)
            except OSError as error:
                logger.debug("the level of a voice is not remembered: %s", error)

    def _read(self) -> dict[str, float]:
        try:
            read = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(key): float(value) for key, value in read.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _default_path() -> Path:
    return Path(platformdirs.user_cache_dir("mien", appauthor=False)) / "voice-levels.json"
