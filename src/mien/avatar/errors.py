"""What goes wrong with an avatar folder."""

from __future__ import annotations


class AvatarError(ValueError):
    """The avatar cannot be used as it is; the message says which file and what to do."""
