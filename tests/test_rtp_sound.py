"""From packets to sound: nothing moves in time, whatever is lost, late or left out."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import soxr

from listened import Heard
from mien.media.intake import MAX_HOLE_SEC
from mien.media.microphone import RATE
from mien.media.packet_order import Packet
from mien.media.rtp_sound import CODECS, SLACK_SEC, RtpSound
from mien.media.tick import Pcm
from tones import heard, spelled, tones

FRAME = 0.02
TEXT = "the quick brown fox"


def packets(pcm: Pcm, codec: str = "opus") -> list[Packet]:
    """int16[n] mono 16 kHz, encoded as a sender does, 20 ms in each packet."""
    name, rate = CODECS[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "s16"
    encoder.time_base = Fraction(1, rate)
    pcm = soxr.resample(pcm, RATE, rate)
    length = int(rate * FRAME)
    made: list[bytes] = []
    for begin in range(0, len(pcm) - length + 1, length):
        part = np.ascontiguousarray(pcm[None, begin : begin + length])
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        made += [bytes(each) for each in encoder.encode(frame)]
    # Close to where both numberings wrap.
    return [
        Packet((65_530 + n) % (1 << 16), ((1 << 32) - 3 * length + n * length) % (1 << 32), payload)
        for n, payload in enumerate(made)
    ]


@pytest.fixture(scope="module")
def spoken() -> Pcm:
    """Half a second of silence, TEXT, half a second of silence."""
    silence = np.zeros(RATE // 2, np.int16)
    return np.concatenate([silence, tones(TEXT, RATE), silence])


@pytest.fixture(scope="module")
def opus(spoken: Pcm) -> list[Packet]:
    return packets(spoken)


def play(arriving: list[tuple[float, Packet]], codec: str = "opus", until: float = 0.0) -> Heard:
    """Let packets come at their times (s), and silence be made in between."""
    ear = Heard()
    sound = RtpSound(ear.pieces.append, ear.clock)
    pulses = np.arange(0.007, max([until, *(at for at, _ in arriving)]), FRAME)
    events: list[tuple[float, Packet | None]] = [*arriving, *((float(at), None) for at in pulses)]
    for at, packet in sorted(events, key=lambda event: event[0]):
        ear.now = 100 + at
        if packet is None:
            sound.catch_up()
        else:
            sound.take(codec, 1, packet)
    return ear


def timed(sent: list[Packet]) -> list[tuple[float, Packet]]:
    return [(n * FRAME, packet) for n, packet in enumerate(sent)]


def onset(pcm: Pcm) -> float:
    return int(np.argmax(np.abs(pcm.astype(int)) > 1_000)) / RATE


@pytest.mark.parametrize("codec", list(CODECS))
def test_each_packet_is_heard_as_it_comes(codec: str, spoken: Pcm) -> None:
    sent = packets(spoken, codec)
    ear = Heard()
    sound = RtpSound(ear.pieces.append, ear.clock)
    for number, packet in enumerate(sent, 1):
        sound.take(codec, 1, packet)
        # All but what the resampler holds back.
        assert number * FRAME - 0.0021 < ear.sec <= number * FRAME
    assert heard(ear.pcm, RATE) == spelled(TEXT)
    assert abs(onset(ear.pcm) - 0.5) < 0.01


def test_nothing_is_made_up_while_all_goes_well(opus: list[Packet]) -> None:
    ear = play(timed(opus))
    assert ear.sec == pytest.approx(len(opus) * FRAME, abs=0.002)


@pytest.mark.parametrize("lost", [{40}, {40, 41}, {40, 43, 46}, set(range(40, 60)), {1}])
def test_what_is_lost_is_silence_of_its_length(opus: list[Packet], lost: set[int]) -> None:
    whole = play(timed(opus))
    ear = play([(at, p) for n, (at, p) in enumerate(timed(opus)) if n not in lost])
    assert ear.sec == whole.sec
    # Where nothing was lost it is the same sound at the same place; decoders need a moment.
    kept = np.ones(len(whole.pcm), bool)
    for n in lost:
        kept[int(n * FRAME * RATE) - 50 : int((n + 8) * FRAME * RATE)] = False
    loud = np.abs(whole.pcm.astype(int)) > 1_000
    assert np.corrcoef(whole.pcm[kept & loud], ear.pcm[kept & loud])[0, 1] > 0.99
    hole = ear.pcm[int(40.2 * FRAME * RATE) : int(40.8 * FRAME * RATE)]
    assert not hole.any() or 40 not in lost


def test_late_doubled_and_reordered_packets_change_nothing(opus: list[Packet]) -> None:
    whole = play(timed(opus))
    chance = np.random.default_rng(1)
    jitter = chance.uniform(0, 0.022, len(opus))
    jitter[0] = 0
    arriving = [(at + late, p) for (at, p), late in zip(timed(opus), jitter, strict=True)]
    arriving += [(at + 0.03, p) for at, p in arriving[::7]]
    assert [p.sequence for _, p in sorted(arriving, key=lambda a: a[0])] != [
        p.sequence for p in opus
    ]
    ear = play(arriving)
    assert np.array_equal(ear.pcm, whole.pcm)


def test_a_stall_costs_no_word_and_is_made_up_for_in_quiet(spoken: Pcm) -> None:
    sent = packets(np.concatenate([spoken, np.zeros(3 * RATE, np.int16)]))
    stalled = [(at if not 0.9 < at < 1.3 else 1.3 + at / 1_000, p) for at, p in timed(sent)]
    ear = play(stalled)
    letters = heard(ear.pcm[np.abs(ear.pcm.astype(int)) > 0], RATE)
    assert set(letters) >= set(spelled(TEXT)) and len(letters) >= len(spelled(TEXT))
    # The silence that was heard meanwhile has been left out again.
    assert ear.sec == pytest.approx(len(sent) * FRAME, abs=0.005)


@pytest.mark.parametrize("stamps", ["went on", "stood still"])
def test_who_sends_nothing_is_silent_as_long_as_the_clock_says(spoken: Pcm, stamps: str) -> None:
    """Muted for ten seconds: by senders whose clock goes on meanwhile, and by others."""
    sent = packets(spoken)
    leap = 480_000 if stamps == "went on" else 0
    rest = [Packet(p.sequence, (p.timestamp + leap) % (1 << 32), p.payload) for p in sent[30:]]
    arriving = timed(sent[:30]) + [(n * FRAME + 10.6, p) for n, p in enumerate(rest)]
    muted = play(timed(sent[:30]), until=10.5)
    assert muted.sec == pytest.approx(10.5 - SLACK_SEC, abs=0.03)
    assert not muted.pcm[int(0.7 * RATE) :].any()
    ear = play(arriving)
    assert ear.sec == pytest.approx(len(sent) * FRAME + 10, abs=SLACK_SEC + 0.03)
    assert heard(ear.pcm[5 * RATE :], RATE)[1:] == spelled(TEXT)[2:]


def test_a_leap_of_the_time_stamps_is_no_endless_silence(opus: list[Packet]) -> None:
    for leap in (1 << 31, 48_000 * 3_600, -48_000 * 3_600):
        sent = [
            Packet(p.sequence, (p.timestamp + leap * (n > 10)) % (1 << 32), p.payload)
            for n, p in enumerate(opus)
        ]
        ear = play(timed(sent))
        assert len(opus) * FRAME - 0.002 <= ear.sec <= len(opus) * FRAME + MAX_HOLE_SEC
        assert heard(ear.pcm, RATE) == spelled(TEXT)


def test_another_sender_under_the_same_connection_is_heard(opus: list[Packet]) -> None:
    ear = Heard()
    sound = RtpSound(ear.pieces.append, ear.clock)
    for packet in packets(tones("one", RATE), "pcmu"):
        sound.take("pcmu", 1, packet)
    for packet in opus:
        sound.take("opus", 2, packet)
    assert heard(ear.pcm[RATE // 2 :], RATE) == spelled(TEXT)


def test_what_cannot_be_decoded_is_silence(opus: list[Packet]) -> None:
    broken = [
        Packet(p.sequence, p.timestamp, b"\xff" * 3 if n in (5, 6) else p.payload)
        for n, p in enumerate(opus)
    ]
    padding = Packet(opus[7].sequence, opus[7].timestamp, b"")
    broken[7] = padding
    ear = play(timed(broken))
    assert ear.sec == pytest.approx(len(opus) * FRAME, abs=0.002)
    assert heard(ear.pcm, RATE) == spelled(TEXT)
