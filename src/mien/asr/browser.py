"""The browser's own speech recognition (Web Speech API): the page posts the words it gets.

Who speaks and when a turn is over is still found out here, from the microphone's sound; the browser
only says what the words were. https://webaudio.github.io/web-speech-api/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import ClassVar, Literal

from mien.asr.contract import AsrError
from mien.asr.settings import RecognizerSettings
from mien.language import Language, detect_language
from mien.media.tick import Pcm

# Browsers settle their words 0.3 to 1 s after the last of them. The words so far are hardly ever
# another sentence, so nobody is kept waiting longer for a comma.
FINAL_SEC = 0.8
# Without any word so far they are slower, or it was no speech.
FIRST_SEC = 1.5
# As alike are words so far and the settled ones that come after them, on the whole.
_ALIKE = 0.6


class BrowserSettings(RecognizerSettings):
    """Nothing can be set: the browser is the visitor's."""

    service: Literal["browser"] = "browser"


class BrowserRecognizer:
    """See ``Recognizer``."""

    label_en = "Your browser"
    label_zh = "浏览器"
    languages: frozenset[Language] = frozenset({"zh", "en"})
    streaming = True
    limits: ClassVar[dict[str, str]] = {
        "en": "Needs https or localhost. Chrome, Edge and Safari have it, Firefox has not. Chrome "
        "sends what you say to Google, Edge to Microsoft, Safari to Apple; Chrome's does not work "
        "on networks in mainland China.",
        "zh": "需要 https 或 localhost。Chrome、Edge、Safari 支持，Firefox 不支持。语音会发送给"
        "浏览器厂商（Chrome：谷歌，Edge：微软，Safari：苹果）；在中国大陆的网络中 Chrome 的识别"
        "通常无法使用。",
    }

    def __init__(self, name: str, settings: BrowserSettings) -> None:
        self.name = name
        self._open: set[BrowserRecognition] = set()

    async def check(self) -> None:
        """Only the page knows."""

    async def warm_up(self) -> None:
        pass

    def open(self, language: Language, on_partial: Callable[[str], None]) -> BrowserRecognition:
        opened = BrowserRecognition(on_partial, self._open.discard)
        self._open.add(opened)
        return opened

    async def aclose(self) -> None:
        for recognition in list(self._open):
            await recognition.aclose()


class BrowserRecognition:
    """See ``Recognition``; ``hear`` brings the words. What is pushed is only counted."""

    def __init__(
        self,
        on_partial: Callable[[str], None],
        on_closed: Callable[[BrowserRecognition], None] = lambda recognition: None,
    ) -> None:
        self._on_partial = on_partial
        self._on_closed = on_closed
        self._settled: list[str] = []
        self._interim = ""
        self._taken = ""
        self._unheard = False
        self._changed = asyncio.Event()
        self._closed = False
        self._failure: AsrError | None = None

    @property
    def partial(self) -> str:
        return joined([*self._settled, self._interim])

    def begin(self) -> None:
        # The settled form of what was answered already may be on its way still.
        self._taken = self._interim
        self._settled, self._interim, self._unheard = [], "", False
        self._failure = None

    def push(self, pcm: Pcm) -> None:
        self._unheard = True

    def hear(self, text: str, final: bool) -> None:
        """The words that the browser has now: those of one stretch of speech so far, or, settled
        (``final``), for good; the next stretch begins empty."""
        text = text.strip()
        late, self._taken = self._taken, "" if final else self._taken
        if late and not self._settled and not self._interim and _alike(late, text):
            return
        if final:
            self._settled += [text] * bool(text)
            self._interim = ""
        else:
            self._interim = text
        self._unheard = self._unheard or not final
        self._changed.set()
        self._on_partial(self.partial)

    def fail(self, error: AsrError) -> None:
        """The browser's recognition does not work; whoever waits for words learns it."""
        self._failure = error
        self._changed.set()

    async def transcript(self) -> str:
        """See ``Recognition``: waits for the browser's settled words, a short while."""
        utterance = self._settled
        words = self.partial
        if self._unheard:
            limit = FINAL_SEC if words else FIRST_SEC
            try:
                async with asyncio.timeout(limit):
                    while self._waits(utterance):
                        self._changed.clear()
                        await self._changed.wait()
                        if utterance is self._settled:
                            words = self.partial
            except TimeoutError:
                pass
            if utterance is self._settled:
                self._unheard = False
        if self._failure is not None and not words:
            raise self._failure
        return words

    async def aclose(self) -> None:
        self._closed = True
        self.fail(AsrError("the recogniser was closed", zh="语音识别已关闭", retryable=False))
        self._on_closed(self)

    def _waits(self, utterance: list[str]) -> bool:
        settled = bool(self._settled) and not self._interim
        return utterance is self._settled and not settled and self._failure is None


def joined(parts: list[str]) -> str:
    """Stretches of speech in one line: Chinese without spaces between."""
    line = ""
    for part in parts:
        gap = " " if line and part and detect_language(line[-1] + part[:1], "en") == "en" else ""
        line += gap + part
    return line


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= _ALIKE
