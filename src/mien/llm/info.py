"""What the page shows about the brain in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class BrainInfo:
    """A brain's identity, as shown to people.

    Attributes:
        name: The name it is configured by, e.g. ``"glm"`` or ``"scripted"``.
        label_en: English label, e.g. ``"GLM · glm-4.7-flash"`` or ``"no model connected"``.
        label_zh: The same in Chinese.
        connected: Whether a language model answers. False for the scripted brain.
    """

    name: str
    label_en: str
    label_zh: str
    connected: bool


@runtime_checkable
class Briefed(Protocol):
    """A brain that can be told what it should know."""

    def brief(self, text: str, about: str = "live") -> None:
        """What stands behind the persona's instruction from the next request on; "" for nothing.

        One text for each ``about``.
        """
        ...
