"""Known text against heard sound: when each expected sound is said, while it is being said.

A Viterbi search over the net's posteriors, left to right through the sounds of the text, with
silence allowed between words. It runs frame by frame and can be asked at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.viseme.looks import LOOKS
from mien.lipsync.viseme.sounds import BILABIAL, LOOK_OF_SOUND, SILENT, SOUNDS, sounds
from mien.media.speech import Phone

FRAME_SEC = 0.01

# The newest frames are decided by too little of what follows them. Together with the net's own
# delay (100 ms and half a window) it makes 0.15 s of look-ahead.
_HOLD_FRAMES = 5
# Older than this, a decision has not been seen to change any more.
_SETTLED_FRAMES = 40

# How far posteriors are divided by the priors, which the text replaces. Between 0 and 0.6 it makes
# no difference; at 1 rare sounds win wherever the net is unsure (7 % fewer frames right).
_PRIOR_WEIGHT = np.float32(0.4)
_STAY, _MOVE = -0.03, -0.5
# Natural logarithms: how much worse than the best path the one through the whole text may end
# and still be believed.
_UNFINISHED = 40.0
# Share of the heard sounds (mean over _TRUST_FRAMES) that must fit the text. Text and sound that
# belong together measure 0.5 to 0.9, those of different sentences 0.1 to 0.3.
_TRUST, _TRUST_FRAMES = 0.3, 60
_UNTRIED_FRAMES = 12  # too few to judge by
_SOUND_SEC = 0.08  # a sound of unhurried speech, on average

_IMPOSSIBLE = np.float32(-1e9)

Floats = NDArray[np.float32]


def _likely_heard_as() -> Floats:
    """float32[heard, expected]: how well hearing one sound fits the text's other.

    Vowels vary with accent and stress more than a dictionary knows; consonants are what the
    text is trusted for.
    """
    fits = np.eye(len(SOUNDS), dtype=np.float32)
    vowels = [i for i, name in enumerate(SOUNDS) if name and LOOKS[name].vowel]
    for expected in vowels:
        for heard in vowels:
            fits[heard, expected] = max(fits[heard, expected], 0.25)
    near = """
        t:n t:l s:ɕ ɕ:ʃ n:ŋ k:h t:θ ɹ:ə k:t i:ɕ u:l s:t ʃ:t m:n m:ŋ b:t b:k b:f f:θ f:s s:θ f:h
    """
    for pair in near.split():
        a, b = (SOUNDS.index(name) for name in pair.split(":"))
        fits[a, b] = max(fits[a, b], 0.2)
        fits[b, a] = max(fits[b, a], 0.2)
    a, b = BILABIAL
    fits[a, b] = fits[b, a] = 0.3
    for stop in ("b", "t", "k"):  # the closure of a stop at the edge of a word is silent
        fits[SILENT, SOUNDS.index(stop)] = 0.15
    return fits


_FITS = _likely_heard_as()


@dataclass(frozen=True, slots=True)
class HeardWord:
    """``words[number]`` of an :class:`Aligner`, in seconds from the first frame.

    ``end`` is a guess where the word was not over when it was found.
    """

    number: int
    start: float
    end: float


class Aligner:
    """Aligns one clause.

    words: for each word the IPA symbols expected, in order. Symbols that cannot be read are
        left out; no word at all means silence.
    priors: of the net, see ``SoundNet``.
    """

    def __init__(self, words: Sequence[Sequence[str]], priors: Floats) -> None:
        self._prior = priors.astype(np.float32) ** _PRIOR_WEIGHT
        states, entries, self._words = _states(words)
        self._begins = np.array(entries, np.int64)  # the state each of ``_words`` begins at
        self._told_words = 0
        self._new_words: list[HeardWord] = []
        self._sound = np.array(states, np.int64)
        self._loops, self._entry = _topology(states, entries)
        # Which sound of the text a state belongs to: those before it that one can stay in.
        self._instance = np.cumsum(np.concatenate([[False], self._loops[:-1] > _IMPOSSIBLE]))
        self._score = np.full(len(states), _IMPOSSIBLE, np.float32)
        self._score[0] = 0
        if len(states) > 1:
            self._score[1] = 0
        self._from: list[NDArray[np.int8]] = []  # per frame and state: how many states back
        # Per frame and sound, for the newest frames: share of the heard that fits.
        self._fit: Floats = np.zeros((0, len(SOUNDS)), np.float32)
        self._settled = 0  # frames whose answer is final and has been given
        self._path: list[int] = []  # their states
        self._over, self._complete = False, True

    @property
    def frames(self) -> int:
        """How many have been heard."""
        return len(self._from)

    def push(self, log_posteriors: Floats) -> list[Phone]:
        """Hear float32[t, len(SOUNDS)] more frames.

        Returns what is known now, in seconds from the first frame: everything from the last
        settled moment on, so that it replaces what earlier answers said of that time.
        """
        self._search(log_posteriors)
        return self._answer(self.frames - _HOLD_FRAMES)

    def finish(self, complete: bool = True) -> list[Phone]:
        """As ``push``, up to the last frame; the text is believed to be over if it can be.

        complete: False when the voice broke off.
        """
        self._over, self._complete = True, complete
        return self._answer(self.frames)

    def take_words(self) -> list[HeardWord]:
        """The words that were found to have begun since they were last taken, in order."""
        taken, self._new_words = self._new_words, []
        return taken

    def _search(self, log_posteriors: Floats) -> None:
        fits = np.exp(log_posteriors) @ _FITS
        scaled = np.log(np.maximum(fits, 0.004) / self._prior)
        scores = scaled[:, self._sound]
        score = self._score
        moved, skipped = np.empty_like(score), np.empty_like(score)
        for heard in scores:
            stay = score + self._loops
            moved[0] = _IMPOSSIBLE
            np.add(score[:-1], _MOVE, out=moved[1:])
            skipped[:2] = _IMPOSSIBLE
            np.add(score[:-2], self._entry[2:], out=skipped[2:])
            best = np.maximum(moved, skipped)
            back = np.where(skipped > moved, np.int8(2), np.int8(1))
            back[stay >= best] = 0
            score = np.maximum(stay, best) + heard
            if not (self.frames + 1) % 64:
                score -= score.max()
            self._from.append(back)
        self._score = score
        needed = len(self._from) - len(fits) - self._settled + _TRUST_FRAMES
        self._fit = np.concatenate([self._fit[max(0, len(self._fit) - needed) :], fits])

    def _answer(self, until: int) -> list[Phone]:
        if until <= self._settled:
            return []
        path = self._traced()
        begin = self._settled
        known = path[: until - begin]
        trusted = self._trusted(known, begin) if known else np.zeros(0, np.bool_)
        told = list(self._phones(known, begin, trusted))
        self._note_words(known, begin, trusted)
        settled = until if self._over else max(begin, until - _SETTLED_FRAMES)
        if settled > begin:
            # A phone is given whole or not at all: settle where one begins.
            instance = self._instance[path]
            while (
                begin < settled < until
                and instance[settled - begin] == instance[settled - begin - 1]
            ):
                settled -= 1
            self._path += path[: settled - begin]
            self._settled = settled
        return told

    def _traced(self) -> list[int]:
        """The best path's states from the first unsettled frame to the last."""
        state = int(self._score.argmax())
        if self._over and self._complete:
            last = len(self._score) - 1
            end = last if self._score[last] >= self._score[max(last - 1, 0)] else last - 1
            if self._score[end] > self._score[state] - _UNFINISHED:
                state = end
        path = []
        for frame in range(self.frames - 1, self._settled - 1, -1):
            path.append(state)
            state -= int(self._from[frame][state])
        return path[::-1]

    def _note_words(self, path: Sequence[int], begin: int, trusted: NDArray[np.bool_]) -> None:
        """Those among the states of ``path`` that were not told before."""
        if not len(self._begins):
            return
        at = np.searchsorted(self._begins, np.array(path, np.int64), "right") - 1
        for number in range(self._told_words, int(at.max(initial=-1)) + 1):
            frames = np.flatnonzero(at == number)
            self._told_words = number + 1
            if len(frames) and trusted[frames[0]]:
                start = (begin + int(frames[0])) * FRAME_SEC
                end = (begin + int(frames[-1]) + 1) * FRAME_SEC
                if frames[-1] == len(path) - 1:  # it is not over
                    end = max(end, start + self._usual_sec(number))
                self._new_words.append(HeardWord(self._words[number], start, end))

    def _usual_sec(self, number: int) -> float:
        """How long the word may take that begins at ``_begins[number]``."""
        begin = self._begins[number]
        last = len(self._sound) if number + 1 == len(self._begins) else self._begins[number + 1]
        return _SOUND_SEC * len(set(self._instance[begin : last - 1].tolist()))

    def _phones(
        self, path: Sequence[int], begin: int, trusted: NDArray[np.bool_]
    ) -> Iterator[Phone]:
        """Runs of one sound among the states of ``path``; nothing where they are not trusted."""
        if not path:
            return
        instance = self._instance[np.array(path)]
        changes = (np.diff(instance) != 0) | (np.diff(trusted) != 0)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(path)]
        for first, last in pairwise(edges):
            if trusted[first]:
                symbol = SOUNDS[self._sound[path[first]]]
                yield Phone(symbol, (begin + first) * FRAME_SEC, (begin + last) * FRAME_SEC)

    def _trusted(self, path: Sequence[int], begin: int) -> NDArray[np.bool_]:
        """bool[len(path)]: whether text and sound belong together at each frame from ``begin``."""
        before = max(0, begin - _TRUST_FRAMES)
        states = np.array([*self._path[before:begin], *path])
        first = len(self._fit) - (self.frames - before)
        fits = self._fit[first : first + len(states)]
        fit = fits[np.arange(len(states)), self._sound[states]]
        # Silence that is heard and expected says nothing for or against the text.
        weight = np.where((self._sound[states] == SILENT) & (fit > 0.5), 0.05, 1.0)
        window = np.ones(_TRUST_FRAMES)
        total = np.convolve(weight, window)[: len(states)]
        share = np.convolve(weight * fit, window)[: len(states)] / total
        trusted: NDArray[np.bool_] = (share > _TRUST) | (total < _UNTRIED_FRAMES)
        return trusted[begin - before :]


