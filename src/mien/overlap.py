"""Somebody makes a sound while the presenter speaks: what it means."""

from __future__ import annotations

from mien.asr.articulation import Articulation
from mien.asr.barge_in import BargeIn, BargeInSettings, Decision, Evidence
from mien.media.tick import Pcm
from mien.utterance import Utterance


class Overlap:
    """Of one microphone. ``deciding`` from :meth:`begin` to a decision or :meth:`end`."""

    def __init__(self, settings: BargeInSettings) -> None:
        self._settings = settings
        self._articulation = Articulation()
        self._barge_in: BargeIn | None = None

    @property
    def deciding(self) -> bool:
        return self._barge_in is not None

    def push(self, pcm: Pcm) -> None:
        """All of the microphone's sound, int16[n] mono 16 kHz."""
        self._articulation.push(pcm)

    def begin(self, onset: int) -> None:
        """Speech, it seems, from that position on."""
        self._barge_in = BargeIn(self._settings)
        self._barge_in.begin(onset)
        self._articulation.begin(onset)

    def decide(
        self, utterance: Utterance, position: int, pause_sec: float, partial: str, own_voice: float
    ) -> Decision:
        """What is known by now. Anything but "wait" ends it."""
        assert self._barge_in is not None
        judgement = utterance.judgement
        decision = self._barge_in.update(
            Evidence(
                position=position,
                speech_sec=utterance.speech_sec,
                silence_sec=pause_sec,
                content=self._articulation.content,
                text=partial if judgement is None else judgement.text,
                final=judgement is not None,
                awaiting_words=judgement is None,
                own_voice=own_voice,
            )
        )
        if decision != "wait":
            self.end()
        return decision

    def end(self) -> None:
        """There is nothing to decide any more."""
        self._barge_in = None
        self._articulation.end()
