"""The part of the API about an audience: what viewers write, and the host who answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from mien.events import Message
from mien.live.host import LiveHost
from mien.live.messages import WHY
from mien.server.access import require_token
from mien.server.api import AnySession
from mien.server.hosts import Hosts
from mien.well_formed import WellFormed

router = APIRouter(prefix="/api/v1/sessions/{session}", dependencies=[Depends(require_token)])

MOST_CHARACTERS = 4000


class NewMessage(BaseModel):
    """from: the viewer's name. priority: 0…10, from 8 on for what was paid for; without it a
    question stands above chatter. id: the platform's, so that what is sent twice counts once."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[WellFormed, Field(alias="from", max_length=200)] = ""
    text: Annotated[WellFormed, Field(max_length=MOST_CHARACTERS)]
    priority: Annotated[int, Field(ge=0, le=10)] | None = None
    id: Annotated[WellFormed, Field(min_length=1, max_length=200)] | None = None


class Paused(BaseModel):
    """Whether the host leaves the word to somebody else."""

    paused: bool


def host_of(request: Request, session: AnySession) -> LiveHost:
    hosts: Hosts = request.app.state.hosts
    return hosts.of(session)


AnyHost = Annotated[LiveHost, Depends(host_of)]


@router.post("/messages", status_code=202)
async def take_message(host: AnyHost, body: NewMessage) -> Message:
    """Let the host answer it when it fits; what becomes of it is told as ``message`` events."""
    receipt = await host.inbox.submit(body.from_, body.text, body.priority, body.id)
    why: Message = {"why": receipt.why, "message": WHY[receipt.why]} if receipt.why else {}
    return {"accepted": receipt.accepted, "id": receipt.id, **why}


@router.get("/live")
async def show_host(host: AnyHost) -> Message:
    """What the host is at."""
    return host.status()


@router.patch("/live")
async def change_host(host: AnyHost, body: Paused) -> Message:
    """Have the host stop after its sentence, or go on with the rest."""
    host.pause(body.paused)
    return host.status()