def _states(words: Sequence[Sequence[str]]) -> tuple[list[int], list[int], list[int]]:
    """Sound of each state, the states at which a word begins, and which of ``words`` that is.

    The silence before a word may be skipped.
    """
    states, entries, numbers = [SILENT], [], []
    for number, word in enumerate(words):
        found = [sound for symbol in word for sound, _ in sounds(symbol) if sound != SILENT]
        if not found:
            continue
        entries.append(len(states))
        numbers.append(number)
        for sound in found:
            states += [sound] * _shortest(sound)
        states.append(SILENT)
    return states, entries, numbers


def _shortest(sound: int) -> int:
    """Frames a sound takes at least; a vowel may be half a diphthong."""
    return 2 if LOOK_OF_SOUND[sound].vowel else 3


def _topology(states: Sequence[int], entries: Sequence[int]) -> tuple[Floats, Floats]:
    """Per state: cost of staying, and of being reached over the silence before it."""
    stay = np.full(len(states), _IMPOSSIBLE, np.float32)
    at = 0
    while at < len(states):
        length = 1 if states[at] == SILENT else _shortest(states[at])
        at += length
        stay[at - 1] = _STAY
    entry = np.full(len(states), _IMPOSSIBLE, np.float32)
    entry[[state for state in entries if state >= 2]] = _MOVE
    return stay, entry
