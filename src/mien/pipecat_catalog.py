"""pipecat's services by name, and how to set one up from a table of plain values."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiohttp
import pipecat.services
from loguru import logger
from pipecat.services.ai_service import AIService
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

_PACKAGE = "pipecat.services"


Service = TypeVar("Service", bound=AIService)


@dataclass(frozen=True)
class Family(Generic[Service]):
    """Services of one kind. kind: as pipecat abbreviates it ("TTS"). base: of their classes.

    table, table_zh: where one is set up. error: an exception of (English, Chinese, retryable).
    """

    kind: str
    base: type[Service]
    table: str
    error: Callable[[str, str, bool], Exception]


@cache
def _services(kind: str) -> dict[str, str]:
    """Name → module.Class. Read from the sources: to import them all takes their libraries."""
    found: dict[str, str] = {}
    written = re.compile(rf"^class (\w*{kind}Service)\b", re.MULTILINE)
    module = kind.lower()
    for folder in map(Path, pipecat.services.__path__):
        for source in sorted(folder.glob(f"*/{module}.py")):
            vendor = source.parent.name
            classes = [c for c in written.findall(source.read_text("utf-8")) if "Base" not in c]
            # Where a vendor is served over both, the WebSocket begins to speak sooner.
            classes.sort(key=lambda name: "Http" in name)
            for at, name in enumerate(classes):
                path = f"{_PACKAGE}.{vendor}.{module}.{name}"
                found[name] = path
                if at == 0:
                    found[vendor] = path
    return found


def list_services(family: Family[Service]) -> list[str]:
    """What may be written as ``type``: vendors, and the classes of their other services."""
    named = _services(family.kind)
    usual = {path for name, path in named.items() if f"{family.kind}Service" not in name}
    return sorted(name for name, path in named.items() if path not in usual or name.islower())


def find_service(family: Family[Service], kind: str) -> type[Service]:
    """The class; its vendor's library is imported, which may take seconds.

    kind: a vendor ("cartesia"), a class of pipecat's or the path "package.module.Class" of any.

    Raises:
        family.error: when there is none, or a package is missing.
    """
    what = family.kind
    path = _services(what).get(kind, kind)
    module, _, name = path.rpartition(".")
    if not module:
        close = difflib.get_close_matches(kind, list_services(family), 3, 0.5) or list_services(
            family
        )
        raise family.error(
            f"pipecat has no {what} service {kind!r}; choose one of {', '.join(close)}, "
            "or write package.module.Class",
            f"pipecat 没有 {what} 服务 {kind!r}；可选 {', '.join(close)}，或写 包.模块.类",
            False,
        )
    logger.disable(module)  # it logs what is missing, too
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # a library may fail in any way as it is loaded
        raise _missing(family, kind, module, error) from error
    finally:
        logger.enable(module)
    if not (isinstance(found, type) and issubclass(found, family.base)):
        a = "an" if what == "STT" else "a"
        raise family.error(
            f"{path} is not {a} {what} service of pipecat",
            f"{path} 不是 pipecat 的 {what} 服务",
            False,
        )
    return found


def _missing(family: Family[Service], kind: str, module: str, error: Exception) -> Exception:
    vendor = module.removeprefix(f"{_PACKAGE}.").partition(".")[0]
    extras = metadata("pipecat-ai").get_all("Provides-Extra") or []
    if not isinstance(error, ImportError):
        says, says_zh = "", ""
    elif module.startswith(_PACKAGE) and vendor in extras:
        install = f"pip install 'pipecat-ai[{vendor}]'"
        says, says_zh = f" Install what it needs: {install}", f"请安装：{install}"
    else:
        says, says_zh = " Install what it needs.", "请安装它需要的包。"
    return family.error(
        f"{kind} cannot be loaded: {error}.{says}", f"无法加载 {kind}：{error}。{says_zh}", False
    )


class Recipe(Generic[Service]):
    """How to make a service. What is wrong with the table is told when the recipe is made."""

    def __init__(
        self,
        family: Family[Service],
        service: type[Service],
        params: Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        api_key_env: str | None = None,
    ) -> None:
        """params: of the constructor. settings: fields of the class's ``Settings``.

        api_key_env: where the key is; None: in <VENDOR>_API_KEY.

        Raises:
            family.error: naming what is wrong and what there is.
        """
        self.family = family
        self.service = service
        self._accepted = _parameters(service, family.base)
        self._check_params(params)
        self._arguments = {
            name: self._typed(name, self._accepted[name].annotation, value)
            for name, value in params.items()
        }
        self._settings = self._checked(settings)
        if "api_key" in self._accepted and "api_key" not in params:
            self._add_key(params, api_key_env)
        # Only what the constructor does not set itself; see build.
        self._additions: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """An argument of the constructor, if it takes one of this name that the table has not."""
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
            raise self.family.error(
                f"{self.service.__name__} needs a key: set {variable} in the environment, or "
                f"api_key in the {self.family.table}'s params",
                f"{self.service.__name__} 需要密钥：设置环境变量 {variable}，"
                "或在 params 里写 api_key",
                False,
            )

    @property
    def wants_session(self) -> bool:
        """Whether it is to be given an HTTP client, which its user closes."""
        parameter = self._accepted.get("aiohttp_session")
        return parameter is not None and parameter.default is inspect.Parameter.empty

    def build(self, session: aiohttp.ClientSession | None) -> Service:
        """Make one. May load a model or even download it: not for the event loop.

        Raises:
            family.error: when the service refuses what it is given.
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
                raise self.family.error(
                    f"{self.service.__name__} cannot be set up: {error}",
                    f"无法启动 {self.service.__name__}：{error}",
                    isinstance(error, OSError),
                ) from error

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        service = self.service
        fields = fields_of(service)
        if wrong := ", ".join(sorted(set(given) - set(fields))):
            names = ", ".join(sorted(fields)) or "-"
            raise self.family.error(
                f"{service.__name__} has no {wrong} in its settings; there are: {names}",
                f"{service.__name__} 的 settings 里没有 {wrong}；可用：{names}",
                False,
            )
        return {name: self._typed(name, fields[name], value) for name, value in given.items()}

    def _check_params(self, params: Mapping[str, Any]) -> None:
        """Of those there are, only the service's own are named: the rest is pipecat's plumbing."""
        service = self.service
        wrong = sorted(set(params) - set(self._accepted) | {"settings"} & set(params))
        if not wrong:
            return
        own = inspect.signature(service).parameters.values()
        names = [p.name for p in own if p.kind is not p.VAR_KEYWORD and p.name != "settings"]
        elsewhere = [name for name in wrong if name in fields_of(service)]
        hint = f" ({', '.join(elsewhere)}: write it in its settings)" if elsewhere else ""
        hint_zh = f"（{', '.join(elsewhere)} 请写在 settings 里）" if elsewhere else ""
        raise self.family.error(
            f"{service.__name__} has no {', '.join(wrong)} in its params{hint}; there are: "
            f"{', '.join(sorted(names))}",
            f"{service.__name__} 的 params 里没有 {', '.join(wrong)}{hint_zh}；"
            f"可用：{', '.join(sorted(names))}",
            False,
        )

    def _typed(self, name: str, hint: Any, value: Any) -> Any:
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
            raise self.family.error(
                f"{self.service.__name__}: {name} cannot be {value!r}: {first['msg']}",
                f"{self.service.__name__}：{name} 不能是 {value!r}：{first['msg']}",
                False,
            ) from error


def addresses(params: Mapping[str, Any]) -> list[str]:
    """URLs among the parameters: servers of the user's choice."""
    return [
        value
        for value in params.values()
        if isinstance(value, str) and re.match(r"(https?|wss?)://", value)
    ]


def _parameters(service: type[AIService], base: type[AIService]) -> dict[str, inspect.Parameter]:
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
        if not passed_on or owner is base:
            break
    return found


def fields_of(service: type[AIService]) -> dict[str, Any]:
    """Name → type of what is in its ``Settings``."""
    kind = getattr(service, "Settings", None)
    if kind is None or not dataclasses.is_dataclass(kind):
        return {}
    hints = typing.get_type_hints(kind)
    return {f.name: hints.get(f.name, Any) for f in dataclasses.fields(kind) if f.init}
