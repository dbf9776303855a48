"""sherpa-onnx in a process of its own: text over stdin, sound over stdout.

sherpa-onnx ends its process when it does not like a model, and it keeps every core busy for
seconds without a way to stop it in the middle of a sentence.

Messages as in ``espeak_worker``:

    to the worker    LOAD     UTF-8 JSON, see ``Plan``; first of all and once
                     SAY      UTF-8 JSON: text, speaker, speed
                     CANCEL   stop this request, whether it waits or speaks
    from the worker  READY    ``<I`` sample rate in Hz
                     PIECE    int16 samples of one sentence
                     DONE     the request was spoken to its end, or cancelled
                     ERROR    UTF-8 text; the request (id 0: the worker) failed

Requests are spoken in the order in which they come. The worker ends when its stdin closes.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import struct
import sys
import threading
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, BinaryIO

HEADER = struct.Struct("<BII")  # of espeak_worker; this file imports nothing of mien
LOAD, SAY, CANCEL = 1, 2, 3
READY, PIECE, DONE, ERROR = 16, 17, 18, 19

# A long sentence goes in pieces, so that its beginning is on the way while the rest is copied.
_PIECE_SAMPLES = 24_000


@dataclass(frozen=True)
class Plan:
    """What to load.

    family: of sherpa-onnx's ``OfflineTts{family}ModelConfig``, e.g. "Vits". fields: its arguments,
    without those that are left as they are. rules: FST files, parted by commas.
    """

    family: str
    fields: dict[str, str]
    rules: str = ""
    threads: int = 2
    provider: str = "cpu"

    def packed(self) -> bytes:
        return json.dumps(asdict(self)).encode()


class Worker:
    """Speaks one request after another; a second thread listens for cancels meanwhile."""

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._requests: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()

    def run(self) -> None:
        _, _, payload = self._receive()
        try:
            engine = _loaded(Plan(**json.loads(payload)))
        except ImportError:
            why = "sherpa-onnx is not installed; install it with: pip install 'mien[neural]'"
            return self._send(ERROR, 0, why.encode())
        except Exception as error:  # whatever ONNX Runtime says of the files
            return self._send(ERROR, 0, str(error).encode())
        self._send(READY, 0, struct.pack("<I", engine.sample_rate))
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            request, payload = self._requests.get()
            try:
                self._speak(engine, request, **json.loads(payload))
            except Exception as error:
                self._send(ERROR, request, str(error).encode())
            # Requests end in the order of their ids, so older cancels came too late.
            self._cancelled -= {late for late in self._cancelled.copy() if late <= request}

    def _speak(self, engine: Any, request: int, text: str, speaker: int, speed: float) -> None:
        import numpy as np

        def heard(samples: Any, _progress: float) -> int:
            if request in self._cancelled:
                return 0
            pcm = np.rint(np.clip(samples * 32768.0, -32768, 32767)).astype(np.int16)
            for at in range(0, len(pcm), _PIECE_SAMPLES):
                self._send(PIECE, request, pcm[at : at + _PIECE_SAMPLES].tobytes())
            return 1

        if request not in self._cancelled:
            engine.generate(text, sid=speaker, speed=speed, callback=heard)
        self._send(DONE, request)

    def _listen(self) -> None:
        while True:
            kind, request, payload = self._receive()
            if kind == CANCEL:
                self._cancelled.add(request)
            else:
                self._requests.put((request, payload))

    def _receive(self) -> tuple[int, int, bytes]:
        head = self._source.read(HEADER.size)
        if len(head) < HEADER.size:
            os._exit(0)  # the parent has gone
        kind, request, length = HEADER.unpack(head)
        return kind, request, self._source.read(length)

    def _send(self, kind: int, request: int, payload: bytes = b"") -> None:
        message = memoryview(HEADER.pack(kind, request, len(payload)) + payload)
        try:
            while message:
                message = message[os.write(self._sink, message) :]
        except OSError:
            os._exit(0)


def _loaded(plan: Plan) -> Any:
    sherpa_onnx: Any = import_module("sherpa_onnx")

    family = getattr(sherpa_onnx, f"OfflineTts{plan.family}ModelConfig")(**plan.fields)
    model = sherpa_onnx.OfflineTtsModelConfig(
        **{plan.family.lower(): family}, num_threads=plan.threads, provider=plan.provider
    )
    config = sherpa_onnx.OfflineTtsConfig(model=model, rule_fsts=plan.rules, max_num_sentences=1)
    if not config.validate():
        raise ValueError("sherpa-onnx does not accept the files of the model")
    return sherpa_onnx.OfflineTts(config)


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
