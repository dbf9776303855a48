"""``mien memory …``: for who runs the server. Users see and erase theirs in the page."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.memory.store import MemoryStore
    from mien.memory.users import User
    from mien.mind_settings import MemorySection

console = Console(stderr=True, highlight=False)

memory_app = typer.Typer(
    help="What is remembered of visitors who wish it: who, how much; export, erase. 记忆管理。\n\n"
    "Users are named by the beginning of the hash of their key; the key itself is not kept.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

PREFIX = 12
_HEADS = ("user", "since", "last here", "language", "facts", "messages")
_HEADS_ZH = ("用户", "首次", "最近来访", "语言", "事实", "消息")
FIRST_COUNT = 4
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts. 仅输出 JSON")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; without it ./mien.toml is read if there is one."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. 不再询问")]


@memory_app.command("list")
def list_(as_json: AsJson = False, config: ConfigOption = None) -> None:
    """Who is remembered, since when, and how much; nothing of what they said. 列出用户。"""
    from mien.memory import users

    with _store(config) as (store, section):
        found = [] if store is None else store.call(users.listed)
    if as_json:
        print(json.dumps([_as_json(user) for user in found], indent=2))
        return
    table = Table()
    heads = _HEADS_ZH if chinese() else _HEADS
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number >= FIRST_COUNT else "left")
    for user in found:
        table.add_row(
            user.hash[:PREFIX],
            _day(user.created),
            _day(user.last_seen),
            user.language,
            str(user.facts),
            str(user.turns),
        )
    Console().print(table)
    console.print(
        f"超过 {section.keep_days:g} 天未出现的用户会被忘记。"
        if chinese()
        else f"Whoever is not here for {section.keep_days:g} days is forgotten."
    )


@memory_app.command()
def export(
    user: Annotated[str, typer.Argument(help="The beginning of a user's hash, see list. 用户")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; else standard output.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """All that is remembered of one user, as JSON that POST /api/v1/memory takes. 导出。

    [bold]Example[/]

      mien memory export 3f2a -o memory.json
    """
    from mien.memory import transfer

    with _store(config) as (store, _):
        found = _one(store, user)
        assert store is not None
        text = store.call(transfer.export, found.hash).model_dump_json(indent=1)
    if output is None:
        print(text)
        return
    try:
        _write(output, text)
    except OSError as error:
        raise refused(f"{output}: {error.strerror or error}") from None


@memory_app.command()
def erase(
    user: Annotated[
        str | None, typer.Argument(help="The beginning of a user's hash, see list. 用户")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody. 所有用户")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    config: ConfigOption = None,
) -> None:
    """Forget a user: afterwards no file holds a byte of it. A server may be running. 彻底删除。

    Sessions in which the user is talking remember nothing from then on.

    [bold]Examples[/]

      mien memory erase 3f2a

      mien memory erase --all --yes
    """
    from mien.memory import users

    if everybody == (user is not None):
        raise refused("name a user, or say --all 请指定用户，或使用 --all")
    with _store(config) as (store, _):
        if everybody:
            found = [] if store is None else store.call(users.listed)
        else:
            found = [_one(store, user or "")]
        if found and not yes:
            _ask(found)
        if store is not None:
            for one in found:
                store.call(users.erase, one.hash)
            store.scrub()  # of all of them, and of an earlier time if somebody was reading then
    _report("erased", len(found), "已删除 {} 位用户", as_json)


@memory_app.command()
def expire(
    days: Annotated[
        float | None,
        typer.Option("--days", min=0, help="Instead of memory.keep_days; asks if fewer. 天数"),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    config: ConfigOption = None,
) -> None:
    """Forget whoever has not been here for memory.keep_days, as a server does daily. 清理过期。"""
    from mien.memory import users

    with _store(config) as (store, section):
        gone = 0
        if store is not None:
            keep_days = section.keep_days if days is None else days
            if keep_days < section.keep_days and not yes:
                before = time.time() - keep_days * 86_400
                found = [one for one in store.call(users.listed) if one.last_seen < before]
                if found:
                    _ask(found)
            gone = store.expire(keep_days)
    _report("erased", gone, "已忘记 {} 位用户", as_json)


@contextmanager
def _store(config: Path | None) -> Iterator[tuple[MemoryStore | None, MemorySection]]:
    """The configured one; None when there is no file yet, and none is made."""
    from mien.config import ConfigError, load_settings
    from mien.memory.errors import MemoryStoreError
    from mien.memory.store import MemoryStore, usual_file

    store = None
    try:
        section = load_settings(config).memory
        path = (section.file or usual_file()).expanduser()
        if path.exists():
            store = MemoryStore(path)
        yield store, section
    except (ConfigError, MemoryStoreError) as error:
        raise refused(error.zh if chinese() else str(error)) from None
    finally:
        if store is not None:
            store.close()


def _write(output: Path, text: str) -> None:
    """Nobody else can read it, not even while it is written. Raises OSError."""
    with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        output.chmod(0o600)  # one that was there before
        file.write(text.encode())


def _one(store: MemoryStore | None, prefix: str) -> User:
    from mien.memory import users

    wanted = prefix.strip().lower()
    found = [] if store is None or not wanted else store.call(users.listed, wanted)
    if not found:
        raise refused(
            f"没有以 {prefix} 开头的用户；请先运行 mien memory list"
            if chinese()
            else f"no user begins with {prefix!r}; see mien memory list"
        )
    if len(found) > 1:
        raise refused(
            f"有 {len(found)} 位用户以 {prefix} 开头，请多写几位"
            if chinese()
            else f"{len(found)} users begin with {prefix!r}; write more of it"
        )
    return found[0]


def _ask(found: list[User]) -> None:
    if not sys.stdin.isatty():
        raise refused("nobody can be asked here; say --yes 此处无法询问，请加 --yes")
    facts, turns = (sum(getattr(user, what) for user in found) for what in ("facts", "turns"))
    question = (
        f"彻底删除 {len(found)} 位用户（{facts} 条事实，{turns} 条消息）？无法恢复"
        if chinese()
        else f"Erase {len(found)} user(s): {facts} facts, {turns} messages? It cannot be undone"
    )
    if not typer.confirm(question):
        raise typer.Exit(1)


def _report(key: str, count: int, zh: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({key: count}))
    else:
        console.print(zh.format(count) if chinese() else f"{count} user(s) {key}")


def _as_json(user: User) -> dict[str, object]:
    known = asdict(user)
    del known["id"]
    known["messages"] = known.pop("turns")
    return {"user": known.pop("hash"), **known}


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
