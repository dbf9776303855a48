"""Connections, keys and settings of voices behind HTTP."""

from __future__ import annotations

import asyncio
import socket

import pytest
from pydantic import ValidationError

from http_voices import ADAPTERS, PATIENT, ZH, recording, said, talking
from mien.tts.http.client import SpeechRequest, SpeechServer
from mien.tts.http.failure import readable
from mien.tts.http.fish_speech import FishSpeechSettings
from mien.tts.http.openai_speech import OpenAISpeechSettings, OpenAISpeechVoice
from mien.tts.voice import VoiceError
from tones import encoded, tones


@pytest.fixture
def mute_port():
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


async def test_a_connection_is_kept_for_the_next_clause():
    async with talking("openai-speech") as (server, voice):
        for _ in range(3):
            await said(voice, ZH)
        assert len(server.texts) == 3
        assert server.connections == 1


async def test_interruptions_at_any_moment_leave_no_connection_behind():
    """While it is made, asked, heard, at its end and after."""
    async with talking("openai-speech") as (server, voice):
        finished = 0
        for steps in range(240):
            clause = asyncio.create_task(said(voice, ZH))
            for _ in range(steps // 4):
                await asyncio.sleep(0)
            clause.cancel()
            await asyncio.wait([clause])
            finished += not clause.cancelled()
        assert 0 < finished < 240, "some are to be interrupted, some not"
        async with asyncio.timeout(60):
            while server.open_connections > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        before = server.connections
        await said(voice, ZH)
        assert server.connections <= before + 1


async def test_a_name_that_does_not_exist_is_said():
    voice = ADAPTERS["gpt-sovits"].make("http://nosuch.invalid")
    for attempt in (said(voice, ZH), voice.check()):
        with pytest.raises(VoiceError, match=r"no server named 'nosuch.invalid'") as caught:
            await attempt
        assert caught.value.retryable
    await voice.aclose()


async def test_tls_to_a_server_without_it_is_said():
    async with talking("gpt-sovits") as (server, _):
        voice = ADAPTERS["gpt-sovits"].make(server.url.replace("http:", "https:"))
        for attempt in (said(voice, ZH), voice.check()):
            with pytest.raises(VoiceError, match="not https") as caught:
                await attempt
            assert not caught.value.retryable
        await voice.aclose()


async def test_a_busy_server_passes_the_check(mute_port):
    """Several compute on the thread that answers."""
    voice = ADAPTERS["gpt-sovits"].make(f"http://127.0.0.1:{mute_port}")
    await voice.check()
    await voice.aclose()


async def test_a_server_that_speaks_no_http():
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n" * 2)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        voice = ADAPTERS["gpt-sovits"].make(
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        )
        for attempt in (said(voice, ZH), voice.check()):
            with pytest.raises(VoiceError, match="gave no answer"):
                await attempt
        await voice.aclose()


