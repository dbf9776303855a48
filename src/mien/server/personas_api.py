"""The part of the API about personas: which there are, and who a session is played by."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from mien.llm.persona import Persona, PersonaError
from mien.personas import ListedPersona, Personas
from mien.problems import Problem
from mien.server.access import require_token

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


def personas_of(request: Request) -> Personas:
    personas: Personas = request.app.state.personas
    return personas


AnyPersonas = Annotated[Personas, Depends(personas_of)]


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


def find_persona(personas: Personas, name: str) -> Persona:
    """The one of this name, as it now is. Reads its file; a path is no name.

    Raises:
        Problem: 404 naming those there are, 409 for one that is broken.
    """
    if name not in personas:
        known = ", ".join(each.name for each in personas.listed())
        raise Problem(
            "no_such_persona",
            f"There is no persona {name!r}. There are: {known}.",
            f"没有名为 {name!r} 的人设。现有：{known}。",
            status=404,
        )
    try:
        return personas.load(name)
    except PersonaError as error:
        raise Problem(
            "broken_persona",
            f"This persona cannot be played: {error}",
            f"这个人设无法使用：{error.zh}",
            status=409,
        ) from error
