"""``mien avatar show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from mien.commands.words import errors as console
from mien.commands.words import refused

if TYPE_CHECKING:
    from mien.avatar.atlas import AtlasAvatar
    from mien.avatar.contact import Strip
    from mien.language import Language
    from mien.media.tick import Image


# Closed lips, wide and round vowels, lip to teeth, in both languages.
SENTENCES: dict[Language, str] = {
    "zh": "我们慢慢把话说好。",
    "en": "People move five lips.",
}
SHEET_SIZE = (768, 768)
AUDIBLE = 100  # of 32768
MOST_PICTURES = 48  # of a sentence; a longer one shows every second tick, and so on


def show(
    name: Annotated[str, typer.Argument(help="Avatar by name, or the path of a folder. 形象")],
    sheet: Annotated[Path, typer.Option("--sheet", help="Picture to write, .png or .jpg.")] = Path(
        "sheet.png"
    ),
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            help="Of its pictures, e.g. 720x1280; sets the framing. 768x768, or as it was filmed.",
        ),
    ] = None,
    background: Annotated[
        str,
        typer.Option("--background", help="soft, green, a colour such as #1b2a3c, or a picture."),
    ] = "soft",
    blur: Annotated[
        float, typer.Option("--blur", min=0, max=1, help="Of a background picture.")
    ] = 0.0,
    speak: Annotated[
        bool, typer.Option("--speak/--no-speak", help="With two spoken sentences.")
    ] = True,
) -> None:
    """Draw everything an avatar can do onto one picture. 生成形象总览图。

    Head poses to the limits, blinks, glances, brows, every mouth, and the
    pictures of one Chinese and one English sentence as the voice and the lip
    sync make them. Look at it at full size: no seam may show around mouth and
    eyes, no in-between may show two mouths.

    Of a clip: its pictures with the face as it was followed, and a mouth of
    another picture, tinted and blurred, pasted as a painted one would be.

    [bold]Examples[/]

      mien avatar show mei

      mien avatar show ./my-avatar --size 720x1280 --background office.jpg --sheet my.png
    """
    import cv2

    from mien.avatar.background import Background, BackgroundError
    from mien.avatar.clip.avatar import ClipAvatar
    from mien.avatar.errors import AvatarError
    from mien.avatar.library import load_avatar, natural_size
    from mien.avatar.sheet import contact_sheet
    from mien.cli import quiet_logs

    try:
        pixels = _size(size) if size else natural_size(name) or SHEET_SIZE
        avatar = load_avatar(name, pixels, Background.parse(background, blur))
    except (AvatarError, BackgroundError, ValueError) as error:
        raise refused(str(error)) from None
    quiet_logs(False)
    strips = []
    if speak and not isinstance(avatar, ClipAvatar):  # a clip's mouths need an engine's weights
        strips = [spoken(avatar, *sentence) for sentence in SENTENCES.items()]
    picture = contact_sheet(avatar, strips)
    try:
        done = cv2.imwrite(str(sheet), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise refused(f"{sheet} could not be written; end its name in .png or .jpg")
    console.print(f"[green]{escape(str(sheet))}[/]: {picture.shape[1]}×{picture.shape[0]} pixels")


def spoken(avatar: AtlasAvatar, language: Language, text: str) -> Strip:
    """The sentence in the built-in voice, performed as ``mien say`` would."""
    import asyncio

    from mien.avatar.contact import Strip

    ticks = asyncio.run(_performed(avatar, language, text))
    step = -(-len(ticks) // MOST_PICTURES)
    pictures = [(f"{0.04 * i:.2f} s", image) for i, image in enumerate(ticks)][::step]
    every = "every tick" if step == 1 else f"one tick of {step}"
    return Strip(f"spoken, {language}: {every}", pictures)


async def _performed(avatar: AtlasAvatar, language: Language, text: str) -> list[Image]:
    """uint8[H, W, 3] RGB of every tick, from shortly before the first sound to the rest after."""
    from dataclasses import replace

    from mien.config import Settings, load_settings
    from mien.say import perform, speak_text
    from mien.services import open_services

    # The voice alone is wanted: a brain that lacks its key must not matter here.
    settings = Settings(voice=load_settings().voice)
    async with open_services(settings) as services:
        speech = speak_text(services, text, language, lambda _: None)
        played = perform(replace(services, avatar=avatar), speech)
        ticks = [tick async for tick in played]
    heard = [i for i, tick in enumerate(ticks) if abs(tick.audio.astype(int)).max() > AUDIBLE]
    return [tick.image for tick in ticks[max(0, heard[0] - 2) : heard[-1] + 4]]


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not width.isdecimal() or not height.isdecimal():
        raise ValueError(f"size {text!r} must be width x height, such as 720x1280")
    return int(width), int(height)
