"""The part of the API about voices: which there are, and choosing one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from mien.events import Message
from mien.language import Language
from mien.server.access import require_token
from mien.server.api import AnyServices, AnySession, AnyVoiceBoard, AnyWardrobe, snapshot

SAMPLE: dict[Language, str] = {"zh": "你好，这是我的声音。", "en": "Hello, this is my voice."}

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


class NewVoice(BaseModel):
    """name: as GET /voices lists it. sample: let it say a short sentence, if all is quiet."""

    name: str
    sample: bool = False


@router.get("/voices")
async def voices(board: AnyVoiceBoard) -> list[Message]:
    """Those a session can choose, the configured chain first; each is asked whether it could speak
    now, ``why_not`` says why it could not."""
    return await board.look()


@router.put("/sessions/{session}/voice")
async def change_voice(
    session: AnySession,
    services: AnyServices,
    wardrobe: AnyWardrobe,
    board: AnyVoiceBoard,
    body: NewVoice,
) -> dict[str, Any]:
    """Another voice from the next clause on. Answers when it is loaded: a large one takes a while
    the first time; of several that are asked for meanwhile, the last one counts."""
    if await session.speak_with(lambda: board.choose(body.name)) and body.sample:
        conversation = session.conversation
        if conversation.state == "idle":
            await conversation.say(SAMPLE[conversation.language], aside=True)
    return snapshot(session, services, wardrobe)
