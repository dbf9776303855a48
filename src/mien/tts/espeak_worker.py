"""espeak-ng in a process of its own: text over stdin, sound and events over stdout.

espeak-ng keeps its state in globals and is licensed under the GPL, so it lives here, behind a
pipe. This file imports nothing but the standard library (and espeakng_loader, on start): it
starts in well under 100 ms, and importing it for the protocol loads no espeak code.

Every message is a header ``<BII`` (kind, request id, payload length) and the payload:

    to the worker    SAY      segments, see ``pack_segments``
                     CANCEL   stop this request, whether it waits or speaks
                     VOICES   list the installed voices
                     SPELL    tell the phonemes of segments without saying them
    from the worker  HELLO    ``<I`` sample rate in Hz; sent once, before anything else
                     PIECE    sound and events of one segment, see ``pack_piece``
                     DONE     the request was spoken to its end
                     ABORTED  the request was cancelled; nothing more of it follows
                     ERROR    UTF-8 text; the request (id 0: the worker) failed
                     LISTING  UTF-8 lines ``language TAB name``
                     SPELLING UTF-8, a line per segment: IPA, words apart by " ", phonemes by "_"

Requests are spoken in the order in which they come. The worker ends when its stdin closes.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import struct
import sys
import threading
from typing import Any, BinaryIO, NamedTuple

HEADER = struct.Struct("<BII")
SAY, CANCEL, VOICES, SPELL = 1, 2, 3, 4
HELLO, PIECE, DONE, ABORTED, ERROR, LISTING, SPELLING = 16, 17, 18, 19, 20, 21, 22

WORD, PHONEME = 1, 7  # espeak_EVENT_TYPE

_SEGMENT = struct.Struct("<HHHHI")
_PIECE = struct.Struct("<HHI")
_EVENT = struct.Struct("<BIIH8s")

# One callback per 60 ms of sound takes about 0.1 ms to make, which bounds both the first
# sound and how long a cancel goes unnoticed. Smaller buffers only cost more messages.
_BUFFER_MS = 60


class Segment(NamedTuple):
    """Text in one voice: rate in words per minute, pitch and its range 0…99."""

    voice: str
    rate: int
    pitch: int
    range: int
    text: str


class Event(NamedTuple):
    """A word or phoneme that begins ``sample`` samples into its segment.

    begin, length: the word's characters in the segment's text, as espeak reports them.
    name: IPA of the phoneme, cut at 8 bytes of UTF-8; "" for a pause or a word.
    """

    kind: int
    sample: int
    begin: int
    length: int
    name: str


def pack_segments(segments: list[Segment]) -> bytes:
    parts = []
    for s in segments:
        voice, text = s.voice.encode(), s.text.encode("utf-8", "replace")
        parts.append(_SEGMENT.pack(s.rate, s.pitch, s.range, len(voice), len(text)) + voice + text)
    return b"".join(parts)


def unpack_segments(payload: bytes) -> list[Segment]:
    segments, at = [], 0
    while at < len(payload):
        rate, pitch, range_, voice, text = _SEGMENT.unpack_from(payload, at)
        at += _SEGMENT.size
        name = payload[at : at + voice].decode()
        at += voice
        segments.append(Segment(name, rate, pitch, range_, payload[at : at + text].decode()))
        at += text
    return segments


def pack_piece(segment: int, pcm: bytes, events: list[tuple[int, int, int, int, bytes]]) -> bytes:
    head = _PIECE.pack(segment, len(events), len(pcm))
    return head + b"".join(_EVENT.pack(*event) for event in events) + pcm


def unpack_piece(payload: bytes) -> tuple[int, bytes, list[Event]]:
    """Return the segment's index, int16 mono sound as bytes, and the events."""
    segment, count, length = _PIECE.unpack_from(payload)
    at = _PIECE.size
    events = []
    for _ in range(count):
        kind, sample, begin, span, name = _EVENT.unpack_from(payload, at)
        at += _EVENT.size
        ipa = name.split(b"\0", 1)[0].decode("utf-8", "ignore")
        events.append(Event(kind, sample, begin, span, ipa))
    return segment, payload[at : at + length], events


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("string", ctypes.c_char * 8), ("name", ctypes.c_char_p)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


