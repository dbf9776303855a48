"""A microphone over WHIP (RFC 9725): a real WebRTC client speaks into the real application."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
import pytest_asyncio
from aiortc import RTCConfiguration, RTCPeerConnection

from listened import Ear, Site, listening_site, until
from mien.bench.speaker import WhipSpeaker
from mien.config import load_settings
from mien.media import rtp_sound
from mien.media.microphone import RATE
from mien.media.webrtc_microphone import WebRtcMicrophone
from mien.services import Services, open_services
from tones import spelled, tones

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = "the-token"
SDP = {"Content-Type": "application/sdp"}
ELSEWHERE = {"Origin": "https://client.example"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services() -> AsyncIterator[Services]:
    async with open_services(
        load_settings(None, greet=False, sessions={"max": 50, "idle_sec": 600})
    ) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(services: Services) -> AsyncIterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        # Client and server stop together on a busy machine: that is no silence of the speaker.
        patch.setattr(rtp_sound, "SLACK_SEC", 30.0)
        async with listening_site(services, TOKEN) as one:
            yield one


@asynccontextmanager
async def speaking(site: Site, ear: Ear, codec: str = "opus") -> AsyncIterator[WhipSpeaker]:
    speaker = WhipSpeaker(codec)
    try:
        await speaker.connect(site.http, f"/whip/{ear.id}")
        await until(lambda: ear.pieces, "the silence before speech")
        yield speaker
    finally:
        await speaker.aclose()


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
async def test_what_is_spoken_is_heard_where_it_was(site: Site, codec: str) -> None:
    ear = await site.ear()
    async with speaking(site, ear, codec) as speaker:
        begun = await speaker.play(tones("hello", RATE))
        await speaker.play(np.zeros(RATE // 2, np.int16))
        begun = await speaker.play(tones("world", RATE)) - begun
        await until(lambda: len(ear.words()) == 2 and len(ear.words()[1]) == 5, "two words")
        assert ear.labels == ["WebRTC"]
    await until(lambda: not ear.session.microphones, "the microphone's end")
    assert ear.words() == [spelled("hello"), spelled("world")]
    first, second = ear.onsets()
    assert abs((second - first) / RATE - begun) < 0.005
    assert ear.labels == ["WebRTC", None]


async def test_three_microphones_at_once_never_cross(site: Site) -> None:
    words = ("abcdefgh", "ijklmnop", "qrstuvwx")
    ears = [await site.ear() for _ in words]
    async with (
        speaking(site, ears[0]) as first,
        speaking(site, ears[1]) as second,
        speaking(site, ears[2], "pcma") as third,
    ):
        for word, speaker in zip(words, (first, second, third), strict=True):
            await speaker.play(tones(word, RATE))
        for word, ear in zip(words, ears, strict=True):
            await until(lambda ear=ear, word=word: ear.words() == [spelled(word)], word)


async def test_a_newer_one_takes_over_and_the_older_is_closed(site: Site) -> None:
    ear = await site.ear()
    async with speaking(site, ear) as older, speaking(site, ear) as newer:
        await until(lambda: len(ear.labels) == 2, "the newer one")
        await older.play(tones("old", RATE))
        await newer.play(tones("new", RATE))
        await until(lambda: ear.words() == [spelled("new")], "the newer one's words")
        await until(lambda: older.connection.connectionState == "closed", "the older one's end")
        assert len(ear.session.microphones) == 1
    await until(lambda: not ear.session.microphones, "the microphone's end")
    assert ear.labels == ["WebRTC", "WebRTC", None]


async def test_a_listener_that_fails_ends_the_microphone_alone(site: Site) -> None:
    ear = await site.ear()
    async with speaking(site, ear) as speaker:

        def fail(pcm: np.ndarray) -> None:
            raise RuntimeError("a bug of the listener")

        ear.session.microphones.on_sound = fail
        await until(lambda: speaker.connection.connectionState == "closed", "its end")
    ear = Ear(ear.session)
    async with speaking(site, ear) as speaker:
        await speaker.play(tones("again", RATE))
        await until(lambda: ear.words() == [spelled("again")], "the next one's words")


async def test_nothing_is_left_of_one_that_has_gone(site: Site) -> None:
    ear = await site.ear()
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    async with speaking(site, ear) as speaker:
        (microphone,) = [ear.session.microphones.get(speaker.location.rpartition("/")[2])]
        assert isinstance(microphone, WebRtcMicrophone)
        gone = weakref.ref(microphone)
        del microphone
    del speaker
    await until(lambda: not (asyncio.all_tasks() - tasks), "the end of its tasks")
    assert threading.active_count() <= threads
    await until(lambda: gc.collect() is not None and gone() is None, "its memory")


# -- the exchange ----------------------------------------------------------------------


async def offer(direction: str, kind: str = "audio") -> str:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver(kind, direction=direction)
    await connection.setLocalDescription(await connection.createOffer())
    sdp = str(connection.localDescription.sdp)
    await connection.close()
    return sdp


async def test_created_with_all_that_a_client_needs(site: Site) -> None:
    whip = f"/whip/{(await site.ear()).id}"
    for direction in ("sendonly", "sendrecv"):
        headers = {**SDP, **ELSEWHERE}
        answer = await site.http.post(whip, content=await offer(direction), headers=headers)
        assert answer.status_code == 201, answer.text
        assert answer.text.count("a=recvonly") == 1 and "opus/48000" in answer.text
        assert answer.headers["content-type"] == "application/sdp"
        microphone = answer.headers["location"]
        assert microphone.startswith(f"{whip}/") and answer.headers["etag"].strip('"')
        assert answer.headers["access-control-allow-origin"] == "*"
    assert (await site.http.patch(microphone)).status_code == 405
    asked = await site.http.options(whip, headers={**ELSEWHERE, "Authorization": ""})
    assert (asked.status_code, asked.headers["accept-post"]) == (204, "application/sdp")
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert (await site.http.delete(microphone)).status_code == 200
    for _ in range(1000):
        if (gone := await site.http.delete(microphone)).status_code == 404:
            break
        await asyncio.sleep(0.02)
    assert gone.json()["error"]["code"] == "no_such_microphone"


async def test_pictures_are_answered_as_not_wanted(site: Site) -> None:
    """As encoders offer them, who know WHIP for programmes alone."""
    ear = await site.ear()
    speaker = WhipSpeaker()
    speaker.connection.addTransceiver("video", direction="sendonly")
    await speaker.connect(site.http, f"/whip/{ear.id}")
    await until(lambda: ear.pieces, "silence")
    await speaker.play(tones("seen", RATE))
    await until(lambda: ear.words() == [spelled("seen")], "its words")
    sound, pictures = sorted(speaker.connection.getTransceivers(), key=lambda t: t.kind)
    assert (sound.currentDirection, pictures.currentDirection) == ("sendonly", "inactive")
    await speaker.aclose()


async def test_refusals_have_the_statuses_of_the_standard(site: Site) -> None:
    whip = f"/whip/{(await site.ear()).id}"
    good = await offer("sendonly")
    for content, headers, status, code in (
        (good, {**SDP, "Authorization": "Bearer wrong"}, 401, "no_token"),
        (good, {"Content-Type": "text/plain"}, 415, "not_sdp"),
        (good, {**SDP, "Accept": "application/json"}, 406, "takes_no_sdp"),
        ("no SDP at all", SDP, 400, "bad_offer"),
        ("v=0\r\nm=audio what", SDP, 400, "bad_offer"),
        (good + "x" * 64_000, SDP, 413, "offer_too_long"),
        (await offer("recvonly"), SDP, 422, "bad_offer"),
        (await offer("sendonly", kind="video"), SDP, 422, "bad_offer"),
        (re.sub("opus|PCM[UA]", "speex", good), SDP, 422, "bad_offer"),
    ):
        answer = await site.http.post(whip, content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.json()["error"]["message"]["zh"]
        assert "location" not in answer.headers
    nowhere = await site.http.post("/whip/none", content=good, headers=SDP)
    assert nowhere.status_code == 404
    assert (await site.http.get(whip)).status_code == 405
