"""PocketSphinx in a process of its own: sound over stdin, words over stdout.

It computes without letting go of Python's lock, which sound and pictures cannot wait for.

Messages are a header ``<BII`` (kind, request id, payload length) and the payload:

    to the worker    BEGIN    a new utterance; what was heard before is forgotten
                     SOUND    int16 mono 16 kHz
                     ASK      the words since BEGIN are wanted
    from the worker  READY    it listens
                     PARTIAL  UTF-8 words so far, of the utterance with this id
                     WORDS    UTF-8 words, for the ASK with this id
                     ERROR    UTF-8 text; it cannot listen at all

The worker ends when its stdin closes.
"""

from __future__ import annotations

import array
import math
import os
import signal
import struct
import sys
from importlib import import_module
from typing import Any, BinaryIO

HEADER = struct.Struct("<BII")  # of espeak_worker; this file imports nothing of mien
BEGIN, SOUND, ASK = 1, 2, 3
READY, PARTIAL, WORDS, ERROR = 16, 17, 18, 19

# Words so far are looked for this often: ten times more often shows them no sooner, and costs a
# tenth of the whole work.
_LOOK_SAMPLES = 3200
# It knows voices by their average spectrum, and a new microphone's is unlike the one it begins
# with: so much of the first utterance is heard twice. Of 20 sentences, each of them a first one,
# that makes 6 % of the words wrong instead of 13 %.
_ACQUAINTANCE_SAMPLES = 24_000
# What follows a pause is speech only if it is nearly as loud as what came before: of noise
# PocketSphinx makes words, too.
_PAUSE_DB = 25.0


class Worker:
    """Listens to one utterance at a time.

    An utterance that somebody asks about goes on afterwards, and PocketSphinx's cannot: it is a
    row of parts, each of which ends with a question.
    """

    def __init__(self, decoder: Any, source: BinaryIO, sink: int) -> None:
        self._decoder = decoder
        self._source = source
        self._sink = sink
        self._utterance = 0
        self._parts: list[str] = []
        self._said = ""
        self._listening = False
        self._unseen = 0
        self._first: list[bytes] | None = []
        self._loudest = self._part_loudest = -math.inf

    def run(self) -> None:
        self._send(READY, 0)
        while True:
            kind, request, payload = self._receive()
            if kind == BEGIN:
                self._end_part()
                self._utterance, self._parts, self._said = request, [], ""
                self._loudest = self._part_loudest = -math.inf
            elif kind == SOUND:
                self._hear(payload)
            elif kind == ASK:
                self._end_part()
                self._send(WORDS, request, " ".join(self._parts).encode())

    def _hear(self, payload: bytes) -> None:
        if not self._listening:
            self._decoder.start_utt()
            self._listening = True
        self._part_loudest = max(self._part_loudest, _level_db(payload))
        self._decoder.process_raw(payload, False, False)
        if self._first is not None:
            self._first.append(payload)
            if sum(map(len, self._first)) >= 2 * _ACQUAINTANCE_SAMPLES:
                self._hear_again(self._first)
        self._unseen += len(payload) // 2
        if self._unseen >= _LOOK_SAMPLES:
            self._unseen = 0
            self._tell()

    def _hear_again(self, first: list[bytes]) -> None:
        """With the average of what it has heard, which it computes at an utterance's end."""
        self._first = None
        self._decoder.end_utt()
        self._decoder.start_utt()
        self._decoder.process_raw(b"".join(first), False, False)

    def _tell(self) -> None:
        if self._part_loudest < self._loudest - _PAUSE_DB:
            return
        said = " ".join([*self._parts, *self._words()])
        if said != self._said:
            self._said = said
            self._send(PARTIAL, self._utterance, said.encode())

    def _words(self) -> list[str]:
        found = self._decoder.hyp()
        return [found.hypstr] if found is not None and found.hypstr else []

    def _end_part(self) -> None:
        if not self._listening:
            return
        if self._first:
            self._hear_again(self._first)
        self._decoder.end_utt()
        self._listening = False
        self._unseen = 0
        if self._part_loudest >= self._loudest - _PAUSE_DB:
            self._parts += self._words()
        self._loudest = max(self._loudest, self._part_loudest)
        self._part_loudest = -math.inf

    def _receive(self) -> tuple[int, int, bytes]:
        head = self._source.read(HEADER.size)
        if len(head) < HEADER.size:
            os._exit(0)  # the parent has gone
        kind, request, length = HEADER.unpack(head)
        return kind, request, self._source.read(length)

    def _send(self, kind: int, request: int, payload: bytes = b"") -> None:
        _write(self._sink, kind, request, payload)


def _write(sink: int, kind: int, request: int, payload: bytes) -> None:
    message = memoryview(HEADER.pack(kind, request, len(payload)) + payload)
    try:
        while message:
            message = message[os.write(sink, message) :]
    except OSError:
        os._exit(0)


def _level_db(payload: bytes) -> float:
    """Of int16 samples, against full scale."""
    samples = array.array("h", payload)
    power = sum(sample * sample for sample in samples[::4]) / max(1, len(samples[::4]))
    return 10 * math.log10(power / 32768**2) if power else -math.inf


def main() -> None:
    # Ctrl-C reaches the whole terminal group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the library prints must not end up in the protocol.
    sink = os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    try:
        decoder = import_module("pocketsphinx").Decoder(loglevel="FATAL")
    except Exception as error:  # whatever keeps it from being loaded
        _write(sink, ERROR, 0, f"{type(error).__name__}: {error}".encode())
        return
    Worker(decoder, sys.stdin.buffer, sink).run()


if __name__ == "__main__":
    main()
