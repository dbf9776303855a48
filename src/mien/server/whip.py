"""WHIP (RFC 9725): speak into a session, from a page or any standard client."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from mien.problems import Problem
from mien.server import sdp_exchange
from mien.server.access import require_token
from mien.server.api import AnySession

router = APIRouter(prefix="/whip")
authorised = [Depends(require_token)]


@router.post("/{session}", status_code=201, dependencies=authorised)
async def speak(session: AnySession, request: Request) -> Response:
    """SDP offer in, 201 with the SDP answer out; ``Location`` names the microphone.

    It is listened to once it is connected, in place of the one before.
    """
    microphone, answer = await session.speak(await sdp_exchange.read_offer(request))
    return sdp_exchange.created(request, answer, f"/whip/{session.id}/{microphone}", microphone)


@router.options("/{session}", status_code=204)
@router.options("/{session}/{microphone}", status_code=204)
async def options(request: Request) -> Response:
    """As ``sdp_exchange.options``."""
    return sdp_exchange.options(request)


@router.delete("/{session}/{microphone}", status_code=200, dependencies=authorised)
async def leave(session: AnySession, microphone: str) -> Response:
    """Stop speaking. Asked again, 404: that connection is no more."""
    speaking = session.microphones.get(microphone)
    if speaking is None:
        raise Problem(
            "no_such_microphone", "This connection has ended.", "该连接已结束。", status=404
        )
    speaking.close()
    return Response()


@router.patch("/{session}/{microphone}", dependencies=authorised)
async def trickle(session: AnySession, microphone: str) -> Response:
    """As ``sdp_exchange.no_trickle``."""
    raise sdp_exchange.no_trickle()
