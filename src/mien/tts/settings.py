"""What can be set of every voice; each service adds its own fields."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class VoiceSettings(BaseModel):
    """A ``[voices.NAME]`` table of mien.toml.

    service: which kind of voice it is. speed: 1 is the voice's own. loudness: LUFS (ITU-R
    BS.1770) that its speech is brought to; "off" leaves it. first_sound_sec, stall_sec:
    a voice that lets wait longer than this, for its first sound or for more of it, has failed and
    the next in the chain goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    speed: float = Field(default=1.0, ge=0.5, le=2)
    loudness: Annotated[float, Field(ge=-40, le=-6)] | Literal["off"] = -16.0
    first_sound_sec: float = Field(default=4.0, gt=0, le=120)
    stall_sec: float = Field(default=4.0, gt=0, le=120)
