"""What time it is."""

from datetime import UTC, datetime, tzinfo

import pytest

from mien.tools.clock import ClockTool
from mien.tools.contract import ToolContext, ToolError

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
CONTEXT = ToolContext("zh", "几点了？")


def noon(zone: tzinfo | None) -> datetime:
    return NOON.astimezone(zone)


async def test_a_zone_has_its_own_day() -> None:
    told = (await ClockTool(noon).run({"timezone": "Asia/Shanghai"}, CONTEXT)).text
    assert told == "2026-11-23T20:30:00+08:00 (Monday, 星期一; CST)"
    told = (await ClockTool(noon).run({"timezone": "Pacific/Auckland"}, CONTEXT)).text
    assert told.startswith("2026-11-24T01:30:00+13:00 (Tuesday, 星期二")


async def test_without_a_zone_it_is_local_time() -> None:
    told = (await ClockTool().run({}, CONTEXT)).text
    when = datetime.fromisoformat(told.split(" ")[0])
    assert when.utcoffset() == datetime.now().astimezone().utcoffset()
    assert 0 <= (datetime.now(UTC) - when).total_seconds() < 3600


@pytest.mark.parametrize("zone", ["Beijing", "../etc/passwd", "Asia", "x" * 999, "/"])
async def test_a_zone_there_is_not(zone: str) -> None:
    with pytest.raises(ToolError, match="Asia/Shanghai"):
        await ClockTool().run({"timezone": zone}, CONTEXT)
