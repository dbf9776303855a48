"""``mien live …``: running orders, and readers of live chats."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.live.order import RunningOrder

live_app = typer.Typer(
    help="The live host: check a running order, get an example, connect a chat. 直播主持。",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
out = Console(highlight=False)
CONFIG_HELP = "Settings file; without it ./mien.toml is read if there is one."


@live_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A running order: .toml, or .txt by paragraphs.")],
    config: Annotated[Path | None, typer.Option("--config", help=CONFIG_HELP)] = None,
) -> None:
    """Show a running order with how long it takes, or what is wrong with it. 检查节目单。"""
    from mien.config import ConfigError, load_settings
    from mien.live.errors import LiveError
    from mien.live.order_file import load_order
    from mien.moderation.word_list import WordListError, load_words

    try:
        order = load_order(file)
        settings = load_settings(config)
        words = load_words([*settings.safety.blocked_words, *settings.live.blocked_words])
    except (LiveError, ConfigError, WordListError) as error:
        raise refused(_Said(str(error), error.zh)) from None
    _show(order)
    from mien.live.order_file import spoken_texts

    zh = chinese()
    for number, text in spoken_texts(order):
        if words.finds(text):
            where = (f"第 {number} 项" if zh else f"item {number}") if number else ""
            what = (
                "含有屏蔽词，播出时会被截断" if zh else "holds a blocked word and will be cut short"
            )
            out.print(f"[yellow]{where}{'：' if zh else ': '}{what}[/]")


class _Said:
    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh


def _show(order: RunningOrder) -> None:
    from rich.table import Table

    from mien.live.length import item_sec, minutes, round_sec, spoken_sec

    zh = chinese()
    titles = (
        ("#", "内容", "约", "停顿", "说明") if zh else ("#", "says", "about", "pause", "how often")
    )
    table = Table(*titles, title=order.title or None, title_justify="left", box=None)
    for item in order.items:
        ask = ("问：" if zh else "asks: ") if item.ask else ""
        more = f" (+{len(item.texts) - 1})" if len(item.texts) > 1 else ""
        length = minutes(item_sec(item)) if item.texts else "?"
        table.add_row(
            str(item.number),
            escape(ask + item.label + more),
            length,
            minutes(item.pause),
            "，".join(_how_often(item, zh)) if zh else ", ".join(_how_often(item, zh)),
        )
    out.print(table)
    for name, name_zh, text in (
        ("greeting", "开场", order.greeting),
        ("closing", "结束", order.closing),
    ):
        if text:
            out.print(f"{name_zh if zh else name}: {minutes(spoken_sec(text))}")
    total = minutes(round_sec(order))
    loop = order.loop
    if zh:
        out.print(f"[bold]一轮约 {total}[/]，" + ("循环播出" if loop else "只播一轮"))
    else:
        out.print(f"[bold]one round takes about {total}[/], " + ("in a loop" if loop else "once"))
    if order.hours.windows:
        _show_hours(order, zh)


def _show_hours(order: RunningOrder, zh: bool) -> None:
    from datetime import datetime

    now = datetime.now(order.zone).replace(tzinfo=None)
    if order.hours.open(now):
        out.print("现在在播出时段内" if zh else "on the air at this hour")
    elif (opens := order.hours.opens(now)) is not None:
        out.print(f"下次开播：{opens:%Y-%m-%d %H:%M}" if zh else f"next on: {opens:%a %d %b %H:%M}")
    else:
        out.print("[yellow]再也不会开播[/]" if zh else "[yellow]it is never on the air again[/]")


def _how_often(item: object, zh: bool) -> list[str]:
    from mien.live.order import Item

    assert isinstance(item, Item)
    said = []
    if item.times > 1:
        said.append(f"连说 {item.times} 遍" if zh else f"{item.times} times")
    if item.every_rounds > 1:
        said.append(f"每 {item.every_rounds} 轮" if zh else f"every {item.every_rounds} rounds")
    if item.every_sec is not None:
        every = item.every_sec / 60
        said.append(f"至少每 {every:g} 分钟" if zh else f"at least every {every:g} min")
    if len(item.texts) > 1:
        kind = ("随机", "shuffled") if item.shuffled else ("轮流", "in turn")
        said.append(kind[0] if zh else kind[1])
    if item.hours.windows:
        said.append("限时段" if zh else "at its hours")
    return said


@live_app.command()
def example(
    kind: Annotated[
        Literal["showcase", "museum"], typer.Argument(help="A product showcase or a museum guide.")
    ] = "showcase",
    language: Annotated[
        str | None, typer.Option("--language", help="zh or en; without it the system decides.")
    ] = None,
) -> None:
    """Print a running order to begin with: mien live example > order.toml. 节目单示例。"""
    from importlib import resources

    spoken = language or ("zh" if chinese() else "en")
    if spoken not in ("zh", "en"):
        raise refused(f"--language {spoken}: zh or en")
    file = resources.files("mien") / "assets" / "live" / f"{kind}.{spoken}.toml"
    # Not the console's: it would break lines.
    typer.echo(file.read_text(encoding="utf-8"), nl=False)


@live_app.command()
def connect(
    platform: Annotated[Literal["twitch", "youtube"], typer.Argument(help="Whose chat it is.")],
    name: Annotated[str, typer.Argument(help="The channel on Twitch; the video on YouTube.")],
    to: Annotated[
        str, typer.Option("--to", help="Where mien runs.", envvar="MIEN_URL")
    ] = "http://localhost:8000",
    session: Annotated[str, typer.Option(help="Which session answers.")] = "live",
    token: Annotated[
        str | None, typer.Option(help="Of that server.", envvar="MIEN_TOKEN", show_default=False)
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="Another address of the platform, e.g. irc://localhost:6667.")
    ] = None,
) -> None:
    """Read a live chat and hand what viewers write to the host. 接入直播间弹幕。

    [bold]Examples[/]

      mien live connect twitch mychannel            no account, no key

      YOUTUBE_API_KEY=… mien live connect youtube https://youtu.be/VIDEO
    """
    from mien.live.chat.connector import ChatError, keep_reading, reader_of
    from mien.live.chat.post import Poster

    async def read() -> None:
        async with Poster(to, session, token) as poster:
            reader = reader_of(f"{platform}:{name}", server)
            await poster.check()
            await keep_reading(reader, poster.deliver, lambda: _joined(reader.label), _trouble)

    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(read())
    except ChatError as error:
        raise refused(error) from None


def _joined(label: str) -> None:
    out.print(
        f"已接入 {label}（Ctrl-C 结束）" if chinese() else f"reading {label} (Ctrl-C ends it)"
    )


def _trouble(error: Exception, wait: float) -> None:
    zh = getattr(error, "zh", "") if chinese() else ""
    out.print(f"[yellow]{escape(zh or str(error))}[/] · {wait:g} s")
