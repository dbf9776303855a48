"""Many viewers of one program: packetised once, each with its own losses and its own beginning."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket, RtpPacket

from mien.media.h264 import VIDEO_STEP
from mien.media.program import Program
from mien.media.rtp_stream import Burst, RtpStream, rtp_stream
from mien.media.webrtc_viewer import WebRtcViewer
from ticking import counted, programme

PATIENCE = 30.0


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - several things are waited for
            await asyncio.sleep(0.02)


class Watcher:
    """A browser's part, played by aiortc.

    pictures: the number each carries. reports: (NTP seconds, RTP time) by kind. drop: whether a
    packet of pictures is lost on its way, the first time it is sent.
    """

    def __init__(self) -> None:
        self.pictures: list[int] = []
        self.reports: dict[str, list[tuple[float, int]]] = {"audio": [], "video": []}
        self.drop: Callable[[RtpPacket], bool] = lambda packet: False
        self.dropped = 0
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", lambda track: self._read(track))
        for kind in ("audio", "video"):
            self._tap(kind, self.connection.addTransceiver(kind, direction="recvonly").receiver)

    def _tap(self, kind: str, receiver: Any) -> None:
        take, take_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

        async def on_rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
            if kind == "video" and self.drop(packet):
                self.dropped += 1
            else:
                await take(packet, arrival_time_ms)

        async def on_rtcp(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
                info = packet.sender_info
                self.reports[kind].append((info.ntp_timestamp / 2**32, info.rtp_timestamp))
            await take_rtcp(packet)

        receiver._handle_rtp_packet, receiver._handle_rtcp_packet = on_rtp, on_rtcp

    def _read(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._take(track)))

    async def _take(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.pictures.append(counted(frame.to_ndarray(format="rgb24")))
        except MediaStreamError:
            return

    async def aclose(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def watching(program: Program) -> AsyncIterator[Watcher]:
    watcher = Watcher()
    connection = watcher.connection
    await connection.setLocalDescription(await connection.createOffer())
    viewer = WebRtcViewer(connection.localDescription.sdp)
    running = asyncio.create_task(viewer.run(program))
    answer = RTCSessionDescription(await viewer.answer, "answer")
    await connection.setRemoteDescription(answer)
    try:
        await until(lambda: watcher.pictures)
        yield watcher
    finally:
        viewer.close()
        await running
        await watcher.aclose()


class Taker:
    """A receiver of the stream itself, that takes what it is told to."""

    def __init__(self, takes: Callable[[int], bool] = lambda asked: True) -> None:
        self.bursts: list[Burst] = []
        self.times: list[float] = []
        self._takes = takes
        self._asked = 0

    def send(self, burst: Burst) -> bool:
        self._asked += 1
        if self._takes(self._asked):
            self.bursts.append(burst)
            self.times.append(time.monotonic())
            return True
        return False

    def lose(self) -> None:
        raise AssertionError("no encoder failed")

    def as_seen(self, pictures: list[int]) -> list[int]:
        """Numbers of the pictures sent while somebody saw ``pictures``; a starved machine leaves
        some out for all."""
        numbers = [burst.timestamp // VIDEO_STEP for burst in self.bursts]
        return numbers[numbers.index(pictures[0]) :][: len(pictures)]


@asynccontextmanager
async def witness(program: Program) -> AsyncIterator[Taker]:
    taker = Taker()
    async with rtp_stream(program, "video") as stream:
        with stream.joined(taker):
            await until(lambda: taker.bursts)
            yield taker


async def test_all_see_each_picture_which_is_encoded_once(threads: ThreadPoolExecutor) -> None:
    async with programme(threads) as program:
        async with witness(program) as sent, watching(program) as first:
            async with watching(program) as second, watching(program) as third:
                encoded, seen = program.encoded, len(first.pictures)
                await until(lambda: len(first.pictures) >= seen + 40)
                assert program.encoded - encoded <= 70  # not thrice as many
                await until(lambda: min(len(second.pictures), len(third.pictures)) > 20)
            # Others leave, and nothing changes.
            seen = len(first.pictures)
            await until(lambda: len(first.pictures) >= seen + 10)
            for watcher in (first, second, third):
                assert watcher.pictures == sent.as_seen(watcher.pictures)
        await until(lambda: not program._wanted)  # nobody: nothing is encoded


async def test_what_is_lost_comes_again(threads: ThreadPoolExecutor) -> None:
    async with (
        programme(threads) as program,
        witness(program) as sent,
        watching(program) as lossy,
        watching(program) as near,
    ):
        lost: set[int] = set()

        def every_fifth(packet: RtpPacket) -> bool:
            first_time = packet.sequence_number not in lost
            lost.add(packet.sequence_number)
            return first_time and packet.sequence_number % 5 == 0

        begin = len(lossy.pictures)
        lossy.drop = every_fifth
        await until(lambda: len(lossy.pictures) >= begin + 50)
        assert lossy.dropped >= 8
        # No key frame stands in for what was lost: every picture is there.
        for watcher in (lossy, near):
            assert watcher.pictures == sent.as_seen(watcher.pictures)


async def test_both_clocks_tell_the_same_time(threads: ThreadPoolExecutor) -> None:
    """Reports of one stream lie on one line, and media time 0 is the program's for both."""
    async with programme(threads) as program, watching(program) as watcher:
        await until(lambda: min(map(len, watcher.reports.values())) >= 2)
        for kind, rate in (("audio", 48_000), ("video", 90_000)):
            (ntp, rtp), *later = watcher.reports[kind]
            for ntp_later, rtp_later in later:
                passed = ((rtp_later - rtp) % (1 << 32)) / rate
                assert ntp_later - ntp == pytest.approx(passed, abs=2e-6)
        epoch = await program.started() + 2_208_988_800
        # A picture's media time is a whole number of ticks since then.
        ticks = (watcher.reports["video"][-1][0] - epoch) * 25
        assert ticks == pytest.approx(round(ticks), abs=1e-4)


