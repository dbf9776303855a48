"""The form of a section of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown fields are refused: a misspelt one would be a setting that does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
