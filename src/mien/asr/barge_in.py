"""What it means that somebody makes a sound while the avatar speaks: interruption or not.

At the first sign of speech the avatar falls silent and waits; meanwhile this decides. While it
does nothing is heard, so being slow costs a pause, and being wrong costs the answer: what is
clear is decided at once, what is doubtful when it has ended or become clear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.asr.backchannel import is_backchannel, is_stop, words_beyond
from mien.media.microphone import RATE

Decision = Literal["wait", "interrupt", "resume"]

# Share of its own voice from which on a sound counts as that. While its echo dies away, some of it
# may escape where all else was taken out; whoever speaks into that is louder than what comes back.
OWN, OWN_ECHOING = 0.5, 0.2


@dataclass(frozen=True, slots=True)
class BargeInSettings:
    """Seconds, and ``content`` as :class:`~mien.asr.articulation.Articulation` counts it.

    confirm_sec: of voiced sound before anything but words interrupts. Less lets a door interrupt.
    backchannels: whether "yeah" and "嗯" leave the avatar speaking; without, whatever lasts
        ``confirm_sec`` and is articulated like words (not a cough) interrupts.
    clear: content that no short backchannel has. Less interrupts sooner and takes more of them
        for more than they are: with 0.75, every tenth.
    some: content that two words have at least; hums and laughter never reach it.
    word: content that makes a single word credible; nine coughs in ten stay below.
    guess: content that makes words credible of a recogniser that guesses: PocketSphinx hears "look
        you" in "okay" and "Tennis that" in a cough.
    long_sec: of voiced sound, articulated somewhat, that interrupts whatever it is.
    settle_sec: of silence that end a doubtful sound. Less cuts between "no" and "wait a minute".
    words_sec: to wait beyond that for the recogniser, when there is one.
    bound_sec: whatever lasts longer is decided as it stands; noise is no reason to stay silent.
    """

    confirm_sec: float = 0.3
    backchannels: bool = True
    clear: float = 1.0
    some: float = 0.4
    word: float = 0.55
    guess: float = 0.75
    long_sec: float = 0.8
    settle_sec: float = 0.3
    words_sec: float = 0.6
    bound_sec: float = 2.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at ``position`` (samples) of the sound since ``begin``.

    speech_sec: voiced so far. silence_sec: since the last voiced sound. content: articulated.
    text: words so far. final: no more words will come of what was heard. awaiting_words: a
        recogniser listens, so that there may be some. guessed: it makes words of any sound.
    own_voice: share of the recent sound that was the avatar's own, 0…1. echoing: whether what it
        said before it fell silent may still be coming back.
    """

    position: int
    speech_sec: float
    silence_sec: float
    content: float = 0.0
    text: str = ""
    final: bool = False
    awaiting_words: bool = False
    guessed: bool = False
    own_voice: float = 0.0
    echoing: bool = False


class BargeIn:
    """One doubtful sound after the other: :meth:`begin`, :meth:`update` until it is decided.

    Between "begin" and the decision ``deciding`` is True. Of two calls with the same evidence the
    second may only repeat the first.
    """

    def __init__(self, settings: BargeInSettings | None = None) -> None:
        self._settings = settings or BargeInSettings()
        self.deciding = False
        self._begun = 0
        self._own_speech_sec = self._own_content = 0.0

    def begin(self, position: int) -> None:
        """Somebody seems to have begun to speak at ``position``."""
        self.deciding = True
        self._begun = position
        self._own_speech_sec = self._own_content = 0.0

    def update(self, evidence: Evidence) -> Decision:
        """What to do now; anything but "wait" is said once and ends it.

        Raises:
            RuntimeError: when nothing has begun.
        """
        if not self.deciding:
            raise RuntimeError("nothing to decide: begin() comes first")
        decision = self._decide(evidence)
        self.deciding = decision == "wait"
        return decision

    def _decide(self, evidence: Evidence) -> Decision:
        settings = self._settings
        if evidence.own_voice >= (OWN_ECHOING if evidence.echoing else OWN):
            # What the avatar said itself counts neither now nor later.
            self._own_speech_sec = evidence.speech_sec
            self._own_content = evidence.content
        elif is_stop(evidence.text):
            return "interrupt"
        speech_sec = evidence.speech_sec - self._own_speech_sec
        content = evidence.content - self._own_content
        if self._clear_by_words(evidence, content) or self._clear_by_sound(
            evidence, speech_sec, content
        ):
            return "interrupt"
        if evidence.silence_sec >= settings.settle_sec:
            patience = settings.settle_sec + settings.words_sec
            hopeless = not evidence.awaiting_words or content < settings.some / 2
            if evidence.final or hopeless or evidence.silence_sec >= patience:
                return "resume"
        if evidence.position - self._begun >= settings.bound_sec * RATE:
            return "interrupt" if content >= settings.some else "resume"
        return "wait"

    def _clear_by_words(self, evidence: Evidence, content: float) -> bool:
        """Recognisers make words of coughs, too; a half-heard "right" is "write" for a moment."""
        settings = self._settings
        words = words_beyond(evidence.text)
        if not words or (evidence.guessed and content < settings.guess):
            return False
        if words == 1:
            return evidence.final and content >= settings.word
        return content >= settings.some

    def _clear_by_sound(self, evidence: Evidence, speech_sec: float, content: float) -> bool:
        settings = self._settings
        if speech_sec < settings.confirm_sec:
            return False
        if not settings.backchannels:
            return content >= settings.some
        # A recogniser is some syllables behind: "okay" may be "okay, but what about …".
        enough = 1.6 * settings.clear if is_backchannel(evidence.text) else settings.clear
        if content >= enough:
            return True
        return speech_sec >= settings.long_sec and content >= 0.8 * enough
