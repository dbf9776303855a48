"""One cancellable conversation: text in, a performance and its events out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
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
from mien.media.clock import Clock
from mien.media.program import Program
from mien.media.rendition import VideoSettings
from mien.media.speech import Heard
from mien.media.tick import Event, Tick
from mien.performer import Performer
from mien.problems import problem_of
from mien.stage import Stage, TurnFrame
from mien.trace import Trace
from mien.tts.alignment import ForcedAlignment
from mien.tts.clauses import ClauseProcessor
from mien.tts.lexicon import Lexicon
from mien.tts.service import VoiceService
from mien.tts.voice import Voice


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: everything a conversation shares with others or is given ready-made.

    brain: a new pipecat processor for this conversation, LLMContextFrame in, LLM text out; it
        brings its own system prompt and bounds the history it sends.
    about_voice: what the page is told of who speaks, by the names of the wanted and the other.
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


@dataclass(slots=True)
class Turn:
    """One question and its answer. aside: it is no part of the conversation."""

    number: int
    aside: bool = False
    trace: Trace = field(default_factory=Trace)
    clause: str = ""
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

    async def chat(self, text: str) -> int:
        """Answer ``text``; an answer still being given is interrupted. Returns the turn."""
        turn = await self._begin_turn()
        self._context.add_message({"role": "user", "content": text})
        self._remember({"role": "user", "text": text, "turn": turn.number, "complete": True})
        self.events.publish({"type": "user", "turn": turn.number, "text": text})
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
            await self._queue(InterruptionFrame())
        return heard

    def speak_with(self, voice: Voice) -> None:
        """Whatever is not being said yet is said by ``voice``."""
        self._voice.speak_with(voice)
        self._wanted = self._speaker = voice.name
        self.events.publish({"type": "voice", **self.voice})

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
        if self._turn is not None:
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
        turn.clause = str(event.data["text"])
        if not turn.spoke:
            turn.spoke = turn.sound_due = True
            self._set_state("speaking")
        self._publish("clause", turn, clause=event.data["clause"], text=turn.clause)

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
            self._context.add_message({"role": "assistant", "content": heard.text})
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
