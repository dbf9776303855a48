"""Somebody makes a sound while the presenter speaks: what it means."""

from __future__ import annotations

import numpy as np

from mien.asr.articulation import Articulation
from mien.asr.barge_in import BargeIn, BargeInSettings, Decision, Evidence
from mien.asr.echo import Echo
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.utterance import Utterance

# The voice fades out, and a room goes on for a moment with what came back last.
ECHO_DIES_SEC = 0.25
# Where nothing came of the last sound, the next one has to be surer before the voice falls silent:
# a cough has a second one behind it, a leaking loudspeaker does it again.
WARY_SEC = 6.0
# Whoever speaks is soon most of what is heard: with this much of its own voice it is hardly them.
MOSTLY_OWN = 0.8
# After this what was heard counts half for whose voice it is.
HALF_SEC = 0.5


class Overlap:
    """Of one microphone. ``deciding`` from :meth:`begin` to a decision or :meth:`end`.

    echo: what takes the presenter's own voice out of its sound, if anything does.
    """

    def __init__(self, settings: BargeInSettings, echo: Echo | None = None) -> None:
        self._settings = settings
        self._echo = echo
        self._wary_until = self._echoes_until = 0
        self._heard = self._left = 0.0
        self._articulation = Articulation()
        self._barge_in: BargeIn | None = None

    @property
    def deciding(self) -> bool:
        return self._barge_in is not None

    def push(self, heard: Pcm, pcm: Pcm) -> None:
        """All of the microphone's sound, int16[n] mono 16 kHz: as it came, and cleaned."""
        self._articulation.push(pcm)
        # By power, not by time: in a silent room all that is taken out is silence.
        keep = 0.5 ** (len(pcm) / (HALF_SEC * RATE))
        self._heard = keep * self._heard + _energy(heard)
        self._left = keep * self._left + _energy(pcm)

    @property
    def own_voice(self) -> float:
        """Share of the last second's sound that was the presenter's own, 0…1."""
        return max(0.0, 1 - self._left / max(self._heard, 1.0))

    def wary(self, position: int) -> bool:
        """Whether to wait until it is surely speech."""
        return position < self._wary_until or self.own_voice >= MOSTLY_OWN

    def begin(self, onset: int, position: int) -> None:
        """Speech, it seems, from ``onset`` on; now, at ``position``, the voice falls silent."""
        self._barge_in = BargeIn(self._settings)
        self._barge_in.begin(onset)
        self._articulation.begin(onset)
        if self._echo is not None and self._echo.delay is not None:
            self._echoes_until = position + round((self._echo.delay + ECHO_DIES_SEC) * RATE)

    def decide(
        self,
        utterance: Utterance,
        position: int,
        pause_sec: float,
        partial: str,
        guessed: bool = False,
    ) -> Decision:
        """What is known by now. Anything but "wait" ends it.

        guessed: the recogniser makes words of any sound.
        """
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
                guessed=guessed,
                own_voice=self.own_voice,
                echoing=position < self._echoes_until,
            )
        )
        if decision == "resume":
            self._wary_until = position + round(WARY_SEC * RATE)
        if decision != "wait":
            self.end()
        return decision

    def end(self) -> None:
        """There is nothing to decide any more."""
        self._barge_in = None
        self._articulation.end()


def _energy(pcm: Pcm) -> float:
    return float(np.sum(pcm.astype(np.float64) ** 2))
