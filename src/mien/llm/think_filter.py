"""Removes `<think>…</think>` from a streamed answer."""

from __future__ import annotations

import re

_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_TAGS = ("<think>", "<thinking>", "</think>", "</thinking>")


class ThinkFilter:
    """Takes an answer in pieces and returns only what may be spoken.

    Some chat templates put the opening tag into the prompt, so the answer begins with reasoning
    and only `</think>` is seen. That cannot be told from an answer before the tag arrives, when
    the reasoning has already been passed on. Hence `starts_inside`, for models known to do so: it
    holds everything until the tag, or the end if none comes. `unopened` tells afterwards that
    the model is one of these.

    Args:
        starts_inside: Treat the beginning as reasoning until a closing tag.
    """

    def __init__(self, starts_inside: bool = False) -> None:
        self.unopened = False
        self._assumed = starts_inside
        self._inside = starts_inside
        self._pending = ""
        self._trim = True  # no blank lines before the first word

    def feed(self, text: str) -> str:
        """Return what of `text`, and of earlier text held back, may be spoken now."""
        self._pending += text
        out = ""
        while True:
            if self._inside:
                if self._assumed and (opened := _OPEN.match(self._pending.lstrip())):
                    # It does send the opening tag after all.
                    self._pending = self._pending.lstrip()[opened.end() :]
                    self._assumed = False
                if not (close := _CLOSE.search(self._pending)):
                    break
                self.unopened |= self._assumed
                self._pending = self._pending[close.end() :]
                self._inside = self._assumed = False
                self._trim = True
                continue
            opened = _OPEN.search(self._pending)
            close = _CLOSE.search(self._pending)
            if close and (not opened or close.start() < opened.start()):
                self.unopened = True
                self._pending = self._pending[close.end() :]
                out, self._trim = "", True
                continue
            if not opened:
                break
            out += self._emit(self._pending[: opened.start()])
            self._pending = self._pending[opened.end() :]
            self._inside = True
        if not self._inside:
            keep = _partial_tag_length(self._pending)
            ready = self._pending[: len(self._pending) - keep]
            self._pending = self._pending[len(ready) :]
            out += self._emit(ready)
        elif not self._assumed:
            # Reasoning can be long; only the beginning of a tag has to be kept.
            self._pending = self._pending[-len("</thinking>") :]
        return out

    def reasoning_is_separate(self) -> None:
        """The server sends reasoning in a field of its own, so the text need not be held."""
        if self._assumed:
            self._inside = self._assumed = False

    def close(self) -> str:
        """Return what was held back at the end of the answer. Unclosed reasoning is dropped."""
        pending, self._pending = self._pending, ""
        return self._emit(pending) if self._assumed or not self._inside else ""

    def _emit(self, text: str) -> str:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        return text


def _partial_tag_length(text: str) -> int:
    """Length of the longest end of `text` that could be the beginning of a tag."""
    start = text.rfind("<")
    if start < 0:
        return 0
    tail = text[start:].lower()
    return len(tail) if any(tag.startswith(tail) for tag in _TAGS) else 0
