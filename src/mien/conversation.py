"""One cancellable conversation: text in, a performance and its events out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import (
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)

from mien.cast import Cast
from mien.events import EventHub, Message
from mien.fillers import Fillers
from mien.language import detect_language
from mien.llm.frames import AskFrame
from mien.llm.info import Briefed
from mien.llm.role import Playing, Role
from mien.llm.viewers import framed
from mien.media.clock import Clock
from mien.media.program import Program
from mien.media.speech import Heard
from mien.media.tick import Event, Tick
from mien.moderation.questions import may_be_asked
from mien.moderation.refusals import NOT_ASKED
from mien.performer import Performer
from mien.pipeline import SpeechPipeline
from mien.problems import Problem
from mien.research import Research
from mien.speaker import Speaker
from mien.stage import TurnFrame
from mien.trace import Trace
from mien.transcript import Transcript
from mien.tts.clauses import AsideFrame
from mien.tts.marks import ends_sentence
from mien.turn import Turn, same_words


class Conversation:
    """Owns a pipeline, a performer and a program; :meth:`run` ends all of them together.

    Attributes:
        events: what happens, as messages for the page.
        program: the encoded performance, for outputs.
        transcript: what was said, with whoever is told of it.
    """

    def __init__(self, cast: Cast, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.language = cast.language
        self.events = EventHub()
        self.transcript = Transcript()
        self.state = "idle"
        self.speaker = Speaker(cast, self.events.publish)
        self._moderator = cast.moderator
        self.on_trace: Callable[[Trace], None] = lambda trace: None
        self._turn: Turn | None = None
        self._turns = 0
        self._asked = 0  # questions, and demands for silence: the last one counts
        self._unhushed = False  # the pipeline has not been told yet that a turn was cut
        self._brain = cast.brain
        self._fillers = cast.fillers
        self.performer = Performer(
            cast.avatar,
            cast.lipsync,
            cast.executor,
            clock=clock,
            seed=seed,
            on_event=self._on_event,
        )
        self.program = Program(
            self.performer,
            cast.avatar.size,
            cast.executor,
            cast.video,
            self._on_sound,
            cast.label(lambda: self.performer.avatar),
        )
        self._pipeline = SpeechPipeline(
            cast,
            self.speaker.service,
            self.performer,
            self._stamp,
            self._on_problem,
            self._on_research,
        )
        self._tasks: asyncio.TaskGroup | None = None

    # -- life --------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled; then nothing of the conversation is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._pipeline.run(), name="pipeline")
                tasks.create_task(self.program.run(), name="program")
        finally:
            self._tasks = None
            if self._turn is not None:
                self._turn.close()
            self.events.close()

    async def ready(self) -> None:
        """Wait until the pipeline takes text."""
        await self._pipeline.ready()

    # -- what people do ----------------------------------------------------------------

    async def chat(self, text: str, viewer: str = "", trace: Trace | None = None) -> int:
        """Answer ``text``; an answer still being given is interrupted. Returns the turn.

        If the same words were proposed, what was made of them is the answer.

        viewer: who of an audience asks; the brain is told so in a way that names cannot abuse.
        trace: of what was heard before there was text.
        """
        self._asked += 1
        asked = self._asked
        # What an audience writes was judged before it waited.
        allowed = bool(viewer) or await may_be_asked(self._moderator, text)
        if asked != self._asked:
            return self._pass_over(text, allowed)
        if not allowed:
            return await self._decline(text)
        turn = self._turn
        content = framed(viewer, text, self.language) if viewer else text
        if turn is not None and turn.proposal is not None and same_words(turn.proposal, content):
            self._accept(turn, content, trace)
        else:
            turn = await self._begin_turn(trace=trace)
            self.transcript.ask(content)
            await self._pipeline.queue(self._turn_frame(turn), AskFrame(self.transcript.context))
        who = {"from": viewer} if viewer else {}
        said = {"text": text, "turn": turn.number, **who}
        self.transcript.remember({"role": "user", **said, "complete": True})
        self.events.publish({"type": "user", **said})
        self._fillers.wait(turn, self._think_aloud)
        return turn.number

    def _pass_over(self, text: str, allowed: bool) -> int:
        """While it was judged, silence was demanded or something else asked."""
        self._turns += 1
        said = {"text": text, "turn": self._turns}
        if allowed:
            self.transcript.remember({"role": "user", **said, "complete": True})
        self.events.publish({"type": "user", **said})
        self._publish("turn", Turn(self._turns), text="", complete=False)
        self.events.publish({"type": "state", "state": self.state})  # no answer will change it
        return self._turns

    async def _decline(self, text: str) -> int:
        """Neither the brain nor its history learn of what was asked."""
        turn = await self.say(NOT_ASKED[detect_language(text, self.language)], aside=True)
        self.events.publish({"type": "user", "text": text, "turn": turn})
        return turn

    async def propose(self, text: str) -> bool:
        """Begin to answer what somebody seems to have said, unheard and unremembered.

        Until :meth:`chat` is called with the same words, or :meth:`withdraw`. False while an
        answer is being given.
        """
        turn = self._turn
        if turn is not None and turn.proposal is None:
            return False
        if turn is None or not same_words(turn.proposal or "", text):
            turn = await self._begin_turn(proposal=text)
            self.performer.hold()
            turn.context = self.transcript.supposing(text)
            asking = AskFrame(turn.context, granted=turn.granted)
            await self._pipeline.queue(self._turn_frame(turn), asking)
        return True

    async def withdraw(self) -> None:
        """Forget what was proposed."""
        if self._turn is not None and self._turn.proposal is not None:
            await self._hush()

    async def say(self, text: str, aside: bool = False) -> int:
        """Say ``text`` word for word. Returns the turn.

        aside: the history and the model know nothing of it.
        """
        turn = await self._begin_turn(aside)
        await self._pipeline.queue(
            self._turn_frame(turn),
            LLMFullResponseStartFrame(),
            LLMTextFrame(text),
            LLMFullResponseEndFrame(),
        )
        return turn.number

    async def interrupt(self) -> Heard:
        """Fall silent at once. What is being made is thrown away, what is judged not answered."""
        self._asked += 1
        return await self._hush()

    async def _hush(self) -> Heard:
        if self.held:
            self.events.publish({"type": "barge_in", "what": "interrupt"})
        heard = self.performer.interrupt()
        if self._turn is not None:
            self._close_turn(heard, complete=False)
            self._unhushed = True
        if self._unhushed:
            self._unhushed = False
            await self._pipeline.queue(InterruptionFrame())
        return heard

    def hold(self) -> bool:
        """Fall silent to listen; what is being said or made waits, see :meth:`release`.

        False when nothing is.
        """
        if self._turn is None or self._turn.proposal is not None:
            return False
        if not self.performer.held:
            self.performer.hold()
            self.events.publish({"type": "barge_in", "what": "hold"})
            self._set_state("listening")
        return True

    def release(self) -> None:
        """Go on where :meth:`hold` stopped: it was no interruption."""
        turn = self._turn
        if turn is not None and turn.proposal is None and self.performer.held:
            self.performer.release()
            self.events.publish({"type": "barge_in", "what": "resume"})
            self._set_state("speaking" if turn.spoke else "thinking")

    @property
    def held(self) -> bool:
        """Whether an answer waits, see :meth:`hold`."""
        return self.answering and self.performer.held

    @property
    def answering(self) -> bool:
        """Whether something is being said or made, proposals aside."""
        return self._turn is not None and self._turn.proposal is None

    async def interject(self, text: str) -> None:
        """Say ``text`` before what the brain has not come to yet; nobody remembers it."""
        if self._turn is not None:
            await self._pipeline.queue(AsideFrame(text))

    def end_with_sentence(self) -> None:
        """Fall silent where the sentence that sounds ends; the turn's event comes then."""
        if self._turn is not None:
            self._turn.ending = True

    def brief(self, text: str, about: str = "live") -> None:
        """Tell the brain what it should know, in place of what it was told ``about`` the same;
        brains that cannot be told do without.
        """
        if isinstance(self._brain, Briefed):
            self._brain.brief(text, about)

    async def play(self, role: Role, fillers: Fillers) -> None:
        """Be somebody else from now on, who knows nothing of what was said."""
        await self.interrupt()
        self.assume(role)
        self._fillers = fillers
        self._pipeline.speak(role.language)
        self.transcript.begin_anew()

    def assume(self, role: Role) -> None:
        """Go on with other tools, or otherwise instructed."""
        if isinstance(self._brain, Playing):
            self._brain.become(role)

    @property
    def history(self) -> list[Message]:
        """{role, text, turn, complete} and, of answers, sources: what was really said and heard."""
        return self.transcript.history

    @property
    def watched(self) -> bool:
        """Whether anybody, or any output, takes the performance."""
        return self.performer.draw

    def listen(self, listening: bool) -> None:
        """The user began or stopped speaking into a microphone."""
        if not self.answering:
            self._set_state("listening" if listening else "idle")

    async def _begin_turn(
        self, aside: bool = False, proposal: str | None = None, trace: Trace | None = None
    ) -> Turn:
        started = trace or Trace()
        if self._turn is not None or self._unhushed:
            await self._hush()
        await self._pipeline.ready()
        self._turns += 1
        self._turn = Turn(self._turns, aside, started, proposal)
        if proposal is None:
            self._set_state("thinking")
        return self._turn

    def _accept(self, turn: Turn, content: str, trace: Trace | None) -> None:
        """What was proposed was said: it is a turn like any other from now on."""
        assert turn.context is not None and turn.proposal is not None
        self.transcript.adopt(turn.context, turn.proposal, content)
        turn.accept(trace or Trace())
        self._set_state("thinking")
        for message in turn.untold:
            self.events.publish(message)
        self.performer.release()

    def _turn_frame(self, turn: Turn) -> TurnFrame:
        return TurnFrame(turn.number, self.performer.generation)

    # -- what happens ------------------------------------------------------------------

    def _on_event(self, event: Event, tick: Tick) -> None:
        """An event of the performance, at the moment its tick leaves."""
        turn = self._turn
        if turn is None:
            return
        if event.name == "clause":
            self._begin_clause(turn, event)
        elif event.name == "word":
            self._publish("word", turn, **turn.word(event.data))
        elif event.name == "aside_over":
            self._set_state("thinking")
        elif event.name == "gesture":
            self._publish("gesture", turn, **event.data)
        elif event.name == "turn" and event.data["turn"] == turn.number:
            self._close_turn(self.performer.end_turn(), complete=True)

    def _begin_clause(self, turn: Turn, event: Event) -> None:
        if turn.ending and (not turn.spoke or ends_sentence(turn.clause)):
            self._end_before_clause(turn)
            return
        turn.begin_clause(str(event.data["text"]), bool(event.data.get("aside")))
        self._set_state("speaking")
        self._publish("clause", turn, **event.data)

    def _end_before_clause(self, turn: Turn) -> None:
        seconds = self.performer.interrupt_before_clause().seconds
        self._unhushed = True
        self._close_turn(Heard(turn.told, seconds, False), complete=False)

    def _on_sound(self, tick: Tick) -> None:
        turn = self._turn
        if turn is not None and turn.sound_due:
            turn.sounds(self.performer.first_mouth_at)
            self._publish("latency", turn, stages=turn.trace.milliseconds())
            self.on_trace(turn.trace)

    def _close_turn(self, heard: Heard, complete: bool) -> None:
        turn, self._turn = self._turn, None
        assert turn is not None
        turn.close()
        if turn.proposal is not None:
            return  # nobody knew of it
        if heard.text and not turn.aside:
            self.transcript.answered(heard.text)
            self.transcript.remember(turn.answer(heard.text, complete))
        self._publish("turn", turn, text=heard.text, complete=complete)
        self._set_state("idle")

    def _think_aloud(self, turn: Turn, filler: str) -> None:
        """The brain is slow to find its words."""
        if self._turn is turn and not self.held and self._tasks is not None:
            self._tasks.create_task(self.interject(filler), name="filler")

    def _on_research(self, number: int, frame: Research) -> None:
        """The brain looks something up, or has found it."""
        turn = self._turn
        if turn is not None and turn.number == number and (message := turn.learn(frame)):
            self.events.publish(message)

    def _on_problem(self, problem: Problem) -> None:
        self.events.publish({"type": "error", **problem.as_message()})

    # -- helpers -----------------------------------------------------------------------

    def _stamp(self, stage: str) -> None:
        if self._turn is not None:
            self._turn.trace.stamp(stage)

    def _publish(self, kind: str, turn: Turn, **data: Any) -> None:
        aside = {"aside": True} if turn.aside else {}
        self.events.publish({"type": kind, "turn": turn.number, **aside, **data})

    def _set_state(self, state: str) -> None:
        self.performer.activity = "idle" if state == "speaking" else state
        if state != self.state:
            self.state = state
            self.events.publish({"type": "state", "state": state})
