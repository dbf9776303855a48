"""Tables of mien.toml that name a service and its settings: voices and recognisers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from mien.config import ConfigError

Settings = TypeVar("Settings", bound=BaseModel, covariant=True)


class Kind(Protocol[Settings]):
    """A kind of service; to ask for its settings imports it."""

    @property
    def settings(self) -> type[Settings]: ...


def read_table(
    where: str,
    name: str,
    table: Mapping[str, Any],
    find: Callable[[str], Kind[Settings] | None],
    choices: Iterable[str],
) -> Settings:
    """The settings that ``table`` (``[where.name]``) holds, as its service has them.

    find: a kind of service by name. choices: the names there are. Raises ConfigError, naming the
    field and what may be chosen.
    """
    service = str(table.get("service", name))
    kind = find(service)
    if kind is None:
        there_are = ", ".join(choices)
        wrong = f"unknown service {service!r}" if "service" in table else "not said"
        wrong_zh = f"没有名为 {service!r} 的服务" if "service" in table else "未填写"
        raise ConfigError(
            f"{where}.{name}.service: {wrong}; choose one of {there_are}",
            f"{where}.{name}.service：{wrong_zh}；可选：{there_are}",
        )
    try:
        settings = kind.settings
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{where}.{name}.service: {service!r} cannot be loaded: {error}",
            f"{where}.{name}.service：无法加载 {service!r}：{error}",
        ) from error
    try:
        return settings.model_validate({**table, "service": service})
    except ValidationError as error:
        faults = [_wrong(f"{where}.{name}", fault, settings) for fault in error.errors()]
        wrong = "; ".join(faults)
        raise ConfigError(f"wrong settings: {wrong}", f"设置有误：{wrong}") from error


def _wrong(table: str, fault: Any, settings: type[BaseModel]) -> str:
    field = ".".join(map(str, (table, *fault["loc"])))
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        fields = ", ".join(settings.model_fields)
        return f"{field}: there is no such setting; choose one of {fields}"
    if fault["type"] == "missing":
        return f"{field}: must be set"
    return f"{field}: {fault['msg']}"
