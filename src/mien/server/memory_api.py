"""The part of the API about remembering: switching it on, and what users may do with what is
remembered of them. (``mien.server.memory`` is something else: the process's own.)"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from loguru import logger
from pydantic import BaseModel, ValidationError

from mien.memory import facts, recall, transfer, users
from mien.memory.errors import Erased, MemoryStoreError
from mien.memory.store import MemoryStore, user_of
from mien.memory.transfer import Transfer
from mien.memory.user_memory import UserMemory
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import AnyServices, AnySession, sessions_of
from mien.server.sessions import Session

# 10,000 questions with their answers take some 6 MB. Beyond the second the connection is cut; up
# to it what is too large is told so in words.
MAX_IMPORT_BYTES = 32_000_000
UNREAD_IMPORT_BYTES = 2 * MAX_IMPORT_BYTES

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


class Switch(BaseModel):
    """Whether this session remembers its user."""

    on: bool


def store_of(request: Request) -> MemoryStore:
    """Raises Problem 403 where nothing is remembered of anybody."""
    store: MemoryStore | None = request.app.state.memory
    if store is None:
        raise Problem(
            "memory_off",
            "This server remembers nobody. Set memory.enabled = true to let it.",
            "此服务器未启用记忆功能。请设置 memory.enabled = true。",
            status=403,
        )
    return store


# Whoever has the key is the user: it is as good as a password, and as long as one should be.
Key = Annotated[str | None, Header(alias="Mien-User", pattern=r"^[A-Za-z0-9_-]{16,128}$")]


def user_in(key: Key = None) -> str:
    """What stands for the user who asks. Raises Problem 422 when nobody says who that is."""
    if key is None:
        raise Problem(
            "no_user",
            "Say who is to be remembered: a header Mien-User with a secret of 16 to 128 "
            "characters (A-Z a-z 0-9 _ -).",
            "请说明要记住谁：请求头 Mien-User，值为 16 到 128 个字符的密钥（A-Z a-z 0-9 _ -）。",
            status=422,
        )
    return user_of(key)


AnyStore = Annotated[MemoryStore, Depends(store_of)]
User = Annotated[str, Depends(user_in)]


@router.put("/sessions/{session}/memory")
async def switch_memory(
    request: Request,
    session: AnySession,
    services: AnyServices,
    store: AnyStore,
    body: Switch,
    key: Key = None,
) -> dict[str, Any]:
    """Remember this session's user from now on, and what was remembered before; or no longer.

    Switched off, what is remembered stays; DELETE /memory erases it. Others may have the session's
    id; its memory is its user's. Raises Problem 403 for them.
    """
    if session.is_own:
        raise Problem(
            "live_session",
            "The live session talks to an audience; it remembers nobody.",
            "直播会话面向所有观众，不会记住任何人。",
            status=409,
        )
    memory = session.memory
    if memory and not memory.erased and (key is None or memory.user != user_of(key)):
        raise Problem(
            "not_yours",
            "This session remembers somebody else: only their key switches it.",
            "此会话正在记住另一位用户，只有持有其密钥的人可以更改。",
            status=403,
        )
    if not body.on:
        await _stop(session)
        return {"offered": True, "on": False, "facts": 0, "turns": 0}
    user = user_in(key)
    async with _in_words():
        if memory is None or memory.erased:
            memory = await UserMemory.begin(
                store,
                user,
                session.conversation.language,
                request.app.state.summarise,
                services.settings.memory,
            )
            memory.on_change = partial(_changed, session, memory)
            await session.remember(memory)
            _tell(session, memory)
        holding, turns = await memory.counts()
    return {"offered": True, "on": True, "facts": holding, "turns": turns}


@router.get("/memory")
async def export_memory(store: AnyStore, user: User) -> Response:
    """All that is remembered of the user, as a file that POST takes."""
    async with _in_words():
        everything = await store.run(transfer.export, user)
    text = await asyncio.to_thread(everything.model_dump_json, indent=1)
    return Response(
        text,
        media_type="application/json",
        headers={
            "Content-Disposition": 'attachment; filename="mien-memory.json"',
            "Cache-Control": "no-store",
        },
    )


@router.post("/memory", max_body_size=UNREAD_IMPORT_BYTES)
async def import_memory(request: Request, store: AnyStore, user: User) -> dict[str, int]:
    """Add what an export holds. What is there already is not added again."""
    body = await request.body()
    if len(body) > MAX_IMPORT_BYTES:
        raise Problem(
            "too_large",
            f"The file has {len(body) / 1e6:.0f} MB; at most {MAX_IMPORT_BYTES / 1e6:.0f} MB "
            "are taken.",
            f"文件大小为 {len(body) / 1e6:.0f} MB，最多 {MAX_IMPORT_BYTES / 1e6:.0f} MB。",
            status=413,
        )
    try:
        given = await asyncio.to_thread(Transfer.model_validate_json, body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise Problem(
            "invalid",
            f"This is no export of a memory: {where}: {first['msg']}",
            f"这不是记忆的导出文件：{where}：{first['msg']}",
            status=422,
        ) from None
    async with _in_words():
        turns, new = await transfer.take_in(store, user, given)
    await _recount(request, user)
    return {"turns": turns, "facts": new}


@router.delete("/memory", status_code=204)
async def erase_memory(request: Request, store: AnyStore, user: User) -> None:
    """Forget the user. Answered when nothing of it is left in the server's files; sessions of the
    user remember nothing from then on."""
    for session in _sessions_with(request, user):
        with suppress(Problem):  # it is ending anyway, and what was kept of it must go
            await _stop(session)
    async with _in_words():
        await store.erase_soon(user)


@router.get("/memory/facts")
async def list_facts(store: AnyStore, user: User) -> dict[str, Any]:
    """What is held to be true of the user, the newest first."""
    async with _in_words():
        key = await store.run(users.find, user)
        known = [] if key is None else await store.run(facts.holding, key)
    return {"facts": [asdict(fact) for fact in known]}


@router.delete("/memory/facts/{fact}", status_code=204)
async def forget_fact(request: Request, store: AnyStore, user: User, fact: int) -> None:
    """Forget a fact and what was said when it was told. Raises Problem 404."""
    async with _in_words():
        key = await store.run(users.find, user)
        gone = key is not None and await store.run(recall.forget_fact, key, fact)
        if gone:
            await store.scrub_soon()
    if not gone:
        raise Problem("no_such_fact", "There is no such fact.", "没有这条记忆。", status=404)
    await _recount(request, user)


async def _stop(session: Session) -> None:
    """Raises Problem 404 when the session has ended; it remembers nothing more even so."""
    if session.memory is not None:
        await session.memory.aclose()
        await session.remember(None)
    _tell(session, None)


def _changed(session: Session, memory: UserMemory) -> None:
    if memory.erased:
        with suppress(Problem):  # the session may have ended
            session.accompany(_forget(session), "forget")
    elif session.memory is memory:
        _tell(session, memory)


async def _forget(session: Session) -> None:
    with suppress(Problem):
        await _stop(session)


def _tell(session: Session, memory: UserMemory | None) -> None:
    known = 0 if memory is None else memory.facts
    session.conversation.events.publish(
        {"type": "memory", "on": memory is not None, "facts": known}
    )


async def _recount(request: Request, user: str) -> None:
    """Have the sessions of the user tell of it; it is done, whether they can or not."""
    for session in _sessions_with(request, user):
        try:
            if session.memory is not None:
                await session.memory.recount()
        except MemoryStoreError as error:
            logger.warning(f"memory: {error}")


def _sessions_with(request: Request, user: str) -> list[Session]:
    return [
        session
        for session in sessions_of(request).all()
        if session.memory is not None and session.memory.user == user
    ]


@asynccontextmanager
async def _in_words() -> AsyncIterator[None]:
    try:
        yield
    except Erased:
        raise Problem(
            "erased",
            "What was remembered of this user was erased meanwhile.",
            "该用户的记忆刚刚已被清除。",
            status=409,
            retryable=True,
        ) from None
    except MemoryStoreError as error:
        raise Problem(
            "memory_failed", str(error), error.zh, status=503, retryable=error.retryable
        ) from error
