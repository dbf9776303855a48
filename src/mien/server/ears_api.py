"""The part of the API about listening: recognisers, modes, and the words of the browser's own."""

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


class NewEars(BaseModel):
    """What is to change. engine: "auto" or a name of GET /ears; where it cannot listen another
    one does, and the answer says why. browser: whether the page has a recogniser of its own.
    talking: whether the button of push-to-talk is held.
    """

    mode: Mode | None = None
    engine: str | None = None
    browser: bool | None = None
    talking: bool | None = None


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


@router.patch("/sessions/{session}/ears")
async def change_ears(session: AnySession, body: NewEars) -> dict[str, Any]:
    """Listen in another way. Takes as long as loading a recogniser, the first time."""
    listener = session.listener
    if body.talking is not None:
        listener.press(body.talking)
    changes = body.model_dump(include={"mode", "engine", "browser"}, exclude_none=True)
    return await listener.choose(**changes) if changes else listener.state


@router.post("/sessions/{session}/words", status_code=204)
async def words(session: AnySession, body: Words) -> None:
    """For a session that the browser's own recogniser listens to (Web Speech)."""
    if not session.listener.interpreter.words(body.text, body.final):
        raise Problem(
            "not_the_browser",
            "Another recogniser listens to this session, not the browser's.",
            "此会话正由其他语音识别处理，而不是浏览器。",
            status=409,
        )
