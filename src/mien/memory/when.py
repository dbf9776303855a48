"""When something was, as people say it."""

from __future__ import annotations

from datetime import datetime

from mien.language import Language

_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_ZH = "一二三四五六日"


def when(at: float, now: float, language: Language) -> str:
    """``at`` as seen from ``now``, both Unix seconds, by the clock of this machine: "earlier
    today", "last Tuesday", "3 weeks ago"; what is longer ago than a week has its date behind."""
    then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(max(at, now))
    days = (today.date() - then.date()).days
    zh = language == "zh"
    if days == 0:
        return "今天早些时候" if zh else "earlier today"
    if days == 1:
        return "昨天" if zh else "yesterday"
    if days <= 7:
        this_week = days <= today.weekday()
        if zh:
            return f"{'本' if this_week else '上'}周{_DAYS_ZH[then.weekday()]}"
        return f"{'on' if this_week else 'last'} {_DAYS_EN[then.weekday()]}"
    if days < 60:
        said = f"{days // 7} 周前" if zh else _ago(days // 7, "week")
    elif days < 730:
        said = f"{days // 30} 个月前" if zh else _ago(days // 30, "month")
    else:
        said = f"{days // 365} 年前" if zh else _ago(days // 365, "year")
    date = then.date().isoformat()
    return f"{said}（{date}）" if zh else f"{said} ({date})"


def _ago(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' if count > 1 else ''} ago"
