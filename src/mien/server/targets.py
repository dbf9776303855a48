"""Where a program can go: addresses of people and settings made into outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from mien.config import ConfigError, Settings
from mien.media.output import Output, OutputError
from mien.media.profiles import ProfileError, rendition_for
from mien.media.rendition import Rendition
from mien.media.rtmp.url import parse_target

STREAM_KEY = "MIEN_STREAM_KEY"
WHIP_TOKEN = "MIEN_WHIP_TOKEN"


@dataclass(frozen=True, slots=True)
class Target:
    """One address as it was asked for. It never shows itself: any part of it may be a secret.

    url: ``rtmp(s)://…``, ``whip:https://…``, ``record:mp4``, ``record:webm`` or ``camera``.
    key: stream key of RTMP. token: bearer token of WHIP. profile: a name of ``media/profiles.py``.
    """

    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    profile: str | None = None

    @property
    def scheme(self) -> str:
        return self.url.strip().partition(":")[0].lower()

    @property
    def place(self) -> tuple[str, ...]:
        """Equal for two targets that would be in each other's way."""
        url = self.url.strip()
        if self.key:
            url = f"{url.rstrip('/')}/{self.key.strip()}"
        parts = urlsplit(url)
        return (self.scheme, parts.netloc.lower(), parts.path.rstrip("/"), parts.query)


# How an output of one scheme is made, without running it.
Maker = Callable[[Target, Rendition | None], Output]


def make_output(target: Target, makers: Mapping[str, Maker]) -> Output:
    """An output that does not run yet.

    Raises:
        OutputError: not retryable; what is wrong with the address, in words without secrets.
        ProfileError: no such profile.
    """
    maker = makers.get(target.scheme)
    if maker is None:
        raise _unknown_address()
    return maker(target, rendition_for(target.profile))


def _unknown_address() -> OutputError:
    return OutputError(
        "This is no address to send to. Expected rtmp://server/app/key, rtmps://…, "
        "whip:https://…, record:mp4, record:webm or camera.",
        code="bad_url",
        zh="无法识别该推流地址。应为 rtmp://服务器/应用/密钥、rtmps://…、whip:https://…、"
        "record:mp4、record:webm 或 camera。",
        retryable=False,
    )


def targets_of(
    settings: Settings,
    makers: Mapping[str, Maker],
    environment: Mapping[str, str] = os.environ,
) -> list[Target]:
    """Where the live session goes, by the settings, with keys and tokens from the environment.

    Raises:
        ConfigError: which output is wrong, and how.
    """
    targets: list[Target] = []
    for number, section in enumerate(settings.outputs, 1):
        target = Target(
            section.url,
            _secret(section.key, section.key_env, number, environment),
            _secret(section.token, section.token_env, number, environment),
            section.profile,
        )
        if target.place in [other.place for other in targets]:
            raise ConfigError(
                f"output {number} is where another one is: name each address once",
                f"第 {number} 路输出的地址重复，每个地址只能写一次",
            )
        targets.append(target)
    targets = _with_usual_secrets(targets, environment)
    for number, target in enumerate(targets, 1):
        try:
            make_output(target, makers)
        except (OutputError, ProfileError) as error:
            raise ConfigError(
                f"output {number} cannot be: {error}", f"第 {number} 路输出有误：{error.zh}"
            ) from None
    return targets


def _secret(
    given: str | None, name: str | None, number: int, environment: Mapping[str, str]
) -> str | None:
    if name is None:
        return given
    if not environment.get(name):
        raise ConfigError(
            f"output {number} takes its secret from {name}, which the environment does not have",
            f"第 {number} 路输出需要环境变量 {name}，但它没有设置",
        )
    return environment[name]


def _with_usual_secrets(targets: list[Target], environment: Mapping[str, str]) -> list[Target]:
    """For a command line, where secrets do not belong. One for several would tell one platform
    the key of another."""
    for name, variable, lacks in (
        ("key", STREAM_KEY, _lacks_key),
        ("token", WHIP_TOKEN, _lacks_token),
    ):
        lacking = [target for target in targets if lacks(target)]
        if not lacking or not environment.get(variable):
            continue
        if len(lacking) > 1:
            raise ConfigError(
                f"{variable} is set, but {len(lacking)} outputs lack a {name}: give each its own "
                f"with {name}_env in the settings file",
                f"设置了 {variable}，但有 {len(lacking)} 路输出缺少 {name}："
                f"请在配置文件中用 {name}_env 分别指定",
            )
        at = targets.index(lacking[0])
        secret = {name: environment[variable]}
        targets = [*targets[:at], replace(lacking[0], **secret), *targets[at + 1 :]]
    return targets


def _lacks_key(target: Target) -> bool:
    """Whether it is no RTMP address by itself (with a key it may be)."""
    if target.scheme not in ("rtmp", "rtmps") or target.key is not None:
        return False
    try:
        parse_target(target.url)
    except OutputError:
        return True
    return False


def _lacks_token(target: Target) -> bool:
    return target.scheme == "whip" and target.token is None
