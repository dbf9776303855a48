"""What is said and shown when: a pure data structure, no asyncio, no pictures.

Speech is written onto a tape; ticks are planned from it a little ahead of the clock and
emitted on the clock. Planning ahead never costs latency: planned silence is taken back when
speech arrives, planned speech is taken back when it is interrupted or held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from mien.media.fade import FADE_SAMPLES, faded_in, faded_out
from mien.media.phones import PhoneTrack
from mien.media.resampler import ClauseResampler
from mien.media.speech import Heard, SpeechChunk
from mien.media.tick import SAMPLE_RATE, SAMPLES_PER_TICK, TICK_SEC, Event, Pcm
from mien.media.tick_plan import Mark, SpeechWindow, TickPlan
from mien.media.track import SampleTrack

# Outputs send a tick's sound in two halves.
HALF_TICK = SAMPLES_PER_TICK // 2


@dataclass(slots=True)
class _Clause:
    clause: int
    text: str
    begin: int
    timed: bool
    aside: bool
    gestures: deque[tuple[int, str]]  # (text offset, name), not yet given a time
    words: list[tuple[int, int]] = field(default_factory=list)  # (tape position, text stop)
    end: int | None = None


class Timeline:
    """The performer's memory of what was, is and will be said.

    voice_rate: Hz of the audio a lip-sync engine wants.
    context: seconds of it before and after each tick.

    Events it makes itself: ``clause`` (clause, text) when a clause begins to sound, ``word``
    (clause, begin, stop) when a word does, ``gesture`` (clause, name) with the word it leads.
    """

    def __init__(self, voice_rate: int = 16_000, context: tuple[float, float] = (0.0, 0.0)) -> None:
        self.generation = 0
        self.next_index = 0  # the next tick to be emitted
        self.planned: deque[TickPlan] = deque()
        self.held = False
        self._fade: Pcm | None = None
        self._tune(voice_rate, context)
        self._clear_tape()

    def _tune(self, voice_rate: int, context: tuple[float, float]) -> None:
        self._voice_rate = voice_rate
        self._before = round(context[0] * voice_rate)
        self._after = round((TICK_SEC + context[1]) * voice_rate)
        self._look_ahead = round(context[1] * SAMPLE_RATE)

    def _clear_tape(self) -> None:
        self._tape = SampleTrack()
        self._voice = SampleTrack()
        self._position = 0  # next tape sample to be planned
        self._emitted = 0  # tape samples that have left in ticks
        self._fed = 0.0  # tape samples' worth of the current clause given to the resamplers
        self._playing = False  # the last planned tick speaks
        self._sounding = False  # the last emitted tick spoke
        self._closed = True  # no clause is waiting for more of its speech
        self._clauses: list[_Clause] = []
        self._phones = PhoneTrack()
        self._marks: deque[Mark] = deque()
        self._resamplers: tuple[ClauseResampler, ClauseResampler] | None = None
        self._last_spoken: TickPlan | None = None  # the last emitted tick, if it spoke
        self._fade_in = 0, 0  # where held sound goes on, and samples of it that faded out

    # -- what goes in ------------------------------------------------------------------

    def say(self, chunk: SpeechChunk) -> bool:
        """Append speech. False if it belongs to an older generation and was dropped."""
        if chunk.generation != self.generation:
            return False
        clause = self._clauses[-1] if self._clauses else None
        if clause is None or clause.clause != chunk.clause or clause.end is not None:
            clause = self._begin_clause(chunk)
        if self._resamplers is None:
            self._resamplers = (
                ClauseResampler(chunk.sample_rate, SAMPLE_RATE),
                ClauseResampler(chunk.sample_rate, self._voice_rate),
            )
        # The resampler gives its output late but unshifted: times count from what went in.
        origin = clause.begin + round(self._fed)
        self._fed += len(chunk.pcm) * SAMPLE_RATE / chunk.sample_rate
        self._tape.append(self._resamplers[0](chunk.pcm, chunk.last))
        self._voice.append(self._resamplers[1](chunk.pcm, chunk.last))
        self._note_times(chunk, clause, origin)
        if chunk.last:
            self._end_clause(clause)
        self._take_back_silence()
        return True

    def _begin_clause(self, chunk: SpeechChunk) -> _Clause:
        clause = _Clause(
            chunk.clause,
            chunk.text,
            self._tape.end,
            chunk.phones is not None,
            chunk.aside,
            deque(chunk.gestures),
        )
        self._clauses.append(clause)
        self._closed = False
        self._resamplers = None
        self._fed = 0.0
        aside: dict[str, object] = {"aside": True} if clause.aside else {}
        data = {"clause": clause.clause, "text": clause.text, **aside}
        self._marks.append((clause.begin, Event("clause", data)))
        return clause

    def _end_clause(self, clause: _Clause) -> None:
        clause.end = self._tape.end
        self._begin_gestures(clause, clause.end)
        # A word timed past the end of its sound would keep everything behind it from happening.
        self._marks = deque((min(position, clause.end), event) for position, event in self._marks)
        # The two rates round differently; both tracks must agree where a clause ends.
        want = round(self._tape.end * self._voice_rate / SAMPLE_RATE)
        if want > self._voice.end:
            self._voice.append(np.zeros(want - self._voice.end, np.int16))
        self._closed = True

    def _note_times(self, chunk: SpeechChunk, clause: _Clause, origin: int) -> None:
        for word in chunk.words:
            position = origin + round(word.start * SAMPLE_RATE)
            self._begin_gestures(clause, position, word.stop)
            clause.words.append((position, word.stop))
            data: dict[str, object] = {
                "clause": clause.clause,
                "begin": word.begin,
                "stop": word.stop,
            }
            self._marks.append((position, Event("word", data)))
        if chunk.phones:
            clause.timed = True
            self._phones.note(chunk.phones, origin / SAMPLE_RATE, clause.begin / SAMPLE_RATE)

    def _begin_gestures(self, clause: _Clause, position: int, stop: int | None = None) -> None:
        """Mark the gestures in front of ``text[stop]``, or all that are left, at ``position``."""
        while clause.gestures and (stop is None or clause.gestures[0][0] < stop):
            _, name = clause.gestures.popleft()
            event = Event("gesture", {"clause": clause.clause, "name": name})
            self._marks.append((position, event))

    def mark(self, event: Event) -> None:
        """Let ``event`` happen when everything said so far has been heard."""
        self._marks.append((self._tape.end, event))
        self._take_back_silence()

    def interrupt(self, half_left: bool = False, fade: bool = True) -> Heard:
        """Forget everything not yet emitted; later speech must carry the new generation.

        half_left: as for :meth:`hold`; whoever sends that half lets it fade out.
        fade: whether the next tick lets the sound fade out if need be.
        """
        if half_left and self._last_spoken is not None:
            self._emitted = min(self._emitted, self._last_spoken.tape_begin + HALF_TICK)
        heard = self.heard()
        if not self.held and not half_left:
            rest = self._tape.read(self._emitted, self._emitted + FADE_SAMPLES)
            self._fade = faded_out(rest) if fade and self._emitted and rest.any() else None
        self.held = False
        self.generation += 1
        self.planned.clear()
        self._clear_tape()
        return heard

    def hold(self, half_left: bool) -> None:
        """Say nothing more until :meth:`release`; speech may go on arriving.

        The sound fades out over half a tick, and these samples fade in again when it goes on: in
        all, each is heard once.

        half_left: whether the second half of the last emitted tick has not been sent yet; it fades
        out then, else the beginning of the next tick does.
        """
        if self.held:
            return
        self.held = True
        at, last = self._emitted, self._last_spoken
        if last is not None and half_left:
            at = min(at, last.tape_begin + HALF_TICK)
            fading = self._emitted - at
            out = last.audio[HALF_TICK:]
            out[:fading] = faded_out(out[:fading], fading)
            self._fade_in = at, fading
        elif last is not None:
            fading = min(HALF_TICK, self._tape.end - at)
            self._fade = faded_out(self._tape.read(at, at + fading), fading)
            self._fade_in = at, fading
        while self.planned:
            self._marks.extendleft(reversed(self.planned.pop().marks))
        self._position = self._emitted = at
        self._playing = self._sounding = False
        self._last_spoken = None

    def release(self) -> None:
        """Go on exactly where :meth:`hold` stopped."""
        self.held = False
        self._take_back_silence()

    def _take_back_silence(self) -> None:
        while self.planned and self.planned[-1].window is None and not self.planned[-1].starts:
            self._marks.extendleft(reversed(self.planned.pop().marks))

    # -- what was heard ----------------------------------------------------------------

    def heard(self) -> Heard:
        """What has left in ticks since the last :meth:`forget` or :meth:`interrupt`.

        Asides count in its seconds, not in its text.
        """
        text = ""
        complete = self._closed and self._emitted >= self._tape.end
        for clause in self._clauses:
            if clause.end is not None and self._emitted >= clause.end:
                text += "" if clause.aside else clause.text
                continue
            if not clause.aside:
                begun = [stop for position, stop in clause.words if position < self._emitted]
                text += clause.text[: max(begun, default=0)]
            break
        return Heard(text, self._emitted / SAMPLE_RATE, complete)

    def forget(self) -> None:
        """A turn is over: the next :meth:`heard` counts from here. Only valid in silence."""
        if not (self._closed and self._emitted >= self._tape.end):
            raise RuntimeError("a turn cannot be forgotten while it is still being said")
        marks = [event for _, event in self._marks]
        self._clear_tape()
        self._marks.extend((0, event) for event in marks)
        for plan in self.planned:
            plan.tape_end = 0

    def retune(self, voice_rate: int, context: tuple[float, float]) -> None:
        """Serve a lip-sync engine that wants other sound. Raises RuntimeError while speaking."""
        if not self.silent:
            raise RuntimeError("the mouth's sound cannot change while something is being said")
        self._tune(voice_rate, context)
        self._voice = SampleTrack()
        self._voice.append(np.zeros(round(self._tape.end * voice_rate / SAMPLE_RATE), np.int16))

    @property
    def silent(self) -> bool:
        """Whether all that was said has been emitted."""
        return self._emitted >= self._tape.end and self._closed and not self._marks

    @property
    def queued_sec(self) -> float:
        """Seconds of speech not yet emitted."""
        return (self._tape.end - self._emitted) / SAMPLE_RATE

    # -- what comes out ----------------------------------------------------------------

    @property
    def speech_ready(self) -> bool:
        """Whether the next tick to be planned would speak."""
        return self._speaks(forced=False)

    def plan(self) -> TickPlan:
        """Plan the tick after the last planned one."""
        return self._plan(forced=False)

    def _plan(self, forced: bool) -> TickPlan:
        index = self.next_index + len(self.planned)
        plan = self._plan_speech(index) if self._speaks(forced) else self._plan_silence(index)
        self.planned.append(plan)
        return plan

    def _speaks(self, forced: bool) -> bool:
        available = self._tape.end - self._position
        if available <= 0 or self.held:
            return False
        if self._closed:
            return True
        if forced and self._sounding:
            return available >= SAMPLES_PER_TICK
        # The two resamplers are not equally far behind; an engine must not take what one has not
        # given yet for silence.
        at = round(self._position * self._voice_rate / SAMPLE_RATE)
        heard = self._voice.end >= at + self._after
        return heard and available >= SAMPLES_PER_TICK + self._look_ahead

    def _plan_speech(self, index: int) -> TickPlan:
        begin, end = self._position, min(self._position + SAMPLES_PER_TICK, self._tape.end)
        audio = self._tape.read(begin, begin + SAMPLES_PER_TICK)
        if begin == self._fade_in[0]:
            fading = self._fade_in[1]
            audio[:fading] = faded_in(audio[:fading], fading)
        starts = (at for at, event in self._marks if at < end and event.name == "clause")
        clause_at = max((at - begin for at in starts), default=SAMPLES_PER_TICK)
        plan = TickPlan(
            index,
            self.generation,
            audio,
            self._window(begin),
            self._marks_before(end),
            starts=not self._playing,
            tape_begin=begin,
            tape_end=end,
            clause_at=clause_at,
        )
        self._position, self._playing = end, True
        return plan

    def _plan_silence(self, index: int) -> TickPlan:
        self._playing, at = False, self._position
        audio, marks = np.zeros(SAMPLES_PER_TICK, np.int16), self._marks_in_silence()
        return TickPlan(index, self.generation, audio, None, marks, tape_begin=at, tape_end=at)

    def _marks_in_silence(self) -> list[Mark]:
        """Those at the very end of what was said; what more sound is to come with waits for it."""
        if self._closed and not self.held:
            return self._marks_before(self._position + 1)
        if self.held or self._clauses[-1].begin != self._position:
            return []
        ended = list(takewhile(lambda mark: mark[1].name != "clause", self._marks))
        return [self._marks.popleft() for _ in ended]

    def _marks_before(self, position: int) -> list[Mark]:
        marks = []
        while self._marks and self._marks[0][0] < position:
            marks.append(self._marks.popleft())
        return marks

    def _window(self, begin: int) -> SpeechWindow:
        at = round(begin * self._voice_rate / SAMPLE_RATE)
        pcm = self._voice.read(at - self._before, at + self._after)
        self._forget_before(min(begin, self._emitted) - HALF_TICK)
        clause = next((c for c in self._clauses if c.end is None or c.end > begin), None)
        if clause is None or not clause.timed:
            return SpeechWindow(pcm, None, at)
        start = begin / SAMPLE_RATE
        first = start - self._before / self._voice_rate
        last = start + self._after / self._voice_rate
        return SpeechWindow(pcm, self._phones.around(start, first, last), at)

    def _forget_before(self, position: int) -> None:
        """Release what neither goes on from there nor is around it."""
        at = round(position * self._voice_rate / SAMPLE_RATE) - self._before
        self._tape.forget_before(position)
        self._voice.forget_before(at)
        self._phones.forget_before(at / self._voice_rate)

    def emit(self, wait_for_picture: Callable[[TickPlan], bool] = lambda plan: False) -> TickPlan:
        """Take the next tick off; call it when the tick is due.

        wait_for_picture: asked about a first tick of speech without its picture; True puts the
        speech off by one tick of silence, so that a voice never starts on a closed mouth.
        """
        if not self.planned:
            self.plan()
        plan = self.planned[0]
        if plan.window is None and self._speaks(forced=True):
            # The look-ahead is not there yet, but the voice must not stutter for the mouth's sake.
            self._take_back_silence()
            plan = self._plan(forced=True)
        if plan.starts and plan.image is None and wait_for_picture(plan):
            return self._put_off()
        self.planned.popleft()
        self.next_index += 1
        self._emitted = max(self._emitted, plan.tape_end)
        self._sounding = plan.window is not None
        self._last_spoken = plan if self._sounding else None
        return self._faded(plan)

    def _faded(self, plan: TickPlan) -> TickPlan:
        if self._fade is not None:
            plan.audio[: len(self._fade)] += self._fade
            self._fade = None
        return plan

    def _put_off(self) -> TickPlan:
        for plan in self.planned:
            plan.index += 1
        self.planned[0].held += 1
        self._last_spoken = None
        self.next_index += 1
        silence = np.zeros(SAMPLES_PER_TICK, np.int16)
        return self._faded(TickPlan(self.next_index - 1, self.generation, silence, None, []))

    def skip(self, ticks: int) -> None:
        """The clock jumped (a suspended machine): leave out ticks, not speech."""
        self.next_index += ticks
        for plan in self.planned:
            plan.index += ticks
