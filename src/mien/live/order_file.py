"""Running orders as files: TOML, or plain text with one item per paragraph."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mien.gestures import without_tags
from mien.live.errors import LiveError
from mien.live.hours import Hours, read_hours
from mien.live.order import USUAL_PAUSE_SEC, Item, RunningOrder

MAX_BYTES = 1_000_000
# Some five minutes of speech; an item is said as a whole before the next viewer is answered.
MAX_CHARS = 2000

_SAYABLE = re.compile(r"[^\W_]")
# In Chinese a line break is no blank.
_BREAK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])")
_KINDS: dict[str, tuple[tuple[type, ...], str, str]] = {
    "text": ((str,), "a text in quotes", "引号里的文字"),
    "number": ((int, float), "a number", "数字"),
    "count": ((int,), "a whole number", "整数"),
    "yes": ((bool,), "true or false", "true 或 false"),
}
_ORDER_KEYS = {
    **dict.fromkeys(("title", "about", "greeting", "closing", "timezone"), "text"),
    **dict.fromkeys(("loop", "shuffle"), "yes"),
    "pause": "number",
    "when": "",
    "item": "",
}
_ITEM_KEYS = {
    **dict.fromkeys(("text", "ask", "name", "pick"), "text"),
    **dict.fromkeys(("times", "every_rounds"), "count"),
    **dict.fromkeys(("pause", "every_minutes"), "number"),
    "texts": "",
    "when": "",
}


class OrderError(LiveError):
    """A running order cannot be used; one line per fault, each naming file, item and remedy."""


class _Faults:
    """Collects what is wrong, so that a file is mended at once and not fault by fault."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._en: list[str] = []
        self._zh: list[str] = []

    def add(self, item: int, en: str, zh: str) -> None:
        """item: its number; 0 for what stands above the items."""
        self._en.append(f"{self._file}{f', item {item}' if item else ''}: {en}")
        self._zh.append(f"{self._file}{f'，第 {item} 项' if item else ''}：{zh}")

    def raise_any(self) -> None:
        if self._en:
            raise OrderError("\n".join(self._en), "\n".join(self._zh))


def load_order(path: Path) -> RunningOrder:
    """Read a running order: TOML, or plain text where the name ends with .txt.

    Raises OrderError naming everything that is wrong.
    """
    faults = _Faults(path.name)
    text = _read(path, faults)
    faults.raise_any()
    return parse_text(text, path.name) if _is_text(path) else parse_toml(text, path.name)


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in (".txt", ".text", ".md")


def _read(path: Path, faults: _Faults) -> str:
    try:
        raw = path.expanduser().read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        faults.add(
            0,
            f"cannot read {path}: {why}. A beginning: mien live example > order.toml",
            f"无法读取 {path}：{why}。可先生成一份示例：mien live example > order.toml",
        )
        return ""
    if len(raw) > MAX_BYTES:
        faults.add(
            0,
            f"it has {len(raw)} bytes; a running order may have {MAX_BYTES}",
            f"文件有 {len(raw)} 字节，节目单最多 {MAX_BYTES} 字节",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        faults.add(0, "it is not UTF-8; save it as UTF-8", "不是 UTF-8 编码，请另存为 UTF-8")
        return ""


def parse_text(text: str, file: str = "text") -> RunningOrder:
    """One item per paragraph, said word for word; lines that begin with # are left out.

    Raises OrderError.
    """
    faults = _Faults(file)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines))
    texts = [flowing(paragraph) for paragraph in paragraphs if paragraph.strip()]
    for number, paragraph in enumerate(texts, 1):
        _check_text(paragraph, number, faults)
    if not texts:
        faults.add(
            0,
            "there is nothing to say; write one paragraph per item, blank lines in between",
            "没有可说的内容；每段一项，段与段之间空一行",
        )
    faults.raise_any()
    return RunningOrder(tuple(Item(number, (text,)) for number, text in enumerate(texts, 1)))


def parse_toml(text: str, file: str = "text") -> RunningOrder:
    """Raises OrderError."""
    faults = _Faults(file)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = 'a text with line breaks or quotes in it stands between three quotes: """…"""'
        hint_zh = '含换行或引号的文字请用三个引号括起来："""…"""'
        faults.add(0, f"not valid TOML: {error}; {hint}", f"不是有效的 TOML：{error}；{hint_zh}")
    faults.raise_any()
    order = _order(data, faults)
    faults.raise_any()
    return order


