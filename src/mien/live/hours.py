"""When something is on: "20:00-22:00", "mon-fri 09:00-18:00", "周末", "2026-12-24..2026-12-26"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from mien.live.errors import LiveError

DAY = timedelta(days=1)
ALL_DAY = (0, 24 * 60)
WEEK = frozenset(range(7))
# An opening farther away than this is not looked for.
HORIZON_DAYS = 370

Span = TypeVar("Span")

_ENGLISH = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CHINESE = {
    c: day for day, cs in enumerate(("一", "二", "三", "四", "五", "六", "日天")) for c in cs
}
_GROUPS = {
    **dict.fromkeys(("daily", "everyday", "每天", "每日"), WEEK),
    **dict.fromkeys(("weekdays", "weekday", "工作日"), frozenset(range(5))),
    **dict.fromkeys(("weekend", "weekends", "周末", "週末"), frozenset((5, 6))),
}
_TIME = r"(\d{1,2})(?::(\d{2})|点(?:(\d{1,2})分?)?)"
_TIMES = re.compile(f"{_TIME}-{_TIME}")
_DATE = r"(\d{4}-\d{1,2}-\d{1,2})"
_DATES = re.compile(rf"{_DATE}(?:\.\.{_DATE})?")
_EXAMPLE = '"mon-fri 20:00-22:00", "周六 周日 10:00-18:00", "2026-12-24..2026-12-26 09:00-17:00"'


@dataclass(frozen=True, slots=True)
class Window:
    """days: of the week, Monday is 0. dates: first and last. times: minutes from midnight.

    Times that end at or before their beginning go on after midnight; the day is the first one.
    """

    days: frozenset[int] = WEEK
    dates: tuple[date, date] | None = None
    times: tuple[int, int] = ALL_DAY

    def spans(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        """When it begins and ends, on the days from ``first`` to ``last``, in order."""
        if self.dates:
            first, last = max(first, self.dates[0]), min(last, self.dates[1])
        begin, end = self.times
        length = timedelta(minutes=(end - begin - 1) % (24 * 60) + 1)
        day = first
        while day <= last:
            if day.weekday() in self.days:
                start = datetime(day.year, day.month, day.day) + timedelta(minutes=begin)
                yield start, start + length
            day += DAY


@dataclass(frozen=True, slots=True)
class Hours:
    """Several windows; without any it is always open. Times are local and naive."""

    windows: tuple[Window, ...] = ()

    def open(self, now: datetime) -> bool:
        """Whether it is on."""
        today = now.date()
        spans = (s for window in self.windows for s in window.spans(today - DAY, today))
        return not self.windows or any(begin <= now < end for begin, end in spans)

    def opens(self, now: datetime) -> datetime | None:
        """When it is on next, if it is not now; None when that is never, or a year away."""
        today = now.date()
        horizon = today + HORIZON_DAYS * DAY
        starts = (
            next((begin for begin, _ in window.spans(today, horizon) if begin > now), None)
            for window in self.windows
        )
        return min((start for start in starts if start is not None), default=None)


def read_hours(written: object) -> Hours:
    """Windows as people write them: a string, or several.

    Raises LiveError, saying what was not understood and what to write instead.
    """
    lines = [written] if isinstance(written, str) else written
    if not isinstance(lines, Sequence) or not all(isinstance(line, str) for line in lines):
        raise LiveError(
            f"expected a text or a list of texts, got {written!r}; write {_EXAMPLE}",
            f"应为文本或文本列表，而不是 {written!r}；例如 {_EXAMPLE}",
        )
    return Hours(tuple(_window(line) for line in lines))


def _window(line: str) -> Window:
    days: frozenset[int] = frozenset()
    dates: tuple[date, date] | None = None
    times: tuple[int, int] | None = None
    for token in _tokens(line):
        if match := _TIMES.fullmatch(token):
            times = _once(times, _times(match), line)
        elif match := _DATES.fullmatch(token):
            dates = _once(dates, _dates(match, line), line)
        else:
            days |= _days(token, line)
    if not (days or dates or times):
        raise _misunderstood(line, "")
    return Window(days or WEEK, dates, times or ALL_DAY)


def _tokens(line: str) -> list[str]:
    text = unicodedata.normalize("NFKC", line).casefold()
    text = re.sub(r"\s*[-–—~至到]\s*|\s+to\s+", "-", text)
    text = re.sub(r"\s*(?:\.\.|…)\s*", "..", text)
    return re.split(r"[\s,;、]+", re.sub(r"(?<=[日天一二三四五六末])(?=\d)", " ", text.strip()))


def _times(match: re.Match[str]) -> tuple[int, int]:
    hour, minute, minute_zh, hour2, minute2, minute2_zh = match.groups()
    begin = int(hour) * 60 + int(minute or minute_zh or 0)
    end = int(hour2) * 60 + int(minute2 or minute2_zh or 0)
    if begin >= 24 * 60 or end > 24 * 60 or any(int(m or 0) > 59 for m in (minute, minute2)):
        raise _misunderstood(match.string, match[0])
    return begin, end


def _dates(match: re.Match[str], line: str) -> tuple[date, date]:
    try:
        first, last = (date(*map(int, day.split("-"))) for day in (match[1], match[2] or match[1]))
    except ValueError:
        raise _misunderstood(line, match[0]) from None
    if last < first:
        raise _misunderstood(line, match[0])
    return first, last


def _days(token: str, line: str) -> frozenset[int]:
    if token in _GROUPS:
        return _GROUPS[token]
    first, dash, last = token.partition("-")
    begin, end = _day(first), _day(last) if dash else _day(first)
    if begin is None or end is None:
        raise _misunderstood(line, token)
    return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))


def _day(name: str) -> int | None:
    if match := re.fullmatch(r"(?:周|週|星期|礼拜|禮拜)?([一二三四五六日天])", name):
        return _CHINESE[match[1]]
    found = [day for day, full in enumerate(_ENGLISH) if len(name) >= 3 and full.startswith(name)]
    return found[0] if found else None


def _once(before: Span | None, value: Span, line: str) -> Span:
    if before is not None:
        raise LiveError(
            f'"{line}" names two times; write a list with one window each, e.g. {_EXAMPLE}',
            f"“{line}”里有两个时间；请写成列表，每段一项，例如 {_EXAMPLE}",
        )
    return value


def _misunderstood(line: str, token: str) -> LiveError:
    what = token or line
    return LiveError(
        f'"{what}" is neither days, dates nor times; write e.g. {_EXAMPLE}',
        f"看不懂“{what}”；请写星期、日期或时间，例如 {_EXAMPLE}",
    )
