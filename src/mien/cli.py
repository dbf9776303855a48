"""The command line. Each command imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from mien import __version__
from mien.commands.avatar import avatar_app
from mien.commands.knowledge import knowledge_app
from mien.commands.live import live_app
from mien.commands.memory import memory_app
from mien.commands.models import models_app
from mien.commands.personas import personas_app
from mien.commands.words import chinese
from mien.config import ConfigError, load_settings

app = typer.Typer(
    name="mien",
    help="A real-time digital human: an LLM answers, a voice says it, a face says it. 实时数字人。",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True)

AvatarOption = Annotated[
    str | None, typer.Option("--avatar", help="Presenter by name, or the path of a folder. 形象")
]
BackgroundOption = Annotated[
    str | None,
    typer.Option("--background", help="soft, green, a colour (#1b2a3c) or a picture file. 背景"),
]
BlurOption = Annotated[
    float | None, typer.Option("--blur", min=0, max=1, help="Of a background picture, 0 to 1.")
]
SizeOption = Annotated[
    str | None, typer.Option("--size", help="Picture in pixels, e.g. 720x1280. 画面尺寸")
]
VoiceOption = Annotated[
    str | None,
    typer.Option("--voice", help="Voice by name, or several: the first that can speaks. 音色"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; without it ./mien.toml is read if there is one."),
]
LanguageOption = Annotated[
    str | None, typer.Option("--language", help="zh or en; without it the text or page decides.")
]


def fail(error: Exception | str) -> typer.Exit:
    """Print an error for a person, in Chinese where it knows how; raise what is returned."""
    words = (getattr(error, "zh", "") if chinese() else "") or str(error)
    errors.print(f"[bold red]mien:[/] {escape(words)}", highlight=False, soft_wrap=True)
    return typer.Exit(2)


def quiet_logs(verbose: bool) -> None:
    """Keep libraries' chatter away from people who did not ask for it."""
    from loguru import logger

    logger.remove()
    # Without diagnose: a traceback that shows variables would show stream keys.
    logger.add(sys.stderr, level="DEBUG" if verbose else "WARNING", diagnose=False)


def read_settings(config: Path | None, given: dict[str, Any]) -> Any:
    try:
        return load_settings(config, **given)
    except ConfigError as error:
        raise fail(error) from None


def check_script(path: Path) -> None:
    """Say what is wrong with a running order before anything large is loaded."""
    from mien.live.errors import LiveError
    from mien.live.order_file import load_order

    try:
        load_order(path)
    except LiveError as error:
        raise fail(error) from None


def read_size(size: str | None) -> dict[str, str]:
    """The settings that "720x1280" stands for."""
    if size is None:
        return {}
    width, cross, height = size.lower().replace("×", "x").partition("x")
    if not (cross and width.strip().isdigit() and height.strip().isdigit()):
        raise fail(f"--size {size!r}: expected WIDTHxHEIGHT in pixels, e.g. 720x1280")
    return {"width": width, "height": height}


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


