"""The search services there are, and which of them are set up here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from mien.config import ConfigError, LlmSection
from mien.llm.presets import PRESETS
from mien.mind_settings import SearchSection
from mien.search import bocha, ddgs, searxng, tavily, zhipu
from mien.search.contract import SearchProvider
from mien.search.settings import (
    HttpSettings,
    ProviderSettings,
    is_own,
    named_key,
    usual_key,
)
from mien.service_table import read_table

_TABLE = "search.services"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service may find its key in besides its own table."""

    environ: Mapping[str, str]
    llm: LlmSection


Make = Callable[[str, Any, Surroundings], SearchProvider | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A search service. en, zh: how to set it up. make: None when it is not set up."""

    settings: type[ProviderSettings]
    make: Make
    en: str
    zh: str


def _zhipu(name: str, settings: zhipu.ZhipuSettings, around: Surroundings) -> SearchProvider | None:
    llm = around.llm
    preset = PRESETS["glm"]
    glm_key, glm_url = None, llm.base_url or preset.base_url
    # The key of a model elsewhere is somebody else's.
    if llm.name == "glm" and is_own(glm_url, zhipu.OWN_HOSTS):
        glm_key = llm.api_key
        if settings.base_url is None and is_own(glm_url, ("api.z.ai",)):
            settings = settings.model_copy(update={"base_url": zhipu.INTERNATIONAL_URL})
    base_url = settings.base_url or zhipu.BASE_URL
    key = named_key(settings, f"{_TABLE}.{name}", around.environ)
    if key is None and is_own(base_url, zhipu.OWN_HOSTS):
        key = usual_key(preset.key_variables, around.environ) or glm_key
        if key is None:
            return None
    return zhipu.Zhipu(name, settings, key)


def _searxng(
    name: str, settings: searxng.SearxngSettings, around: Surroundings
) -> SearchProvider | None:
    if settings.base_url is None:
        address = around.environ.get("SEARXNG_URL", "").strip()
        if not address:
            return None
        given = settings.model_dump(exclude_unset=True)
        table = read_table(_TABLE, name, {**given, "base_url": address}, _find, PROVIDERS)
        settings = cast(searxng.SearxngSettings, table)
    return searxng.Searxng(name, settings, named_key(settings, f"{_TABLE}.{name}", around.environ))


def _keyed(
    make: Callable[[str, Any, str | None], SearchProvider],
    base_url: str,
    hosts: tuple[str, ...],
    variables: tuple[str, ...],
) -> Make:
    def set_up(name: str, settings: HttpSettings, around: Surroundings) -> SearchProvider | None:
        key = named_key(settings, f"{_TABLE}.{name}", around.environ)
        if key is None and is_own(settings.base_url or base_url, hosts):
            key = usual_key(variables, around.environ)
            if key is None:
                return None
        return make(name, settings, key)

    return set_up


def _ddgs(name: str, settings: ddgs.DdgsSettings, around: Surroundings) -> SearchProvider | None:
    return ddgs.Ddgs(name, settings) if ddgs.installed() else None


PROVIDERS: Mapping[str, Kind] = MappingProxyType(
    {
        "searxng": Kind(
            searxng.SearxngSettings,
            _searxng,
            "set SEARXNG_URL to the address of your SearXNG",
            "请将环境变量 SEARXNG_URL 设为您的 SearXNG 地址",
        ),
        "zhipu": Kind(
            zhipu.ZhipuSettings,
            _zhipu,
            "set ZHIPUAI_API_KEY; you get a key at https://open.bigmodel.cn",
            "请设置环境变量 ZHIPUAI_API_KEY；可在 https://open.bigmodel.cn 获取密钥",
        ),
        "bocha": Kind(
            bocha.BochaSettings,
            _keyed(bocha.Bocha, bocha.BASE_URL, bocha.OWN_HOSTS, bocha.KEY_VARIABLES),
            "set BOCHA_API_KEY; you get a key at https://open.bochaai.com",
            "请设置环境变量 BOCHA_API_KEY；可在 https://open.bochaai.com 获取密钥",
        ),
        "tavily": Kind(
            tavily.TavilySettings,
            _keyed(tavily.Tavily, tavily.BASE_URL, tavily.OWN_HOSTS, tavily.KEY_VARIABLES),
            "set TAVILY_API_KEY; you get a key at https://app.tavily.com",
            "请设置环境变量 TAVILY_API_KEY；可在 https://app.tavily.com 获取密钥",
        ),
        "ddgs": Kind(
            ddgs.DdgsSettings,
            _ddgs,
            'needs no key: pip install "mien[mind]"',
            '无需密钥：pip install "mien[mind]"',
        ),
    }
)
"""In the order in which "auto" asks them: one's own first, the one that scrapes last."""


def set_up(
    section: SearchSection, llm: LlmSection, environ: Mapping[str, str]
) -> list[SearchProvider]:
    """The services that are asked, in this order.

    Raises ConfigError for a wrong table, an unknown name, or a service that is named but not set
    up; the message says what it lacks.
    """
    around = Surroundings(environ, llm)
    # Wrong tables are told even when nobody asks for them.
    tables = {
        name: read_table(_TABLE, name, table, _find, PROVIDERS)
        for name, table in section.services.items()
    }
    if section.providers == "auto":
        unused = [name for name in PROVIDERS if name not in tables]
        chosen = sorted((*tables, *unused), key=lambda name: _rank(name, tables))
    else:
        chosen = section.providers
    found: list[SearchProvider] = []
    for name in chosen:
        kind = _kind(name, tables)
        settings = tables.get(name) or kind.settings()
        provider = kind.make(name, settings, around)
        if provider is not None:
            found.append(provider)
        elif section.providers != "auto" or name in tables:
            raise ConfigError(
                f"search.providers: {name} is not set up: {kind.en}",
                f"search.providers：{name} 尚未配置：{kind.zh}",
            )
    return found


def _find(service: str) -> Kind | None:
    return PROVIDERS.get(service)


def _kind(name: str, tables: Mapping[str, ProviderSettings]) -> Kind:
    kind = PROVIDERS.get(tables[name].service if name in tables else name)
    if kind is None:
        there_are = ", ".join((*PROVIDERS, *tables))
        raise ConfigError(
            f"search.providers: there is no search service {name!r}; choose of {there_are}",
            f"search.providers：没有名为 {name!r} 的搜索服务；可选：{there_are}",
        )
    return kind


def _rank(name: str, tables: Mapping[str, ProviderSettings]) -> int:
    return list(PROVIDERS).index(tables[name].service if name in tables else name)
