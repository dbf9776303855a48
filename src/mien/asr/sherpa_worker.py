"""sherpa-onnx in a process of its own: sound over stdin, words over stdout.

sherpa-onnx ends its process when it does not like a model, and its memory is given back only with
it. One process listens to every microphone: whatever is due of several streams is decoded as one
batch. A model for the second hearing has a thread of its own, so that partials go on meanwhile.

Messages as in ``espeak_worker``; a request is one utterance (or one watch for keywords):

    to the worker    LOAD     UTF-8 JSON, see ``Plan``; first of all and once
                     OPEN     UTF-8 hot words, parted by "/"; often empty
                     SOUND    int16 samples, mono 16 kHz
                     FINAL    ``<I`` a number: tell the words of everything so far
                     CLOSE    forget the request
    from the worker  READY    the models are loaded
                     PARTIAL  UTF-8 words of the utterance so far, when they have changed
                     WORDS    the number of FINAL, UTF-8 words
                     SPOTTED  UTF-8 keyword
                     ERROR    UTF-8 text; the request (id 0: the worker) failed

The worker ends when its stdin closes.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import struct
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

HEADER = struct.Struct("<BII")  # of espeak_worker; this file imports nothing of mien
LOAD, OPEN, SOUND, FINAL, CLOSE = 1, 2, 3, 4, 5
READY, PARTIAL, WORDS, SPOTTED, ERROR = 16, 17, 18, 19, 20
NUMBER = struct.Struct("<I")

RATE = 16_000
# Silence after the end that lets the last words through: what sherpa-onnx's own examples append.
# A streaming model looks at 0.1 … 0.6 s at once and tells the last word only after its chunk.
_TAIL_SAMPLES = RATE * 66 // 100
# Somebody who goes on after the words were asked for is heard anew from the beginning, so that the
# appended silence is in the middle of nothing; after longer utterances it stays there, for hearing
# them again would take too long on a weak machine.
_AGAIN_BYTES = 2 * RATE * 12
# More of an utterance than that at once is beyond most models for the second hearing.
_LONGEST_SAMPLES = RATE * 28


@dataclass(frozen=True)
class Plan:
    """What to load.

    kind: "online", "offline" or "keywords". maker: class method of sherpa-onnx's recogniser; ""
    for keywords. fields: its arguments; ``keywords``: the lines of the file that it reads.
    second: the plan for final words of an online one.
    """

    kind: str
    maker: str
    fields: dict[str, Any]
    second: Plan | None = None

    def packed(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def _plan(table: dict[str, Any]) -> Plan:
    second = table.pop("second", None)
    return Plan(**table, second=_plan(second) if second else None)


@dataclass(eq=False)
class _Utterance:
    """stream: of the online model. hotwords: it was made with. kept: all samples. text: of the
    stream; told: what of it the other side knows. finished: the silence that brings out the last
    words has been appended."""

    stream: Any
    hotwords: str
    kept: bytearray = field(default_factory=bytearray)
    text: str = ""
    told: str = ""
    finished: bool = False
    finals: list[bytes] = field(default_factory=list)


class Worker:
    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._messages: queue.SimpleQueue[tuple[int, int, bytes]] = queue.SimpleQueue()
        self._finals: queue.SimpleQueue[tuple[int, bytes, bytes, str]] = queue.SimpleQueue()
        self._utterances: dict[int, _Utterance] = {}

    def run(self) -> None:
        _, _, payload = self._receive()
        try:
            plan = _plan(json.loads(payload))
            self._engine = _loaded(plan)
            second = _loaded(plan.second) if plan.second else None
        except ImportError:
            why = "sherpa-onnx is not installed; install it with: pip install 'mien[neural]'"
            return self._send(ERROR, 0, why.encode())
        except Exception as error:  # whatever ONNX Runtime says of the files
            return self._send(ERROR, 0, str(error).encode())
        self._kind = plan.kind
        self._offline = self._engine if plan.kind == "offline" else second
        self._send(READY, 0)
        for target in (self._listen, self._hear_again):
            threading.Thread(target=target, daemon=True).start()
        while True:
            self._take(*self._messages.get())
            while not self._messages.empty():
                self._take(*self._messages.get())
            self._advance()

    def _take(self, kind: int, request: int, payload: bytes) -> None:
        if kind == OPEN:
            self._utterances[request] = _Utterance(None, payload.decode())
            self._guarded(request, self._listen_anew)
        elif (utterance := self._utterances.get(request)) is None:
            return
        elif kind == SOUND:
            if self._kind != "keywords":
                utterance.kept += payload
            if utterance.finished and len(utterance.kept) <= _AGAIN_BYTES:
                self._guarded(request, self._listen_anew)
            else:
                self._guarded(request, self._accept, payload)
            utterance.finished = False
        elif kind == FINAL:
            utterance.finals.append(payload)
            if not utterance.finished:
                utterance.finished = True
                self._guarded(request, self._accept, bytes(2 * _TAIL_SAMPLES))
        elif kind == CLOSE:
            del self._utterances[request]

    def _listen_anew(self, utterance: _Utterance) -> None:
        if self._kind != "offline":
            words = [utterance.hotwords] if utterance.hotwords else []
            utterance.stream = self._engine.create_stream(*words)
            self._accept(utterance, utterance.kept)

    def _accept(self, utterance: _Utterance, pcm: bytes | bytearray) -> None:
        import numpy as np

        if utterance.stream is not None and pcm:
            samples = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768
            utterance.stream.accept_waveform(RATE, samples)

    def _advance(self) -> None:
        """Decode until nothing is due, then answer who asks for final words."""
        while due := self._due():
            try:
                self._engine.decode_streams([utterance.stream for utterance in due.values()])
            except Exception as error:
                for request in due:
                    self._fail(request, error)
                return
            behind = self._due()
            for request, utterance in due.items():
                text = str(self._engine.get_result(utterance.stream)).strip()
                if self._kind == "keywords":
                    self._spotted(request, utterance, text)
                elif request not in behind:
                    self._heard(request, utterance, text)
        for request, utterance in self._utterances.items():
            for number in utterance.finals:
                nothing = utterance.stream is not None and not utterance.text
                if self._offline is None or nothing:
                    self._send(WORDS, request, number + utterance.text.encode())
                else:
                    self._finals.put((request, number, bytes(utterance.kept), utterance.text))
            utterance.finals.clear()

    def _due(self) -> dict[int, _Utterance]:
        return {
            request: utterance
            for request, utterance in self._utterances.items()
            if utterance.stream is not None and self._engine.is_ready(utterance.stream)
        }

    def _heard(self, request: int, utterance: _Utterance, text: str) -> None:
        utterance.text = text
        # Heard anew, the last words are missing until they come again.
        if text != utterance.told and not utterance.told.startswith(text):
            utterance.told = text
            self._send(PARTIAL, request, text.encode())

    def _spotted(self, request: int, utterance: _Utterance, text: str) -> None:
        if text:
            self._engine.reset_stream(utterance.stream)
            self._send(SPOTTED, request, text.encode())

    def _hear_again(self) -> None:
        """Final words by the offline model, one utterance after the other."""
        while True:
            request, number, pcm, first = self._finals.get()
            try:
                text = " ".join(filter(None, map(self._whole, _pieces(pcm))))
                # A second hearing that hears nothing is worse than a first that does.
                self._send(WORDS, request, number + (text or first).encode())
            except Exception as error:
                self._send(ERROR, request, str(error).encode())

    def _whole(self, samples: Any) -> str:
        assert self._offline is not None
        stream = self._offline.create_stream()
        stream.accept_waveform(RATE, samples)
        self._offline.decode_stream(stream)
        return str(stream.result.text).strip()

    def _guarded(self, request: int, do: Any, *arguments: Any) -> None:
        try:
            do(self._utterances[request], *arguments)
        except Exception as error:
            self._fail(request, error)

    def _fail(self, request: int, error: Exception) -> None:
        self._utterances.pop(request, None)
        self._send(ERROR, request, str(error).encode())

    def _listen(self) -> None:
        while True:
            self._messages.put(self._receive())

    def _receive(self) -> tuple[int, int, bytes]:
        head = self._source.read(HEADER.size)
        if len(head) < HEADER.size:
            os._exit(0)  # the parent has gone
        kind, request, length = HEADER.unpack(head)
        return kind, request, self._source.read(length)

    def _send(self, kind: int, request: int, payload: bytes = b"") -> None:
        message = memoryview(HEADER.pack(kind, request, len(payload)) + payload)
        with self._writing:
            try:
                while message:
                    message = message[os.write(self._sink, message) :]
            except OSError:
                os._exit(0)


def _pieces(pcm: bytes) -> list[Any]:
    """float32[n] each, cut at the quietest 0.2 s of the last 8 s where it is too long for one."""
    import numpy as np

    samples = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768
    found = []
    while len(samples) > _LONGEST_SAMPLES:
        step = RATE // 5
        last = samples[_LONGEST_SAMPLES - 40 * step : _LONGEST_SAMPLES].reshape(40, step)
        cut = _LONGEST_SAMPLES - (40 - int(np.square(last).sum(1).argmin())) * step + step // 2
        found.append(samples[:cut])
        samples = samples[cut:]
    return [*found, samples]


def _loaded(plan: Plan) -> Any:
    sherpa_onnx: Any = import_module("sherpa_onnx")
    if plan.kind == "keywords":
        # It reads them from a file only, once.
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "keywords.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write(plan.fields.pop("keywords"))
            return sherpa_onnx.KeywordSpotter(**plan.fields, keywords_file=path)
    engine = (
        sherpa_onnx.OnlineRecognizer if plan.kind == "online" else sherpa_onnx.OfflineRecognizer
    )
    return getattr(engine, plan.maker)(**plan.fields)


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
    Worker(sys.stdin.buffer, sink).run()


if __name__ == "__main__":
    main()
