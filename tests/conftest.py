from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip_folder import write_clip
from drawn_avatar import write_avatar
from harness import Server, running_server

# Before anything loads PyTorch: its waiting threads would take the cores from other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


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
