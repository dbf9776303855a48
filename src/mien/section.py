"""The form of a section of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown fields are refused: a misspelt one would be a setting that does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def split(value: object) -> object:
    """Names apart by commas, as command line and environment give them; one stays a string."""
    if not isinstance(value, str) or "," not in value:
        return value
    return [name.strip() for name in value.split(",") if name.strip()]
