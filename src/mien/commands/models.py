"""``mien models …``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.bar import progress_bar
from mien.commands.models_list import list_
from mien.commands.models_optimize import optimize
from mien.commands.models_prune import prune
from mien.commands.models_pull import pull
from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.models.errors import ModelError
    from mien.models.store import Installed

errors = Console(stderr=True, highlight=False)

models_app = typer.Typer(
    help="Models that are fetched, not shipped: lips, voices and what they need. 模型管理。\n\n"
    "list says what there is and what is here, pull brings one, verify and prune look after them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

models_app.command("list")(list_)
models_app.command()(pull)
models_app.command()(optimize)


@models_app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="All that are here if left out. 不填则校验全部已安装的模型"),
    ] = None,
) -> None:
    """Read every byte of the models that are here: are they as they came? 校验模型。

    Also of what was unpacked from an archive. The exit status is 1 where one is not.
    逐字节检查，包括解压出的文件；有损坏时退出状态为 1。

    [bold]Examples[/]

      mien models verify

      mien models verify matcha-icefall-zh-en
    """
    from mien.models.catalogue import model
    from mien.models.errors import ModelError
    from mien.models.store import all_installed, installed

    try:
        if names:
            wanted = [model(name) for name in names]
            found = [(one.name, installed(one.name)) for one in wanted]
        else:
            found = [(one.name, one) for one in all_installed()]
    except ModelError as error:
        raise refused(error) from None
    if not found:
        errors.print("No model is here. 没有已安装的模型。")
    broken = [name for name, here in found if not _sound(name, here)]
    raise typer.Exit(1 if broken else 0)


def _sound(name: str, here: Installed | None) -> bool:
    """Check one model and print what was found."""
    from mien.models.catalogue import model
    from mien.models.store import missing
    from mien.models.verify import verify

    if here is None:
        print(f"✗ {_words(missing(model(name)))}")
        return False
    with progress_bar(errors) as progress:
        bar = progress.add_task(name, total=1.0)
        wrong = verify(here, lambda share: progress.update(bar, completed=share))
    if wrong is not None:
        print(f"✗ {_words(wrong)}")
        return False
    if all(file.known for file in here.files):
        said = "与发布的一致" if chinese() else "as published"
    else:
        said = (
            "与获取时一致（无公开的 SHA-256）" if chinese() else "as it came (no published SHA-256)"
        )
    print(f"✓ {name}: {said}")
    return True


def _words(error: ModelError) -> str:
    return error.zh if chinese() else error.en


models_app.command()(prune)


@models_app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Of a model, as the list has it. 模型名称")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. 不再询问")] = False,
) -> None:
    """Delete a model, also one that is half fetched. 删除模型。

    [bold]Examples[/]

      mien models delete wav2lip256
    """
    from mien.models.catalogue import model
    from mien.models.errors import ModelError
    from mien.models.store import delete as forget
    from mien.models.store import store_folder

    try:
        folder = store_folder() / model(name).name
        if not yes and not typer.confirm(f"Delete {folder}?"):
            raise typer.Exit(1)
        forget(name)
    except ModelError as error:
        raise refused(error) from None
    errors.print(f"[green]deleted[/] {escape(str(folder))}")