async def test_a_large_body_is_not_read_to_its_end():
    """2 GB that decode to nothing: an Ogg file that is never complete."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/ogg\r\nContent-Length: 2000000000")
        writer.write(b"\r\n\r\nOggS")
        try:
            while True:
                writer.write(bytes(1 << 20))
                await writer.drain()
        except ConnectionError:
            hung_up.set()

    hung_up = asyncio.Event()
    async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        voice = OpenAISpeechVoice("o", OpenAISpeechSettings(url=url, **PATIENT))
        with pytest.raises(VoiceError, match="did not stop after 32 MB"):
            await said(voice, ZH)
        async with asyncio.timeout(60):
            await hung_up.wait()
        await voice.aclose()


async def test_a_file_that_ends_early_without_http_noticing():
    """A body that ends with the connection may end anywhere: the WAV header knows better."""
    data = encoded(tones("abcdef", 24_000), 24_000, "wav")

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nConnection: close\r\n\r\n"
        writer.write(head + data[: len(data) // 2])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        voice = ADAPTERS["bert-vits2-http"].make(url)
        with pytest.raises(VoiceError, match="broke off") as caught:
            await said(voice, ZH)
        assert caught.value.retryable
        await voice.aclose()


async def test_time_the_listener_takes_is_not_the_servers():
    async with talking("gpt-sovits", stall_sec=0.2) as (_, voice):
        pieces = []
        async for chunk in voice.speak(ZH):
            await asyncio.sleep(0.3)
            pieces.append(chunk.pcm)
        assert len(pieces) >= 2


async def test_closing_before_and_twice():
    server = SpeechServer("x", "http://127.0.0.1:1", first_sound_sec=1, stall_sec=1)
    await server.aclose()
    await server.aclose()
    with pytest.raises(VoiceError, match="closed"):
        async for _ in server.listen(SpeechRequest("/")):
            pass


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9880", "ftp://a/b", "http://", "http://a?text=", "http://u:p@host", ""]
)
def test_urls_that_are_none(url):
    with pytest.raises(ValidationError):
        OpenAISpeechSettings(url=url)


def test_the_slash_at_the_end_of_a_url_does_not_matter():
    assert OpenAISpeechSettings(url="http://a:1/v1/").url == "http://a:1/v1"


def test_files_must_exist(tmp_path):
    adapter = ADAPTERS["cosyvoice"]
    with pytest.raises(ValidationError, match="there is no file"):
        adapter.settings(prompt_wav=tmp_path / "none.wav")
    (tmp_path / "empty.wav").touch()
    with pytest.raises(ValidationError, match="0 bytes"):
        adapter.settings(prompt_wav=tmp_path / "empty.wav")
    path = recording(tmp_path)
    assert adapter.settings(prompt_wav=path).prompt_wav == path
    with pytest.raises(ValidationError, match="there is no file"):
        FishSpeechSettings(references=[{"audio": tmp_path / "none.wav", "text": "a"}])


def test_keys_are_not_shown():
    assert "s3cret" not in repr(OpenAISpeechSettings(api_key="s3cret"))


def test_a_providers_key_goes_to_the_provider_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    monkeypatch.setenv("MINE", "mine")
    own = {"host": "api.openai.com", "variables": ("OPENAI_API_KEY",)}
    assert OpenAISpeechSettings().key(**own) == "theirs"
    assert OpenAISpeechSettings(url="http://other.example/v1").key(**own) is None
    assert OpenAISpeechSettings(url="https://api.openai.com.evil.example").key(**own) is None
    other = OpenAISpeechSettings(url="http://other.example/v1", api_key_env="MINE")
    assert other.key(**own) == "mine"
    assert OpenAISpeechSettings(api_key="given", api_key_env="MINE").key(**own) == "given"


async def test_a_key_is_sent_and_a_wrong_one_is_said(monkeypatch):
    monkeypatch.setenv("MINE", "right")
    async with talking("openai-speech", api_key_env="MINE") as (server, voice):
        await said(voice, ZH)
        assert server.asked[0].headers["authorization"] == "Bearer right"
    async with talking("openai-speech", api_key="wrong") as (_, voice):
        for attempt in (said(voice, ZH), voice.check()):
            with pytest.raises(VoiceError, match="Check the key") as caught:
                await attempt
            assert not caught.value.retryable
            assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"api_key_env": "NOT_SET"}, "variable NOT_SET is not set"),
        ({"api_key": "密钥"}, "no key has"),
        ({"api_key": "a\nb"}, "no key has"),
    ],
)
async def test_a_key_that_cannot_be_one_is_said(monkeypatch, given, why):
    monkeypatch.delenv("NOT_SET", raising=False)
    async with talking("openai-speech", **given) as (server, voice):
        for attempt in (said(voice, ZH), voice.check()):
            with pytest.raises(VoiceError, match=why) as caught:
                await attempt
            assert not caught.value.retryable
        assert not server.asked


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"message": "a", "Exception": "b"}', "a: b"),
        (b'{"error": {"message": "a", "code": 3}}', "a"),
        (b'{"detail": [{"loc": ["body", "x"], "msg": "a"}]}', "body.x: a"),
        (b'[{"loc": ["x"], "msg": "a"}]', "x: a"),
        (b'{"status": 11, "detail": "a"}', "a"),
        (b"<html><style>p {}</style><p>a\n b</p></html>", "a b"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"{}", "{}"),
        (b"", ""),
        (b"x" * 1_000, "x" * 299 + "…"),
    ],
)
def test_errors_are_readable(body, text):
    assert readable(body) == text


async def test_making_a_voice_touches_nothing(mute_port):
    for name, adapter in ADAPTERS.items():
        assert adapter.make(f"http://127.0.0.1:{mute_port}").name == "anna", name