class Broken(Taker):
    """A receiver with a fault."""

    lost = False

    def send(self, burst: Burst) -> bool:
        raise OSError("gone")

    def lose(self) -> None:
        self.lost = True


async def test_who_cannot_keep_up_or_breaks_harms_nobody(threads: ThreadPoolExecutor) -> None:
    async with programme(threads) as program, rtp_stream(program, "video") as stream:
        well, broken = Taker(), Broken()
        slow = Taker(lambda asked: asked % 10 != 5)
        with stream.joined(well), stream.joined(slow), stream.joined(broken):
            await until(lambda: len(well.bursts) > 40)
        assert broken.lost
        assert slow.bursts[0].keyframe and well.bursts[0].keyframe
        assert holes(well.bursts) == []
        # It goes on with a key frame, soon.
        found = holes(slow.bursts)
        assert found and all(after.keyframe for _, after in found)
        assert all(after.timestamp - before.timestamp < 90_000 for before, after in found)


def holes(bursts: list[Burst]) -> list[tuple[Burst, Burst]]:
    return [
        (one, two) for one, two in pairwise(bursts) if one.first + len(one.payloads) != two.first
    ]


async def test_key_frames_for_those_who_come_are_limited(threads: ThreadPoolExecutor) -> None:
    async with programme(threads) as program, rtp_stream(program, "video") as stream:
        well = Taker()
        with stream.joined(well):
            await until(lambda: len(well.bursts) >= 5)
            for _ in range(20):  # one after the other, each of whom needs one
                await joins(stream)
            sent = zip(well.bursts, well.times, strict=True)
            keys = [at for burst, at in sent if burst.keyframe]
        # The first two are for those who came first.
        assert all(later - one >= 0.1 for one, later in pairwise(keys[1:])), keys


async def joins(stream: RtpStream) -> None:
    late = Taker()
    with stream.joined(late):
        await until(lambda: late.bursts)
    assert late.bursts[0].keyframe
