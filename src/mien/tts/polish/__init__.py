"""What any voice says, as a presenter would: at one level, without dead air, without clicks."""

from mien.tts.polish.levels import Levels, level_key
from mien.tts.polish.voice import Polished

__all__ = ["Levels", "Polished", "level_key"]