def _order(data: Mapping[str, Any], faults: _Faults) -> RunningOrder:
    _check_keys(data, _ORDER_KEYS, 0, faults)
    tables = data.get("item", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        faults.add(
            0, "items are written as [[item]], with two brackets", "条目要写成 [[item]]，两层方括号"
        )
        tables = []
    elif not tables:
        faults.add(
            0,
            'there is no item; write [[item]] and below it text = "…"',
            '没有条目；请写 [[item]]，下一行写 text = "…"',
        )
    pause = _between(data, "pause", 0, 86_400, 0, faults, USUAL_PAUSE_SEC)
    for key in ("greeting", "closing"):
        if isinstance(data.get(key), str):
            _check_text(data[key], 0, faults, key)
    names = [table["name"] for table in tables if isinstance(table.get("name"), str)]
    for name in {name for name in names if names.count(name) > 1}:
        faults.add(0, f'two items have the name "{name}"', f"有两项的 name 都是“{name}”")
    items = [_item(table, number, pause, faults) for number, table in enumerate(tables, 1)]
    return RunningOrder(
        tuple(items),
        title=_text(data, "title"),
        about=_text(data, "about"),
        greeting=_text(data, "greeting"),
        closing=_text(data, "closing"),
        loop=data.get("loop", True) is True,
        shuffled=data.get("shuffle", False) is True,
        hours=_hours(data, 0, faults),
        zone=_zone(data, faults),
    )


def _item(table: Mapping[str, Any], number: int, pause: float, faults: _Faults) -> Item:
    _check_keys(table, _ITEM_KEYS, number, faults)
    texts = _texts(table, number, faults)
    pick = table.get("pick", "turn")
    if isinstance(pick, str) and pick not in ("turn", "shuffle"):
        faults.add(
            number,
            f'pick = "{pick}" is unknown; write "turn" (one after the other) or "shuffle"',
            f'pick = "{pick}" 无效；请写 "turn"（依次）或 "shuffle"（随机）',
        )
    every = table.get("every_minutes")
    minutes = _between(table, "every_minutes", 0.1, 10_080, number, faults, 1.0)
    return Item(
        number,
        texts,
        ask=_text(table, "ask"),
        name=_text(table, "name"),
        pause=_between(table, "pause", 0, 86_400, number, faults, pause),
        times=int(_between(table, "times", 1, 100, number, faults, 1)),
        every_rounds=int(_between(table, "every_rounds", 1, 1000, number, faults, 1)),
        every_sec=None if every is None else 60 * minutes,
        shuffled=pick == "shuffle",
        hours=_hours(table, number, faults),
    )


def _texts(table: Mapping[str, Any], number: int, faults: _Faults) -> tuple[str, ...]:
    several = table.get("texts", [])
    if not isinstance(several, list) or not all(isinstance(text, str) for text in several):
        faults.add(
            number,
            'texts is a list of texts: texts = ["…", "…"]',
            'texts 应为文本列表：texts = ["…", "…"]',
        )
        several = []
    if "text" in table and "texts" in table:
        faults.add(
            number, "text and texts exclude each other; keep one", "text 与 texts 只能写一个"
        )
    texts = [table["text"]] if isinstance(table.get("text"), str) else several
    if not (texts or "texts" in table or "text" in table or _text(table, "ask")):
        faults.add(
            number,
            'there is nothing to say; write text = "…", or ask = "…" for the brain to answer',
            '没有可说的内容；请写 text = "…"，或 ask = "…" 交给大脑回答',
        )
    for text in texts:
        _check_text(text, number, faults)
    if isinstance(ask := table.get("ask"), str):
        _check_text(ask, number, faults, "ask")
    return tuple(flowing(text) for text in texts)


def _check_text(text: str, number: int, faults: _Faults, key: str = "text") -> None:
    if not _SAYABLE.search(without_tags(text)):
        faults.add(
            number,
            f"{key} has no word that can be said: {text.strip()[:40]!r}",
            f"{key} 里没有能念出来的字：{text.strip()[:40]!r}",
        )
    if len(text) > MAX_CHARS:
        faults.add(
            number,
            f"{key} has {len(text)} characters, at most {MAX_CHARS}; make several items of it",
            f"{key} 有 {len(text)} 个字符，最多 {MAX_CHARS} 个；请拆成几项",
        )


def _check_keys(
    table: Mapping[str, Any], known: Mapping[str, str], number: int, faults: _Faults
) -> None:
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            every = ", ".join(known)
            faults.add(
                number,
                f"unknown {key!r}; "
                + (f"did you mean {near[0]!r}?" if near else f"known: {every}"),
                f"未知的 {key!r}；" + (f"是不是 {near[0]!r}？" if near else f"可用：{every}"),
            )
        elif kind := known[key]:
            types, en, zh = _KINDS[kind]
            if not isinstance(value, types) or (kind != "yes" and isinstance(value, bool)):
                faults.add(
                    number, f"{key} = {value!r}: expected {en}", f"{key} = {value!r}：应为{zh}"
                )


def _between(
    table: Mapping[str, Any],
    key: str,
    least: float,
    most: float,
    number: int,
    faults: _Faults,
    usual: float,
) -> float:
    value = table.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return usual  # already told
    if least <= value <= most:
        return value
    faults.add(
        number,
        f"{key} = {value} is out of range; write {least:g} to {most:g}",
        f"{key} = {value} 超出范围；请写 {least:g} 到 {most:g}",
    )
    return usual


def _hours(table: Mapping[str, Any], number: int, faults: _Faults) -> Hours:
    if "when" not in table:
        return Hours()
    try:
        return read_hours(table["when"])
    except LiveError as error:
        faults.add(number, f"when: {error.en}", f"when：{error.zh}")
        return Hours()


def _zone(data: Mapping[str, Any], faults: _Faults) -> ZoneInfo | None:
    name = _text(data, "timezone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.add(
            0,
            f'there is no time zone "{name}"; write e.g. "Asia/Shanghai" or "Europe/Berlin"',
            f'没有时区“{name}”；请写如 "Asia/Shanghai"',
        )
        return None


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    return flowing(value) if isinstance(value, str) else ""


def flowing(text: str) -> str:
    """The text in one line."""
    return " ".join(_BREAK.sub("", text.strip()).split())


def spoken_texts(order: RunningOrder) -> Iterable[tuple[int, str]]:
    """Every text that is said word for word, with its item's number; 0 for greeting and closing."""
    for text in (order.greeting, order.closing):
        if text:
            yield 0, text
    for item in order.items:
        for text in item.texts:
            yield item.number, text
