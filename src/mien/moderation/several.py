"""All that judge what is asked and said, by the settings: the word list first, it costs nothing."""

from __future__ import annotations

from collections.abc import Mapping

from mien.config import Settings
from mien.moderation.contract import ALLOWED, Moderator, Verdict
from mien.moderation.service import ServiceModerator
from mien.moderation.word_list import load_words


class SeveralModerators:
    """A Moderator. The first that objects decides, and those behind it are not asked."""

    def __init__(self, *moderators: Moderator) -> None:
        self._moderators = moderators

    async def judge_message(self, author: str, text: str) -> Verdict:
        for moderator in self._moderators:
            verdict = await moderator.judge_message(author, text)
            if not verdict.allowed:
                return verdict
        return ALLOWED

    async def judge_answer(self, text: str) -> Verdict:
        for moderator in self._moderators:
            verdict = await moderator.judge_answer(text)
            if not verdict.allowed:
                return verdict
        return ALLOWED

    async def aclose(self) -> None:
        """Close connections. Works before first use and twice."""
        for moderator in self._moderators:
            if isinstance(moderator, ServiceModerator):
                await moderator.aclose()


def make_moderator(
    settings: Settings, environ: Mapping[str, str] | None = None
) -> SeveralModerators | None:
    """Who judges, by ``safety`` and ``live.blocked_words``; None when nobody is set up.

    Raises WordListError for a list that cannot be read, ConfigError for a key that is missing.
    """
    moderators: list[Moderator] = []
    files = [*settings.safety.blocked_words, *settings.live.blocked_words]
    words = load_words(list(dict.fromkeys(files)))
    if len(words):
        moderators.append(words)
    if settings.safety.moderation.url is not None:
        moderators.append(ServiceModerator(settings.safety.moderation, environ))
    return SeveralModerators(*moderators) if moderators else None
