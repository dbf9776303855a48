"""What can be set of every recogniser; each service adds its own fields."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RecognizerSettings(BaseModel):
    """A ``[ears.recognizers.NAME]`` table of mien.toml. service: which kind it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
