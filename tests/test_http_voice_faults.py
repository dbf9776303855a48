"""Whatever goes wrong at a speech server: a VoiceError that says so, and nothing said twice."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from http_voices import ADAPTERS, EN, MIXED, RATE, ZH, said, talking, written
from mien.tts.service import SpeechFrame, VoiceService
from mien.tts.voice import Run, VoiceError
from tones import heard, spelled

every_voice = pytest.mark.parametrize("name", ADAPTERS)
streaming = pytest.mark.parametrize("name", [n for n, a in ADAPTERS.items() if a.streams])

# Whether trying again can help.
BEFORE_THE_FIRST_SOUND = {
    "http_400": False,
    "http_401": False,
    "http_404": False,
    "http_429": True,
    "http_500": True,
    "http_503": True,
    "huge_error": True,
    "redirect": False,
    "error_in_200": False,
    "html_in_200": False,
    "text_as_sound": False,
    "wrong_header": False,
    "close": True,
    "empty": True,
    "silence": True,
}


async def fails(voice, runs) -> tuple[VoiceError, np.ndarray]:
    """The error of a clause and what was heard before it."""
    pieces = [np.zeros(0, np.int16)]
    with pytest.raises(VoiceError) as caught:
        async for chunk in voice.speak(runs):
            pieces.append(chunk.pcm)
    return caught.value, np.concatenate(pieces)


@every_voice
@pytest.mark.parametrize("runs", [ZH, EN, MIXED], ids=["zh", "en", "mixed"])
async def test_the_clause_is_said_once_and_at_the_right_rate(name, runs):
    async with talking(name) as (server, voice):
        await voice.check()
        pcm = await said(voice, runs)
        letters = spelled(written(runs))
        assert heard(pcm, RATE) == letters
        assert len(pcm) == pytest.approx(len(letters) * 0.08 * RATE, abs=RATE * 0.001)
        assert spelled("".join(server.texts)) == letters


@streaming
async def test_the_first_sound_comes_before_the_server_has_sent_the_last(name):
    async with talking(name) as (server, voice):
        server.hold()
        pieces = []
        async with aclosing(voice.speak(ZH)) as chunks:
            pieces.append((await anext(chunks)).pcm)
            assert not server.asked[-1].finished
            server.release()
            pieces += [chunk.pcm async for chunk in chunks]
        assert heard(np.concatenate(pieces), RATE) == spelled(written(ZH))


@every_voice
async def test_server_down(name):
    async with talking(name) as (server, voice):
        await server.stop()
        for attempt in (said(voice, ZH), voice.check()):
            with pytest.raises(VoiceError, match=server.url) as caught:
                await attempt
            assert caught.value.retryable
            assert server.url in caught.value.zh
            assert caught.value.zh != str(caught.value)


@every_voice
async def test_a_server_that_comes_back_is_heard_again(name):
    async with talking(name) as (server, voice):
        await said(voice, ZH)
        await server.stop()
        await fails(voice, ZH)
        await server.start()
        assert heard(await said(voice, EN), RATE) == spelled(written(EN))


@every_voice
@pytest.mark.parametrize("fault", BEFORE_THE_FIRST_SOUND)
async def test_no_sound_but_an_error(name, fault):
    """4xx, 5xx, errors in 200, pages, texts, broken headers, nothing, silence."""
    async with talking(name, fault) as (server, voice):
        error, pcm = await fails(voice, ZH)
        assert not len(pcm)
        assert error.retryable is BEFORE_THE_FIRST_SOUND[fault]
        assert 20 < len(str(error)) < 600
        assert error.zh != str(error)
        if fault.startswith("http_") or fault in ("error_in_200", "huge_error", "text_as_sound"):
            assert "made to fail" in str(error)
            assert "made to fail" in error.zh
        if fault == "html_in_200":
            assert "a web page" in str(error)
        if fault in ("empty", "silence"):
            assert ("nothing but silence" if fault == "silence" else "no sound") in str(error)
        server.fault = None
        assert heard(await said(voice, EN), RATE) == spelled(written(EN))


@every_voice
async def test_silence_before_the_sound_is_kept(name):
    async with talking(name, "silence_first") as (_, voice):
        pcm = await said(voice, ZH)
        assert not pcm[: RATE // 2 - 500].any()
        assert heard(pcm, RATE) == spelled(written(ZH))
        assert len(pcm) == pytest.approx((0.5 + 6 * 0.08) * RATE, abs=RATE * 0.001)


@every_voice
async def test_an_error_in_200_of_mixed_languages(name):
    async with talking(name, "error_in_200") as (_, voice):
        error, pcm = await fails(voice, MIXED)
        assert "made to fail" in str(error)
        assert not len(pcm)


@pytest.mark.parametrize("name", [n for n, a in ADAPTERS.items() if a.header])
async def test_random_bytes_by_the_name_of_sound(name):
    async with talking(name, "garbage") as (_, voice):
        error, pcm = await fails(voice, ZH)
        assert not error.retryable
        assert not len(pcm)


@every_voice
@pytest.mark.parametrize("fault", ["cut", "truncated", "stall"])
async def test_breaking_off_midway(name, fault):
    """A reset, an early end, a stall: what came is heard, the rest is an error, nothing twice."""
    patience = {"stall_sec": 0.2} if fault == "stall" else {}
    async with talking(name, fault, **patience) as (server, voice):
        async with asyncio.timeout(20):  # a stall, not the wait for the first sound
            error, pcm = await fails(voice, ZH)
        assert error.retryable
        letters = heard(pcm, RATE)
        assert letters == spelled(written(ZH))[: len(letters)]
        assert 1 <= len(letters) <= 4
        assert len(server.texts) == 1
        if fault == "stall":
            async with asyncio.timeout(60):
                await server.asked[-1].closed.wait()
            assert server.asked[-1].disconnected


@every_voice
async def test_a_slow_first_byte_is_not_waited_for(name):
    async with talking(name, "slow", first_sound_sec=0.2) as (server, voice):
        error, pcm = await fails(voice, ZH)
        assert error.retryable
        assert "first_sound_sec" in str(error)
        assert not len(pcm)
        async with asyncio.timeout(60):
            await server.asked[-1].closed.wait()
        assert server.asked[-1].disconnected


@every_voice
async def test_a_late_but_timely_first_byte_is_waited_for(name):
    async with talking(name, "slow") as (server, voice):
        server.pause_sec = 0.15
        assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))


@every_voice
async def test_an_endless_answer_is_ended(name):
    async with talking(name, "endless") as (server, voice):
        error, pcm = await fails(voice, ZH)
        assert error.retryable
        assert len(pcm) < 20 * RATE
        async with asyncio.timeout(60):
            await server.asked[-1].closed.wait()
        assert server.asked[-1].disconnected


@every_voice
async def test_pieces_cut_anywhere_give_the_same_sound(name):
    async with talking(name) as (server, voice):
        whole = await said(voice, MIXED)
        server.fault = "odd"
        np.testing.assert_array_equal(await said(voice, MIXED), whole)


@every_voice
async def test_a_connection_that_ends_unanswered_is_tried_once_more(name):
    async with talking(name, "close") as (server, voice):
        await fails(voice, ZH)
        assert len(server.texts) == 2


@streaming
async def test_barge_in_hangs_up(name):
    async with talking(name) as (server, voice):
        server.hold()
        async with aclosing(voice.speak(ZH)) as chunks:
            await anext(chunks)
        async with asyncio.timeout(60):
            await server.asked[-1].closed.wait()
        assert server.asked[-1].disconnected
        assert not server.asked[-1].finished
        server.release()
        assert heard(await said(voice, EN), RATE) == spelled(written(EN))


@every_voice
async def test_barge_in_before_the_first_sound_hangs_up(name):
    async with talking(name, "slow") as (server, voice):
        speaking = asyncio.create_task(said(voice, ZH))
        async with asyncio.timeout(60):
            await server.asked_to_speak.wait()
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking
        async with asyncio.timeout(60):
            await server.asked[-1].closed.wait()
        assert server.asked[-1].disconnected
        server.fault = None
        assert heard(await said(voice, EN), RATE) == spelled(written(EN))


@every_voice
async def test_several_sessions_at_once_hear_their_own_words(name):
    async with talking(name) as (_, voice):
        texts = ["你好", "再见", "one", "two", "三", "四五六", "seven", "eight"]
        clauses = [[Run("zh" if t > "z" else "en", t)] for t in texts]
        sounds = await asyncio.gather(*(said(voice, clause) for clause in clauses))
        assert [heard(pcm, RATE) for pcm in sounds] == [spelled(t) for t in texts]


@every_voice
async def test_nothing_to_pronounce_is_not_asked_for(name):
    async with talking(name) as (server, voice):
        assert not len(await said(voice, [Run("zh", "……！"), Run("en", " -- ")]))
        assert not len(await said(voice, []))
        assert not server.asked


@every_voice
async def test_closing_the_voice_ends_its_speech(name):
    async with talking(name, "stall") as (_, voice):
        chunks = voice.speak(ZH)
        await anext(chunks)
        more = asyncio.create_task(anext(chunks))
        await asyncio.sleep(0)
        await voice.aclose()
        with pytest.raises(VoiceError, match="closed"):
            await more
        with pytest.raises(VoiceError, match="closed"):
            await said(voice, ZH)
        await voice.aclose()


@every_voice
async def test_as_a_pipecat_service(name):
    async with talking(name) as (server, voice):
        service = VoiceService(voice, "zh")
        frames = [frame async for frame in service.run_tts("用 Python 写代码。", "c1")]
        assert all(isinstance(frame, SpeechFrame) for frame in frames)
        assert {frame.sample_rate for frame in frames} == {RATE}
        sound = np.frombuffer(b"".join(frame.audio for frame in frames), np.int16)
        assert heard(sound, RATE) == spelled("用Python写代码")
        assert frames[-1].last
        server.fault = "http_500"
        frames = [frame async for frame in service.run_tts("再来。", "c2")]
        assert "made to fail" in frames[0].error
        assert frames[0].retryable
