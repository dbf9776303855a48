"""Any STT service of pipecat, or made for it, as a recogniser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames.frames import (
    InputAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pydantic import Field

from mien.asr.browser import joined
from mien.asr.contract import AsrError
from mien.asr.pipecat_host import Host
from mien.asr.settings import RecognizerSettings
from mien.asr.stretch import Stretch
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.pipecat_catalog import Family, Recipe, addresses, fields_of, find_service
from mien.tts.reach import reach

# Services that never say "these were the last words" are listened to for as long as pipecat found
# that 99 of 100 final words take, within these limits.
_LEAST_SEC, _MOST_SEC = 0.3, 2.5
# After settled words, further ones come within this, or they were the last.
_MORE_SEC = 0.25


def _error(message: str, zh: str, retryable: bool) -> AsrError:
    return AsrError(message, zh=zh, retryable=retryable)


STT: Family[STTService] = Family("STT", STTService, "recogniser", _error)  # type: ignore[type-abstract]


class PipecatSettings(RecognizerSettings):
    """A service of pipecat, set up as from Python.

    type: a vendor ("deepgram"), a class of pipecat's ("OpenAIRealtimeSTTService") or the path of
    any STT service, "package.module.Class". params: arguments of its constructor. settings: fields
    of its ``Settings``: model, language and so on; without a language it is told the session's.
    api_key_env: the environment variable with the key, if not <VENDOR>_API_KEY. languages: that it
    understands. timeout_sec: how long the words of an utterance may take.
    """

    service: str = "pipecat"
    type: str = ""
    params: dict[str, Any] = Field(default_factory=dict, repr=False)
    settings: dict[str, Any] = Field(default_factory=dict)
    api_key_env: str | None = None
    languages: tuple[Language, ...] = ("zh", "en")
    timeout_sec: float = Field(default=10.0, gt=0, le=300)


class PipecatRecognizer:
    """See ``Recognizer``. Each microphone has a service, with its pipeline, to itself."""

    def __init__(self, name: str, settings: PipecatSettings) -> None:
        """Raises AsrError when it is not said which service."""
        if not settings.type:
            raise _error(
                f'ears.recognizers.{name}.type: which of pipecat\'s services, e.g. "deepgram"; '
                "see docs/ears.md",
                f"ears.recognizers.{name}.type：用哪个服务，例如 deepgram；见 docs/ears.md",
                False,
            )
        self.name = name
        self.languages = frozenset(settings.languages)
        self.streaming = True
        self.label_en = f"{name} ({settings.type}, pipecat)"
        self.label_zh = f"{name}（{settings.type}，pipecat）"
        self._settings = settings
        self._recipes: dict[Language, Recipe[STTService]] = {}
        self._open: set[PipecatRecognition] = set()

    async def check(self) -> None:
        """Whether a vendor would accept the key shows in listening."""
        await asyncio.to_thread(self._prepare)  # imports the vendor's library
        for url in addresses(self._settings.params):
            try:
                await reach(url)
            except OSError as error:
                raise _error(
                    f"{self._settings.type} does not answer at {url}. Start it, or correct the url",
                    f"{self._settings.type} 没有在 {url} 应答。请启动它，或改正地址。",
                    True,
                ) from error

    async def warm_up(self) -> None:
        await self.check()

    def open(self, language: Language, on_partial: Callable[[str], None]) -> PipecatRecognition:
        if not self._recipes:
            self._prepare()
        opened = PipecatRecognition(
            self._recipes[language], on_partial, self._open.discard, self._settings.timeout_sec
        )
        self._open.add(opened)
        return opened

    async def aclose(self) -> None:
        await asyncio.gather(*(recognition.aclose() for recognition in list(self._open)))

    def _prepare(self) -> None:
        settings = self._settings
        service = find_service(STT, settings.type)
        self.streaming = not issubclass(service, SegmentedSTTService)
        recipes: dict[Language, Recipe[STTService]] = {}
        for language in self.languages:
            fields = dict(settings.settings)
            if "language" in fields_of(service):
                fields.setdefault("language", language)
            recipe = Recipe(STT, service, settings.params, fields, api_key_env=settings.api_key_env)
            # Else nobody could tell "it heard no word" from "it is still at it".
            recipe.add("push_empty_transcripts", True)
            # A connection that is lost within an utterance takes what was said with it.
            recipe.add("reconnect_on_error", False)
            recipes[language] = recipe
        self._recipes = recipes


@dataclass(eq=False)
class _Heard:
    """What a service has said of one utterance.

    open: it is in the middle of a stretch of speech. complete: it has said all of what it heard.
    ragged: somebody went on without it, and more may come. asked: how many wait for its words.
    """

    settled: list[str] = field(default_factory=list)
    interim: str = ""
    open: bool = False
    complete: bool = True
    ragged: bool = False
    asked: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stretch: Stretch = field(default_factory=Stretch)

    @property
    def text(self) -> str:
        return joined([*self.settled, self.interim])


class _Line:
    """A service and the utterance that it hears now."""

    def __init__(self, recipe: Recipe[STTService], on_heard: Callable[[_Heard], None]) -> None:
        self.heard = _Heard()
        self._on_heard = on_heard
        self.host = Host(recipe, self._hear, lambda error: self.heard.changed.set())

    @property
    def reusable(self) -> bool:
        """Whether nothing of this utterance can become a part of the next."""
        heard = self.heard
        return heard.complete and not (heard.open or heard.ragged) and self.host.fault is None

    def _hear(self, text: str, settled: bool, last: bool) -> None:
        heard = self.heard
        if settled:
            heard.settled += [text.strip()] * bool(text.strip())
            heard.interim = ""
            heard.complete = heard.complete or (last and not heard.open)
        else:
            heard.interim = text.strip()
        heard.changed.set()
        self._on_heard(heard)


class PipecatRecognition:
    """See ``Recognition``.

    A service hears stretches of speech, each ended by a pause that somebody asked about. Where
    nobody asked (a cough), it is left in the middle of one: then the next utterance gets a new
    service, which nothing of the old one can reach.
    """

    def __init__(
        self,
        recipe: Recipe[STTService],
        on_partial: Callable[[str], None],
        on_closed: Callable[[PipecatRecognition], None],
        timeout_sec: float,
    ) -> None:
        self._recipe = recipe
        self._on_partial = on_partial
        self._on_closed = on_closed
        self._timeout_sec = timeout_sec
        self._segmented = issubclass(recipe.service, SegmentedSTTService)
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._line = _Line(recipe, self._show)

    @property
    def partial(self) -> str:
        return self._line.heard.text

    def begin(self) -> None:
        line = self._line
        if line.reusable:
            line.heard = _Heard()
            line.host.send(UserStoppedSpeakingFrame())
            return
        if not line.heard.asked:  # else whoever waits for its last words ends it
            self._end(line)
        self._line = _Line(self._recipe, self._show)

    def push(self, pcm: Pcm) -> None:
        heard, host = self._line.heard, self._line.host
        if heard.stretch.is_speech(pcm) and not heard.open:
            heard.open, heard.complete = True, False
            host.send(VADUserStartedSpeakingFrame())
        host.send(InputAudioRawFrame(pcm.tobytes(), RATE, 1))

    async def transcript(self) -> str:
        line = self._line
        heard, host = line.heard, line.host
        if heard.open:
            heard.open = False
            host.send(VADUserStoppedSpeakingFrame())
        if not heard.complete:
            heard.asked += 1
            try:
                await self._settle(heard, host)
            finally:
                heard.asked -= 1
                if line is not self._line and not heard.asked:
                    self._end(line)
        if self._closed:
            raise _error("the recogniser was closed", "语音识别已关闭", False)
        if host.fault is not None and not heard.complete:
            raise host.fault
        return heard.text

    async def aclose(self) -> None:
        self._closed = True
        self._line.heard.changed.set()
        self._end(self._line)
        await asyncio.wait(self._closing)
        self._on_closed(self)

    async def _settle(self, heard: _Heard, host: Host) -> None:
        """Wait for the service's last words of what was said so far.

        Raises:
            AsrError: when a service that sends whole utterances away gets no answer.
        """
        loop = asyncio.get_running_loop()
        await host.started()
        patience = min(max(host.latency_sec, _LEAST_SEC), _MOST_SEC)
        deadline = loop.time() + (self._timeout_sec if self._segmented else patience)
        try:
            async with asyncio.timeout_at(deadline) as limit:
                while not (heard.complete or heard.open or self._closed or host.fault):
                    heard.changed.clear()
                    await heard.changed.wait()
                    if heard.settled and not heard.interim and not self._segmented:
                        limit.reschedule(min(deadline, loop.time() + _MORE_SEC))
        except TimeoutError:
            heard.ragged = True
            if self._segmented:
                name = self._recipe.service.__name__
                raise _error(
                    f"{name} gave no words within {self._timeout_sec:g} s (timeout_sec)",
                    f"{name} 在 {self._timeout_sec:g} 秒内没有返回文字（timeout_sec）",
                    True,
                ) from None
            heard.complete = not heard.open

    def _show(self, heard: _Heard) -> None:
        if heard is self._line.heard:
            self._on_partial(heard.text)

    def _end(self, line: _Line) -> None:
        task = asyncio.create_task(line.host.aclose(), name="close a pipecat service")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
