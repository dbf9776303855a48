"""The part of the API about recognisers: which there are, and the words of the browser's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from mien.listener import Mode
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import MAX_TEXT, AnyServices, AnySession

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


class Words(BaseModel):
    """What the browser's recogniser makes of one stretch of speech: so far, or (final) for good."""

    text: Annotated[str, Field(max_length=MAX_TEXT)]
    final: bool = False


@router.get("/ears")
async def list_ears(services: AnyServices) -> dict[str, Any]:
    """Recognisers a session can choose, what is configured first; each is asked whether it could
    listen now, ``why`` says why it could not. The browser's own is listed whether or not this
    browser has one: only the page knows."""
    found = await services.hearing.ears.listed()
    return {
        "recognizers": [asdict(each) for each in found],
        "modes": list(get_args(Mode)),
        "configured": services.hearing.settings.asr,
    }


@router.post("/sessions/{session}/words", status_code=204)
async def words(session: AnySession, body: Words) -> None:
    """For a session that the browser's own recogniser listens to (Web Speech)."""
    if not session.listener.words(body.text, body.final):
        raise Problem(
            "not_the_browser",
            "Another recogniser listens to this session, not the browser's.",
            "此会话正由其他语音识别处理，而不是浏览器。",
            status=409,
        )
