"""pipecat's TTS services by name, and how to set one up from a table of plain values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pipecat.services.tts_service import TTSService, WebsocketTTSService

from mien import pipecat_catalog
from mien.pipecat_catalog import Family, addresses, fields_of
from mien.tts.voice import VoiceError

__all__ = ["Recipe", "addresses", "find_service", "list_services"]


def _error(message: str, zh: str, retryable: bool) -> VoiceError:
    return VoiceError(message, retryable=retryable, zh=zh)


TTS: Family[TTSService] = Family("TTS", TTSService, "voice", _error)  # type: ignore[type-abstract]


def list_services() -> list[str]:
    """What may be written as ``type``: vendors, and the classes of their other services."""
    return pipecat_catalog.list_services(TTS)


def find_service(kind: str) -> type[TTSService]:
    """See ``mien.pipecat_catalog``. Raises VoiceError."""
    return pipecat_catalog.find_service(TTS, kind)


class Recipe(pipecat_catalog.Recipe[TTSService]):
    """See ``mien.pipecat_catalog``; with what a voice wants of its service."""

    def __init__(
        self,
        service: type[TTSService],
        params: Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        api_key_env: str | None = None,
        speed: float = 1.0,
        patience_sec: float = 5.0,
    ) -> None:
        """patience_sec: how long sound may be due before the service itself gives up.

        Raises:
            VoiceError: naming what is wrong and what there is.
        """
        super().__init__(
            TTS, service, params, _with_speed(service, settings, speed), api_key_env=api_key_env
        )
        if issubclass(service, WebsocketTTSService):
            # A lost connection is then an error. Else it is opened again, and the rest of the
            # clause that was being spoken is missing without a word about it.
            self.add("reconnect_on_error", False)
        if _tells_its_end(service):
            # So silence means waiting. Of the others it ends the clause, after 3 s by default.
            self.add("stop_frame_timeout_s", patience_sec)


def _with_speed(
    service: type[TTSService], settings: Mapping[str, Any], speed: float
) -> dict[str, Any]:
    fields = fields_of(service)
    if speed == 1 or "speed" in settings or set(settings) - set(fields):
        return dict(settings)
    if "speed" not in fields:
        names = ", ".join(sorted(fields)) or "-"
        raise VoiceError(
            f"{service.__name__} has no setting 'speed'; leave speed at 1, or set what it "
            f"has: {names}",
            retryable=False,
            zh=f"{service.__name__} 没有 speed 设置；请去掉 speed，或使用：{names}",
        )
    return {**settings, "speed": speed}


def _tells_its_end(service: type[TTSService]) -> bool:
    """Whether it knows when a clause is complete. Some vendors' protocols do not say it."""
    if not issubclass(service, WebsocketTTSService):
        return True
    for owner in service.__mro__[: service.__mro__.index(WebsocketTTSService)]:
        for function in vars(owner).values():
            code = (
                getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
            )
            if code is not None and "remove_audio_context" in code.co_names:
                return True
    return False