@app.command()
def run(
    avatar: AvatarOption = None,
    voice: VoiceOption = None,
    persona: Annotated[
        str | None,
        typer.Option("--persona", help="Who it is, by name or file (mien personas). 人设"),
    ] = None,
    llm: Annotated[
        str | None,
        typer.Option(
            "--llm",
            help="glm, deepseek, qwen, ollama or openai (the key is read from the environment, "
            "e.g. ZHIPUAI_API_KEY); without it the built-in script answers. 语言模型",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model name, if not the usual one.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Address of an OpenAI-compatible service.")
    ] = None,
    language: LanguageOption = None,
    background: BackgroundOption = None,
    blur: BlurOption = None,
    size: SizeOption = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; beyond this machine a token is asked for."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port, 8000 unless said otherwise.")] = None,
    publish: Annotated[
        list[str] | None,
        typer.Option(
            "--publish",
            metavar="ADDRESS",
            help="Go on the air there: rtmp(s)://server/app/key, whip:https://…, record:mp4, "
            "record:webm or camera; several times for several. 推流地址",
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script",
            metavar="FILE",
            help="Speak this running order in a loop and answer viewers (mien live --help). 节目单",
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = False,
    config: ConfigOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log everything.")] = False,
) -> None:
    """Serve the talking presenter at http://localhost:8000. 启动网页数字人。

    [bold]Examples[/]

      mien run                                   built-in brain, no key, no GPU

      ZHIPUAI_API_KEY=… mien run --llm glm       Zhipu GLM answers

      mien run --llm openai --base-url http://localhost:8080/v1 --model my-model

      mien run --persona lin                     a guide that answers from your documents

      mien run --publish rtmp://localhost/live/mien           on the air, whoever watches

      MIEN_STREAM_KEY=… mien run --publish rtmps://server/app --publish record:mp4

      mien run --publish rtmp://localhost/live/mien --script order.toml    an unattended stream
    """
    quiet_logs(verbose)
    given: dict[str, Any] = {
        "avatar": avatar,
        "voice": voice,
        "persona": persona,
        "language": language,
        "host": host,
        "port": port,
        "background": background,
        "background_blur": blur,
        "video": read_size(size),
        "llm": {"name": llm, "model": model, "base_url": base_url},
        "outputs": [{"url": url} for url in publish] if publish else None,
        "live": {"script": script},
    }
    settings = read_settings(config, given)
    if settings.live.script is not None:
        check_script(settings.live.script)
    from mien.server.serve import ServeError, serve

    try:
        serve(settings, open_page)
    except ServeError as error:
        raise fail(error) from None


@app.command()
def say(
    text: Annotated[
        str, typer.Argument(help="What to say; a .wav (or other sound) file; or - for stdin.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Video file to write: .mp4, .mov, .mkv or .webm."),
    ] = Path("out.mp4"),
    avatar: AvatarOption = None,
    voice: VoiceOption = None,
    language: LanguageOption = None,
    background: BackgroundOption = None,
    blur: BlurOption = None,
    size: SizeOption = None,
    transparent: Annotated[
        bool, typer.Option("--transparent", help="Nothing behind the figure (.webm, .mov). 透明")
    ] = False,
    config: ConfigOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log everything.")] = False,
) -> None:
    """Say something into a video file, faster than real time. 生成一段说话视频。

    [bold]Examples[/]

      mien say "你好，很高兴见到你。" -o hello.mp4

      mien say speech.wav -o speech.mp4          lips follow a recording

      echo "Good morning." | mien say - -o morning.mp4

      mien say "你好。" --transparent -o hello.webm   for editing or a web page
    """
    quiet_logs(verbose)
    if transparent and (background is not None or blur is not None):
        raise fail("--transparent leaves out what is behind the figure: drop --background, --blur")
    given: dict[str, Any] = {
        "avatar": avatar,
        "voice": voice,
        "language": language,
        "background": background,
        "background_blur": blur,
        "video": read_size(size),
    }
    settings = read_settings(config, given)
    from mien.commands.say import say_to_file
    from mien.tts.voice import VoiceError

    try:
        say_to_file(settings, text, output, transparent)
    except (ValueError, OSError, VoiceError) as error:
        raise fail(error) from None


@app.command()
def doctor(
    json_output: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    config: ConfigOption = None,
) -> None:
    """Check this machine: what works, what is missing, and the command that fixes it. 自检。"""
    quiet_logs(False)
    settings = read_settings(config, {})
    from mien.commands.doctor import examine, report

    raise typer.Exit(report(examine(settings), json_output))


@app.command()
def voices(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts.")] = False,
    voice: VoiceOption = None,
    config: ConfigOption = None,
) -> None:
    """Every voice there is: which can speak now, and how to get the others. 列出所有声音。"""
    quiet_logs(False)
    settings = read_settings(config, {"voice": voice})
    from mien.commands.voices import show_voices

    try:
        show_voices(settings, as_json)
    except ConfigError as error:
        raise fail(error) from None


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to search for, in quotation marks. 搜索内容")],
    provider: Annotated[
        str | None,
        typer.Option(
            help="searxng, zhipu, bocha, tavily or ddgs, or a table of yours; several with commas."
        ),
    ] = None,
    read: Annotated[
        bool, typer.Option("--read", help="Read the pages, too, and show what a model would get.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts.")] = False,
    config: ConfigOption = None,
) -> None:
    """Search the web as the presenter does: who answers, and with what. 网页搜索。

    A service is set up by its key in the environment, see docs/web-search.md. Without one, search
    engines are read as a browser would (ddgs), which they may refuse.

    [bold]Examples[/]

      mien search "上海明天天气"

      mien search "weather in Paris" --read       with the passages a model is shown

      TAVILY_API_KEY=… mien search "Mars rover" --provider tavily
    """
    quiet_logs(False)
    names = [name.strip() for name in (provider or "").split(",") if name.strip()]
    settings = read_settings(config, {"search": {"providers": names or None}})
    from mien.commands.search import search_web
    from mien.search.contract import SearchError

    try:
        search_web(settings, query, read, as_json)
    except (ConfigError, SearchError) as error:
        raise fail(error) from None


app.add_typer(avatar_app, name="avatar")
app.add_typer(models_app, name="models")
app.add_typer(live_app, name="live")
app.add_typer(memory_app, name="memory")
app.add_typer(knowledge_app, name="knowledge")
app.add_typer(personas_app, name="personas")


def add_bench() -> None:
    from mien.bench.cli import bench_app

    app.add_typer(bench_app, name="bench")


if sys.argv[1:2] in ([], ["bench"], ["--help"]):  # its imports cost half a second
    add_bench()
