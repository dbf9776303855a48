"""A sound file that somebody sent, as what recognisers hear."""

from __future__ import annotations

import io
import time

import av
import numpy as np
from av.error import FFmpegError

from mien.media.microphone import RATE
from mien.media.tick import Pcm

MAX_SEC = 60.0
# A minute takes 0.2 s. A file made to be slow must not keep a thread.
_DECODE_SEC = 10.0
# The demuxer by the first bytes: FFmpeg left to guess would also take playlists, which name other
# files and addresses for it to open.
_HEADS = ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1a\x45\xdf\xa3", "matroska"), (b"ID3", "mp3"))
_AMR = b"#!AMR"


class SoundFileError(Exception):
    """The file cannot be heard; the message says why. code: "unreadable", "too_long", "no_sound".

    zh: the same in Chinese.
    """

    def __init__(self, code: str, message: str, zh: str) -> None:
        super().__init__(message)
        self.code = code
        self.zh = zh


def read_sound(data: bytes) -> Pcm:
    """int16[n] mono 16 kHz of a WAV, MP3, FLAC, Ogg, WebM, MP4/M4A, AAC or AMR file.

    Takes a second at most for an honest file and 10 s for any; not for the event loop.

    Raises:
        SoundFileError: for a file that is none of these, broken, longer than 60 s or without sound.
    """
    kind = _kind(data)
    if kind is None:
        raise SoundFileError(
            "unreadable",
            "This is no sound file that can be read; WAV, MP3, M4A, FLAC, Ogg and WebM can.",
            "无法识别这种音频文件；支持 WAV、MP3、M4A、FLAC、Ogg、WebM。",
        )
    deadline = time.monotonic() + _DECODE_SEC
    pieces: list[Pcm] = []
    samples = 0
    try:
        with av.open(io.BytesIO(data), mode="r", format=kind) as container:
            if not container.streams.audio:
                raise _without_sound()
            resampler = av.AudioResampler("s16", "mono", RATE)
            stream = container.streams.audio[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                for whole in resampler.resample(frame):
                    pieces.append(whole.to_ndarray()[0])
                    samples += len(pieces[-1])
                if samples > MAX_SEC * RATE:
                    raise SoundFileError(
                        "too_long",
                        f"The recording is longer than {MAX_SEC:.0f} s; please send less at once.",
                        f"录音超过 {MAX_SEC:.0f} 秒，请分段发送。",
                    )
                if time.monotonic() > deadline:
                    raise _broken("it takes too long to decode", "解码耗时过长")
            pieces += [whole.to_ndarray()[0] for whole in resampler.resample(None)]
    except (FFmpegError, ValueError, MemoryError) as error:
        # What came before the damage of a recording that broke off is still worth hearing.
        if samples < RATE // 4:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise _broken(why, why) from error
    if not pieces:
        raise _without_sound()
    return np.concatenate(pieces)


def _kind(data: bytes) -> str | None:
    """FFmpeg's name of the demuxer."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] == b"ftyp":
        return "mp4"
    if data.startswith(_AMR):
        return "amr"
    for head, kind in _HEADS:
        if data.startswith(head):
            return kind
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        # The layer of an MPEG frame's header: none of the three is AAC's own header.
        return "mp3" if data[1] & 0x06 else "aac"
    return None


def _broken(why: str, why_zh: str) -> SoundFileError:
    return SoundFileError(
        "unreadable", f"The sound file is damaged: {why}.", f"音频文件已损坏：{why_zh}。"
    )


def _without_sound() -> SoundFileError:
    return SoundFileError("no_sound", "There is no sound in the file.", "文件中没有声音。")
