"""The JSON API under /api/v1."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from aiortc import RTCIceServer
from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse

from mien import __version__
from mien.events import Message
from mien.language import Language
from mien.media.profiles import PROFILES
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.casting import Casting
from mien.server.looks import Look, Wardrobe
from mien.server.sessions import Session, Sessions, Wanted
from mien.server.stage import transparency
from mien.server.uploads import MAX_CLIP_BYTES
from mien.server.voice_board import VoiceBoard
from mien.services import Services
from mien.well_formed import WellFormed

MAX_TEXT = 2000

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


class NewLook(BaseModel):
    """What is to change; names as GET /avatars and GET /backgrounds list them, or "#rrggbb"."""

    avatar: str | None = None
    background: str | None = None
    blur: Annotated[float, Field(ge=0, le=1)] | None = None

    def applied(self, look: Look) -> Look:
        return replace(look, **self.model_dump(include=LOOK_FIELDS, exclude_none=True))


LOOK_FIELDS = {"avatar", "background", "blur"}


class NewSession(NewLook):
    """language: what the avatar greets in and answers unclear questions in, if it speaks it.
    voice: as GET /voices lists it; until a large one is loaded, the configured ones stand in.
    persona: as GET /personas lists it; what it brings along is taken where nothing is said."""

    persona: str | None = None
    language: Language | None = None
    voice: str | None = None


class Text(BaseModel):
    """1 to 2000 characters that are not all blank."""

    text: WellFormed


class Activity(BaseModel):
    """What the user is doing."""

    activity: Literal["listening", "idle"]


class HeardAt(BaseModel):
    """When the page heard the first sound, in ms after the text was sent."""

    ms: Annotated[float, Field(ge=0, le=600_000)]


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def sessions_of(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def wardrobe_of(request: Request) -> Wardrobe:
    wardrobe: Wardrobe = request.app.state.wardrobe
    return wardrobe


def voice_board_of(request: Request) -> VoiceBoard:
    board: VoiceBoard = request.app.state.voice_board
    return board


def casting_of(request: Request) -> Casting:
    casting: Casting = request.app.state.casting
    return casting


def session_of(request: Request, session: Annotated[str, Path()]) -> Session:
    """The session of the path; using it keeps it alive, looking does not. Raises Problem 404."""
    found = sessions_of(request).get(session)
    if request.method != "GET":
        found.touch()
    return found


AnySession = Annotated[Session, Depends(session_of)]
AnyServices = Annotated[Services, Depends(services_of)]
AnyWardrobe = Annotated[Wardrobe, Depends(wardrobe_of)]
AnyVoiceBoard = Annotated[VoiceBoard, Depends(voice_board_of)]


def spoken_text(body: Annotated[Text, Body()]) -> str:
    """The text, or a Problem that says what is wrong with it."""
    if not body.text.strip():
        raise Problem("empty_text", "Nothing to say: the text is empty.", "内容为空。", status=422)
    if len(body.text) > MAX_TEXT:
        raise Problem(
            "text_too_long",
            f"The text has {len(body.text)} characters; at most {MAX_TEXT} are allowed.",
            f"内容有 {len(body.text)} 个字符，最多 {MAX_TEXT} 个。",
            status=413,
        )
    return body.text


SpokenText = Annotated[str, Depends(spoken_text)]


@router.get("/info")
async def info(
    services: AnyServices, wardrobe: AnyWardrobe, board: AnyVoiceBoard
) -> dict[str, Any]:
    """What this server offers; the page asks first."""
    return {
        "version": __version__,
        "languages": ["zh", "en"],
        "max_text": MAX_TEXT,
        "max_clip_bytes": MAX_CLIP_BYTES,
        "ice_servers": [_ice_server(server) for server in services.webrtc.ice_servers],
        "avatars": await asyncio.to_thread(wardrobe.listed),
        "voices": board.named(),
        "profiles": ["source", *PROFILES],
    }


def _ice_server(server: RTCIceServer) -> dict[str, Any]:
    """As browsers take it."""
    known = {"urls": server.urls, "username": server.username, "credential": server.credential}
    return {name: value for name, value in known.items() if value is not None}


@router.get("/sessions")
async def list_sessions(request: Request) -> list[dict[str, Any]]:
    """Without what was said. Whoever has a session's id talks in it, and to what it remembers of
    its user: those that remember somebody are not listed, and where visitors come from elsewhere,
    who all have the same token, only the server's own is."""
    services, wardrobe = services_of(request), wardrobe_of(request)
    alone = request.app.state.token is None
    shown = [
        snapshot(session, services, wardrobe)
        for session in sessions_of(request).all()
        if session.is_own or (alone and session.memory is None)
    ]
    return [{name: known for name, known in one.items() if name != "history"} for one in shown]


