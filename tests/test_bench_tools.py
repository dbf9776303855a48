"""The bench of searching: its own small world, and what it reports."""

from __future__ import annotations

import json

import httpx
import pytest
from typer.testing import CliRunner

from mien.bench.cli import bench_app
from mien.bench.tools_world import PAGES, world


async def test_the_world_notes_when_things_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.bench.tools_world.PAGE_SEC", 0.0)
    monkeypatch.setattr("mien.bench.tools_world.ARGUMENTS_SEC", 0.0)
    async with world() as outside, httpx.AsyncClient(base_url=outside.url) as http:
        asked = {"role": "user", "content": outside.begin(1)}
        called = await http.post("/v1/chat/completions", json={"messages": [asked]})
        assert '"web_search"' in called.text and called.text.rstrip().endswith("[DONE]")
        found = (await http.get("/search", params={"q": "news"})).json()["results"]
        assert len(found) == PAGES and outside.pages == 0
        for result in found:
            assert "lighthouse" in (await http.get(result["url"])).text
        told = [asked, {"role": "tool", "content": "…"}]
        await http.post("/v1/chat/completions", json={"messages": told})
        assert 0 < outside.called <= outside.pages <= outside.told


@pytest.mark.thorough
def test_the_wait_for_a_search_is_measured() -> None:
    result = CliRunner().invoke(bench_app, ["tools", "--turns", "1", "--json"])
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    for key in ("call_to_sound_ms", "pages_to_request_ms", "pages_to_sound_ms"):
        assert set(figures[key]) == {"p50", "p95", "n"}
    assert figures["call_to_sound_ms"]["n"] == 1 and figures["call_to_sound_ms"]["p50"] > 0
