"""Searching without a key: the real library against a proxy that answers for its engines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine_proxy import DUCKDUCKGO, ENGINES, EngineProxy, engine_proxy
from mien.search.contract import SearchError
from mien.search.ddgs import Ddgs, DdgsSettings

PAGES = [
    ("北京天气 & 预报", "https://tianqi.example.cn/beijing", "北京今天晴，最高气温八度。"),
    ("Weather in Beijing", "https://weather.example.com/beijing", "It is 8 °C in Beijing."),
]


def service(proxy: EngineProxy) -> Ddgs:
    settings = DdgsSettings(engines=ENGINES, proxy=proxy.url, ca_file=proxy.ca_file)
    return Ddgs("ddgs", settings)


async def test_engines_are_read_as_pages(tmp_path: Path) -> None:
    async with engine_proxy(tmp_path) as proxy:
        proxy.pages = PAGES
        ddgs = service(proxy)
        found = await ddgs.search("北京 天气", 5, "zh", "week")
        await ddgs.aclose()
    by_url = {result.url: result for result in found}
    assert set(by_url) == {url for _, url, _ in PAGES}
    first = by_url["https://tianqi.example.cn/beijing"]
    assert first.title == "北京天气 & 预报"
    assert "最高气温八度" in first.snippet
    assert first.site == "tianqi.example.cn"
    asked = dict(proxy.asked)[DUCKDUCKGO]
    assert (asked["q"], asked["l"], asked["df"]) == (["北京 天气"], ["cn-zh"], ["w"])


@pytest.mark.parametrize("how", ["refused", "empty", "garbage"])
async def test_a_refusal_cannot_be_told_from_nothing_and_is_said_so(
    tmp_path: Path, how: str
) -> None:
    async with engine_proxy(tmp_path) as proxy:
        proxy.status = 403 if how == "refused" else 200
        proxy.body = "\x01 no page {" if how == "garbage" else None
        ddgs = service(proxy)
        with pytest.raises(SearchError, match="refuse") as failed:
            await ddgs.search("weather", 5, "en")
        await ddgs.aclose()
    assert failed.value.retryable
    assert failed.value.rest_sec
    assert proxy.asked


async def test_without_a_network_it_says_so() -> None:
    ddgs = Ddgs("ddgs", DdgsSettings(engines=ENGINES, proxy="http://127.0.0.1:9"))
    with pytest.raises(SearchError, match="cannot be read") as failed:
        await ddgs.search("weather", 5, "en")
    assert failed.value.retryable
    await ddgs.aclose()
    await ddgs.aclose()


async def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    ddgs = Ddgs("ddgs", DdgsSettings())
    with pytest.raises(SearchError, match=r"mien\[mind\]") as failed:
        await ddgs.search("weather", 5, "en")
    assert not failed.value.retryable
    assert "mien[mind]" in failed.value.zh
    await ddgs.aclose()
