"""Running the server for a person at a terminal."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import sys
import webbrowser
from contextlib import AsyncExitStack, suppress

import uvicorn
from rich.console import Console
from rich.markup import escape

from mien.commands.bar import bar_if_slow
from mien.commands.words import chinese
from mien.config import Settings
from mien.server.access import is_loopback
from mien.server.air_log import AirLog
from mien.server.app import create_app
from mien.server.live import LIVE
from mien.server.uvicorn_config import uvicorn_config
from mien.services import Services, open_services

console = Console(stderr=True, highlight=False)


class ServeError(Exception):
    """The server cannot start; the message says what to do. zh: the same in Chinese, or ""."""

    def __init__(self, message: str, zh: str = "") -> None:
        super().__init__(message)
        self.zh = zh


def serve(settings: Settings, open_page: bool = False) -> None:
    """Serve until interrupted (Ctrl-C or SIGTERM).

    Raises:
        ServeError: when the port is taken or a setting is wrong.
    """
    if not is_loopback(settings.host) and settings.token is None:
        settings = settings.model_copy(update={"token": secrets.token_urlsafe(18)})
    listener = _listen(settings)
    port = int(listener.getsockname()[1])
    shown = "localhost" if is_loopback(settings.host) else _own_address(settings.host)
    address = f"http://{shown}:{port}/"
    if settings.token is not None:
        address += f"?token={settings.token}"
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, listener, address, open_page))
    finally:
        gc.unfreeze()  # or what was alive at the start is never freed, as soxr complains


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ServeError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}). "
            f"Is mien running already? Another port: mien run --port {settings.port + 1}"
        ) from None
    return listener


async def _serve(
    settings: Settings, listener: socket.socket, address: str, open_page: bool
) -> None:
    try:
        async with AsyncExitStack() as stack:
            with bar_if_slow(console) as on_progress:
                services = await stack.enter_async_context(open_services(settings, on_progress))
            await _serve_with(settings, services, listener, address, open_page)
    except ValueError as error:  # what is wrong with the settings, in words
        raise ServeError(str(error), getattr(error, "zh", "")) from None


async def _serve_with(
    settings: Settings,
    services: Services,
    listener: socket.socket,
    address: str,
    open_page: bool,
) -> None:
    server = uvicorn.Server(uvicorn_config(create_app(settings, services, AirLog(_tell))))
    running = asyncio.create_task(server.serve([listener]), name="uvicorn")
    announcing = asyncio.create_task(
        _announce(settings, server, services, address, open_page), name="announce"
    )
    try:
        await running
    except SystemExit:
        # uvicorn leaves this way when the lifespan fails; it has logged why.
        raise ServeError("the server did not start; the reason is above") from None
    finally:
        announcing.cancel()
        with suppress(asyncio.CancelledError):
            await announcing


async def _announce(
    settings: Settings,
    server: uvicorn.Server,
    services: Services,
    address: str,
    open_page: bool,
) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
        await asyncio.sleep(0.02)
    # What is alive now stays; not scanning it again keeps collections short (a full one over
    # all imports takes 100 ms, three ticks).
    gc.collect()
    gc.freeze()
    console.print(f"[bold green]mien is ready[/]  →  [bold]{address}[/]   (Ctrl-C ends it)")
    if settings.outputs or settings.live.script or settings.live.chat:
        console.print(f"the live session  →  {_on_live(address)}", soft_wrap=True)
    if open_page and _has_screen():
        await asyncio.to_thread(webbrowser.open, address)
    await services.warming
    for name, error in services.voice.failures().items():
        why = f"声音 {name} 暂时无法使用：{error.zh}" if chinese() else f"voice {name}: {error}"
        console.print(f"[yellow]{escape(why)}[/]", soft_wrap=True)


def _on_live(address: str) -> str:
    """The page's address, on the live session."""
    return f"{address}{'&' if '?' in address else '?'}session={LIVE}"


def _tell(line: str, bad: bool) -> None:
    console.print(f"[yellow]{escape(line)}[/]" if bad else escape(line), soft_wrap=True)


def _has_screen() -> bool:
    """Without one, "the browser" would be a text browser in this very terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _own_address(host: str) -> str:
    """An address others can type: 0.0.0.0 is not one."""
    if host not in ("0.0.0.0", "::"):
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # no packet is sent; the route's own address is told
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
