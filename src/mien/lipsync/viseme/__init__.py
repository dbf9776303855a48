"""The "viseme" engine: mouths from what is known of a voice, be it phones, sound or loudness."""

from mien.lipsync.viseme.engine import VisemeLipSync

__all__ = ["VisemeLipSync"]
