"""Which search services are asked, and whose key goes where."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from mien.config import ConfigError, LlmSection
from mien.mind_settings import SearchSection
from mien.search import ddgs
from mien.search.contract import SearchError
from mien.search.registry import PROVIDERS
from mien.search.web_search import WebSearch
from search_servers import KEY, PAGES_EN, SearchServer, tavily, zhipu


def asked(
    environ: dict[str, str], llm: LlmSection | None = None, **section: Any
) -> tuple[str, ...]:
    return WebSearch(SearchSection(**section), llm or LlmSection(), environ).providers


def test_auto_asks_those_that_are_set_up_the_keyless_one_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert asked({}) == ("ddgs",)
    assert asked({"TAVILY_API_KEY": "k", "GLM_API_KEY": "k"}) == ("zhipu", "tavily", "ddgs")
    assert asked({"SEARXNG_URL": "http://10.0.0.7:8080", "BOCHA_API_KEY": " "}) == (
        "searxng",
        "ddgs",
    )
    home = {"home": {"service": "searxng", "base_url": "http://10.0.0.7:8080"}}
    assert asked({"BOCHA_API_KEY": "k"}, services=home) == ("home", "bocha", "ddgs")
    monkeypatch.setattr(ddgs, "installed", lambda: False)
    assert asked({}) == ()


def test_named_services_are_asked_in_their_order() -> None:
    environ = {"TAVILY_API_KEY": "k", "BOCHA_API_KEY": "k"}
    assert asked(environ, providers=["tavily", "bocha"]) == ("tavily", "bocha")


@pytest.mark.parametrize(
    ("section", "said", "zh"),
    [
        ({"providers": ["google"]}, "'google'.*searxng, zhipu", "没有名为"),
        ({"providers": ["tavily"]}, "TAVILY_API_KEY", "尚未配置"),
        ({"providers": ["searxng"]}, "SEARXNG_URL", "尚未配置"),
        ({"services": {"bocha": {}}}, "BOCHA_API_KEY", "尚未配置"),
        ({"services": {"tavily": {"kee": "x"}}}, "tavily.kee.*choose", "设置有误"),
        ({"services": {"tavily": {"key": "x", "key_env": "Y"}}}, "not both", "设置有误"),
        ({"services": {"tavily": {"key_env": "NOT_SET"}}}, "NOT_SET is not set", "未设置"),
        ({"services": {"searxng": {"base_url": "10.0.0.7"}}}, "base_url", "设置有误"),
        ({"services": {"searxng": {"base_url": "http://a:99999"}}}, "base_url", "设置有误"),
        ({"services": {"searxng": {"base_url": "http://[::1"}}}, "base_url", "设置有误"),
        ({"services": {"home": {}}}, "home.service: not said", "未填写"),
        ({"services": {"home": {"service": "yacy"}}}, "'yacy'.*searxng", "没有名为"),
    ],
)
def test_what_is_wrong_is_named(section: dict[str, Any], said: str, zh: str) -> None:
    with pytest.raises(ConfigError, match=said) as wrong:
        asked({}, **section)
    assert zh in wrong.value.zh


def test_a_wrong_address_in_the_environment_is_named() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        asked({"SEARXNG_URL": "searx.example"})


def test_keys_are_not_shown() -> None:
    section = SearchSection(services={"tavily": {"key": KEY}})
    made = PROVIDERS["tavily"].settings(**section.services["tavily"])
    assert KEY not in repr(section) + repr(made) + str(made)


@pytest.mark.parametrize(
    ("llm", "services", "found"),
    [
        (LlmSection(name="glm", api_key=KEY), {}, True),
        (LlmSection(name="glm", api_key=KEY, base_url="https://api.z.ai/api/paas/v4"), {}, True),
        (LlmSection(name="glm", api_key=KEY, base_url="https://gateway.example/v4"), {}, False),
        (LlmSection(name="glm", api_key=KEY, base_url="http://open.bigmodel.cn/v4"), {}, False),
        (LlmSection(name="deepseek", api_key=KEY), {}, False),
        (LlmSection(name="deepseek"), {"zhipu": {"key": KEY}}, True),
    ],
)
def test_the_key_of_a_glm_searches_too(
    llm: LlmSection, services: dict[str, Any], found: bool
) -> None:
    assert ("zhipu" in asked({}, llm, services=services)) is found


@pytest.mark.parametrize(
    ("dialect", "variable", "table", "sent"),
    [
        (tavily, "TAVILY_API_KEY", {}, None),
        (tavily, "TAVILY_API_KEY", {"key": KEY}, f"Bearer {KEY}"),
        (tavily, "TAVILY_API_KEY", {"key_env": "OTHER"}, "Bearer other"),
        (zhipu, "ZHIPUAI_API_KEY", {}, None),
    ],
)
async def test_a_key_from_the_environment_goes_to_its_own_host_only(
    dialect: Any, variable: str, table: dict[str, str], sent: str | None
) -> None:
    environ = {variable: "secret", "OTHER": "other"}
    llm = LlmSection(name="glm", api_key="secret of the model")
    async with SearchServer(dialect, "empty", pages=PAGES_EN) as server:
        services = {dialect.name: {"base_url": server.base_url, **table}}
        section = SearchSection(providers=[dialect.name], services=services)
        search = WebSearch(section, llm, environ)
        with suppress(SearchError):  # where no key was sent
            await search.search("weather", "en")
        await search.aclose()
        (request,) = server.requests
    assert request.headers.get("authorization") == sent
    assert "secret" not in repr(request)


async def test_no_redirect_takes_a_key_along() -> None:
    async with SearchServer(tavily) as other, SearchServer(tavily, "redirect") as server:
        section = SearchSection(
            providers=["tavily"], services={"tavily": {"base_url": server.base_url, "key": KEY}}
        )
        search = WebSearch(section, LlmSection(), {})
        with pytest.raises(SearchError, match="base_url"):
            await search.search("weather", "en")
        await search.aclose()
        assert len(server.requests) == 1
        assert other.requests == []
