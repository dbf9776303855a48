from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from xdist.scheduler import LoadScopeScheduling

from clip_folder import write_clip
from drawn_avatar import write_avatar
from harness import Server, running_server

# Before anything loads PyTorch: its waiting threads would take the cores from other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


# Besides those that run a server or a browser: what they watch is the clock.
REAL_TIME = {"test_performer", "test_conversation", "test_stage", "test_leaks", "test_bench_cli"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what happens in real time: `make test` runs it apart, so that nothing fights it."""
    for item in items:
        if _in_real_time(item.module):  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.real_time)


def _in_real_time(module: ModuleType) -> bool:
    origins = {getattr(value, "__module__", "") for value in vars(module).values()}
    return bool(origins & {"harness", "browser"}) or module.__name__ in REAL_TIME


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
    """What a test file keeps in ``functools.cache`` goes with it: networks take gigabytes."""
    yield
    for value in vars(request.module).values():
        if hasattr(value, "cache_clear") and value.__module__ == request.module.__name__:
            value.cache_clear()
    gc.collect()


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
