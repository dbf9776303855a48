"""A real server in a process of its own, so that measuring does not disturb what it measures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psutil  # type: ignore[import-untyped]

from mien.models.store import FOLDER_VARIABLE

Kit = Literal["product", "marker"]

# Importing everything takes 2–4 s, loading a large voice much longer.
START_SEC = 240
STOP_SEC = 20


class ServerDied(RuntimeError):
    """The server did not start or ended early; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at ``url``."""

    url: str
    pid: int

    def cpu_sec(self) -> float:
        """CPU time used so far by the server and its children (the voice's process), in s."""
        process = psutil.Process(self.pid)
        total = 0.0
        for one in (process, *process.children(recursive=True)):
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def rss_mb(self) -> float:
        """Resident memory of the server itself, in MB (10⁶ bytes)."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


@contextmanager
def running_server(kit: Kit, **settings: Any) -> Iterator[Running]:
    """Run a server on a free loopback port while the context lasts.

    kit: "product" for the avatar, voice and brain that ``settings`` name; "marker" for the
        measuring kit in place of avatar, lip sync and voice.
    settings: of :class:`mien.config.Settings`; what is not given has its default. Neither
        configuration file nor environment is read: figures must compare between machines.

    Raises:
        ServerDied: with the end of its log.
    """
    if kit == "marker":  # what it measures by is in the other corner
        settings = {"label": {"corner": "bottom-right"}, **settings}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mien.bench.server_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env=_environment(),
        )
        assert process.stdin is not None
        try:
            line = _first_line(process, json.dumps({"kit": kit, "settings": settings}))
            if line is None:
                raise ServerDied(f"the server did not start: {_tail(log)}")
            ready = json.loads(line)
            yield Running(f"http://127.0.0.1:{ready['port']}", process.pid)
            if process.poll() is not None:
                raise ServerDied(f"the server ended while it was measured: {_tail(log)}")
            _stop(process)
            _show_warnings(log)
        finally:
            _stop(process)


def _environment() -> dict[str, str]:
    # Settings must not come from the environment; where the models lie is none.
    own = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("MIEN_") or key == FOLDER_VARIABLE
    }
    return {**own, "LOGURU_LEVEL": "WARNING"}


def _first_line(process: subprocess.Popen[str], order: str) -> str | None:
    """Give the order and wait for the address; None when the process ends or hangs first."""
    assert process.stdin is not None and process.stdout is not None
    timer = threading.Timer(START_SEC, process.kill)
    timer.start()
    try:
        process.stdin.write(order + "\n")
        process.stdin.flush()
        return process.stdout.readline() or None
    except BrokenPipeError:
        return None
    finally:
        timer.cancel()
        if process.poll() is None:
            timer.join(0)


def _stop(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
    try:
        process.wait(STOP_SEC)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _show_warnings(log: Any) -> None:
    """Figures of a server that complained are to be read with its complaints."""
    log.seek(0)
    if said := log.read().strip():
        print(f"The server logged while it was measured:\n{said[-2000:]}", file=sys.stderr)


def _tail(log: Any) -> str:
    """What the server said last; of a traceback, the line that tells what is wrong."""
    log.seek(0)
    lines = [line for line in log.read().splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    if errors:
        return str(errors[-1].partition(": ")[2])
    return "\n".join(lines[-20:]) or "(it said nothing)"
