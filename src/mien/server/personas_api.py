"""The part of the API about personas: which there are, and who a session is played by."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from mien.personas import ListedPersona, Personas
from mien.server.access import require_token
from mien.server.api import (
    AnyServices,
    AnySession,
    AnyWardrobe,
    casting_of,
    look_of,
    snapshot,
)
from mien.server.casting import Casting

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


class NewPersona(BaseModel):
    """By its name, as GET /personas lists it."""

    persona: str


def personas_of(request: Request) -> Personas:
    personas: Personas = request.app.state.personas
    return personas


AnyPersonas = Annotated[Personas, Depends(personas_of)]
AnyCasting = Annotated[Casting, Depends(casting_of)]


@router.get("/personas")
async def personas(personas: AnyPersonas) -> list[dict[str, Any]]:
    """The personas there are; ``why_not`` says what is wrong with one that cannot be chosen."""
    return [described(each) for each in await asyncio.to_thread(personas.listed)]


def described(persona: ListedPersona) -> dict[str, Any]:
    """As the API lists it. voice: a name, several, or null for the configured one."""
    voice = persona.voice
    return {
        "name": persona.name,
        "label": persona.label,
        "about": persona.about,
        "languages": list(persona.languages),
        "avatar": persona.avatar,
        "voice": list(voice) if len(voice) > 1 else next(iter(voice), None),
        "own": persona.own,
        "why_not": persona.why_not,
    }


@router.patch("/sessions/{session}/persona")
async def change_persona(
    session: AnySession,
    services: AnyServices,
    wardrobe: AnyWardrobe,
    casting: AnyCasting,
    body: NewPersona,
) -> dict[str, Any]:
    """Go on as somebody else, who greets and knows nothing of what was said. Face and voice change
    with it; answers when a large voice is loaded."""
    await casting.play(session, body.persona)
    session.conversation.events.publish({"type": "avatar", **look_of(session, wardrobe)})
    return snapshot(session, services, wardrobe)
