"""The gestures an answer may ask for, by the names a language model writes: ``[smile]``."""

from __future__ import annotations

GESTURES = ("smile", "laugh", "nod", "shake", "think", "surprised", "sad", "serious", "wink")
