"""``mien avatar …``."""

from __future__ import annotations

import typer

from mien.commands.avatar_create import create
from mien.commands.avatar_list import delete, list_
from mien.commands.avatar_show import show

avatar_app = typer.Typer(
    help="See your avatars, make one from a photo or a clip, delete one. 形象管理。",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
avatar_app.command("list")(list_)
avatar_app.command()(show)
avatar_app.command()(create)
avatar_app.command()(delete)
