"""The FastAPI application."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mien import __version__
from mien.config import Settings
from mien.conversation import Conversation
from mien.listener import Listener
from mien.media.webrtc import WebRtcSettings
from mien.problems import Problem
from mien.server import (
    api,
    audio_api,
    drafts_api,
    ears_api,
    looks_api,
    memory_api,
    messages_api,
    microphone_ws,
    models_api,
    outputs_api,
    personas_api,
    recordings_api,
    stage,
    voices_api,
    whep,
    whip,
    ws,
)
from mien.server.access import is_loopback
from mien.server.casting import Casting
from mien.server.character import Character
from mien.server.cors import WebRtcCors
from mien.server.drafts import Drafts
from mien.server.hosts import Hosts
from mien.server.live import LIVE, LiveSession
from mien.server.looks import Wardrobe
from mien.server.makers import makers_for
from mien.server.metrics import Metrics, Total
from mien.server.output_metrics import OutputMetrics
from mien.server.outputs import Airing, Outputs, Watcher
from mien.server.pulls import Pulls
from mien.server.recordings import Recordings
from mien.server.sessions import Session, Sessions, Wanted
from mien.server.targets import Maker, targets_of
from mien.server.voice_board import VoiceBoard
from mien.services import Services

# The largest honest request is an SDP offer of some 10 kB.
MAX_BODY = 256_000
WEB = Path(__file__).parent / "web"


class _Files(StaticFiles):
    """Revalidated at every load, so that modules of two versions never mix after an upgrade."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(
    settings: Settings,
    services: Services,
    on_output: Watcher = lambda airing: None,
    makers: Mapping[str, Maker] | None = None,
) -> FastAPI:
    """The server for these settings; sessions live in its lifespan, services outlive it.

    on_output: told of each change of an output. makers: of outputs, besides the server's own.

    Raises:
        ConfigError: for outputs that cannot be; LiveError: for a running order that cannot.
    """
    wardrobe = Wardrobe(services)
    drafts, pulls = Drafts(), Pulls()
    sessions = Sessions(lambda wanted: make(wanted), settings.sessions.max)
    board = VoiceBoard(services)
    casting = Casting(services, wardrobe, board)
    recordings = Recordings(settings.recordings.folder, {"encoder": f"mien {__version__}"})
    makers = {**makers_for(services, recordings), **(makers or {})}
    targets = targets_of(settings, makers)
    hosts = Hosts(settings.live, services.moderator)
    output_metrics = OutputMetrics(lambda: [a for s in sessions.all() for a in s.outputs.all()])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with sessions.running(), _running(live if targets or hosts.on_air else None):
            yield
        await drafts.aclose()
        await pulls.aclose()

    def webrtc() -> WebRtcSettings:
        """Asked for with each connection: passwords expire."""
        return services.webrtc

    def make(wanted: Wanted) -> Session:
        language = wanted.persona.language_for(wanted.language)
        cast = services.cast(language, wanted.persona, wanted.player, wanted.voice)
        conversation = Conversation(cast, seed=random.randrange(1 << 30))
        conversation.on_trace = app.state.metrics.trace
        who = wanted.name, wanted.persona, wanted.language
        character = Character(conversation, services.mind, *who)
        # Of a live host with a running order, that says how it greets.
        greets = settings.greet and not (wanted.key and hosts.scripted)
        greeting = wanted.persona.greet(language) if greets else None
        outputs = Outputs(conversation.program, makers, conversation.events.publish, watch)
        idle_sec = math.inf if wanted.key else settings.sessions.idle_sec
        words = services.hearing.waking(wanted.persona.names)
        listener = Listener(conversation, services.hearing, words)
        return Session(
            conversation,
            wanted.look,
            greeting,
            webrtc,
            idle_sec,
            outputs,
            listener,
            character,
            wanted.key,
        )

    def watch(airing: Airing) -> None:
        output_metrics.watch(airing)
        on_output(airing)

    async def open_live() -> Session:
        name, persona = await casting.persona(None)
        language = settings.language or persona.language
        look = wardrobe.default
        player = await asyncio.to_thread(wardrobe.dress, look)
        voice = await board.begin_with(None)
        wanted = Wanted(language, look, player, voice, name, persona, LIVE)
        return await sessions.create(wanted)

    live = LiveSession(open_live, targets, hosts.companions)

    app = FastAPI(title="mien", version=__version__, lifespan=lifespan, max_body_size=MAX_BODY)
    app.state.token = settings.token
    app.state.services = services
    app.state.sessions = sessions
    app.state.live = live
    app.state.hosts = hosts
    app.state.wardrobe = wardrobe
    app.state.drafts = drafts
    app.state.pulls = pulls
    app.state.recordings = recordings
    app.state.voice_board = board
    app.state.personas = services.mind.personas
    app.state.casting = casting
    app.state.memory = services.mind.memory
    app.state.summarise = services.mind.summarise
    app.state.metrics = Metrics(
        lambda: len(sessions),
        lambda: sum(len(s.viewers) for s in sessions.all()),
        output_metrics,
        Total(
            "mien_pictures_encoded",
            "Pictures encoded; however many watch, each only once for every rendition",
            sessions.pictures_encoded,
        ),
    )
    if is_loopback(settings.host) and settings.token is None:
        # Without a token, a web site whose name resolves to 127.0.0.1 must not get in.
        app.add_middleware(
            TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", "::1"]
        )
    app.add_middleware(WebRtcCors, has_token=settings.token is not None)
    app.include_router(api.router)
    app.include_router(ears_api.router)
    app.include_router(audio_api.router)
    app.include_router(looks_api.router)
    app.include_router(drafts_api.router)
    app.include_router(models_api.router)
    app.include_router(memory_api.router)
    app.include_router(messages_api.router)
    app.include_router(outputs_api.router)
    app.include_router(personas_api.router)
    app.include_router(recordings_api.router)
    app.include_router(stage.router)
    app.include_router(voices_api.router)
    app.include_router(whep.router)
    app.include_router(whip.router)
    app.include_router(microphone_ws.router)
    app.include_router(ws.router)
    app.mount("/static", _Files(directory=WEB), name="static")
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(app.state.metrics.text(), media_type="text/plain; version=0.0.4")

    return app


@asynccontextmanager
async def _running(live: LiveSession | None) -> AsyncIterator[None]:
    """Ended before its session is, which it would begin anew."""
    if live is None:
        yield
        return
    task = asyncio.create_task(live.run(), name="live session")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return JSONResponse({"error": error.as_message()}, error.status)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses (no such path, a body too large), in our one shape."""
    assert isinstance(error, HTTPException)
    problem = Problem(
        f"http_{error.status_code}", f"{error.detail}.", f"请求被拒绝：{error.detail}。"
    )
    return JSONResponse({"error": problem.as_message()}, error.status_code)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours: the log has the traceback, the visitor a sentence."""
    problem = Problem(
        "internal",
        "Something went wrong on the server; its log says what.",
        "服务器出了点问题，详情见日志。",
        retryable=True,
    )
    return JSONResponse({"error": problem.as_message()}, 500)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(
        f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg']}" for e in error.errors()
    )
    problem = Problem(
        "invalid", f"The request is not valid: {wrong}", f"请求无效：{wrong}", status=422
    )
    return JSONResponse({"error": problem.as_message()}, 422)
