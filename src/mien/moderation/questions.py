"""The first look at a question: before a brain hears it, somebody may object."""

from __future__ import annotations

from loguru import logger

from mien.moderation.contract import Moderator


async def may_be_asked(moderator: Moderator | None, text: str) -> bool:
    """Whether a visitor's question may be answered."""
    if moderator is None:
        return True
    try:
        return (await moderator.judge_message("", text)).allowed
    except Exception:  # who cannot judge has not allowed it
        logger.exception("the moderator failed; a question is not answered")
        return False
