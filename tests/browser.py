"""A real Chromium that looks at the page, and a probe in it that measures decoded media.

The probe is put in before the page's own scripts. It keeps every frame the browser showed (RTP
time, change around the mouth), every level of the sound it received, and every caption, so that a
test can ask afterwards what was seen and heard between two moments.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from playwright.async_api import Browser, Locator, Page, async_playwright

from child_processes import children_with
from harness import Server
from mien.avatar.library import load_avatar

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_CHROMIUM = "needs a system Chromium (chromium, chromium-browser or google-chrome) on the PATH"

#: Patience, not a measure of speed: two busy cores decode, draw and serve at the same time.
PATIENCE = 90.0
#: RMS of the sound; the codec's noise in silence is below 0.001, any voice above 0.01.
LOUD = 0.004

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Without multicast, as in containers, hidden addresses would never be found.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]


@asynccontextmanager
async def chromium(autoplay: bool = True, *arguments: str) -> AsyncIterator[Browser]:
    """autoplay: whether sound may play before the visitor's first gesture. arguments: for Chromium,
    besides the usual ones."""
    policy = "no-user-gesture-required" if autoplay else "user-gesture-required"
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, f"--autoplay-policy={policy}", *arguments]
        )
        try:
            yield browser
        finally:
            await browser.close()


def mouth_of(avatar: str = "mei") -> tuple[float, float, float, float]:
    """The middle of the mouth's box: x, y, width, height as parts of the picture."""
    person = load_avatar(avatar)
    (width, height), (x, y, w, h) = person.size, person.stage.mouth_place
    return (x + w * 0.3) / width, (y + h * 0.25) / height, w * 0.4 / width, h * 0.5 / height


PROBE = """(() => {
  const [x, y, w, h] = MOUTH;
  const probe = (window.__probe = { frames: [], levels: [], captions: [], errors: [], peers: [] });
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...rest) { super(...rest); probe.peers.push(this); }
  };
  addEventListener("error", ({ message }) => probe.errors.push(message));
  addEventListener("unhandledrejection", ({ reason }) => probe.errors.push(String(reason)));
  addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("video");
    const canvas = new OffscreenCanvas(40, 30);
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    let before = null;
    function onFrame(now, { rtpTimestamp }) {
      const { videoWidth: width, videoHeight: height } = video;
      brush.drawImage(video, x * width, y * height, w * width, h * height, 0, 0, 40, 30);
      const { data } = brush.getImageData(0, 0, 40, 30);
      let grey = 0;
      let change = 0;
      for (let i = 1; i < data.length; i += 4) {
        grey += data[i];
        if (before) change += Math.abs(data[i] - before[i]);
      }
      before = data;
      const decoded = video.getVideoPlaybackQuality().totalVideoFrames;
      grey /= 40 * 30;
      change /= 40 * 30;
      probe.frames.push({ at: performance.now(), rtp: rtpTimestamp, decoded, grey, change });
      video.requestVideoFrameCallback(onFrame);
    }
    video.requestVideoFrameCallback(onFrame);

    const caption = document.querySelector("[data-testid=caption]");
    new MutationObserver(() => {
      const text = caption.hidden ? "" : caption.textContent;
      if (text && text !== probe.captions.at(-1)) probe.captions.push(text);
    }).observe(caption, { childList: true, subtree: true, characterData: true, attributes: true });

    const tap = document.querySelector("[data-testid=sound]");
    const tell = () => console.log(`probe: tap for sound ${tap.hidden ? "hidden" : "shown"}`);
    new MutationObserver(tell).observe(tap, { attributes: true });
    if (!LISTEN) return;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    const samples = new Float32Array(2048);
    let heard = null;
    setInterval(() => {
      const stream = video.srcObject;
      if (stream !== heard && stream?.getAudioTracks().length) {
        context.createMediaStreamSource((heard = stream)).connect(analyser);
      }
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      probe.levels.push({ at: performance.now(), rms: Math.sqrt(sum / samples.length) });
    }, 25);
  });
})()"""


@dataclass(frozen=True)
class Seen:
    """What the browser showed and played between two moments of its own clock (ms)."""

    frames: list[dict[str, float]]
    levels: list[dict[str, float]]

    @property
    def mouth(self) -> float:
        """Mean change from frame to frame around the mouth, in grey levels."""
        return sum(f["change"] for f in self.frames) / max(1, len(self.frames))

    @property
    def loud(self) -> list[float]:
        """When sound was heard."""
        return [level["at"] for level in self.levels if level["rms"] > LOUD]


