"""What happens to outputs, in words for a terminal: connected, lost and why, back."""

from __future__ import annotations

import time
from collections.abc import Callable

from mien.commands.words import chinese
from mien.media.supervisor import State
from mien.server.outputs import Airing

# line, and whether it is bad news.
Tell = Callable[[str, bool], None]


class AirLog:
    """A watcher of outputs that tells each change once; the same failure again is no change."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: dict[Airing, tuple[State, str]] = {}
        self._lost_at: dict[Airing, float] = {}

    def __call__(self, airing: Airing) -> None:
        status = airing.supervised.status
        why = status.reason.code if status.reason is not None else ""
        if status.state == "connecting" or self._told.get(airing) == (status.state, why):
            return
        self._told[airing] = status.state, why
        bad = status.state in ("waiting", "failed")
        if bad:
            self._lost_at.setdefault(airing, time.monotonic())
        label, words = airing.supervised.output.label, self._words(airing)
        colon = "：" if chinese() else ": "
        self._tell(words if words.startswith(label) else f"{label}{colon}{words}", bad)
        if status.state == "ended":
            self._told.pop(airing)
            self._lost_at.pop(airing, None)

    def _words(self, airing: Airing) -> str:
        zh, reason = chinese(), airing.supervised.status.reason
        why = "" if reason is None else reason.zh if zh else reason.en
        match airing.supervised.status.state:
            case "live" if airing in self._lost_at:
                seconds = time.monotonic() - self._lost_at.pop(airing)
                return f"已恢复，中断 {seconds:.1f} 秒" if zh else f"back after {seconds:.1f} s"
            case "live":
                return "已开播" if zh else "on the air"
            case "waiting":
                return f"{why}（将自动重试）" if zh else f"{why} (it is tried again by itself)"
            case "failed":
                return why
            case "paused":
                return "已暂停" if zh else "paused"
            case _:
                return "已停止" if zh else "ended"