class _VoiceEntry(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Library:
    """A freshly loaded espeak-ng, good for one request.

    The same text sounds the same only from the same state, and flutter, breath noise and echo
    carry theirs from one utterance to the next in static variables that no call resets.
    Loading the library anew does (0.5 ms, spent while idle); its noise is seeded from the
    clock otherwise. Where unloading has no effect (musl), speech differs by a few samples.
    """

    def __init__(self, library: str, data: str, callback: Any) -> None:
        self._lib = ctypes.CDLL(library)
        synchronous, phonemes, ipa, no_exit = 2, 1, 2, 1 << 15
        self.sample_rate = self._lib.espeak_Initialize(
            synchronous, _BUFFER_MS, data.encode(), phonemes | ipa | no_exit
        )
        if self.sample_rate <= 0:
            raise OSError(f"espeak-ng cannot read its data in {data}")
        self._lib.espeak_SetSynthCallback(callback)
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceEntry))
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._lib.espeak_ListVoices(None)  # reads the voice folder, 1 ms off the next request
        if hasattr(self._lib, "espeak_ng_SetRandSeed"):
            self._lib.espeak_ng_SetRandSeed(ctypes.c_long(1))

    def voices(self) -> list[tuple[str, str, str]]:
        """Language code, name and file of each installed voice."""
        found = []
        for entry in self._lib.espeak_ListVoices(None):
            if not entry:
                break
            # The field holds a priority byte, then the code, for each language.
            code = ctypes.addressof(entry.contents.languages.contents) + 1
            fields = (ctypes.string_at(code), entry.contents.name, entry.contents.identifier)
            language, name, file = ((field or b"").decode("utf-8", "replace") for field in fields)
            found.append((language, name, file))
        return found

    def synthesise(self, segment: Segment) -> None:
        self._choose(segment)
        text = segment.text.encode() + b"\0"
        characters, utf8 = 1, 1
        self._lib.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, characters, 0, utf8, None, None)

    def spell(self, segment: Segment) -> str:
        """IPA of the text: words apart by spaces, phonemes within them by "_"."""
        self._choose(segment)
        at = ctypes.c_char_p(segment.text.encode())
        utf8, ipa, separator = 1, 2, ord("_") << 8
        clauses = []
        while at.value:
            found = self._lib.espeak_TextToPhonemes(ctypes.byref(at), utf8, ipa | separator)
            clauses.append((found or b"").decode("utf-8", "ignore"))
        return " ".join(clauses).replace("\n", " ")

    def _choose(self, segment: Segment) -> None:
        if self._lib.espeak_SetVoiceByName(segment.voice.encode()) != 0:
            # It goes by file names, and a few differ from the language: en-gb is in "en".
            wanted, plus, variant = segment.voice.partition("+")
            file = {code: file for code, _, file in self.voices()}.get(wanted)
            name = f"{file}{plus}{variant}".encode()
            if file is None or self._lib.espeak_SetVoiceByName(name) != 0:
                raise ValueError(f"espeak-ng has no voice {segment.voice!r}")
        for parameter, value in ((1, segment.rate), (3, segment.pitch), (4, segment.range)):
            self._lib.espeak_SetParameter(parameter, value, 0)

    def close(self) -> None:
        self._lib.espeak_Terminate()
        import _ctypes

        unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary  # type: ignore[attr-defined]
        unload(self._lib._handle)


class Worker:
    """Speaks one request after another; a second thread listens for cancels meanwhile."""

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._requests: queue.SimpleQueue[tuple[int, int, bytes]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._request = 0
        self._segment = 0
        self._stopped = False
        self._callback = _Callback(self._on_sound)

    def run(self) -> None:
        import espeakng_loader

        place = (espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
        library = _Library(*place, self._callback)
        self._send(HELLO, 0, struct.pack("<I", library.sample_rate))
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            kind, request, payload = self._requests.get()
            if kind == VOICES:
                rows = (f"{code}\t{name}" for code, name, _ in library.voices())
                self._send(LISTING, request, "\n".join(rows).encode())
                continue
            try:
                if kind == SPELL:
                    lines = [library.spell(segment) for segment in unpack_segments(payload)]
                    self._send(SPELLING, request, "\n".join(lines).encode())
                else:
                    self._speak(library, request, unpack_segments(payload))
            except ValueError as error:
                self._send(ERROR, request, str(error).encode())
            library.close()
            library = _Library(*place, self._callback)

    def _speak(self, library: _Library, request: int, segments: list[Segment]) -> None:
        self._request, self._stopped = request, False
        for self._segment, segment in enumerate(segments):
            if self._stopped or request in self._cancelled:
                self._stopped = True
                break
            library.synthesise(segment)
        self._send(ABORTED if self._stopped else DONE, request)
        # Requests end in the order of their ids, so older cancels came too late.
        for late in [late for late in list(self._cancelled) if late <= request]:
            self._cancelled.discard(late)

    def _on_sound(self, wav: Any, count: int, events: Any) -> int:
        if self._request in self._cancelled:
            self._stopped = True
            return 1
        try:
            pcm = ctypes.string_at(wav, 2 * count) if wav and count > 0 else b""
            marks = []
            at = 0
            while (event := events[at]).type != 0:
                at += 1
                if event.type in (WORD, PHONEME):
                    # ``.string`` stops at a NUL but copes with 8 bytes that have none.
                    name = event.id.string if event.type == PHONEME else b""
                    begin, length = max(event.text_position - 1, 0), event.length & 0xFFFF
                    marks.append((event.type, max(event.sample, 0), begin, length, name))
            if pcm or marks:
                self._send(PIECE, self._request, pack_piece(self._segment, pcm, marks))
        except BaseException:  # an exception cannot cross the C library; better a new worker
            os._exit(1)
        return 0

    def _listen(self) -> None:
        while len(head := self._source.read(HEADER.size)) == HEADER.size:
            kind, request, length = HEADER.unpack(head)
            payload = self._source.read(length)
            if kind == CANCEL:
                self._cancelled.add(request)
            else:
                self._requests.put((kind, request, payload))
        os._exit(0)  # the parent has gone

    def _send(self, kind: int, request: int, payload: bytes = b"") -> None:
        message = memoryview(HEADER.pack(kind, request, len(payload)) + payload)
        try:
            while message:
                message = message[os.write(self._sink, message) :]
        except OSError:
            os._exit(0)


def main() -> None:
    # Ctrl-C reaches the whole terminal group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the C library prints must not end up in the protocol.
    sink = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    worker = Worker(sys.stdin.buffer, sink)
    try:
        worker.run()
    except ImportError:
        why = "espeak-ng is not installed; install it with: pip install espeakng-loader"
        worker._send(ERROR, 0, why.encode())
    except OSError as error:
        worker._send(ERROR, 0, f"espeak-ng does not load: {error}".encode())


if __name__ == "__main__":
    main()
