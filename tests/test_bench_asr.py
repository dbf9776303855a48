"""``mien bench asr`` with a recogniser that hears two of three sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import mien
from listening_server import ListeningServer, listening_server_thread
from mien.bench.asr import AsrBenchError, run_asr
from mien.config import Settings

HEARD = ["你好，请问你能做什么？", "今天的天气怎么样？"]


@pytest.fixture(scope="module")
def server() -> Iterator[ListeningServer]:
    with listening_server_thread(HEARD) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, server: ListeningServer) -> Path:
    path = tmp_path / "mien.toml"
    table = f'[ears.recognizers.local]\nservice = "openai"\nbase_url = "{server.url}"\n'
    path.write_text(table, encoding="utf-8")
    return path


def test_figures(config: Path) -> None:
    ran = mien("bench", "asr", "--recognizer", "local", "--language", "zh", "--sentences", "3",
               "--fast", "--json", "--config", str(config))  # fmt: skip
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert [row["errors"] for row in found["rows"]] == [0, 0, 8]
    assert found["rows"][2]["heard"] == ""
    assert (found["recognizer"], found["language"]) == ("local", "zh")
    assert (found["words"], found["errors"], found["sentences"]) == (25, 8, 3)
    assert found["error_rate"] == pytest.approx(8 / 25)
    assert found["final_ms"] == {"p50": None, "p95": None, "n": 0}
    assert found["seconds"] > 3 and found["cpu_sec_per_sec"] > 0


@pytest.mark.thorough
async def test_in_real_time_by_telephone(server: ListeningServer) -> None:
    tables = {"local": {"service": "openai", "base_url": server.url}}
    settings = Settings.model_validate({"ears": {"asr": "local", "recognizers": tables}})
    told: list[float] = []
    found = await run_asr(told.append, settings=settings, language="zh", count=1, phone=True)
    assert found["errors"] == 0 and found["phone"] and told == [1.0]
    assert found["final_ms"]["n"] == 1 and found["final_ms"]["p50"] > 0
    assert found["partial_ms"]["n"] == 0  # it tells nothing before the end


async def test_nothing_to_measure(tmp_path: Path) -> None:
    settings = Settings()
    with pytest.raises(AsrBenchError, match="it does not understand Chinese"):
        await run_asr(
            lambda done: None, settings=settings, recognizer="pocketsphinx", language="zh", count=1
        )
    listed = tmp_path / "none.toml"
    listed.write_text("", encoding="utf-8")
    with pytest.raises(AsrBenchError, match="no sentence of language 'en'"):
        await run_asr(lambda done: None, settings=settings, listed=listed)
