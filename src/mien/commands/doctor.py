"""``mien doctor``: what works here, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import platform
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from importlib import metadata

import av
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien import __version__
from mien.avatar.library import list_avatars, load_avatar
from mien.commands.doctor_mind import examine_mind
from mien.commands.finding import Finding
from mien.config import ConfigError, Settings
from mien.ears import BROWSER, Ears, ListedRecognizer
from mien.lipsync.wav2lip.backends import Found, available
from mien.llm import create_brain
from mien.llm.presets import PRESETS
from mien.mouths import Mouths
from mien.services import llm_settings, needs_weights
from mien.tts.normalize import prepare
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run
from mien.voices import chain_of, make_voice

LIBRARIES = ("pipecat-ai", "aiortc", "av", "opencv-python-headless", "numpy", "wetext", "fastapi")
CODECS = (("libx264", "H.264 pictures"), ("libopus", "Opus sound"), ("aac", "AAC in files"))


def examine(settings: Settings) -> list[Finding]:
    """Look at everything the settings would use."""
    findings = [_python(), *map(_library, LIBRARIES), *(_codec(*codec) for codec in CODECS)]
    findings += [_port(settings), _udp()]
    findings += _voices(settings)
    findings += _ears(settings)
    findings += [_attempt(a.name, "avatar", partial(_look, a.name)) for a in list_avatars()]
    findings.append(_attempt("text normaliser", "library", _normalise))
    findings += [_wav2lip_weights(settings), *map(_wav2lip_library, available())]
    findings += [_brain(settings, name) for name in PRESETS]
    findings += examine_mind(settings)
    return findings


def report(findings: list[Finding], as_json: bool) -> int:
    """Print the findings; the exit status is 1 when something needed is missing."""
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        table = Table(title=f"mien {__version__} doctor", title_justify="left")
        for column in ("", "what", "kind", "found / how to fix"):
            table.add_column(column)
        for finding in findings:
            sign = "[green]✓[/]" if finding.ready else "[red]✗[/]" if finding.needed else "–"
            said = escape(finding.why_not or finding.detail)
            table.add_row(sign, escape(finding.name), finding.kind, said)
        Console().print(table)
    broken = [finding for finding in findings if finding.needed and not finding.ready]
    return 1 if broken else 0


def _attempt(name: str, kind: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, kind, True, check())
    except Exception as error:  # whatever is wrong with it is exactly what is asked for
        return Finding(name, kind, False, why_not=str(error) or type(error).__name__)


def _python() -> Finding:
    detail = f"Python {platform.python_version()} on {platform.platform()}"
    fine = sys.version_info >= (3, 11)
    return Finding("python", "system", fine, detail, None if fine else "needs Python 3.11 or newer")


def _library(name: str) -> Finding:
    try:
        return Finding(name, "library", True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "library", False, why_not=f"not installed: pip install {name}")


def _codec(name: str, purpose: str) -> Finding:
    ready = name in av.codecs_available
    why_not = f"no {name} for {purpose}: pip install --force-reinstall av"
    return Finding(name, "codec", ready, purpose, None if ready else why_not)


def _port(settings: Settings) -> Finding:
    name = f"TCP {settings.host}:{settings.port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            why_not = f"{error.strerror}; choose another: mien run --port {settings.port + 1}"
            return Finding(name, "network", False, why_not=why_not, needed=False)
    return Finding(name, "network", True, "free")


def _udp() -> Finding:
    """WebRTC needs an address other than 127.0.0.1 to offer."""
    from aioice.ice import get_host_addresses

    addresses = get_host_addresses(use_ipv4=True, use_ipv6=False)
    why_not = "no network address besides 127.0.0.1: connect to a network (WebRTC offers none)"
    return Finding(
        "UDP for WebRTC",
        "network",
        bool(addresses),
        ", ".join(addresses),
        None if addresses else why_not,
    )


def _voices(settings: Settings) -> list[Finding]:
    try:
        chain = chain_of(settings.voice, settings.voices)
    except ConfigError as error:
        return [Finding("voice", "voice", False, why_not=str(error))]
    found = [
        replace(_attempt(name, "voice", partial(_speak, name, each)), needed=False)
        for name, each in chain.items()
    ]
    able = any(finding.ready for finding in found)
    why_not = None if able else "none of them can speak; see above"
    return [*found, Finding("voices, in order", "voice", able, " → ".join(chain), why_not)]


def _speak(name: str, settings: VoiceSettings) -> str:
    async def speak() -> float:
        voice = make_voice(name, settings)
        try:
            samples = 0
            async for chunk in voice.speak([Run("zh", "你好"), Run("en", "hello")]):
                samples += len(chunk.pcm)
            return samples / voice.sample_rate
        finally:
            await voice.aclose()

    seconds = asyncio.run(speak())
    if seconds < 0.2:
        raise RuntimeError("it says nothing")
    return f"speaks zh, en ({seconds:.1f} s test)"


def _ears(settings: Settings) -> list[Finding]:
    """Which recognisers could listen. None has to: people can type, or let their browser listen."""
    try:
        ears = Ears(settings.ears.asr, settings.ears.recognizers)
    except ConfigError as error:
        return [Finding("ears", "ears", False, why_not=str(error))]

    async def listed() -> list[ListedRecognizer]:
        try:
            return await ears.listed()
        finally:
            await ears.aclose()

    return [_listener(each, settings.ears.asr) for each in asyncio.run(listed())]


def _listener(found: ListedRecognizer, wanted: str) -> Finding:
    detail = f"understands {', '.join(found.languages)}"
    if found.name == BROWSER:
        detail += "; if the visitor's browser can"
    why_not = None if found.why is None else found.why["en"]
    needed = found.name == wanted
    return Finding(found.name, "ears", found.available, detail, why_not, needed)


def _look(name: str) -> str:
    avatar = load_avatar(name)
    return "×".join(map(str, avatar.size))


def _wav2lip_weights(settings: Settings) -> Finding:
    name, needed = "Wav2Lip weights", needs_weights(settings)
    try:
        detail = Mouths(settings.lipsync).described()
    except ValueError as error:  # only clips need them
        return Finding(name, "lip-sync", False, why_not=str(error), needed=needed)
    return Finding(name, "lip-sync", True, detail, needed=needed)


def _wav2lip_library(found: Found) -> Finding:
    ways = ", ".join(f"{choice.precision} on {choice.device}" for choice in found.choices)
    why_not = found.why_not or None
    return Finding(f"Wav2Lip by {found.library}", "lip-sync", not why_not, ways, why_not, False)


def _normalise() -> str:
    prepared = prepare("今天23℃", "zh")
    return "".join(run.text for run in prepared.runs)


def _brain(settings: Settings, name: str) -> Finding:
    try:
        create_brain(name, llm_settings(settings, "en"))
    except Exception as error:
        return Finding(name, "brain", False, why_not=str(error), needed=settings.llm.name == name)
    return Finding(name, "brain", True, "configured", needed=settings.llm.name == name)
