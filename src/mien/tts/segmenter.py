"""Cut a streamed Chinese or English answer into clauses, as early as can safely be done.

The first clause decides how soon the avatar starts to speak, so it leaves at its first comma;
later ones may be longer, since the voice is then already ahead of the listener.

Tags such as ``[smile]`` are taken out here, before anything is spoken, shown or remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mien.gestures import OPENERS, gesture_of, is_label, may_become_tag
from mien.tts.marks import CLOSERS, COMMA, RUNS, SENTENCE

# How much makes a clause worth speaking alone, in Chinese characters and in Latin words (a mixed
# clause counts fractions of both). Four characters are about 0.8 s of speech: enough to cover the
# synthesis of what follows. Fewer sound chopped, as the voice drops its pitch at each end.
FIRST_HAN, FIRST_WORDS = 4, 3
LATER_HAN, LATER_WORDS = 12, 8
# Above this a caption fills three lines and a voice takes over a second to begin.
MOST_HAN, MOST_WORDS = 80, 40
# No blank, mark or Han for so long (base64, a minified line): cut anyway, as memory is finite.
MOST_CHARACTERS = 2000

NEARLY_1 = 0.999  # thirds and twelfths do not add up to 1 exactly

_BRACKETS = {
    "“": "”",
    "「": "」",
    "『": "』",
    "（": "）",
    "(": ")",
    "【": "】",
    "[": "]",
    "《": "》",
}
_TOGGLES = frozenset('"*`')
# Around a tag that is taken out: "Hello [smile]." and "Hello.[smile]How are you".
_NO_BLANK_BEFORE = frozenset("。！？!?.…｡，、；：,;:")
_NEEDS_BLANK = re.compile(r"[A-Za-z0-9.!?,;:]")

_HAN = re.compile(r"[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)[^\s\u2e80-\u9fff\uff00-\uffef]*$", re.I)
_ENTITY = re.compile(r"&#?\w{1,31};$")
_LIST_NUMBER = re.compile(
    r"(?:^|\n)[\s>*+#-]*\d{1,3}\.$"  # at the beginning of a line
    r"|(?:[：:；;。，,、]|[\u2e80-\u9fff] )\s*\d{1,2}\.$"  # "步骤：1. 打开 2. 关闭"
)
# Followed by more of the same sentence, whatever comes next.
_ABBREVIATION = re.compile(
    r"(?<![A-Za-z])(?:dr|mr|mrs|ms|prof|st|mt|vs|gen|col|sgt|capt|lt|rev|sen|gov|jr|sr|inc|ltd|co|"
    r"corp|dept|approx|e\.g|i\.e|cf|viz|et al|ph\.d|m\.d|(?!a\.m|p\.m)[a-z](?:\.[a-z])+|"
    r"(?-i:[A-HJ-Z]))\.$",
    re.I,
)
# Often the last word of a sentence; a capital after it says so.
_UNLESS_CAPITAL = re.compile(r"(?<![A-Za-z])(?:etc|a\.m|p\.m)\.$", re.I)
# Words or names, too: an abbreviation only before a number ("No. 5", but "No. I think ...").
_IF_NUMBER = re.compile(
    r"(?<![A-Za-z])(?:no|nos|fig|vol|ch|pp?|sec|art|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$",
    re.I,
)
_FENCE_AT_LINE = re.compile(r"(?:^|\n)[ \t]*$")


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of an answer that is spoken in one breath.

    text: as written, without tags. gestures: ``(offset, name)`` in order: the gesture belongs to
        the first word of ``text[offset:]``, or to the end where no word follows.
    Only the last clause of an answer may be blank; it then carries gestures.
    """

    text: str
    gestures: tuple[tuple[int, str], ...] = ()


