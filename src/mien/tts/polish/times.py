"""Phones and words of a clause whose sound is trimmed and held back on its way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mien.media.speech import Phone
from mien.tts.voice import SpokenWord

_SAME_SEC = 0.001  # times that differ by less are the same, told twice

Told = tuple[tuple[Phone, ...] | None, tuple[SpokenWord, ...]]
"""Phones (None: the voice gives none) and words of a chunk, as in ``VoiceChunk``."""


class ClauseTimes:
    """Takes times as they come with sound, gives them with the sound they belong to.

    Inside, seconds count from the clause's first sample as the voice gave it.
    """

    def __init__(self) -> None:
        self._phones: deque[Phone] = deque()
        self._words: deque[SpokenWord] = deque()
        self._last: Phone | None = None  # the last phone given
        self.timed = False
        """Whether the voice gives phone times at all."""

    def take(
        self, origin: float, phones: Sequence[Phone] | None, words: Iterable[SpokenWord]
    ) -> None:
        """Add times that count from ``origin``; phones replace what was told from theirs on."""
        self._words += (replace(w, start=w.start + origin, end=w.end + origin) for w in words)
        if phones is None:
            return
        self.timed = True
        if not phones:
            return
        start = phones[0].start + origin
        while self._phones and self._phones[-1].start >= start - _SAME_SEC:
            self._phones.pop()
        if self._phones and self._phones[-1].end > start:
            self._phones.append(replace(self._phones.pop(), end=start))
        self._phones += (replace(p, start=p.start + origin, end=p.end + origin) for p in phones)

    def give(self, lead: float, begin: float, end: float) -> Told:
        """Those of the sound handed out now, in seconds from its first sample.

        lead: seconds left out at the clause's beginning. begin, end: of this sound, as handed out.
        """
        phones, words = [], []
        while self._phones and self._phones[0].start - lead < end:
            phone = self._phones.popleft()
            start, stop = max(phone.start - lead, 0.0), phone.end - lead
            if stop > start:
                phones.append(Phone(phone.symbol, start, stop))
        while self._words and self._words[0].start - lead < end:
            word = self._words.popleft()
            start = max(word.start - lead, 0.0)
            words.append(replace(word, start=start, end=max(start, word.end - lead)))
        if phones:
            self._last = phones[-1]
        return self._told(phones, words, begin)

    def finish(self, lead: float, begin: float, end: float) -> Told:
        """Those of the last sound, cut where the clause ends; the pause behind it is a phone."""
        before = self._last
        self._words = deque(replace(w, start=min(w.start, end + lead)) for w in self._words)
        given, words = self.give(lead, 0.0, end + _SAME_SEC)
        words = tuple(replace(word, end=min(word.end, end)) for word in words)
        phones = [p for p in given or () if p.start < end]
        last = phones.pop() if phones else before
        if last is not None:
            ended = replace(last, end=min(last.end, end) if last.symbol else end)
            if ended != before:  # else it was told, and rightly
                phones.append(ended)
            if ended.end < end - _SAME_SEC:
                phones.append(Phone("", ended.end, end))
        return self._told(phones, words, begin)

    def _told(self, phones: Iterable[Phone], words: Iterable[SpokenWord], begin: float) -> Told:
        moved = [replace(p, start=p.start - begin, end=p.end - begin) for p in phones]
        return tuple(moved) if self.timed else None, tuple(
            replace(w, start=w.start - begin, end=w.end - begin) for w in words
        )