@router.post("/sessions", status_code=201)
async def create_session(
    request: Request,
    services: AnyServices,
    board: AnyVoiceBoard,
    body: Annotated[NewSession | None, Body()] = None,
) -> dict[str, Any]:
    body = body or NewSession()
    casting = casting_of(request)
    name, persona = await casting.persona(body.persona)
    language = body.language or services.settings.language or persona.language
    brought = casting.look(name, persona)
    look, player = await casting.dress(body.applied(brought), brought)
    voice = await (board.begin_with(body.voice) if body.voice else casting.voice(name, persona))
    wanted = Wanted(language, look, player, voice, name, persona)
    session = await sessions_of(request).create(wanted)
    return {
        "id": session.id,
        "whep": f"/whep/{session.id}",
        "ws": f"/ws/{session.id}",
        "events": f"/api/v1/sessions/{session.id}/events",
    }


@router.get("/sessions/{session}")
async def get_session(
    session: AnySession, services: AnyServices, wardrobe: AnyWardrobe
) -> dict[str, Any]:
    return snapshot(session, services, wardrobe)


@router.patch("/sessions/{session}")
async def change_look(
    session: AnySession, services: AnyServices, wardrobe: AnyWardrobe, body: NewLook
) -> dict[str, Any]:
    """Another face or background while the conversation goes on; every viewer sees it."""
    await session.show(body.applied, wardrobe.dress)
    session.conversation.events.publish({"type": "avatar", **look_of(session, wardrobe)})
    return snapshot(session, services, wardrobe)


@router.delete("/sessions/{session}", status_code=204)
async def delete_session(session: AnySession) -> None:
    if session.is_own:
        raise Problem(
            "live_session",
            "The live session lasts as long as the server; stop its outputs instead.",
            "直播会话与服务器同在，无法结束；请停止它的输出。",
            status=409,
        )
    session.close()


@router.post("/sessions/{session}/chat", status_code=202)
async def chat(session: AnySession, text: SpokenText) -> dict[str, int]:
    """Answer the text; an answer still being given is interrupted."""
    return {"turn": await session.conversation.chat(text)}


@router.post("/sessions/{session}/say", status_code=202)
async def say(session: AnySession, text: SpokenText) -> dict[str, int]:
    """Say the text word for word."""
    return {"turn": await session.conversation.say(text)}


@router.post("/sessions/{session}/interrupt")
async def interrupt(session: AnySession) -> dict[str, Any]:
    """Fall silent at once. Returns what was really heard of the answer."""
    heard = await session.conversation.interrupt()
    return {"heard": heard.text, "seconds": round(heard.seconds, 3), "complete": heard.complete}


@router.post("/sessions/{session}/activity", status_code=204)
async def activity(session: AnySession, body: Activity) -> None:
    """The user speaks (or has stopped speaking) into a microphone."""
    session.conversation.listen(body.activity == "listening")


@router.post("/sessions/{session}/turns/{turn}/heard", status_code=204)
async def heard_at(request: Request, session: AnySession, turn: int, body: HeardAt) -> None:
    """The page measured when the first sound of a turn was heard."""
    request.app.state.metrics.heard(body.ms)


@router.get("/sessions/{session}/events")
async def events(session: AnySession, services: AnyServices, wardrobe: AnyWardrobe) -> Response:
    """Server-sent events: first ``hello``, then whatever happens."""
    return EventSourceResponse(_stream(session, services, wardrobe), ping=15)


async def _stream(
    session: Session, services: Services, wardrobe: Wardrobe
) -> AsyncIterator[dict[str, str]]:
    with session.conversation.events.listen() as queue:
        yield _event({"type": "hello", **snapshot(session, services, wardrobe)})
        while (message := await queue.get()) is not None:
            yield _event(message)
        if session.conversation.events.closed:  # and not a listener that fell behind
            yield _event({"type": "closed"})


def _event(message: Message) -> dict[str, str]:
    return {"data": json.dumps(message, ensure_ascii=False)}


def look_of(session: Session, wardrobe: Wardrobe) -> dict[str, Any]:
    """Who is seen, before what, and whether without it."""
    look = session.look
    label = wardrobe.title(look.avatar)
    return {
        **asdict(look),
        "face": {"name": look.avatar, "label": label},
        "transparent": transparency(session.conversation.performer.avatar, label),
    }


def snapshot(session: Session, services: Services, wardrobe: Wardrobe) -> dict[str, Any]:
    """Who answers, what was said, what is going on."""
    brain = services.brain
    return {
        "session": session.id,
        "state": session.conversation.state,
        "language": session.conversation.language,
        "viewers": len(session.viewers),
        "brain": {
            "name": brain.name,
            "label": {"en": brain.label_en, "zh": brain.label_zh},
            "connected": brain.connected,
        },
        "voice": session.conversation.speaker.state,
        "persona": session.character.state,
        "memory": session.character.memory_state,
        **look_of(session, wardrobe),
        "ears": session.listener.state,
        "outputs": [airing.as_message() for airing in session.outputs.all()],
        "history": session.conversation.history,
    }
