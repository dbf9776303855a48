"""A network that lets nothing but HTTPS pass: through nginx and one TCP port, seen and heard."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.async_api import Page

import browser_sync
from browser import CHROMIUM, NO_CHROMIUM, PATIENCE, chromium
from mien.bench.server import running_server
from proxy import NGINX, proxied, written

WITHOUT_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
#: Some 40 seconds of the measuring kit's speech, a beep each 0.8 s; as much of it as is needed.
SPEECH = 7 * "The quick brown fox jumps over the lazy dog, again and again, until the evening. "
PICTURE = "[data-testid=presenter-ws]"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The measuring kit's server behind nginx; without nginx, itself."""
    with running_server("marker") as server:
        if NGINX is None:
            yield server.url
        else:
            with proxied(tmp_path, server.url) as address:
                yield address


@pytest.mark.skipif(NGINX is None, reason="needs nginx")
def test_nginx_takes_the_example(tmp_path: Path) -> None:
    wrapper = written(tmp_path, "127.0.0.1:8000", 0)
    wrapper.write_text(wrapper.read_text().replace("daemon off;", ""))
    text = (tmp_path / "mien.conf").read_text().replace("127.0.0.1:0 ssl", "127.0.0.1:443 ssl")
    (tmp_path / "mien.conf").write_text(text)
    tested = [str(NGINX), "-t", "-c", str(wrapper), "-p", str(tmp_path)]
    checked = subprocess.run(tested, capture_output=True, text=True, check=False)
    assert "syntax is ok" in checked.stderr and "warn" not in checked.stderr, checked.stderr


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
async def test_without_udp_she_is_seen_and_heard_in_sync_through_one_tcp_port(site: str) -> None:
    async with chromium(True, WITHOUT_UDP) as browser:
        context = await browser.new_context(ignore_https_errors=True, bypass_csp=True)
        page = await context.new_page()
        await browser_sync.watch(page)
        await page.goto(site)
        await shows(page, "ws")
        await page.evaluate("(video) => __sync.listen(video)", PICTURE)
        session = await page.evaluate("sessionStorage.getItem('mien.session')")
        async with httpx.AsyncClient(base_url=site, verify=False, timeout=PATIENCE) as http:
            said = await http.post(f"/api/v1/sessions/{session}/say", json={"text": SPEECH})
            assert said.status_code == 202
        figures = await enough_beeps(page)
        print(
            f"picture - sound {figures.offset_ms:.1f} ms (n {len(figures.offsets_ms)}), "
            f"delay p10 {np.percentile(figures.delays_ms, 10):.0f} "
            f"p50 {np.percentile(figures.delays_ms, 50):.0f} ms"
        )
        assert abs(figures.offset_ms) <= 40
        # Not the median: on a machine that is busy with other things the buffer grows.
        assert np.percentile(figures.delays_ms, 10) <= 500

        await page.get_by_test_id("connection").click()
        assert "WebSocket" in await page.get_by_test_id("path-way").inner_text()
        assert "UDP" in await page.get_by_test_id("path-why").inner_text()
        await page.locator("[data-figure=delay]").wait_for(timeout=PATIENCE * 1000)

        # Known by now, so that the next visit need not find out first.
        assert await page.evaluate("sessionStorage.getItem('mien.path')") == "ws"
        await page.reload()
        await shows(page, "ws")
        assert await page.evaluate("sessionStorage.getItem('mien.session')") == session
        await context.close()


async def enough_beeps(page: Page, count: int = 4) -> browser_sync.Measured:
    """Listen until so many were both heard and seen. A busy browser leaves out pictures, and
    cannot spell a beep while it catches up."""
    for seconds in range(5, int(PATIENCE), 3):
        await page.wait_for_function(
            f"__sync.blocks.length * {browser_sync.BLOCK} > {seconds} * __sync.rate",
            timeout=PATIENCE * 1000,
        )
        figures = browser_sync.measured(await page.evaluate("__sync.result()"))
        if len(figures.offsets_ms) >= count:
            return figures
    raise AssertionError(f"only {len(figures.offsets_ms)} of {count} beeps were heard and seen")


async def shows(page: Page, path: str) -> None:
    """Wait for a live picture that comes this way; events must pass as well."""
    await page.wait_for_function(
        "(path) => { const { dataset, classList } = document.documentElement;"
        " return dataset.path === path && dataset.connection === 'live'"
        " && classList.contains('has-picture'); }",
        arg=path,
        timeout=PATIENCE * 1000,
    )