@dataclass
class Visitor:
    """A person in front of the page."""

    page: Page
    consoled: list[str] = field(default_factory=list)

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    async def ask(self, text: str) -> None:
        await self.part("composer").fill(text)
        await self.part("composer").press("Enter")

    async def arrives(self, url: str) -> None:
        """Open the page and wait for a live picture."""
        await self.page.goto(url)
        await self.is_live()

    async def is_live(self, since: float = 0.0) -> None:
        """Wait until frames come after ``since`` and the page says so."""
        await self.page.wait_for_function(
            "(since) => document.documentElement.dataset.connection === 'live'"
            " && document.documentElement.classList.contains('has-picture')"
            " && __probe.frames.filter(({ at }) => at > since).length > 5",
            arg=since,
            timeout=PATIENCE * 1000,
        )

    async def now(self) -> float:
        return float(await self.page.evaluate("performance.now()"))

    async def seen(self, since: float = 0.0, until: float = 1e12) -> Seen:
        frames, levels = await self.page.evaluate(
            "([a, b]) => [__probe.frames, __probe.levels]"
            ".map((list) => list.filter(({ at }) => at >= a && at < b))",
            [since, until],
        )
        return Seen(frames, levels)

    async def captions(self) -> list[str]:
        return list(await self.page.evaluate("__probe.captions"))

    async def state(self, *names: str) -> None:
        """Wait until the presenter is doing one of these."""
        await self.page.wait_for_function(
            "(names) => names.includes(document.documentElement.dataset.state)",
            arg=list(names),
            timeout=PATIENCE * 1000,
        )

    async def hears(self, since: float) -> None:
        await self.page.wait_for_function(
            "([since, loud]) => __probe.levels.some(({ at, rms }) => at > since && rms > loud)",
            arg=[since, LOUD],
            timeout=PATIENCE * 1000,
        )

    async def said(self) -> list[str]:
        """What the history shows of the presenter, oldest first."""
        return await self.page.locator(".message.assistant:not(.dots) .text").all_inner_texts()

    async def answered(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until the last message is this answer, complete."""

        async def last() -> bool:
            return (await self.said())[-1:] == [text]

        await eventually(last, f"the answer {text!r}", seconds, self.describe)
        await self.state("idle")

    async def toast(self, code: str) -> str:
        """Wait for an error or notice that can be seen. Returns its words."""
        row = self.page.locator(f".toast[data-code={code}]")
        await row.wait_for(timeout=PATIENCE * 1000)
        return await row.locator("p").inner_text()

    async def stat(self, kind: str, name: str) -> float:
        """A figure of the browser's inbound-rtp statistics."""
        value = await self.page.evaluate(
            """async ([kind, name]) => {
              const peer = __probe.peers.filter((p) => p.connectionState === "connected").at(-1);
              for (const report of (await peer?.getStats())?.values() ?? []) {
                if (report.type === "inbound-rtp" && report.kind === kind) return report[name] ?? 0;
              }
              return 0;
            }""",
            [kind, name],
        )
        return float(value)

    async def another_tab(self) -> Visitor:
        return _in(await self.page.context.new_page())

    async def session(self) -> str:
        return str(await self.page.evaluate("sessionStorage.getItem('mien.session')"))

    async def describe(self) -> str:
        """For the message of a failed test."""
        html = "document.documentElement.dataset"
        return (
            f"state {await self.page.evaluate(f'JSON.stringify({html})')}, "
            f"toasts {await self.page.locator('.toast p').all_inner_texts()}, "
            f"said {await self.said()}, console {self.consoled[-5:]}"
        )

    async def picture_of(self, name: str, folder: Path) -> Path:
        """A screenshot in ``folder``, and in $MIEN_SCREENSHOTS for people to look at."""
        path = folder / f"{name}.png"
        await self.page.screenshot(path=path)
        if kept := os.environ.get("MIEN_SCREENSHOTS"):
            os.makedirs(kept, exist_ok=True)
            shutil.copy(path, kept)
        return path


@asynccontextmanager
async def visiting(
    browser: Browser, *, listen: bool = True, presenter: str = "mei", **options: Any
) -> AsyncIterator[Visitor]:
    """A fresh browser profile with one empty tab.

    presenter: whose mouth to watch.
    listen: measure the sound with WebAudio; off where the test is about who may make sound.
    options: for playwright's ``new_context`` (locale, viewport, permissions …).
    """
    options = {"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **options}
    context = await browser.new_context(**options)
    try:
        probe = PROBE.replace("MOUTH", json.dumps(mouth_of(presenter)))
        await context.add_init_script(probe.replace("LISTEN", json.dumps(listen)))
        yield _in(await context.new_page())
    finally:
        await context.close()


def _in(page: Page) -> Visitor:
    visitor = Visitor(page)
    page.on("console", lambda message: visitor.consoled.append(message.text))
    return visitor


async def eventually(
    condition: Callable[[], Awaitable[Any]],
    what: str,
    seconds: float = PATIENCE,
    describe: Callable[[], Awaitable[str]] | None = None,
) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            more = f" ({await describe()})" if describe else ""
            raise AssertionError(f"not within {seconds} s: {what}{more}")
        await asyncio.sleep(0.05)


def voice_workers(server: Server) -> list[psutil.Process]:
    return children_with("espeak_worker", of=server.process.pid)
