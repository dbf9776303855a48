"""pipecat's TTS services by name, and how to set one up from a table of plain values."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import aiohttp
import pipecat.services
from loguru import logger
from pipecat.services.tts_service import TTSService, WebsocketTTSService
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from mien.tts.voice import VoiceError

_CLASS = re.compile(r"^class (\w*TTSService)\b", re.MULTILINE)
_PACKAGE = "pipecat.services"


@cache
def _services() -> dict[str, str]:
    """Name → module.Class. Read from the sources: to import them all takes their libraries."""
    found: dict[str, str] = {}
    for folder in map(Path, pipecat.services.__path__):
        for source in sorted(folder.glob("*/tts.py")):
            vendor = source.parent.name
            classes = [c for c in _CLASS.findall(source.read_text("utf-8")) if "Base" not in c]
            # Where a vendor is served over both, the WebSocket begins to speak sooner.
            classes.sort(key=lambda name: "Http" in name)
            for at, name in enumerate(classes):
                path = f"{_PACKAGE}.{vendor}.tts.{name}"
                found[name] = path
                if at == 0:
                    found[vendor] = path
    return found


def list_services() -> list[str]:
    """What may be written as ``type``: vendors, and the classes of their other services."""
    named = _services()
    usual = {path for name, path in named.items() if "TTSService" not in name}
    return sorted(name for name, path in named.items() if path not in usual or name.islower())


def find_service(kind: str) -> type[TTSService]:
    """The class; its vendor's library is imported, which may take seconds.

    kind: a vendor ("cartesia"), a class of pipecat's or the path "package.module.Class" of any.

    Raises:
        VoiceError: when there is none, or a package is missing.
    """
    path = _services().get(kind, kind)
    module, _, name = path.rpartition(".")
    if not module:
        close = difflib.get_close_matches(kind, list_services(), 3, 0.5) or list_services()
        raise VoiceError(
            f"pipecat has no TTS service {kind!r}; choose one of {', '.join(close)}, "
            "or write package.module.Class",
            retryable=False,
            zh=f"pipecat 没有 TTS 服务 {kind!r}；可选 {', '.join(close)}，或写 包.模块.类",
        )
    logger.disable(module)  # it logs what is missing, too
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # a library may fail in any way as it is loaded
        raise _missing(kind, module, error) from error
    finally:
        logger.enable(module)
    if not (isinstance(found, type) and issubclass(found, TTSService)):
        raise VoiceError(
            f"{path} is not a TTS service of pipecat",
            retryable=False,
            zh=f"{path} 不是 pipecat 的 TTS 服务",
        )
    return found


def _missing(kind: str, module: str, error: Exception) -> VoiceError:
    vendor = module.removeprefix(f"{_PACKAGE}.").partition(".")[0]
    extras = metadata("pipecat-ai").get_all("Provides-Extra") or []
    if not isinstance(error, ImportError):
        says, says_zh = "", ""
    elif module.startswith(_PACKAGE) and vendor in extras:
        install = f"pip install 'pipecat-ai[{vendor}]'"
        says, says_zh = f" Install what it needs: {install}", f"请安装：{install}"
    else:
        says, says_zh = " Install what it needs.", "请安装它需要的包。"
    return VoiceError(
        f"{kind} cannot be loaded: {error}.{says}",
        retryable=False,
        zh=f"无法加载 {kind}：{error}。{says_zh}",
    )


class Recipe:
    """How to make a service. What is wrong with the table is told when the recipe is made."""

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
        """params: of the constructor. settings: fields of the class's ``Settings``.

        api_key_env: where the key is; None: in <VENDOR>_API_KEY. patience_sec: how long sound may
        be due before the service itself gives up.

        Raises:
            VoiceError: naming what is wrong and what there is.
        """
        self.service = service
        self._accepted = _parameters(service)
        _check_params(service, params, self._accepted)
        self._arguments = {
            name: _typed(service, name, self._accepted[name].annotation, value)
            for name, value in params.items()
        }
        self._settings = _settings(service, settings, speed)
        if "api_key" in self._accepted and "api_key" not in params:
            self._add_key(params, api_key_env)
        # Only what the constructor does not set itself; see build.
        self._additions: dict[str, Any] = {}
        if issubclass(service, WebsocketTTSService):
            # A lost connection is then an error. Else it is opened again, and the rest of the
            # clause that was being spoken is missing without a word about it.
            self._add("reconnect_on_error", False)
        if _tells_its_end(service):
            # So silence means waiting. Of the others it ends the clause, after 3 s by default.
            self._add("stop_frame_timeout_s", patience_sec)

    def _add(self, name: str, value: Any) -> None:
        if name in self._accepted and name not in self._arguments:
            self._additions[name] = value

    def _add_key(self, params: Mapping[str, Any], variable: str | None) -> None:
        """A key of the environment goes to its own vendor only."""
        elsewhere = variable is None and bool(addresses(params))
        vendor = self.service.__module__.removeprefix(f"{_PACKAGE}.").partition(".")[0]
        variable = variable or f"{vendor.upper()}_API_KEY"
        key = None if elsewhere else os.environ.get(variable)
        if key:
            self._arguments["api_key"] = key
        elif elsewhere:
            self._arguments["api_key"] = "none"  # servers of one's own seldom ask for it
        elif self._accepted["api_key"].default is inspect.Parameter.empty:
            raise VoiceError(
                f"{self.service.__name__} needs a key: set {variable} in the environment, or "
                "api_key in the voice's params",
                retryable=False,
                zh=f"{self.service.__name__} 需要密钥：设置环境变量 {variable}，"
                "或在 params 里写 api_key",
            )

    @property
    def wants_session(self) -> bool:
        """Whether it is to be given an HTTP client, which its user closes."""
        parameter = self._accepted.get("aiohttp_session")
        return parameter is not None and parameter.default is inspect.Parameter.empty

    def build(self, session: aiohttp.ClientSession | None) -> TTSService:
        """Make one. May load a model or even download it: not for the event loop.

        Raises:
            VoiceError: when the service refuses what it is given.
        """
        arguments = dict(self._arguments)
        if self._settings:
            settings: Callable[..., Any] = self.service.Settings  # type: ignore[attr-defined]
            arguments["settings"] = settings(**self._settings)
        if session is not None:
            arguments["aiohttp_session"] = session
        additions = dict(self._additions)
        while True:
            try:
                return self.service(**arguments, **additions)
            except Exception as error:
                # It sets this itself. Python says so with a TypeError, and with a KeyError while
                # another exception is being handled.
                twice = next((name for name in additions if f"'{name}'" in str(error)), None)
                if isinstance(error, TypeError | KeyError) and twice is not None:
                    del additions[twice]
                    continue
                raise VoiceError(
                    f"{self.service.__name__} cannot be set up: {error}",
                    retryable=isinstance(error, OSError),
                    zh=f"无法启动 {self.service.__name__}：{error}",
                ) from error


def addresses(params: Mapping[str, Any]) -> list[str]:
    """URLs among the parameters: servers of the user's choice."""
    return [
        value
        for value in params.values()
        if isinstance(value, str) and re.match(r"(https?|wss?)://", value)
    ]


