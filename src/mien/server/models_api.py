"""The part of the API about models: what there is, what is here, and bringing one here."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from pydantic import BaseModel

from mien.models.catalogue import Model, catalogue, model
from mien.models.consent import accept, accepted, need_consent
from mien.models.errors import ModelError
from mien.models.offline import needed, never_online
from mien.models.prune import half_fetched
from mien.models.store import delete, installed, missing
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.pulls import Pulls

router = APIRouter(prefix="/api/v1/models", dependencies=[Depends(require_token)])

STATUS = {"unknown_model": 404, "licence": 422, "busy": 409, "offline": 409, "catalogue": 500}


class Wanted(BaseModel):
    """accept_licence: whoever asks has read the model's licence and keeps to it; this is recorded.
    Needed once for each licence."""

    accept_licence: bool = False


def pulls_of(request: Request) -> Pulls:
    pulls: Pulls = request.app.state.pulls
    return pulls


AnyPulls = Annotated[Pulls, Depends(pulls_of)]


@router.get("")
async def models(pulls: AnyPulls) -> list[dict[str, Any]]:
    """Every model there is, in the order they are recommended; the user's own last."""
    try:
        return await asyncio.to_thread(_listed, pulls)
    except ModelError as error:
        raise _problem(error) from None


def _listed(pulls: Pulls) -> list[dict[str, Any]]:
    return [_entry(one, pulls) for one in catalogue(strict=True).values()]


def _entry(one: Model, pulls: Pulls) -> dict[str, Any]:
    found, licence, why = installed(one.name), one.licence, missing(one)
    pull = pulls.of(one.name)
    return {
        "name": one.name,
        "kind": one.kind,
        "engine": one.engine,
        "languages": one.languages,
        "own": one.own,
        "label": {"en": one.en or one.name, "zh": one.zh or one.en or one.name},
        "homepage": one.homepage,
        "size": sum(file.size for file in found.files) if found else one.size,
        "half_fetched": half_fetched(one.name),
        "licence": {
            "name": licence.name,
            "text": {"en": licence.en, "zh": licence.zh},
            "url": licence.url,
            "non_commercial": licence.non_commercial,
            "accepted": accepted(licence),
        },
        "ready": found is not None,
        "why_not": None if found else {"en": why.en, "zh": why.zh},
        "pull": pull.as_message() if pull else None,
    }


@router.post("/{name}/pull", status_code=202)
async def start_pull(pulls: AnyPulls, name: str, body: Annotated[Wanted, Body()]) -> dict[str, Any]:
    """Begin to fetch it; it goes on when the caller leaves. One at a time; asking for the one that
    is under way returns its state. What an earlier pull has left is not fetched again."""
    wanted = await asyncio.to_thread(_wanted, name, body.accept_licence)
    return pulls.start(wanted).as_message()


def _wanted(name: str, accept_licence: bool) -> Model:
    try:
        wanted = model(name)
        if never_online():
            raise needed(wanted, wanted.files)
        if accept_licence:
            accept(wanted.licence)
        need_consent(wanted)
    except ModelError as error:
        raise _problem(error) from None
    return wanted


@router.get("/{name}/pull")
async def pull_state(pulls: AnyPulls, name: str) -> dict[str, Any]:
    """How far it is: {state, step, file, host, done, total, share, error}; ``state`` is running,
    done, failed or cancelled. Ask as often as a person wants to see it move."""
    pull = pulls.of(name)
    if pull is None:
        raise Problem(
            "no_such_pull", f"{name} is not being fetched.", f"没有正在获取 {name}。", status=404
        )
    return pull.as_message()


@router.delete("/{name}/pull", status_code=204)
async def cancel_pull(pulls: AnyPulls, name: str) -> None:
    """Stop; what has come stays, and the next pull goes on from there."""
    await pulls.cancel(name)


@router.delete("/{name}", status_code=204)
async def delete_model(pulls: AnyPulls, name: str) -> None:
    """Delete the model and what was fetched of it. What has it loaded keeps it until it ends."""
    try:
        await asyncio.to_thread(delete, name)
    except ModelError as error:
        raise _problem(error) from None


def _problem(error: ModelError) -> Problem:
    return Problem(
        error.code, error.en, error.zh, status=STATUS.get(error.code, 500), stage="models"
    )
