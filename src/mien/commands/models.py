"""``mien models …``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien.commands.bar import progress_bar
from mien.commands.models_optimize import optimize
from mien.commands.models_pull import pull
from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.models.store import Installed

errors = Console(stderr=True, highlight=False)

models_app = typer.Typer(
    help="Models that are fetched, not shipped: list, pull, optimize, verify. 模型管理。",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. size: bytes, as it is here or as it will be; None where nobody says.
    why_not: what fetches it; None when it is here. sha256, source: of the file that is here."""

    name: str
    kind: str
    ready: bool
    purpose: str
    licence: str
    non_commercial: bool
    size: int | None
    path: str | None = None
    sha256: str | None = None
    source: str | None = None
    why_not: str | None = None


@models_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts.")] = False,
) -> None:
    """Every model there is, and whether it is here. 列出所有模型。"""
    from mien.models.store import store_folder

    entries = _entries()
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2))
        return
    table = Table(caption=f"They lie in {escape(str(store_folder()))}", caption_justify="left")
    for column in ("", "name", "for", "licence", "MB", "file / how to get it"):
        table.add_column(column, overflow="fold", no_wrap=column in ("name", "MB"))
    for entry in entries:
        table.add_row(
            "[green]✓[/]" if entry.ready else "–",
            entry.name,
            escape(entry.purpose),
            escape(entry.licence),
            f"{entry.size / 1e6:.0f}" if entry.size else "?",
            escape(entry.path or f"mien models pull {entry.name}"),
        )
    Console().print(table)


def _entries() -> list[Entry]:
    from mien.models.catalogue import catalogue
    from mien.models.store import installed, missing

    entries = []
    for model in catalogue().values():
        found, licence = installed(model.name), model.licence
        about = (model.zh if chinese() else model.en, licence.name, licence.non_commercial)
        if found is None:
            why = missing(model)
            words = why.zh if chinese() else why.en
            entries.append(Entry(model.name, model.kind, False, *about, model.size, why_not=words))
        else:
            file = found.files[0]
            size = sum(kept.size for kept in found.files)
            where = (str(found.path), file.sha256, file.source)
            entries.append(Entry(model.name, model.kind, True, *about, size, *where))
    return entries


models_app.command()(pull)
models_app.command()(optimize)


@models_app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="All that are here if left out.")
    ] = None,
) -> None:
    """Read every byte of the models that are here: are they as they came? 校验模型。"""
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
    from mien.models.store import missing, verify

    if here is None:
        print(f"✗ {missing(model(name)).en}")
        return False
    with progress_bar(errors) as progress:
        bar = progress.add_task(name, total=1.0)
        wrong = verify(here, lambda share: progress.update(bar, completed=share))
    if wrong is not None:
        print(f"✗ {name}: {wrong}. Fetch it again: mien models pull {name} --again")
        return False
    known = all(file.known for file in here.files)
    print(f"✓ {name}: " + ("as published" if known else "as it came (no published SHA-256)"))
    return True


@models_app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Of a model, as the list has it. 模型名称")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a model, also one that is half fetched. 删除模型。"""
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
