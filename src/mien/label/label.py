"""How one session's performance says that a machine made it: to the eye and to programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from mien.avatar.contract import Avatar
from mien.label import aigc
from mien.label.badge import Badge
from mien.label.shown import Appearances
from mien.language import Language
from mien.mind_settings import LabelSection


@dataclass(frozen=True, slots=True)
class Label:
    """badge: what is drawn into pictures that leave this machine; None: nothing. always: it is
    drawn into those that stay here, too. producer: who answers for it, by name or code. metadata:
    whether files and streams are tagged. avatar: who is seen now, for tags; None: nobody is named.
    """

    badge: Badge | None = None
    always: bool = False
    metadata: bool = False
    producer: str = ""
    avatar: Callable[[], Avatar] | None = None

    def drawn(self, leaves: bool) -> Badge | None:
        """The badge of pictures, by whether they leave this machine."""
        return self.badge if leaves or self.always else None

    def element(self) -> str | None:
        """The AIGC element of something new: a file, a stream. None: it is not to be tagged."""
        return aigc.element(self.producer, aigc.new_number()) if self.metadata else None

    def tags(self) -> FileTags:
        """The tags of a file that begins now."""
        return FileTags(self.element(), self.avatar)


class FileTags:
    """What a file says of itself. It is said again when the file ends: by then others may have
    been seen in it. element: None for no tags at all.
    """

    def __init__(self, element: str | None, avatar: Callable[[], Avatar] | None) -> None:
        self._element = element
        self._seen = Appearances(avatar) if avatar and element else None
        self.look()

    def look(self) -> bool:
        """Note who is seen now. Returns whether the tags are others than before."""
        return self._seen is not None and self._seen.look()

    def all(self) -> dict[str, str]:
        """The tags, as of the last look."""
        if self._element is None:
            return {}
        return {aigc.KEY: self._element, **(self._seen.tags() if self._seen else {})}


UNLABELLED = Label()


def label_of(
    section: LabelSection, language: Language, avatar: Callable[[], Avatar] | None
) -> Label:
    """The label of a session in this language. avatar: says who is seen, whenever a file begins."""
    badge = None
    if section.badge != "never":
        words = language if section.text == "auto" else section.text
        badge = Badge(words, section.corner, section.size, section.opacity)
    return Label(
        badge,
        section.badge == "always",
        section.metadata,
        section.producer_id or section.producer,
        avatar,
    )


def check_producer(section: LabelSection) -> None:
    """Say so in the log when a provider's code is none by its form."""
    code = section.producer_id
    if code and not aigc.is_provider_code(code):
        logger.warning(
            f"label.producer_id {code!r} is no provider's code as China's practice guide on them "
            "builds it: 27 characters, such as 0011, a credit code of 18, 1, and 4 of your choice"
        )
