"""The part of the API about outputs: where a session's program goes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mien.events import Message
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import AnySession
from mien.server.outputs import Airing
from mien.server.targets import Target

router = APIRouter(
    prefix="/api/v1/sessions/{session}/outputs", dependencies=[Depends(require_token)]
)

# Longer than any platform's key, which may be a signed query of some 300 characters.
MOST_CHARACTERS = 2000


class NewOutput(BaseModel):
    """url: ``rtmp(s)://server/app[/key]``, ``whip:https://…``, ``record:mp4``, ``record:webm`` or
    ``camera``. key: RTMP stream key. token: WHIP bearer token. profile: as GET /info lists them."""

    # What was sent is never said back in an error: any of it may be a secret.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]
    key: Annotated[SecretStr, Field(max_length=MOST_CHARACTERS)] | None = None
    token: Annotated[SecretStr, Field(max_length=MOST_CHARACTERS)] | None = None
    profile: Annotated[str, Field(max_length=60)] | None = None


class Paused(BaseModel):
    """Whether a recording leaves out what comes now."""

    paused: bool


def output_of(session: AnySession, output: str) -> Airing:
    return session.outputs.get(output)


AnyOutput = Annotated[Airing, Depends(output_of)]


@router.get("")
async def list_outputs(session: AnySession) -> list[Message]:
    """What is on the air, on its way there, or has failed."""
    return [airing.as_message() for airing in session.outputs.all()]


@router.post("", status_code=201)
async def add_output(session: AnySession, body: NewOutput) -> Message:
    """Go on the air there, at once; how it goes is told as ``output`` events."""
    target = Target(body.url, _opened(body.key), _opened(body.token), body.profile)
    return session.outputs.add(target).as_message()


@router.get("/{output}")
async def get_output(airing: AnyOutput) -> Message:
    return airing.as_message()


@router.patch("/{output}")
async def pause_output(airing: AnyOutput, body: Paused) -> Message:
    """Pause a recording, or go on with it."""
    try:
        airing.supervised.pause(body.paused)
    except ValueError:
        raise Problem(
            "cannot_pause",
            "Only a recording that is under way can be paused.",
            "只有正在进行的录制可以暂停。",
            status=409,
        ) from None
    return airing.as_message()


@router.post("/{output}/retry", status_code=202)
async def retry_output(airing: AnyOutput) -> Message:
    """Try again now, also where it had been given up."""
    airing.supervised.retry()
    return airing.as_message()


@router.delete("/{output}", status_code=204)
async def stop_output(session: AnySession, airing: AnyOutput) -> None:
    """Take it off the air; answered when the other side has been told and files are complete."""
    await session.outputs.stop(airing.id)


def _opened(secret: SecretStr | None) -> str | None:
    """An empty one is none."""
    return (secret.get_secret_value() or None) if secret is not None else None
