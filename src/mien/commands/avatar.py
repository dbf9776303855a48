"""``mien avatar …``."""

from __future__ import annotations

import typer

from mien.commands.avatar_create import create

avatar_app = typer.Typer(
    help="Your avatars: make one from a photo. 形象管理。",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
avatar_app.command()(create)


@avatar_app.callback()
def avatar() -> None:
    """Your avatars: make one from a photo. 形象管理。"""
