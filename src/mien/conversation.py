"""One cancellable conversation: text in, a performance and its events out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from mien.avatar.contract import Avatar
from mien.events import EventHub, Message
from mien.language import Language
from mien.lipsync.contract import LipSync
from mien.llm.history import role_of
from mien.llm.info import Briefed
from mien.llm.viewers import framed
from mien.media.clock import Clock
from mien.media.program import Program
from mien.media.rendition import VideoSettings
from mien.media.speech import Heard
from mien.media.tick import Event, Tick
from mien.moderation.answers import AnswerFilter
from mien.moderation.contract import Moderator, Verdict
from mien.performer import Performer
from mien.problems import Problem, problem_of
from mien.stage import Stage, TurnFrame
from mien.trace import Trace
from mien.tts.alignment import ForcedAlignment
from mien.tts.clauses import ClauseProcessor
from mien.tts.lexicon import Lexicon
from mien.tts.marks import ends_sentence
from mien.tts.service import VoiceService
from mien.tts.voice import Voice

# Of the things said without a question in between, how many the brain is told of: a host may
# speak for days before one comes.
MONOLOGUE = 8


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: everything a conversation shares with others or is given ready-made.

    brain: a new pipecat processor for this conversation, LLMContextFrame in, LLM text out; it
        brings its own system prompt and bounds the history it sends.
    about_voice: what the page is told of who speaks, by the names of the wanted and the other.
    moderator: who may object to what is about to be spoken.
    """

    avatar: Avatar
    lipsync: LipSync
    voice: Voice
    brain: FrameProcessor
    language: Language
    executor: Executor
    video: VideoSettings = field(default_factory=VideoSettings)
    alignment: ForcedAlignment | None = None
    lexicon: Lexicon | None = None
    about_voice: Callable[[str, str], Message] = lambda wanted, name: {"name": name}
    moderator: Moderator | None = None


@dataclass(slots=True)
class Turn:
    """One question and its answer. aside: it is no part of the conversation.

    clause: what sounds now. before: what was heard in front of it. ending: it is to end with the
    sentence that sounds.
    """

    number: int
    aside: bool = False
    trace: Trace = field(default_factory=Trace)
    clause: str = ""
    before: str = ""
    ending: bool = False
    spoke: bool = False
    sound_due: bool = False


