"""What a table ``[search.services.NAME]`` may say, and whose key goes where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from mien.config import ConfigError
from mien.section import Section


class ProviderSettings(Section):
    """service: which one it is, where the table has another name. timeout_sec: for one search."""

    model_config = ConfigDict(hide_input_in_errors=True)  # what is wrong may be a key

    service: str = ""
    timeout_sec: float = Field(default=5, ge=0.5, le=60)


class HttpSettings(ProviderSettings):
    """base_url: in front of the paths of its API. key: better in the environment, in the variable
    that key_env names, or in the provider's usual one.
    """

    base_url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+[^?#\s]*$")] | None = None
    key: str | None = Field(default=None, min_length=1, repr=False)
    key_env: str | None = Field(default=None, min_length=1)

    @field_validator("base_url")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).port == 0 or not urlsplit(value).hostname):
            raise ValueError("no host or a wrong port")
        return value

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if self.key and self.key_env:
            raise ValueError("give key or key_env, not both")
        return self


def is_own(base_url: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address is the provider's own, so that its key may be sent there."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" and parts.hostname in hosts


def named_key(settings: HttpSettings, where: str, environ: Mapping[str, str]) -> str | None:
    """The key that the table gives or names; None when it does neither.

    Raises ConfigError when the variable it names is not set.
    """
    if settings.key_env is None:
        return settings.key
    key = environ.get(settings.key_env, "").strip()
    if not key:
        raise ConfigError(
            f"{where}.key_env: the environment variable {settings.key_env} is not set",
            f"{where}.key_env：环境变量 {settings.key_env} 未设置",
        )
    return key


def usual_key(variables: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The key in the first of the provider's usual variables that is set."""
    return next((environ[v].strip() for v in variables if environ.get(v, "").strip()), None)
