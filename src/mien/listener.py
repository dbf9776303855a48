"""One microphone of one session, from sound to turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from loguru import logger

from mien.asr.activity import SpeechActivity
from mien.asr.backchannel import is_stop
from mien.asr.echo import Echo
from mien.asr.vad import Vad
from mien.asr.wake_word import WakeWords
from mien.conversation import Conversation
from mien.events import Message
from mien.hearing import Hearing
from mien.interpreter import Interpreter, not_understood
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.resampler import PromptResampler
from mien.media.tick import SAMPLE_RATE, Pcm
from mien.overlap import Overlap
from mien.trace import Trace
from mien.utterance import Judgement, PreRoll, Utterance
from mien.wakefulness import Wakefulness

Mode = Literal["hands_free", "push_to_talk", "wake_word"]

# Heard before it is known to be speech: the VAD's window, and a soft consonant before it.
PRE_ROLL_SEC = 0.3
# A pause this long may be the end: what was said is looked at while the silence goes on.
PAUSE_SEC = 0.1
# After the button of push-to-talk is let go, its last word is still on the way.
LAST_WORD_SEC = 0.2
# An answer is begun ahead where the turn is likely to be over within this.
PROPOSE_SEC = 0.8


class Listener:
    """Hears what the microphone brings; ``run`` does what follows from it.

    mode: how a visitor begins to speak. words: what wakes the presenter.
    """

    def __init__(self, conversation: Conversation, hearing: Hearing, words: WakeWords) -> None:
        self.mode: Mode = hearing.settings.mode
        self._conversation = conversation
        self._hearing = hearing
        self._settings = hearing.settings
        self.interpreter = Interpreter(
            hearing.ears, conversation.language, self._on_partial, self._tell
        )
        self.wakefulness = Wakefulness(words, hearing.settings.awake_sec, self._woken)
        self._label: str | None = None
        self._released: asyncio.TimerHandle | None = None
        self._judging: asyncio.Task[None] | None = None
        self._steps: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()
        self._tasks: asyncio.TaskGroup | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        """With another microphone."""
        self._vad = Vad(self._hearing.vad)
        self._activity = SpeechActivity()
        self._echo = Echo() if self._settings.echo else None
        self._reference = PromptResampler(SAMPLE_RATE, RATE)
        self._pre_roll = PreRoll(PRE_ROLL_SEC)
        self._position = self._ended = 0  # of sound, and of the last turn in it
        self._arrived = time.monotonic()
        self._utterance: Utterance | None = None
        self._decided = False  # what still sounds was nothing
        self._overlap = Overlap(self._hearing.barge_in, self._echo)

    # -- life --------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled; then nothing it began goes on."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                with self._conversation.program.listening(self._played):
                    while True:
                        step = await self._steps.get()
                        try:
                            await step()
                        except Exception:  # one turn that fails ends nothing else
                            logger.exception("listening failed")
        finally:
            self._tasks = None
            await asyncio.shield(self.interpreter.aclose())
            await asyncio.shield(self.wakefulness.aclose())

    def _then(self, step: Callable[[], Awaitable[object]]) -> None:
        """One thing after the other, off the path of the sound."""
        self._steps.put_nowait(step)

    # -- what others do ----------------------------------------------------------------

    def connected(self, label: str | None) -> None:
        """A microphone has come, or with None gone."""
        self._label = label
        pressed = self._utterance is not None and self._utterance.pressed
        if label is not None:
            self._drop()
            self._begin_anew()
            if pressed:  # the button is held since before this microphone came
                self._begin(pressed=True)
            self._then(self.interpreter.choose)
            self._then(self._attend)
        else:
            self._cut()
            self._tell()

    def press(self, talking: bool) -> None:
        """The button of push-to-talk."""
        if self._released is not None:
            self._released.cancel()
        pressed = self._utterance is not None and self._utterance.pressed
        if not talking:
            loop = asyncio.get_running_loop()
            self._released = loop.call_later(LAST_WORD_SEC, self._cut) if pressed else None
        elif not pressed:
            self._drop()
            self._begin(pressed=True)

    async def choose(
        self, mode: Mode | None = None, engine: str | None = None, browser: bool | None = None
    ) -> Message:
        """Listen in another way from now on. Returns :attr:`state`."""
        if mode is not None and mode != self.mode:
            self._drop()
            self.mode = mode
            self._then(self._attend)
        interpreter = self.interpreter
        interpreter.engine = interpreter.engine if engine is None else engine
        interpreter.browser = interpreter.browser if browser is None else browser
        self._drop()
        await interpreter.choose()
        return self.state

    def answer_to(self, words: WakeWords, language: Language) -> None:
        """Be called by other names, and hear this language, from now on."""
        self.wakefulness.answer_to(words)
        self._then(lambda: self._understand(language))

    async def _understand(self, language: Language) -> None:
        await self._attend()
        if language != self.interpreter.language:
            self._drop()
            await self.interpreter.understand(language)

    @property
    def state(self) -> Message:
        """What the page is told of who listens, and how."""
        return {
            **self.interpreter.state,
            "mode": self.mode,
            "microphone": self._label is not None,
            "wake_words": list(self.wakefulness.phrases),
            "awake": self.mode != "wake_word" or self.wakefulness.awake,
        }

    def _tell(self) -> None:
        self._publish("ears", **self.state)

    def _publish(self, kind: str, **data: object) -> None:
        self._conversation.events.publish({"type": kind, **data})

    def _on_partial(self, text: str) -> None:
        utterance = self._utterance
        if utterance is None:
            return
        if utterance.asleep and self.wakefulness.called_in(text) is not None:
            self.wakefulness.stay_awake()
        if not utterance.asleep:
            self._publish("transcript", text=text, final=False)

    # -- sound -------------------------------------------------------------------------

    def _played(self, pcm: Pcm, at: float) -> None:
        if self._echo is not None and self._label is not None:
            self._echo.played(self._reference(pcm), at)

    def hear(self, pcm: Pcm) -> None:
        """The microphone's next sound, int16[n] mono 16 kHz, as it arrives."""
        self._arrived = time.monotonic()
        heard = pcm
        if self._echo is not None:
            pcm = self._echo.clean(pcm, self._arrived)
        self._position += len(pcm)
        if self.mode == "wake_word":
            self.wakefulness.push(pcm)
            if self._conversation.answering:
                self.wakefulness.stay_awake()
        self._overlap.push(heard, pcm)
        self._activity.push(self._vad.push(pcm))
        if not self.interpreter.listens:
            return
        utterance = self._utterance
        if utterance is None:
            self._pre_roll.push(pcm)
            self._decided = self._decided and self._activity.speaking
            if self._activity.newest > self._ended and self._may_begin:
                self._begin()
            return
        utterance.push(pcm)
        self.interpreter.push(pcm)
        if not utterance.pressed:
            self._follow(utterance)

    @property
    def _may_begin(self) -> bool:
        if self.mode == "push_to_talk" or self._decided:
            return False
        return self._settings.barge_in or not self._conversation.answering

    def _begin(self, pressed: bool = False) -> None:
        if not self.interpreter.listens:
            return
        sound = self._pre_roll.take()
        asleep = self.mode == "wake_word" and not self.wakefulness.awake
        self._utterance = Utterance(self._position, pressed, asleep)
        self._utterance.push(sound)
        self.interpreter.begin(sound)
        if pressed:
            self._sure(self._utterance)
            if self._conversation.answering:
                self._then(self._conversation.interrupt)
        elif not (asleep or self._overlap.wary(self._position)):
            self._hold()

    def _hold(self) -> None:
        """If something is being said, fall silent until it is known what this means."""
        if self._conversation.hold():
            self._overlap.begin(self._activity.onset or self._position, self._position)

    def _sure(self, utterance: Utterance) -> None:
        utterance.sure = True
        if not utterance.asleep:
            self._publish("hearing", speaking=True)
            self._conversation.listen(True)

    async def _attend(self) -> None:
        """Wait for the name, if that is what begins."""
        if self.mode == "wake_word" and self._label is not None:
            await self.wakefulness.open()
        else:
            await self.wakefulness.aclose()

    def _woken(self) -> None:
        """It was called, or has not been for a while."""
        utterance = self._utterance
        if self.wakefulness.awake and utterance is not None and utterance.asleep:
            utterance.asleep = False
            if utterance.sure:
                self._sure(utterance)
        self._tell()

    def _follow(self, utterance: Utterance) -> None:
        """Somebody speaks, or has paused, or is done."""
        utterance.spoken(self._activity.speech_sec)
        if not utterance.sure and self._activity.stage == "sure":
            self._sure(utterance)
        if not utterance.sure:
            if not self._activity.speaking:
                self._drop()  # a door
            return
        pause = self._activity.silence_sec(self._position)
        if pause < PAUSE_SEC:
            if utterance.judging:
                self._goes_on(utterance)
            undecided = not utterance.interrupts and not utterance.asleep
            if undecided and not self._overlap.deciding:
                self._hold()  # an answer has begun meanwhile, to what was said before
        elif not utterance.judging:
            self._judge(utterance)
        if self._overlap.deciding and not self._decide(utterance, pause):
            return
        judgement = utterance.judgement
        if judgement is not None and (utterance.cut or pause >= judgement.patience):
            self._end(utterance, judgement)

    def _decide(self, utterance: Utterance, pause: float) -> bool:
        """Whether what was held is given up."""
        words = self.interpreter.partial, self.interpreter.guesses
        decision = self._overlap.decide(utterance, self._position, pause, *words)
        if decision == "interrupt":
            utterance.interrupts = True
            self._then(self._conversation.interrupt)
            self._then(self._listening)
        elif decision == "resume":
            self._decided = True
            self._drop()
        return decision == "interrupt"

    async def _listening(self) -> None:
        self._conversation.listen(self._utterance is not None)

    # -- the end -----------------------------------------------------------------------

    def _goes_on(self, utterance: Utterance) -> None:
        utterance.goes_on()
        if self._judging is not None:
            self._judging.cancel()
        self._then(self._conversation.withdraw)

    def _cut(self) -> None:
        """No more will come of what is being said."""
        utterance = self._utterance
        if utterance is None:
            return
        utterance.cut = True
        if not utterance.judging:
            self._judge(utterance)

    def _judge(self, utterance: Utterance) -> None:
        if self._tasks is not None:
            utterance.judging = True
            self._judging = self._tasks.create_task(self._judged(utterance), name="judge a pause")

    async def _judged(self, utterance: Utterance) -> None:
        """What was said so far, and whether that is all."""
        try:
            if utterance.cut:
                text, probability = await self.interpreter.transcript(), None
            else:
                text, probability = await asyncio.gather(
                    self.interpreter.transcript(),
                    self._hearing.smart_turn.complete(utterance.sound()),
                )
        except Exception as error:
            self._publish("error", **not_understood(error).as_message())
            if utterance is self._utterance:
                self._drop()
            return
        if utterance is not self._utterance:
            return
        patience = self._hearing.turn_end.patience(probability, text, self.interpreter.language)
        patience *= self._settings.patience
        utterance.judgement = Judgement(text, probability, patience, time.monotonic())
        ahead = self._settings.speculate and not utterance.cut and not utterance.asleep
        if ahead and patience <= PROPOSE_SEC and (said := self._said(text)):
            self._then(lambda: self._propose(utterance, said))
        if utterance.cut:
            self._end(utterance, utterance.judgement)
        else:
            self._follow(utterance)

    async def _propose(self, utterance: Utterance, text: str) -> None:
        if utterance is self._utterance and utterance.judgement is not None:
            await self._conversation.propose(text)

    def _end(self, utterance: Utterance, judgement: Judgement) -> None:
        if utterance.asleep and self.wakefulness.called_in(judgement.text) is not None:
            self.wakefulness.stay_awake()
        text = self._said(judgement.text)
        if not text or utterance.asleep:
            return self._drop()
        trace = Trace.spoken(self._arrived - self._activity.silence_sec(self._position))
        trace.stamp("turn_end")
        trace.stamp("asr_final", judgement.at)
        self._utterance, self._ended = None, self._position
        self._overlap.end()
        self._publish("transcript", text=text, final=True)
        self._publish("hearing", speaking=False)
        if utterance.interrupts and is_stop(text):
            return self._then(self._resume)  # silence is all the answer they wanted
        self._then(lambda: self._conversation.chat(text, trace=trace))

    def _said(self, text: str) -> str:
        """Without the name that the presenter was called by."""
        said = self.wakefulness.called_in(text) if self.mode == "wake_word" else None
        return (text if said is None else said).strip()

    def _drop(self) -> None:
        """It was nothing: what was being said goes on."""
        utterance, self._utterance = self._utterance, None
        self._overlap.end()
        if self._judging is not None:
            self._judging.cancel()
        if utterance is None:
            return
        if utterance.sure and not utterance.asleep:
            self._publish("transcript", text="", final=True)
            self._publish("hearing", speaking=False)
        self._then(self._resume)

    async def _resume(self) -> None:
        if self._utterance is None:
            await self._conversation.withdraw()
            self._conversation.release()
            self._conversation.listen(False)