class Conversation:
    """Owns a pipeline, a performer and a program; :meth:`run` ends all of them together.

    Attributes:
        events: what happens, as messages for the page.
        program: the encoded performance, for outputs.
        history: [{role, text, turn, complete}], what was really said and heard.
    """

    def __init__(self, cast: Cast, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.language = cast.language
        self.events = EventHub()
        self.history: list[Message] = []
        self.state = "idle"
        self._about_voice = cast.about_voice
        self._wanted = self._speaker = cast.voice.name
        self._voice = VoiceService(cast.voice, cast.language, cast.lexicon, self._on_speaker)
        self.on_trace: Callable[[Trace], None] = lambda trace: None
        self._turn: Turn | None = None
        self._turns = 0
        self._unhushed = False  # the pipeline has not been told yet that a turn was cut
        self._brain = cast.brain
        self._context = LLMContext()
        self.performer = Performer(
            cast.avatar,
            cast.lipsync,
            cast.executor,
            clock=clock,
            seed=seed,
            on_event=self._on_event,
        )
        self.program = Program(
            self.performer, cast.avatar.size, cast.executor, cast.video, self._on_sound
        )
        self._worker = self._build_pipeline(cast)
        self._ready = asyncio.Event()

    def _build_pipeline(self, cast: Cast) -> PipelineWorker:
        pipeline = Pipeline(
            [
                cast.brain,
                ClauseProcessor(self._stamp),
                *self._filters(cast),
                self._voice,
                Stage(self.performer, self._stamp, cast.alignment, cast.language),
            ]
        )
        worker = PipelineWorker(
            pipeline,
            params=PipelineParams(audio_out_sample_rate=cast.voice.sample_rate),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            check_dangling_tasks=False,
        )
        worker.add_event_handler("on_pipeline_started", self._on_started)
        worker.add_event_handler("on_pipeline_error", self._on_error)
        return worker

    def _filters(self, cast: Cast) -> list[FrameProcessor]:
        if cast.moderator is None:
            return []
        return [AnswerFilter(cast.moderator, cast.language, self._on_blocked)]

    # -- life --------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled; then nothing of the conversation is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._run_pipeline(), name="pipeline")
                tasks.create_task(self.program.run(), name="program")
        finally:
            self.events.close()

    async def _run_pipeline(self) -> None:
        runner = WorkerRunner(handle_sigint=False, handle_sigterm=False, check_dangling_tasks=False)
        await runner.add_workers(self._worker)
        await runner.run()
        task = asyncio.current_task()
        if task is not None and not task.cancelling():  # the runner swallows its cancellation
            raise RuntimeError("the pipeline ended by itself; its error is logged above")

    async def _on_started(self, worker: PipelineWorker, frame: Frame) -> None:
        self._ready.set()

    async def ready(self) -> None:
        """Wait until the pipeline takes text."""
        await self._ready.wait()

    # -- what people do ----------------------------------------------------------------

    async def chat(self, text: str, viewer: str = "") -> int:
        """Answer ``text``; an answer still being given is interrupted. Returns the turn.

        viewer: who of an audience asks; the brain is told so in a way that names cannot abuse.
        """
        turn = await self._begin_turn()
        content = framed(viewer, text, self.language) if viewer else text
        self._context.add_message({"role": "user", "content": content})
        who = {"from": viewer} if viewer else {}
        said = {"text": text, "turn": turn.number, **who}
        self._remember({"role": "user", **said, "complete": True})
        self.events.publish({"type": "user", **said})
        await self._queue(self._turn_frame(turn), LLMContextFrame(self._context))
        return turn.number

    async def say(self, text: str, aside: bool = False) -> int:
        """Say ``text`` word for word. Returns the turn.

        aside: the history and the model know nothing of it.
        """
        turn = await self._begin_turn(aside)
        await self._queue(
            self._turn_frame(turn),
            LLMFullResponseStartFrame(),
            LLMTextFrame(text),
            LLMFullResponseEndFrame(),
        )
        return turn.number

    async def interrupt(self) -> Heard:
        """Fall silent at once; whatever of the answer is still being made is thrown away."""
        heard = self.performer.interrupt()
        if self._turn is not None:
            self._close_turn(heard, complete=False)
            self._unhushed = True
        if self._unhushed:
            self._unhushed = False
            await self._queue(InterruptionFrame())
        return heard

    def end_with_sentence(self) -> None:
        """Fall silent where the sentence that sounds ends; the turn's event comes then."""
        if self._turn is not None:
            self._turn.ending = True

    def brief(self, text: str) -> None:
        """Tell the brain what it should know; brains that cannot be told do without."""
        if isinstance(self._brain, Briefed):
            self._brain.brief(text)

    def speak_with(self, voice: Voice) -> None:
        """Whatever is not being said yet is said by ``voice``."""
        self._voice.speak_with(voice)
        self._wanted = self._speaker = voice.name
        self.events.publish({"type": "voice", **self.voice})

    @property
    def watched(self) -> bool:
        """Whether anybody, or any output, takes the performance."""
        return self.performer.draw

    @property
    def voice(self) -> Message:
        """Who speaks, or spoke last."""
        return self._about_voice(self._wanted, self._speaker)

    def listen(self, listening: bool) -> None:
        """The user began or stopped speaking into a microphone."""
        if self.state in ("idle", "listening"):
            self._set_state("listening" if listening else "idle")

    async def _begin_turn(self, aside: bool = False) -> Turn:
        started = Trace()
        if self._turn is not None or self._unhushed:
            await self.interrupt()
        await self._ready.wait()
        self._turns += 1
        self._turn = Turn(self._turns, aside, started)
        self._set_state("thinking")
        return self._turn

    def _turn_frame(self, turn: Turn) -> TurnFrame:
        return TurnFrame(turn.number, self.performer.generation)

    async def _queue(self, *frames: Frame) -> None:
        for frame in frames:
            await self._worker.queue_frame(frame)

    # -- what happens ------------------------------------------------------------------

    def _on_event(self, event: Event, tick: Tick) -> None:
        """An event of the performance, at the moment its tick leaves."""
        turn = self._turn
        if turn is None:
            return
        if event.name == "clause":
            self._begin_clause(turn, event)
        elif event.name == "word":
            text = turn.clause
            begin, stop = (int(str(event.data[key])) for key in ("begin", "stop"))
            self._publish(
                "word",
                turn,
                clause=event.data["clause"],
                begin=_utf16(text[:begin]),
                stop=_utf16(text[:stop]),
            )
        elif event.name == "gesture":
            self._publish("gesture", turn, **event.data)
        elif event.name == "turn" and event.data["turn"] == turn.number:
            self._close_turn(self.performer.end_turn(), complete=True)

    def _begin_clause(self, turn: Turn, event: Event) -> None:
        if turn.ending and (not turn.spoke or ends_sentence(turn.clause)):
            self._end_before_clause(turn)
            return
        turn.before += turn.clause
        turn.clause = str(event.data["text"])
        if not turn.spoke:
            turn.spoke = turn.sound_due = True
            self._set_state("speaking")
        self._publish("clause", turn, clause=event.data["clause"], text=turn.clause)

    def _end_before_clause(self, turn: Turn) -> None:
        seconds = self.performer.interrupt_before_clause().seconds
        self._unhushed = True
        self._close_turn(Heard(turn.before + turn.clause, seconds, False), complete=False)

    def _on_sound(self, tick: Tick) -> None:
        turn = self._turn
        if turn is not None and turn.sound_due:
            turn.sound_due = False
            mouth_at = self.performer.first_mouth_at
            if mouth_at is not None and mouth_at >= turn.trace.start:  # else of an earlier turn
                turn.trace.stamp("first_mouth", mouth_at)
            turn.trace.stamp("first_packet")
            self._publish("latency", turn, stages=turn.trace.milliseconds())
            self.on_trace(turn.trace)

    def _close_turn(self, heard: Heard, complete: bool) -> None:
        turn, self._turn = self._turn, None
        assert turn is not None
        if heard.text and not turn.aside:
            self._note_answer(heard.text)
            self._remember(
                {
                    "role": "assistant",
                    "text": heard.text,
                    "turn": turn.number,
                    "complete": complete,
                }
            )
        self._publish("turn", turn, text=heard.text, complete=complete)
        self._set_state("idle")

    def _note_answer(self, text: str) -> None:
        """Let the brain know what was said; of a long monologue, the last of it."""
        self._context.add_message({"role": "assistant", "content": text})
        messages = self._context.get_messages()
        run = list(takewhile(lambda message: role_of(message) == "assistant", reversed(messages)))
        if len(run) > MONOLOGUE:
            self._context.set_messages([*messages[: -len(run)], *messages[-MONOLOGUE:]])

    def _on_blocked(self, verdict: Verdict) -> None:
        problem = Problem(
            "answer_blocked",
            f"An answer was not spoken to its end: {verdict.code}.",
            f"回答未能全部播出：{verdict.code}。",
            stage="llm",
        )
        logger.warning(problem.en)
        self.events.publish({"type": "error", **problem.as_message()})

    def _on_speaker(self, name: str) -> None:
        """Another voice speaks than before."""
        self._speaker = name
        about = self.voice
        logger.warning(f"voice {name} speaks now {about.get('why') or ''}")
        self.events.publish({"type": "voice", **about})

    async def _on_error(self, worker: PipelineWorker, frame: ErrorFrame) -> None:
        problem = problem_of(frame)
        logger.warning(f"{problem.code}: {frame.error}")
        self.events.publish({"type": "error", **problem.as_message()})

    # -- helpers -----------------------------------------------------------------------

    def _stamp(self, stage: str) -> None:
        if self._turn is not None:
            self._turn.trace.stamp(stage)

    def _publish(self, kind: str, turn: Turn, **data: Any) -> None:
        aside = {"aside": True} if turn.aside else {}
        self.events.publish({"type": kind, "turn": turn.number, **aside, **data})

    def _remember(self, message: Message) -> None:
        self.history.append(message)
        del self.history[:-200]

    def _set_state(self, state: str) -> None:
        self.performer.activity = "idle" if state == "speaking" else state
        if state != self.state:
            self.state = state
            self.events.publish({"type": "state", "state": state})


def _utf16(text: str) -> int:
    """Length as JavaScript counts it."""
    return len(text.encode("utf-16-le")) // 2
