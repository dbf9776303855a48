"""What all tests share, and what keeps them quick: the whole of `make test` has to pass in minutes
on two slow cores without a GPU.

Two runs, see the Makefile. The first computes, file by file, on every core. The second is in real
time (``real_time``, set below for files that import ``harness`` or ``browser``): a browser beside a
server. So that it stays so:

- A file may take two seconds of CPU for what is shared (one server, one build, one export in a
  module-scoped fixture) and less for each test; networks are narrow (``wav2lip_seeded.narrow``,
  ``bert_vits2_seeded.small``), pictures small, clips a second long. Each set of reference numbers
  has one test at full size.
- Commands run in this process (``command_line.mien``); one test per command starts it for real.
- A server test is cheaper than a browser test, and a test without a server cheaper still.
- Nothing asserts how long something took. A wait ends when what it waits for has happened, and its
  limit is a minute or more: machines are slow, and busy with other tests.
- What repeats at full size what a smaller test shows is marked ``thorough``: `make test-thorough`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from clip_folder import write_clip
from drawn_avatar import write_avatar
from harness import Server, running_server

# A machine three times slower must not fail a test; more examples find little more than these.
hypothesis.settings.register_profile("quick", max_examples=40, deadline=None)
hypothesis.settings.load_profile("quick")

# Before anything loads PyTorch: its waiting threads would take the cores from other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

# Besides those that run a server or a browser: what they watch is the clock.
REAL_TIME = {
    "test_bench_barge_in",
    "test_bench_cli",
    "test_conversation",
    "test_leaks",
    "test_listener",
    "test_microphone_ws",
    "test_performer",
    "test_stage",
    "test_whip_in",
}
RUNS_A_SERVER = re.compile(r"^(?:from|import) (?:harness|browser)\b", re.MULTILINE)


@cache
def _in_real_time(path: Path) -> bool:
    return path.stem in REAL_TIME or bool(RUNS_A_SERVER.search(path.read_text(encoding="utf-8")))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of one half does not even import the other: every worker imports all its files."""
    named = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    chosen: str = config.option.markexpr
    if not named or chosen.removeprefix("not ").split(" ")[0] != "real_time":
        return None
    return True if _in_real_time(collection_path) == chosen.startswith("not") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what happens in real time: `make test` runs it apart, so that nothing fights it."""
    for item in items:
        if _in_real_time(item.path):
            item.add_marker(pytest.mark.real_time)


# Painted mouths for three at once: too much for two cores beside a browser.
BUSY = "/test_clip_sessions"


class TwoLanes(LoadScopeScheduling):
    """What waits more than it computes: a browser and a server side by side, never two browsers."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if "/test_browser" in nodeid or BUSY in nodeid else "server"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> TwoLanes | None:
    return TwoLanes(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture(autouse=True, scope="module")
def forgetful(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test file keeps in ``functools.cache`` goes with it: networks take gigabytes.

    What was freed is given back: glibc keeps what lies between, some gigabytes by the end, and two
    processes of a small machine would begin to swap.
    """
    yield
    own = [value for value in vars(request.module).values() if hasattr(value, "cache_clear")]
    for cached in [value for value in own if value.__module__ == request.module.__name__]:
        cached.cache_clear()
    if own:
        gc.collect()
    if TRIM is not None:
        TRIM(0)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One ``mien run`` with the built-in brain, shared by tests that leave it as it was."""
    folder: Path = tmp_path_factory.mktemp("server")
    with running_server(folder, environment={"MIEN_GREET": "false"}) as running:
        yield running


@pytest.fixture(scope="session")
def drawn_avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small drawn avatar; copy it to change it."""
    return write_avatar(tmp_path_factory.mktemp("avatars") / "drawn")


@pytest.fixture(scope="session")
def filmed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small clip avatar, see ``clip_folder``; copy it to change it."""
    return write_clip(tmp_path_factory.mktemp("clips") / "filmed")
