"""The page shows what answers rest on, who answers, and what is remembered of the visitor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, eventually, visiting
from fake_openai import FakeOpenAI, Scenario
from fake_tool_calls import Call, Rounds
from harness import Server
from local_web import LocalWeb, local_web
from search_servers import Known, SearchServer, searxng

pytest_plugins = ["browser_fixtures"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

ANSWER = "It is 1286 metres long."
SEARCH = Scenario("calls", calls=(Call("web_search", {"query": "望溪大桥 长度"}),))
#: Keeps what the tool line said; each event is seen, however quickly the next one follows.
WATCH_TOOLS = """addEventListener("DOMContentLoaded", () => {
  window.__tools = [];
  new MutationObserver(() => {
    const line = document.querySelector("[data-testid=tool-line]");
    if (line && !line.hidden) __tools.push(line.textContent);
  }).observe(document.querySelector(".messages"), { childList: true, subtree: true });
})"""
WATCH_VEIL = """addEventListener("DOMContentLoaded", () => {
  window.__explained = "";
  const words = document.querySelector(".veil-words");
  new MutationObserver(() => (__explained += words.textContent))
    .observe(words, { childList: true, subtree: true, characterData: true });
})"""
HOSTILE = """async () => {
  const { SourceCards } = await import("/static/sources.js");
  const cards = new SourceCards();
  const evil = "<img src=x onerror='window.owned = 1'><script>window.owned = 2</script>";
  const urls = ["javascript:window.owned=3", "data:text/html,<script>1</script>", "//host",
    "https://user:pass@bank.example/", "file:///etc/passwd", "https://fine.example/a?b"];
  cards.show(urls.map((url, at) => ({ number: at + 1, title: evil, url, site: "\\u202Eevil" + evil,
    snippet: evil, published: evil, kind: "web" })));
  cards.show([{ number: 99, title: "House rules", url: "", site: "Hours › Sundays",
    snippet: evil, published: "", kind: "document" }]);
  document.querySelector(".messages").append(cards.element);
  for (const button of cards.element.querySelectorAll("button")) button.click();
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found() -> AsyncIterator[SearchServer]:
    async with SearchServer(searxng) as server:
        yield server


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web() as running:
        yield running


@pytest.fixture(scope="module")
def brain(brain: dict[str, str], found: SearchServer, web: LocalWeb) -> dict[str, str]:
    """A model that searches in a web of ours."""
    found.pages = [
        Known(
            "&lt;script&gt;window.owned = 4&lt;/script&gt; 望溪大桥通车",
            f"{web.url}/zh/bridge.html",
            "望溪大桥全长一千二百八十六米。",
            "望溪日报",
            "2026-11-20",
        ),
        Known("望溪大桥", "javascript:window.owned=5", "望溪大桥。"),
        Known("Wangxi bridge", "https://bridges.example/wangxi", "1286 metres."),
    ]
    return {
        **brain,
        "MIEN_SEARCH__PROVIDERS": '["searxng"]',
        "MIEN_SEARCH__SERVICES": json.dumps({"searxng": {"base_url": found.base_url}}),
        "MIEN_SEARCH__ALLOW_HOSTS": json.dumps([web.allow]),
        "MIEN_SEARCH__DEADLINE_SEC": "1",  # one of the pages cannot be reached
    }


async def test_an_answer_shows_its_sources_and_keeps_them(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = Rounds(SEARCH, Scenario(text=f"{ANSWER[:-1]} [1]."))
    async with visiting(browser, color_scheme="dark") as visitor:
        await visitor.page.add_init_script(WATCH_TOOLS)
        await visitor.arrives(site.url)
        await visitor.ask("How long is the bridge at Wangxi?")
        await visitor.answered(ANSWER)
        assert "Searching the web…" in await visitor.page.evaluate("__tools")
        assert await visitor.part("tool-line").is_hidden()
        assert "[1]" not in " ".join(await visitor.captions())
        await cards_are_right(visitor)
        await visitor.picture_of("sources-dark", tmp_path)
        await visitor.page.reload()
        await visitor.is_live()
        await visitor.part("source").first.wait_for()
        await cards_are_right(visitor)  # from the history now
        await visitor.part("language").click()
        assert "2026年11月20日" in await visitor.part("sources").inner_text()
        await visitor.part("language").click()
        await visitor.part("source").first.focus()
        await visitor.page.keyboard.press("Tab")
        assert await visitor.part("source").nth(1).evaluate("it => it === document.activeElement")


async def cards_are_right(visitor: Visitor) -> None:
    cards = visitor.part("source")
    links = [str(await card.get_attribute("href")) for card in await cards.all()]
    assert len(links) == 2 and "https://bridges.example/wangxi" in links
    (bridge,) = [at for at, link in enumerate(links) if link.endswith("/zh/bridge.html")]
    card = cards.nth(bridge)
    assert await card.get_attribute("target") == "_blank"
    assert await card.get_attribute("rel") == "noopener noreferrer nofollow"
    shown = await card.inner_text()
    assert str(bridge + 1) in shown and "望溪大桥通车" in shown and "20 Nov 2026" in shown
    assert await visitor.page.evaluate("window.owned") is None


async def test_hostile_sources_stay_text(browser: Browser, site: Server) -> None:
    async with visiting(browser, viewport={"width": 390, "height": 844}) as visitor:
        await visitor.arrives(site.url)
        await visitor.page.evaluate(HOSTILE)
        links = visitor.page.locator("a.source")
        assert [await link.get_attribute("href") for link in await links.all()] == [
            "https://fine.example/a?b"
        ]
        assert "<img src=x" in await links.first.inner_text()
        document = visitor.page.locator(".source[data-kind=document]")
        assert "Hours › Sundays" in await document.inner_text()
        assert "<script>" in await visitor.page.locator(".source-passage").inner_text()
        inner = await visitor.part("sources").evaluate(
            "it => it.querySelectorAll('img, script').length + it.innerText.split('\\u202e').length"
        )
        assert inner == 1
        assert await visitor.page.evaluate("window.owned") is None
        wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await visitor.page.evaluate(wide), "a long row must not widen the page"


async def test_a_search_that_fails_is_said_quietly(
    browser: Browser, site: Server, fake: FakeOpenAI, found: SearchServer
) -> None:
    search = Call("web_search", {"query": "青川雾茶 价格"})  # none whose results are still known
    sorry = Scenario(text="I cannot look that up at the moment.")
    fake.scenario = Rounds(Scenario("calls", calls=(search,)), sorry)
    found.fault = "http_500"
    try:
        async with visiting(browser, locale="zh-CN") as visitor:
            await visitor.arrives(site.url)
            await visitor.ask("青川雾茶多少钱？")
            await visitor.answered("I cannot look that up at the moment.")
            assert "正在搜索网页：未成功" in await visitor.part("tool-line").inner_text()
            assert await visitor.part("sources").count() == 0
            fake.scenario = Scenario(text="好的。")
            await visitor.ask("好吧")
            await visitor.answered("好的。")
            assert await visitor.part("tool-line").is_hidden()
    finally:
        found.fault = None


async def test_another_persona_has_another_face_name_and_manner(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path
) -> None:
    fake.scenario = Scenario(text="Certainly.")
    async with visiting(browser, color_scheme="light") as visitor:
        await visitor.arrives(site.url)
        plate = visitor.part("ai-label")
        assert "Mei" in await plate.inner_text() and "AI-generated" in await plate.inner_text()
        await visitor.part("look").click()
        await visitor.part("persona-lin").wait_for(timeout=PATIENCE * 1000)
        assert await visitor.part("persona-mei").get_attribute("aria-pressed") == "true"
        assert "only what the documents say" in await visitor.part("persona-lin").inner_text()
        await visitor.part("persona-lin").click()
        await visitor.page.locator("[data-testid=persona-lin][aria-pressed=true]").wait_for(
            timeout=PATIENCE * 1000
        )
        await visitor.page.locator("[data-testid=face-lin][aria-pressed=true]").wait_for()
        await visitor.picture_of("personas-light", tmp_path)
        await visitor.part("look-close").click()
        assert "Lin" in await plate.inner_text()
        assert "Lin" in await visitor.part("chip-face").inner_text()
        assert await visitor.page.locator(".personas").get_attribute("aria-busy") == "false"
        assert await visitor.said() == [], "nobody greets on a server that does not"
        await visitor.ask("When do you open?")
        await visitor.answered("Certainly.")
        asked = fake.requests[-1]
        assert "You are Lin" in str(asked.messages[0]["content"])
        tools = {tool["function"]["name"] for tool in asked.body.get("tools", [])}
        assert "web_search" not in tools
        assert await visitor.page.locator(".who-said").last.text_content() == "Lin"
        tab = await visitor.another_tab()  # the next session of this visitor
        await tab.arrives(site.url)
        assert "Lin" in await tab.part("ai-label").inner_text()
        await refused_sessions_are_not_asked_for_over_and_over(await visitor.another_tab(), site)


async def refused_sessions_are_not_asked_for_over_and_over(tab: Visitor, site: Server) -> None:
    """The tab's visitor remembers Lin, and no look."""
    asked: list[dict[str, object]] = []
    codes = iter(("no_documents", "not_ready"))

    async def refuse(route: Route) -> None:
        if route.request.method != "POST" or (code := next(codes, None)) is None:
            return await route.continue_()
        asked.append(route.request.post_data_json)
        error = {"code": code, "message": {"en": f"because {code}"}, "retryable": False}
        await route.fulfill(status=409, json={"error": error})

    await tab.page.add_init_script(WATCH_VEIL)
    await tab.page.route("**/api/v1/sessions", refuse)
    await tab.arrives(site.url)
    assert [body.get("persona") for body in asked] == ["lin", None]
    # A refusal for what nobody asked for is told, and waited after, like any other.
    told = await tab.page.evaluate("__explained")
    assert "because not_ready" in told and "because no_documents" not in told


async def test_who_wants_to_is_remembered_until_they_erase_it(
    browser: Browser, site: Server, fake: FakeOpenAI, tmp_path: Path
) -> None:
    fact, other = "The user is called Fang and keeps bees.", "Fang has never seen the sea."
    facts = tuple(Call("remember", {"fact": each}) for each in (fact, other))
    note = Scenario("calls", calls=facts)
    key = "localStorage.getItem('mien.user')"
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    async with visiting(browser, **phone) as visitor:
        await visitor.arrives(site.url)
        assert "off" in await visitor.part("chip-memory").inner_text()
        assert await visitor.page.evaluate(key) is None, "nobody has a key before they ask for it"
        await visitor.part("chip-memory").click()
        assert "kept on this server" in await visitor.part("remember").inner_text()
        assert await visitor.part("remember-erase").is_hidden()
        await visitor.page.route("**/memory", lambda route: route.fulfill(status=503, json={}))
        await visitor.part("remember-switch").click()
        await visitor.page.locator(".remember-said:not(:empty)").wait_for()
        assert await visitor.page.evaluate("localStorage.getItem('mien.user.paused')") == "yes"
        await visitor.page.unroute("**/memory")
        await visitor.part("remember-switch").check()
        await says(visitor, "chip-memory", "on")
        assert len(await visitor.page.evaluate(key)) == 64
        await visitor.part("remember-close").click()

        fake.scenario = Rounds(note, Scenario(text="I will remember that."))
        await visitor.ask("I am Fang, and I keep bees. Remember that.")
        await visitor.answered("I will remember that.")
        await visitor.page.evaluate("sessionStorage.clear()")  # another visit, another session
        await visitor.page.reload()
        await visitor.is_live()
        await says(visitor, "chip-memory", "on")
        fake.scenario = Scenario(text="Hello Fang.")
        await visitor.ask("Do you know me?")
        await visitor.answered("Hello Fang.")
        assert "keeps bees" in json.dumps(fake.requests[-1].messages)

        await visitor.part("chip-memory").click()
        await visitor.part("fact").filter(has_text=fact).wait_for(timeout=PATIENCE * 1000)
        await visitor.picture_of("memory-phone", tmp_path)
        async with visitor.page.expect_download() as downloading:
            await visitor.part("remember-export").click()
        saved = tmp_path / "memory.json"
        await (await downloading.value).save_as(saved)
        assert {fact, other} == {each["text"] for each in json.loads(saved.read_bytes())["facts"]}

        focused = "document.activeElement.closest('[data-testid]')?.dataset.testid"
        forget = visitor.part("fact").filter(has_text=other).get_by_role("button")
        await forget.focus()
        await visitor.page.keyboard.press("Enter")
        await visitor.page.keyboard.press("Enter")
        await visitor.part("fact").filter(has_text=other).wait_for(state="detached")
        assert await visitor.page.evaluate(focused) == "fact", "Escape still closes the panel"
        erase = visitor.part("remember-erase")
        await erase.tap()
        assert "Really" in await erase.inner_text()
        assert "Really" in str(await erase.get_attribute("aria-label"))
        assert await visitor.part("fact").count() == 1, "one press erases nothing"
        await erase.tap()
        await says(visitor, "remember-said", "Everything was erased.")
        await says(visitor, "chip-memory", "off")
        assert await visitor.page.evaluate(focused) == "remember-close"
        assert await visitor.part("fact").count() == 0
        assert await visitor.page.evaluate(key) is None
        await visitor.page.reload()
        await visitor.is_live()
        assert "off" in await visitor.part("chip-memory").inner_text()


async def says(visitor: Visitor, part: str, words: str) -> None:
    async def there() -> bool:
        shown = visitor.part(part)
        return await shown.count() > 0 and words in await shown.first.inner_text()

    await eventually(there, f"{part}: {words!r}", describe=visitor.describe)
