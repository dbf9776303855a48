"""``mien voices`` and ``mien say --voice`` with speech servers, as a person uses them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
import pytest

from command_line import mien
from http_voices import ADAPTERS, recording
from mien.voices import voice_settings
from tones import heard, spelled
from voice_servers import VoiceServer, voice_server_thread

NAMES = ("gpt-sovits", "bert-vits2-http", "cosyvoice", "fish-speech", "openai-speech")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, VoiceServer]]:
    with ExitStack() as stack:
        yield {n: stack.enter_context(voice_server_thread(ADAPTERS[n].dialect)) for n in NAMES}


@pytest.fixture
def folder(
    tmp_path: Path, servers: dict[str, VoiceServer], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Here, with a mien.toml in which every service is a voice; "nobody" has no such speaker."""
    tables = {
        f"my-{name}": {
            "service": name,
            "url": server.url + ADAPTERS[name].base,
            **ADAPTERS[name].given,
        }
        for name, server in servers.items()
    }
    tables["nobody"] = {**tables["my-bert-vits2-http"], "speaker": "Nobody"}
    lines = []
    for name, table in tables.items():
        lines += [f"[voices.{name}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
    (tmp_path / "mien.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_mien(*arguments: str) -> str:
    """Standard output of a command that succeeds."""
    run = mien(*arguments)
    assert run.exit_code == 0, run.output
    return run.stdout


def test_voices_lists_which_servers_are_there(folder: Path) -> None:
    listed = {v["name"]: v for v in json.loads(run_mien("voices", "--json"))}
    assert all(listed[f"my-{name}"]["ready"] for name in NAMES)
    assert not listed["nobody"]["ready"]
    assert "it has Anna, Bo" in json.dumps(listed["nobody"]["why_not"])


def test_say_speaks_with_the_voice_that_is_named(
    folder: Path, servers: dict[str, VoiceServer]
) -> None:
    text = "你好，用 Python 写代码。"
    run_mien("say", text, "-o", "out.mp4", "--size", "192x256", "--voice", "my-gpt-sovits")
    with av.open(str(folder / "out.mp4"), mode="r") as video:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in video.decode(audio=0)])
    letters = heard((sound * 32767).astype(np.int16), 48_000)
    # Half a tone of silence between two clauses is heard as some tone.
    at = iter(letters)
    assert all(letter in at for letter in spelled(text)), (letters, spelled(text))
    assert len(letters) <= len(spelled(text)) + 5
    assert "".join(servers["gpt-sovits"].texts).count("Python") >= 1


@pytest.mark.parametrize("everything", [False, True], ids=["as written", "with all the comments"])
def test_the_tables_of_the_guide_are_accepted(
    everything: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = Path(__file__).parents[1] / "docs" / "voices-http.md"
    recording(tmp_path).rename(tmp_path / "anna.wav")
    monkeypatch.chdir(tmp_path)
    named = []
    for block in re.findall(r"```toml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL):
        if everything:
            block = re.sub(r"^# (?=\w+ = )", "", block, flags=re.MULTILINE)
        tables = tomllib.loads(block)["voices"]
        named += [voice_settings(name, tables).service for name in tables]
    assert set(named) == set(NAMES)
