"""``mien say``."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from mien.commands.bar import bar_if_slow, progress_bar
from mien.commands.words import chinese
from mien.config import Settings
from mien.language import detect_language
from mien.media.recipe import recipe_for
from mien.say import speak_file, speak_text, write_file
from mien.services import Services, open_services

console = Console(stderr=True, highlight=False)


def say_to_file(settings: Settings, text: str, output: Path, transparent: bool = False) -> None:
    """Say ``text`` (or what a sound file or stdin holds) into ``output``, with a progress bar.

    transparent: without anything behind the figure; the file keeps its alpha.

    Raises:
        ValueError: when there is nothing to say or a file is not what it should be.
        OSError: when a file cannot be read or written.
    """
    recipe_for(output, transparent)  # a wrong name is told at once
    sound = _sound_file(text)
    if sound is None:
        text = sys.stdin.read() if text == "-" else text
        if not text.strip():
            raise ValueError("there is nothing to say: the text is empty")
    started = time.perf_counter()
    seconds = asyncio.run(_say(settings, text, sound, output, transparent))
    took = time.perf_counter() - started
    console.print(
        f"[green]{output}[/]: {seconds:.1f} s in {took:.1f} s "
        f"({seconds / took:.1f}× real time, start-up included)"
    )


def _sound_file(text: str) -> Path | None:
    """The file, when the text names one that a sound may be in."""
    if len(text) > 1000 or "\n" in text:
        return None
    path = Path(text)
    if path.suffix.lower() in (".wav", ".mp3", ".m4a", ".ogg", ".opus", ".flac", ".webm"):
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {text}")
        return path
    return None


def _tell_speaker(services: Services, name: str) -> None:
    """Another voice speaks than before: the recording is not what was asked for."""
    about, language = services.voices.about(services.voice.name, name), "zh" if chinese() else "en"
    wanted, speaker = about["wanted_label"][language], about["label"][language]
    if about["why"] is None:
        text = f"{speaker} speaks again." if language == "en" else f"{speaker} 已恢复。"
    elif language == "en":
        text = f"{wanted} cannot speak, so {speaker} goes on: {about['why']['en']}"
    else:
        text = f"{wanted} 无法使用，由 {speaker} 接着说：{about['why']['zh']}"
    console.print(f"[yellow]{escape(text)}[/]", soft_wrap=True)


async def _say(
    settings: Settings, text: str, sound: Path | None, output: Path, transparent: bool
) -> float:
    async with AsyncExitStack() as stack:
        with bar_if_slow(console) as preparing:
            services = await stack.enter_async_context(open_services(settings, preparing))
            # However long a voice takes to load: nobody waits for a recording as for an answer.
            await services.warming
        with progress_bar(console) as progress:
            bar = progress.add_task(output.name, total=1.0)

            def on_progress(done: float) -> None:
                progress.update(bar, completed=done)

            spoken = services.persona.language if sound else detect_language(text)
            language = settings.language or spoken
            if sound is not None:
                speech = speak_file(sound, on_progress)
            else:
                speech = speak_text(
                    services, text, language, on_progress, partial(_tell_speaker, services)
                )
            return await write_file(services, speech, output, transparent, language)
