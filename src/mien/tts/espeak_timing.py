"""What espeak-ng reports, made into chunks: phones, words, closures and pauses in their place.

espeak-ng's events are exact to the sample (vowel onsets and nasals sit where the sound
changes), with two exceptions that a viewer would see: a voiceless stop is reported at its
burst, its silent closure (the part in which the lips are shut) being left to the sound before;
and words are reported by dictionary entry, so that only the first character of 你好 is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mien.language import Language
from mien.media.speech import Phone
from mien.media.tick import Pcm
from mien.tts.cutting import cut
from mien.tts.espeak_worker import WORD, Event
from mien.tts.pause import JOIN_SEC, pause_after
from mien.tts.voice import Run, SpokenWord, VoiceChunk

# The longest request: about 25 s of speech, so 60 ms of work for which others wait. Shorter
# ones would cut sentences, whose melody falls at each cut.
MAX_CHARACTERS: dict[Language, int] = {"zh": 100, "en": 300}

_FADE_SEC = 0.005

# Closures are 45 to 65 ms long at 80 to 200 words a minute.
_CLOSURE_SEC = 0.08
_FRAME_SEC = 0.005
_CLOSURE_LEVEL = 0.2  # of the loudest 5 ms before it; espeak's echo fills the closure to 0.06

_VOICELESS_STOPS = frozenset("p t k q tʃ ts tʂ tɕ pʰ tʰ kʰ tsʰ tʂʰ tɕʰ".split())
_HAN = r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_UNIT = re.compile(rf"{_HAN}|(?:(?!{_HAN})\w)+")
VOWELS = frozenset("aeiouyɑɐɒæəɘɚɛɜɝɤɨɪɔʊʌøœᵻ")
# espeak-ng has no IPA for some Mandarin sounds and gives its own mnemonics.
_MANDARIN = {"i.": "ɨ", "i̪": "ɨ", "o-": "ɤ", "onɡ": "ʊŋ", "ts.": "tʂ", "s.": "ʂ"}


@dataclass(frozen=True, slots=True)
class Passage:
    """``runs[run].text[offset:offset + len(text)]``, made safe; ``pause`` seconds follow it."""

    run: int
    language: Language
    offset: int
    text: str
    pause: float


def plan(runs: Sequence[Run]) -> list[list[Passage]]:
    """Split a clause into requests no longer than ``MAX_CHARACTERS``, dropping what is silent."""
    found: list[tuple[int, Language, int, str]] = []
    pauses: list[float] = []
    for index, run in enumerate(runs):
        text = "".join(_safe(c) for c in run.text)
        offset = 0
        while offset < len(text):
            piece = text[offset : cut(text, offset, MAX_CHARACTERS[run.language])]
            if any(c.isalnum() for c in piece):
                found.append((index, run.language, offset, piece))
                pauses.append(pause_after(piece))
            elif pauses:  # punctuation on its own lengthens the pause before it
                pauses[-1] = max(pauses[-1], pause_after(piece))
            offset += len(piece)
    requests: list[list[Passage]] = []
    room = 0.0
    for (index, language, offset, piece), pause in zip(found, pauses, strict=True):
        share = len(piece) / MAX_CHARACTERS[language]
        if share > room:
            requests.append([])
            room = 1.0
        requests[-1].append(Passage(index, language, offset, piece, pause))
        room -= share
    return requests


def _safe(character: str) -> str:
    # Controls, surrogates, private characters and pictures: espeak-ng would stop at the first,
    # cannot decode the second and reads out the last. One for one, so that positions stay.
    return " " if unicodedata.category(character) in _UNSPOKEN else character


_UNSPOKEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "So", "Zl", "Zp"})


def _ipa(name: str) -> str:
    symbol = name.replace("ˈ", "").replace("ˌ", "")
    if symbol.startswith("("):  # "(en)": the language changes
        return ""
    aspirated = len(symbol) > 1 and symbol.endswith("h")
    symbol = symbol.removesuffix("h") if aspirated else symbol
    return _MANDARIN.get(symbol, symbol) + ("ʰ" if aspirated else "")


def spelled(word: str, language: Language, stress: bool = False) -> list[str]:
    """IPA symbols of a word as the worker spells it, e.g. "b_ˈeɪ_b_i"; [] for a language mark.

    stress: keep its marks, "ˈ" and "ˌ".
    """
    if "(" in word:  # "(en)h_ə_l_ˈoʊ(cmn)": the language changes and changes back
        word = re.sub(r"\([^()]*\)", "", word)
    # A Mandarin vowel ends with its tone; the third is spelled as the vowel that "3" stands for.
    tone = "12345ɜ" if language == "zh" else ""
    return [
        (name[0] if stress and name[0] in "ˈˌ" else "") + symbol
        for name in word.split("_")
        if (symbol := _ipa(name.rstrip(tone)))
    ]


class PassageTimer:
    """Turns one passage's sound and events into chunks, each ending where a word begins.

    A chunk waits until its word is complete. At 300 times real time that is 2 ms, and it
    spares everyone behind it phones and words that are still open.
    """

    def __init__(self, passage: Passage, sample_rate: int, pace: float = 1.0) -> None:
        """``pace`` stretches the pause after the passage; 1 suits 150 words a minute."""
        self._text = passage.text
        self._passage = passage
        self._rate = sample_rate
        self._tail = round(sample_rate * max(passage.pause * pace, JOIN_SEC))
        self._sound: Pcm = np.zeros(0, np.int16)  # from sample ``_base`` on
        self._base = 0
        self._phones: list[tuple[str, int]] = []  # symbol, first sample; the next one ends it
        self._word: tuple[int, int] | None = None  # being heard: first character, reported end
        self._word_at = 0  # its first sample
        self._coming: tuple[int, int] | None = None  # reported, but without a phone yet

    def feed(self, pcm: bytes, events: Sequence[Event]) -> Iterator[VoiceChunk]:
        self._sound = np.concatenate([self._sound, np.frombuffer(pcm, np.int16)])
        for event in events:
            if event.kind == WORD:
                self._on_word(event.begin, event.begin + event.length)
            elif (chunk := self._on_phone(_ipa(event.name), event.sample)) is not None:
                yield chunk

    def finish(self) -> Iterator[VoiceChunk]:
        """What is left, with the pause that belongs after it; nothing if nothing is said."""
        end = self._base + len(self._sound)
        while self._phones and not self._phones[-1][0]:
            end = self._phones.pop()[1]
        if not self._phones:
            return
        # What espeak-ng leaves after its last sound is 10 to 100 ms of echo, for no reason.
        tail = self._sound[end - self._base :][: self._tail].astype(np.float32)
        fade = min(len(tail), round(self._rate * _FADE_SEC))
        tail[len(tail) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        rest = np.zeros(self._tail - len(tail), np.int16)
        self._sound = np.concatenate([self._sound[: end - self._base], tail.astype(np.int16), rest])
        self._phones.append(("", end))
        yield self._cut(end + self._tail, len(self._text))

    def _on_word(self, begin: int, end: int) -> None:
        end = min(end, len(self._text))
        if begin >= len(self._text):
            return
        if self._coming is not None:
            self._coming = (self._coming[0], max(end, self._coming[1]))
        elif self._word is not None and begin < self._word[1]:
            # Numbers and foreign letters are reported again for each word they are read as.
            self._word = (self._word[0], max(end, self._word[1]))
        else:
            self._coming = (begin, end)

    def _on_phone(self, symbol: str, sample: int) -> VoiceChunk | None:
        floor = self._phones[-1][1] if self._phones else self._base
        start = min(max(sample, floor), self._base + len(self._sound))
        if not symbol and self._phones and not self._phones[-1][0]:
            return None
        if symbol in _VOICELESS_STOPS:
            start = self._closure(start)
        chunk = None
        if symbol and self._coming is not None:
            if self._word is not None:
                chunk = self._cut(start, self._coming[0])
            self._word, self._word_at, self._coming = self._coming, start, None
        self._phones.append((symbol, start))
        return chunk

    def _closure(self, burst: int) -> int:
        """Where the closure of a voiceless stop begins, given the sample of its burst."""
        longest = round(self._rate * _CLOSURE_SEC)
        if not self._phones:
            return max(self._base, burst - longest)
        symbol, begin = self._phones[-1]
        if not symbol:
            if burst - begin > longest:
                return burst - longest
            self._phones.pop()  # this silence is the closure
            return begin
        frame = round(self._rate * _FRAME_SEC)
        before = self._sound[begin - self._base : burst - self._base].astype(np.float32)
        count = len(before) // frame
        if count < 3:
            return burst
        frames = before[len(before) - count * frame :].reshape(count, frame)
        level = np.sqrt((frames * frames).mean(axis=1))
        loud = np.flatnonzero(level[:-1] > _CLOSURE_LEVEL * level.max())  # burst may leak in
        quiet = count - 1 - int(loud[-1]) if len(loud) else 0
        if quiet < 3:
            return burst
        return burst - min(quiet * frame, longest, len(before) * 3 // 5)

    def _cut(self, end: int, following: int) -> VoiceChunk:
        """Hand out what is heard before sample ``end``; ``following`` is the next word."""
        begin, bounds = self._base, [start for _, start in self._phones[1:]] + [end]
        marks = [
            Phone(symbol, (start - begin) / self._rate, (stop - begin) / self._rate)
            for (symbol, start), stop in zip(self._phones, bounds, strict=True)
            if stop > start
        ]
        if marks and marks[0].start > 0:
            marks.insert(0, Phone("", 0.0, marks[0].start))
        length = end - begin
        chunk = VoiceChunk(self._sound[:length].copy(), tuple(marks), self._words(marks, following))
        self._sound = self._sound[length:]
        self._base = end
        self._phones = []
        return chunk

    def _words(self, phones: Sequence[Phone], following: int) -> tuple[SpokenWord, ...]:
        if self._word is None:
            return ()
        begin, stop = self._word
        start = (self._word_at - self._base) / self._rate
        spoken = [phone for phone in phones if phone.symbol and phone.start >= start]
        # The report ends at an apostrophe, a hyphen, within a compound: go on to the next word.
        stop = max(min(stop, following), begin)
        for at in range(stop, following):
            if self._text[at].isalnum():
                stop = at + 1
        spans = [(begin, stop)]
        if self._passage.language == "zh":
            spans = [m.span() for m in _UNIT.finditer(self._text, begin, stop)] or spans
        if not spoken:
            return ()
        starts = _syllables(spoken)
        end = spoken[-1].end
        if len(starts) != len(spans):
            starts = [start + (end - start) * n / len(spans) for n in range(len(spans))]
        run, offset = self._passage.run, self._passage.offset
        return tuple(
            SpokenWord(run, offset + first, offset + last, from_, to)
            for (first, last), from_, to in zip(spans, starts, [*starts[1:], end], strict=True)
        )


def _syllables(phones: Sequence[Phone]) -> list[float]:
    """When each Mandarin syllable begins: at the consonant before its vowel, if there is one."""
    starts: list[float] = []
    for index, phone in enumerate(phones):
        if phone.symbol[0] not in VOWELS:
            continue
        onset = index
        if index and phones[index - 1].symbol[0] not in VOWELS and phones[index - 1].symbol != "ŋ":
            onset = index - 1
        starts.append(phones[onset].start if starts else phones[0].start)
    return starts