class Segmenter:
    """Feed it an answer in any pieces; it returns clauses.

    Their concatenation is the answer, less its tags and the blanks that would be doubled without
    them. A bracket is held back only while it may still become a tag. Where it cuts does not
    depend on how the answer was chunked. Not thread-safe; one per answer or, after ``flush`` or
    ``reset``, for the next.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all; what comes next begins a new answer."""
        self._first = True
        self._open: list[str] = []  # closers still awaited: they may belong to a mark just seen
        self._fence = ""  # the backticks that closing must match; "" outside of code
        self._fence_at_line = self._fence_opening = False
        self._line_known = True  # whether the pending text begins where a line begins
        self._held = ""  # what may become a tag, or is one and may be the label of a link
        self._after_tag = False
        self._last = ""  # character, of this clause or an earlier one
        self._gestures: list[tuple[int, str]] = []
        self._begin_clause()

    def _begin_clause(self) -> None:
        self._text = ""
        self._units = 0.0  # of the threshold of one clause: han / LATER_HAN + words / LATER_WORDS
        self._first_units = 0.0
        self._size = 0.0  # of the cap
        self._spoken = False  # whether there is anything a voice could say
        self._mark = False  # the text ends with a mark: cut here unless the next one objects
        self._doubt = ""  # "capital"/"number": after "etc. "/"No. ", the next word decides
        self._fence_closed = False

    def feed(self, token: str) -> list[Clause]:
        """Add ``token`` (any length, also ""); returns the clauses that are now complete."""
        clauses: list[Clause] = []
        for character in token:
            self._take(character, clauses)
        return clauses

    def flush(self) -> list[Clause]:
        """The answer is over: what remains, as one last clause if there is any. Resets."""
        clauses: list[Clause] = []
        if gesture_of(self._held):
            self._note_gesture(clauses)
        else:
            self._release(clauses)
        text = self._text.removesuffix(" ") if self._after_tag else self._text
        if text or self._gestures:
            gestures = tuple((min(offset, len(text)), name) for offset, name in self._gestures)
            clauses.append(Clause(text, gestures))
        self.reset()
        return clauses

    # -- tags ------------------------------------------------------------------------------

    def _take(self, c: str, clauses: list[Clause]) -> None:
        if gesture_of(self._held):
            if is_label(self._held, c):
                self._release(clauses)
            else:
                self._note_gesture(clauses)
        elif self._held:
            if may_become_tag(self._held + c) or gesture_of(self._held + c):
                self._held += c
                return
            self._release(clauses)
        if c in OPENERS and not self._fence and "`" not in self._open:
            if self._mark and not self._open and not self._is_inside(c):
                self._emit(clauses)  # whatever this becomes, the clause before it is complete
            self._held = c
        elif not (self._after_tag and self._joins(c, clauses)):
            self._step(c, clauses)

    def _release(self, clauses: list[Clause]) -> None:
        held, self._held = self._held, ""
        if held:
            self._after_tag = False
        for character in held:
            self._step(character, clauses)

    def _note_gesture(self, clauses: list[Clause]) -> None:
        name = gesture_of(self._held)
        assert name is not None
        self._held = ""
        if self._mark and not self._open:
            self._settle(" ", clauses)
        self._gestures.append((len(self._text), name))
        self._after_tag = True

    def _joins(self, c: str, clauses: list[Clause]) -> bool:
        """Close the gap a tag has left before ``c``. True: ``c`` is part of the gap."""
        if c == " " and (not self._text or self._text[-1].isspace()):
            return True
        self._after_tag = False
        if c in _NO_BLANK_BEFORE and self._text.endswith(" "):
            self._text = self._text[:-1]
            stop = len(self._text)
            self._gestures = [(min(offset, stop), name) for offset, name in self._gestures]
        elif c.isascii() and c.isalnum() and _NEEDS_BLANK.match(self._last):
            self._step(" ", clauses)
        return False

    # -- one character ---------------------------------------------------------------------

    def _step(self, c: str, clauses: list[Clause]) -> None:
        if self._fence:
            self._step_in_fence(c, clauses)
            return
        if self._fence_closed and c != "\n":
            self._emit(clauses)
        if self._mark:
            self._settle(c, clauses)
        elif self._doubt and not c.isspace():
            capital = c.isupper() or _HAN.match(c)
            if capital if self._doubt == "capital" else not c.isdigit():
                self._emit(clauses)
            self._doubt = ""
        full = self._size > NEARLY_1 and (c.isspace() or not c.isascii())
        if full or len(self._text) >= MOST_CHARACTERS:
            self._cut_long(c, clauses)
        self._append(c)
        if c == "\n":
            self._open.clear()  # an unbalanced quote must not slow down the rest of the answer
            if self._spoken or self._fence_closed:
                self._emit(clauses)
        elif self._text.endswith("```"):
            self._open_fence(clauses)
        else:
            self._look_at(c, clauses)

    def _append(self, c: str) -> None:
        previous = self._text[-1:]
        self._text += c
        self._last = c
        if _HAN.match(c):
            self._count(1, 0)
        elif c.isalnum() and not (previous.isalnum() and not _HAN.match(previous)):
            joined = previous in ("'", "’", "-", ".", "_", "@", "/") and self._text[-3:-2].isalnum()
            self._count(0, 0 if joined else 1)
        if c in _TOGGLES and c == previous:
            pass  # of a run ("**") only the first counts
        elif c in self._open:
            del self._open[self._open.index(c) :]  # with inner ones that were never closed
        elif c in _BRACKETS:
            self._open.append(_BRACKETS[c])
        elif c in _TOGGLES:
            self._open.append(c)
        elif c == " " and previous == "*" and self._open[-1:] == ["*"]:
            self._open.pop()  # a list marker or a multiplication, not emphasis

    def _count(self, han: int, words: int) -> None:
        self._spoken = True
        self._first_units += han / FIRST_HAN + words / FIRST_WORDS
        self._units += han / LATER_HAN + words / LATER_WORDS
        self._size += han / MOST_HAN + words / MOST_WORDS

    def _look_at(self, c: str, clauses: list[Clause]) -> None:
        """``c`` was just appended: cut after it, wait for its successor, or neither."""
        if "`" in self._open or not self._spoken:
            return
        if c in SENTENCE:
            if c in "。｡" and not self._open:
                self._emit(clauses)
            else:
                self._mark = True
        elif c in COMMA and self._long_enough(c):
            before = self._text[-2:-1]
            sure = (
                c in "，、；"
                or (c == "：" and not before.isdigit())
                or (c in ",;" and not before.isdigit() and not self._in_token())
            )
            if sure and not self._open:
                self._emit(clauses)
            else:
                self._mark = True
        elif self._mark and not self._open and c in CLOSERS and c not in "*_~":
            self._emit(clauses)  # the quote is closed: only "**" may go on

    def _long_enough(self, mark: str) -> bool:
        if self._first:
            return self._first_units > NEARLY_1
        # Enumerations and brackets sound broken when cut, so rather not.
        tight = mark == "、" or any(closer in self._open for closer in _BRACKETS.values())
        return self._units > (2 if tight else NEARLY_1)

    def _tail(self) -> str:
        return self._text[-40:]  # enough for any abbreviation; keeps long clauses linear

    def _in_token(self) -> bool:
        """Whether the mark just seen may be inside a URL or an HTML entity."""
        token = self._text[-MOST_CHARACTERS:].rsplit(None, 1)[-1]
        return bool(_URL.search(token) or _ENTITY.search(self._tail()))

    def _settle(self, c: str, clauses: list[Clause]) -> None:
        """A mark waits and ``c`` follows: cut before ``c``, take it in, or drop the idea."""
        last = self._text[-1]
        if c in RUNS and (last in RUNS or last == ".") and (last != "—" or c == "—"):
            return  # "?!", "……", "——" go on
        if c == "." and last in ".!?":
            return
        if self._is_inside(c):
            self._mark = False
            return
        if c in CLOSERS and self._closes(c):
            return
        self._mark = False
        self._doubt = self._doubtful() if c == " " else ""
        if not self._doubt and c != "\n":  # a newline goes with the clause it ends; see _step
            self._emit(clauses)

    def _doubtful(self) -> str:
        if _UNLESS_CAPITAL.search(self._tail()):
            return "capital"
        return "number" if _IF_NUMBER.search(self._tail()) else ""

    def _closes(self, c: str) -> bool:
        """Whether ``c`` right after a mark closes something, rather than opening the next."""
        return c not in _TOGGLES or c in self._open or self._text[-1] == c

    def _is_inside(self, c: str) -> bool:
        """Whether the mark at the end of the text, followed by ``c``, is no mark at all."""
        last, before = self._text[-1], self._text[-2:-1]
        if last in "—–：～":
            return before.isdigit() and c.isdigit()
        if last not in ".!?,;:":
            return False
        if last == "." and before == ".":
            return c == "/"  # an ellipsis, but for "../"
        if c.isspace() or (c in CLOSERS and self._closes(c)):
            glued = False
        elif c.isascii():
            glued = c not in "\"'"
        else:
            glued = c.isalpha() and not _HAN.match(c)
        if glued:
            return True
        if last == ".":
            return bool(_LIST_NUMBER.search(self._tail()) or _ABBREVIATION.search(self._tail()))
        return last == ";" and bool(_ENTITY.search(self._tail()))

    # -- code ------------------------------------------------------------------------------

    def _open_fence(self, clauses: list[Clause]) -> None:
        before = self._text[:-3]
        at_line = self._line_known or "\n" in before
        self._fence_at_line = at_line and bool(_FENCE_AT_LINE.search(before))
        if self._spoken and not self._fence_closed:
            self._text = before
            self._emit(clauses)
            self._text = "```"
        self._fence = "```"
        self._fence_opening = True
        self._mark = False
        self._open.clear()

    def _step_in_fence(self, c: str, clauses: list[Clause]) -> None:
        self._text += c
        self._fence_opening = self._fence_opening and c == "`"
        if self._fence_opening:
            self._fence += c
            return
        if not self._text.endswith(self._fence):
            return
        line = self._text[: -len(self._fence)].rpartition("\n")
        if (line[1] and not line[2].strip()) or not self._fence_at_line:
            self._fence = ""
            self._fence_closed = True

    # -- cutting ---------------------------------------------------------------------------

    def _emit(self, clauses: list[Clause]) -> None:
        if not (self._spoken or self._fence_closed):
            return  # only marks or blanks: they lead the next clause
        end = len(self._text.rstrip())
        # At the very end, a gesture belongs to the words of the next clause.
        gestures = tuple(gesture for gesture in self._gestures if gesture[0] < end)
        self._gestures = [(0, name) for _, name in self._gestures[len(gestures) :]]
        clauses.append(Clause(self._text, gestures))
        self._line_known = self._text.endswith("\n")
        # Code before the first words is not spoken, and so does not count as a beginning.
        self._first = self._first and not self._spoken
        self._begin_clause()

    def _cut_long(self, c: str, clauses: list[Clause]) -> None:
        """The clause is too long: cut at its last comma, blank, or between two Han."""
        text = self._text
        at = 0
        for i in range(len(text) - 1, len(text) // 3, -1):
            mark, after = text[i - 1], text[i]
            if mark in "，、；：—" or (mark in ",;:" and after == " "):
                at = i
                break
            if not at and after == " " and mark != "." and not (text + c)[i + 1].isdigit():
                at = i
        if not at and _HAN.match(c) and _HAN.match(text[-1]):
            at = len(text)
        if not at and len(text) >= MOST_CHARACTERS:
            at = len(text)
        if not at:
            return
        awaited = list(self._open)
        rest = text[at:]
        later = [gesture for gesture in self._gestures if gesture[0] >= at]
        self._gestures = self._gestures[: len(self._gestures) - len(later)]
        self._text = text[:at]
        self._emit(clauses)
        self._gestures += [(len(self._text) + offset - at, name) for offset, name in later]
        for character in rest:
            self._append(character)
        self._open = awaited
