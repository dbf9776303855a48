"""How a session is listened to: mode, recogniser, the button of push-to-talk."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from mien.listener import Mode
from mien.server.access import require_token
from mien.server.api import AnySession

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


class NewEars(BaseModel):
    """What is to change. engine: "auto" or a name of GET /ears; where it cannot listen another
    one does, and the answer says why. browser: whether the page has a recogniser of its own.
    talking: whether the button of push-to-talk is held.
    """

    mode: Mode | None = None
    engine: str | None = None
    browser: bool | None = None
    talking: bool | None = None


@router.patch("/sessions/{session}/ears")
async def change_ears(session: AnySession, body: NewEars) -> dict[str, Any]:
    """Listen in another way. Takes as long as loading a recogniser, the first time."""
    listener = session.listener
    if body.talking is not None:
        listener.press(body.talking)
    changes = body.model_dump(include={"mode", "engine", "browser"}, exclude_none=True)
    return await listener.choose(**changes) if changes else listener.state