def _parameters(service: type[TTSService]) -> dict[str, inspect.Parameter]:
    """By name, those of the bases included as far as they are passed on; with resolved hints."""
    found: dict[str, inspect.Parameter] = {}
    for owner in service.__mro__:
        if "__init__" not in vars(owner):
            continue
        make = vars(owner)["__init__"]
        try:
            hints = typing.get_type_hints(make)
        except Exception:  # names that only a type checker imports
            hints = {}
        passed_on = False
        for parameter in list(inspect.signature(make).parameters.values())[1:]:
            passed_on |= parameter.kind is parameter.VAR_KEYWORD
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                hint = hints.get(parameter.name, Any)
                found.setdefault(parameter.name, parameter.replace(annotation=hint))
        if not passed_on or owner is TTSService:
            break
    return found


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


def _settings(service: type[TTSService], given: Mapping[str, Any], speed: float) -> dict[str, Any]:
    fields = _fields(service)
    names = ", ".join(sorted(fields)) or "-"
    if wrong := ", ".join(sorted(set(given) - set(fields))):
        raise VoiceError(
            f"{service.__name__} has no {wrong} in its settings; there are: {names}",
            retryable=False,
            zh=f"{service.__name__} 的 settings 里没有 {wrong}；可用：{names}",
        )
    wanted = dict(given)
    if speed != 1 and "speed" not in given:
        if "speed" not in fields:
            raise VoiceError(
                f"{service.__name__} has no setting 'speed'; leave speed at 1, or set what it "
                f"has: {names}",
                retryable=False,
                zh=f"{service.__name__} 没有 speed 设置；请去掉 speed，或使用：{names}",
            )
        wanted["speed"] = speed
    return {name: _typed(service, name, fields[name], value) for name, value in wanted.items()}


def _check_params(
    service: type[TTSService], params: Mapping[str, Any], accepted: Mapping[str, Any]
) -> None:
    """Of those there are, only the service's own are named: the rest is pipecat's plumbing."""
    wrong = sorted(set(params) - set(accepted) | {"settings"} & set(params))
    if not wrong:
        return
    own = inspect.signature(service).parameters.values()
    names = [p.name for p in own if p.kind is not p.VAR_KEYWORD and p.name != "settings"]
    elsewhere = [name for name in wrong if name in _fields(service)]
    hint = f" ({', '.join(elsewhere)}: write it in its settings)" if elsewhere else ""
    hint_zh = f"（{', '.join(elsewhere)} 请写在 settings 里）" if elsewhere else ""
    raise VoiceError(
        f"{service.__name__} has no {', '.join(wrong)} in its params{hint}; there are: "
        f"{', '.join(sorted(names))}",
        retryable=False,
        zh=f"{service.__name__} 的 params 里没有 {', '.join(wrong)}{hint_zh}；"
        f"可用：{', '.join(sorted(names))}",
    )


def _fields(service: type[TTSService]) -> dict[str, Any]:
    """Name → type of what is in its ``Settings``."""
    kind = getattr(service, "Settings", None)
    if kind is None or not dataclasses.is_dataclass(kind):
        return {}
    hints = typing.get_type_hints(kind)
    return {f.name: hints.get(f.name, Any) for f in dataclasses.fields(kind) if f.init}


def _typed(service: type[TTSService], name: str, hint: Any, value: Any) -> Any:
    """A table's plain value as the type that is asked for: an enum, a model, a path."""
    try:
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hint)
        except PydanticUserError:
            adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except Exception:  # what pydantic cannot describe is the service's own business
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise VoiceError(
            f"{service.__name__}: {name} cannot be {value!r}: {first['msg']}",
            retryable=False,
            zh=f"{service.__name__}：{name} 不能是 {value!r}：{first['msg']}",
        ) from error
