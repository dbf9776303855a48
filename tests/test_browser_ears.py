"""Spoken to by a visitor: a real browser whose microphone plays recorded speech, a real server."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

import tiny_asr
from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, Visitor, chromium, eventually, visiting
from harness import Server, running_server
from mien.bench.spoken import spoken_question
from mien.media.microphone import RATE
from mien.media.tick import Pcm

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]

#: Keeps what the page opened, to see whether sound leaves the device; and what may be over before
#: a test looks: words that grew, a presenter that waited.
MICROPHONES = """
window.__microphones = [];
window.__seen = new Set();
addEventListener("DOMContentLoaded", () => {
  const look = () => {
    for (const what of [".message.hearing", "[data-held]"]) {
      if (document.querySelector(what)) window.__seen.add(what);
    }
  };
  const all = { subtree: true, childList: true, attributeFilter: ["class", "data-held"] };
  new MutationObserver(look).observe(document, all);
});
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (open) navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  window.__microphones.push(stream.getAudioTracks()[0]);
  return stream;
};
"""


class Mouth:
    """What the browser's microphone hears: the file is read anew each time it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.says()

    def says(self, *names: str, before: float = 0.7) -> None:
        """Recorded questions, after some silence (s); then silence for good."""
        pause = np.zeros(int(before * RATE), np.int16)
        parts: list[Pcm] = [pause, *(spoken_question(name).pcm for name in names), pause]
        with wave.open(str(self.path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(np.concatenate(parts).tobytes())


#: Knows some sentences in both languages.
TINY = f"""
[ears]
asr = "tiny"
[ears.recognizers.tiny]
service = "sherpa"
model = "{tiny_asr.FOLDER}"
"""
TOKEN = "a-token-of-tests"
#: A name that is not localhost: to a browser a page of the network, without https.
ELSEWHERE = "presenter.test"


@pytest.fixture(scope="module")
def mouth(tmp_path_factory: pytest.TempPathFactory) -> Mouth:
    return Mouth(tmp_path_factory.mktemp("mouth") / "speech.wav")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(mouth: Mouth) -> AsyncIterator[Browser]:
    async with chromium(
        True,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={mouth.path}%noloop",
        f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "mien.toml").write_text(TINY, encoding="utf-8")
    environment = {"MIEN_GREET": "false", "MIEN_TOKEN": TOKEN}
    with running_server(folder, environment=environment) as running:
        yield running


@asynccontextmanager
async def talking_to(
    browser: Browser, address: str, query: str = "", *, allowed: bool = True, **options: Any
) -> AsyncIterator[Visitor]:
    """allowed: whether the visitor lets the page have the microphone."""
    # What is not named is refused.
    options["permissions"] = ["microphone"] if allowed else ["geolocation"]
    async with visiting(browser, **options) as visitor:
        await visitor.page.add_init_script(MICROPHONES)
        await visitor.page.goto(f"{address}/?token={TOKEN}{query}")
        await connected(visitor.page)
        yield visitor


async def connected(page: Page) -> None:
    await page.wait_for_selector("html[data-connection=live]", timeout=PATIENCE * 1000)


async def mic(visitor: Visitor, *looks: str) -> None:
    """Wait until the microphone's button shows one of these states."""
    await visitor.page.wait_for_function(
        "(looks) => looks.includes(document.querySelector('[data-testid=mic]').dataset.mic)",
        arg=list(looks),
        timeout=PATIENCE * 1000,
    )


async def speaks(visitor: Visitor, mouth: Mouth, name: str) -> None:
    """Say this into another microphone, chosen in the open panel: its sound begins as it is opened,
    and by then the server listens."""
    mouth.says(name)
    devices = visitor.part("ears-device")
    other = await devices.evaluate(
        "({ options }) => [...options].find((o) => o.value !== 'default' && !o.selected).value"
    )
    await devices.select_option(other)


async def asked(visitor: Visitor) -> list[str]:
    rows = visitor.page.locator(".message.user:not(.hearing) .text")
    return [tiny_asr.plain(text) for text in await rows.all_inner_texts()]


async def sound_leaves(visitor: Visitor) -> bool:
    """Whether the device that the page opened last gives it any sound."""
    return bool(await visitor.page.evaluate("__microphones.at(-1).enabled"))


async def says(visitor: Visitor, mouth: Mouth, name: str, most: int = 3) -> None:
    """Say this until it is understood, as people do: on a busy machine sound is lost."""
    wanted = tiny_asr.plain(spoken_question(name).text)
    for _ in range(most):
        before = len(await asked(visitor))
        await speaks(visitor, mouth, name)
        understood = (await asks(visitor, before + 1))[-1]
        if SequenceMatcher(None, wanted, understood).ratio() > 0.7:
            return
    raise AssertionError(f"{wanted} became {await asked(visitor)}")


async def asks(visitor: Visitor, count: int) -> list[str]:
    """Wait until the history has so many questions of the visitor. Returns them."""

    async def enough() -> bool:
        return len(await asked(visitor)) >= count

    await eventually(enough, f"{count} questions", describe=visitor.describe)
    return await asked(visitor)


async def was_seen(visitor: Visitor, selector: str) -> bool:
    return bool(await visitor.page.evaluate("(what) => __seen.has(what)", selector))


async def test_a_question_grows_word_by_word_is_answered_aloud_and_talked_over(
    browser: Browser, site: Server, mouth: Mouth, tmp_path: Path
) -> None:
    mouth.says()
    async with talking_to(browser, site.url) as visitor:
        await visitor.part("mic").click()
        await mic(visitor, "on")
        await visitor.part("ears").click()
        since = await visitor.now()
        await says(visitor, mouth, "en-what-can-you-do")
        assert await was_seen(visitor, ".message.hearing"), "the words grew"
        await visitor.hears(since)

        # Over the answer: it waits, then it is interrupted.
        await visitor.state("speaking")
        await says(visitor, mouth, "en-change-the-voice")
        assert await was_seen(visitor, "[data-held]")
        await visitor.page.locator(".message.assistant .cut").first.wait_for()
        await visitor.state("speaking")
        assert not await visitor.page.locator("html[data-held]").count()

        # Unplugged: the same one, or another, takes its place.
        opened = await visitor.page.evaluate("__microphones.length")
        unplug = "__microphones.at(-1).dispatchEvent(new Event('ended'))"
        await visitor.page.evaluate(unplug)
        await visitor.page.wait_for_function(f"__microphones.length > {opened}")
        await mic(visitor, "on", "speaking")

        # Mute is silence, at once.
        await visitor.part("mic").click()
        assert not await sound_leaves(visitor)
        assert await visitor.part("mic").inner_text() == "Muted"
        await visitor.picture_of("ears-muted", tmp_path)
        await visitor.part("mic").click()
        assert await sound_leaves(visitor)
        await visitor.part("ears-off").click()
        await mic(visitor, "off")
        ended = "__microphones.every(({ readyState }) => readyState === 'ended')"
        assert await visitor.page.evaluate(ended), "the device is free again"
        assert await visitor.page.evaluate("__probe.errors") == []


async def test_the_space_bar_is_held_while_one_talks(
    browser: Browser, site: Server, mouth: Mouth, tmp_path: Path
) -> None:
    mouth.says()
    async with talking_to(browser, site.url) as visitor:
        await visitor.part("ears").click()
        await visitor.part("mode-push_to_talk").check()
        await visitor.part("composer").press("Space")
        assert await visitor.part("composer").input_value() == " ", "there it is a space"
        assert await visitor.part("mic").get_attribute("data-mic") == "off"
        await visitor.part("composer").fill("")
        await visitor.page.evaluate("document.activeElement.blur()")

        await visitor.page.keyboard.down("Space")
        await mic(visitor, "talking")
        await visitor.picture_of("ears-push-to-talk", tmp_path)
        await speaks(visitor, mouth, "en-what-can-you-do")
        await eventually(lambda: was_seen(visitor, ".message.hearing"), "words")
        await visitor.page.wait_for_timeout(1500)  # the recording is a second long
        await visitor.page.keyboard.up("Space")
        await mic(visitor, "hold")
        await eventually(lambda: silent(visitor), "silence after letting go")
        await asks(visitor, 1)

        # By mouse, let go elsewhere.
        button = await visitor.part("mic").bounding_box()
        assert button is not None
        await visitor.page.mouse.move(button["x"] + 10, button["y"] + 10)
        await visitor.page.mouse.down()
        await mic(visitor, "talking")
        assert await sound_leaves(visitor)
        await visitor.page.mouse.move(5, 5)
        await visitor.page.mouse.up()
        await mic(visitor, "hold")
        await eventually(lambda: silent(visitor), "silence after letting go")


async def silent(visitor: Visitor) -> bool:
    return not await sound_leaves(visitor)


#: What a browser says of a microphone that it does not give, and what the page then says.
REFUSALS = {
    ("NotFoundError", ""): ("mic_missing", "plug one in"),
    ("NotReadableError", ""): ("mic_in_use", "Close that programme"),
    ("NotAllowedError", "Permission denied by system"): ("mic_denied", "system's settings"),
    ("NotAllowedError", "Permission dismissed"): ("mic_dismissed", "Press the button again"),
    ("SecurityError", ""): ("mic_policy", "tab of its own"),
    ("TypeError", ""): ("mic_failed", "TypeError"),
}
#: Where each browser keeps the switch.
AGENTS = {
    "mic_denied_ios": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1",
    "mic_denied_safari": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605",
    "mic_denied_firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "mic_denied_android": "Mozilla/5.0 (Linux; Android 10; K) Chrome/139.0 Mobile Safari/537.36",
    "mic_denied_wechat": "Mozilla/5.0 (Linux; Android 14) Chrome/116 MicroMessenger/8.0.50",
    "mic_denied_chrome": "Mozilla/5.0 (Windows NT 10.0) Chrome/139.0 Safari/537.36 Edg/139.0",
}


@pytest.mark.parametrize(("locale", "word"), [("en-US", "Click the icon"), ("zh-CN", "地址栏左侧")])
async def test_whoever_refuses_the_microphone_is_told_where_to_allow_it(
    browser: Browser, site: Server, locale: str, word: str, tmp_path: Path
) -> None:
    async with talking_to(browser, site.url, allowed=False, locale=locale) as visitor:
        await visitor.part("mic").click()
        assert word in await visitor.toast("mic_denied")
        assert await visitor.part("mic").get_attribute("aria-pressed") == "false"
        await visitor.picture_of(f"ears-denied-{locale}", tmp_path)
        if locale != "en-US":
            return
        for (name, message), (code, words) in REFUSALS.items():
            await visitor.page.evaluate(
                "([name, message]) => { navigator.mediaDevices.getUserMedia ="
                " () => Promise.reject(Object.assign(new Error(message), { name })); }",
                [name, message],
            )
            await visitor.page.locator(".toast-close").first.click()
            await visitor.part("mic").click()
            assert words in await visitor.toast(code), (name, message)
        where = await visitor.page.evaluate(
            "async (agents) => { const { deniedIn } = await import('/static/micerrors.js');"
            " return agents.map((agent) => deniedIn(agent, 0)); }",
            list(AGENTS.values()),
        )
        assert where == list(AGENTS)
        words_of = "async () => (await import('/static/earwords.js')).EAR_WORDS"
        for key, (english, chinese) in (await visitor.page.evaluate(words_of)).items():
            assert english.isascii() or set(english) & set("“”…’→⋯"), key
            assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), key


async def test_a_page_without_https_says_what_would_help(browser: Browser, site: Server) -> None:
    port = site.url.rpartition(":")[2]
    async with talking_to(browser, f"http://{ELSEWHERE}:{port}") as visitor:
        await visitor.part("mic").click()
        words = await visitor.toast("mic_insecure")
        assert "https" in words and f"http://localhost:{port}" in words


async def test_chinese_through_a_websocket_where_nothing_else_passes(
    browser: Browser, site: Server, mouth: Mouth
) -> None:
    mouth.says()
    async with talking_to(browser, site.url, "&path=ws", locale="zh-CN") as visitor:
        await visitor.part("ears").click()
        # Chromium has the interface of Web Speech but no service behind it.
        await visitor.part("ears-engine").select_option("browser")
        await visitor.part("mic").click()
        assert "无法连接浏览器" in await visitor.toast("speech")
        assert "tiny" in await visitor.toast("ears"), "who hears instead"
        await mic(visitor, "on")
        await says(visitor, mouth, "zh-zenme-huan-shengyin")
        await visitor.state("speaking")
        by_whip = "__probe.peers.some((peer) => peer.connectionState === 'connected')"
        assert not await visitor.page.evaluate(by_whip)
