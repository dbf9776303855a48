"""The tool that knows what time it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mien.tools.contract import ToolContext, ToolError, ToolResult, ToolSpec

WEEKDAYS_ZH = tuple(f"星期{day}" for day in "一二三四五六日")
# Not strftime: that depends on the machine's locale.
WEEKDAYS_EN = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

_SPEC = ToolSpec(
    name="current_time",
    description="The current date, weekday and time, here or in a time zone.",
    parameters={
        "type": "object",
        "properties": {
            "timezone": {
                "type": "string",
                "description": "IANA name, e.g. Asia/Shanghai or Europe/London; none: local time",
            }
        },
    },
    label={"zh": "看时间", "en": "Checking the time"},
    timeout_sec=2.0,
)


class ClockTool:
    """now: the time in a zone, None for local time."""

    def __init__(self, now: Callable[[tzinfo | None], datetime] = datetime.now) -> None:
        self._now = now

    @property
    def spec(self) -> ToolSpec:
        return _SPEC

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Raises ToolError for a zone there is not."""
        name = str(arguments.get("timezone") or "").strip()
        now = self._now(_zone(name)) if name else self._now(None).astimezone()
        return ToolResult(f"{now.isoformat(timespec='seconds')} ({weekday(now)}; {now.tzname()})")


def weekday(day: date) -> str:
    """In both languages."""
    return f"{WEEKDAYS_EN[day.weekday()]}, {WEEKDAYS_ZH[day.weekday()]}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # ValueError, OSError: names like "../x" or those of folders.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolError(
            f"There is no time zone {name!r}. Use an IANA name such as Asia/Shanghai."
        ) from None
