"""What each speech server is asked, field by field, and what is special about it."""

from __future__ import annotations

import base64

import pytest

from http_voices import ADAPTERS, EN, MIXED, PATIENT, RATE, ZH, recording, said, talking, written
from mien.tts.http.bert_vits2_http import BertVits2HttpSettings, BertVits2HttpVoice
from mien.tts.http.fish_speech import FishSpeechSettings, FishSpeechVoice
from mien.tts.http.gpt_sovits import GptSovitsSettings, GptSovitsVoice
from mien.tts.http.openai_speech import OpenAISpeechSettings, OpenAISpeechVoice
from mien.tts.voice import VoiceError
from tones import heard, spelled
from voice_dialects import (
    bert_vits2_single,
    fish_speech,
    gpt_sovits_bool,
    gpt_sovits_v1,
    openai_speech,
)
from voice_servers import VoiceServer


class TestGptSovits:
    async def test_what_it_is_asked(self):
        more = {"speed": 1.2, "extra": {"top_k": 5, "streaming_mode": 2}}
        async with talking("gpt-sovits", **more) as (server, voice):
            await said(voice, ZH)
            assert server.asked[0].fields == {
                "text": "今天天气很好。",
                "text_lang": "zh",
                "ref_audio_path": "/voices/anna.wav",
                "prompt_text": "你好呀",
                "prompt_lang": "zh",
                "speed_factor": 1.2,
                "media_type": "wav",
                "streaming_mode": 2,
                "top_k": 5,
            }

    async def test_the_language_follows_the_text(self):
        async with talking("gpt-sovits") as (server, voice):
            for runs in (ZH, EN, MIXED):
                await said(voice, runs)
            assert [a.fields["text_lang"] for a in server.asked] == ["zh", "en", "zh"]
            assert server.texts[2] == "我喜欢用 Python 写代码。"
        async with talking("gpt-sovits", text_lang="yue", prompt_lang="ja") as (server, voice):
            await said(voice, ZH)
            assert server.asked[0].fields["text_lang"] == "yue"
            assert server.asked[0].fields["prompt_lang"] == "ja"

    async def test_an_older_server_is_asked_for_lower_modes_once(self):
        adapter = ADAPTERS["gpt-sovits"]
        async with VoiceServer(gpt_sovits_bool) as server:
            voice = adapter.make(server.url)
            for _ in range(2):
                assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            asked = [a.fields["streaming_mode"] for a in server.asked]
            assert asked == [3, 2, 1, 1]
            await voice.aclose()

    async def test_what_is_no_matter_of_the_mode_is_asked_once(self):
        async with talking("gpt-sovits", "http_400") as (server, voice):
            with pytest.raises(VoiceError, match="made to fail"):
                await said(voice, ZH)
            assert [a.fields["streaming_mode"] for a in server.asked] == [3]

    async def test_its_own_words_for_what_failed(self):
        async with talking("gpt-sovits", ref_audio_path="missing.wav") as (_, voice):
            with pytest.raises(VoiceError, match=r"tts failed: missing\.wav not exists"):
                await said(voice, ZH)

    async def test_without_a_header(self):
        async with talking("gpt-sovits", media_type="raw", rate=32_000) as (_, voice):
            assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))

    @pytest.mark.parametrize("streaming", [0, 1, 2, 3])
    async def test_every_mode(self, streaming):
        async with talking("gpt-sovits", streaming=streaming) as (server, voice):
            assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            assert server.asked[0].fields["streaming_mode"] == streaming

    @pytest.mark.parametrize("missing", ["ref_audio_path", "prompt_text"])
    async def test_what_must_be_set(self, missing):
        async with talking("gpt-sovits", **{missing: None}) as (server, voice):
            for attempt in (voice.check(), said(voice, ZH)):
                with pytest.raises(VoiceError, match=missing) as caught:
                    await attempt
                assert not caught.value.retryable
                assert missing in caught.value.zh
            assert not server.asked

    async def test_the_check_knows_the_old_server(self):
        async with VoiceServer(gpt_sovits_v1) as server:
            settings = GptSovitsSettings(url=server.url, ref_audio_path="a", prompt_text="b")
            voice = GptSovitsVoice("anna", settings)
            with pytest.raises(VoiceError, match=r'api = "v1"'):
                await voice.check()
            await voice.aclose()

    async def test_the_old_server(self):
        async with talking("gpt-sovits-v1", speed=0.8) as (server, voice):
            await said(voice, EN)
            assert server.asked[0].path == "/"
            assert server.asked[0].fields == {
                "text": "Hello, world!",
                "text_language": "en",
                "refer_wav_path": "/voices/anna.wav",
                "prompt_text": "你好呀",
                "prompt_language": "zh",
                "speed": 0.8,
            }


class TestBertVits2:
    async def test_what_it_is_asked(self):
        more = {"speed": 1.25, "extra": {"style_text": "开心", "style_weight": 0.7}}
        async with talking("bert-vits2-http", **more) as (server, voice):
            await said(voice, ZH)
            assert server.asked[0].query == {
                "text": "今天天气很好。",
                "model_id": "0",
                "speaker_name": "Anna",
                "language": "ZH",
                "length": "0.8",
                "sdp_ratio": "0.2",
                "noise": "0.2",
                "noisew": "0.9",
                "style_text": "开心",
                "style_weight": "0.7",
            }

    async def test_a_speaker_by_number(self):
        async with talking("bert-vits2-http", speaker=1) as (server, voice):
            await voice.check()
            await said(voice, EN)
            assert server.asked[-1].query["speaker_id"] == "1"
            assert server.asked[-1].query["language"] == "EN"

    async def test_mixed_languages_in_one_request(self):
        async with talking("bert-vits2-http") as (server, voice):
            await said(voice, MIXED)
            assert [a.query["language"] for a in server.asked] == ["AUTO"]

    async def test_mixed_languages_one_by_one_where_the_server_cannot_mix(self):
        async with VoiceServer(bert_vits2_single) as server:
            voice = BertVits2HttpVoice("b", BertVits2HttpSettings(url=server.url, **PATIENT))
            for _ in range(2):
                assert heard(await said(voice, MIXED), RATE) == spelled(written(MIXED))
            asked = [a.query["language"] for a in server.asked]
            assert asked == ["AUTO", "ZH", "EN", "ZH", "ZH", "EN", "ZH"]
            await voice.aclose()

    async def test_mixed_languages_one_by_one_if_wished(self):
        async with talking("bert-vits2-http", mixed="split") as (server, voice):
            assert heard(await said(voice, MIXED), RATE) == spelled(written(MIXED))
            assert server.texts == ["我喜欢用", "Python", "写代码。"]

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"speaker": "Nobody"}, "no speaker 'Nobody'; it has Anna, Bo"),
            ({"speaker": 7}, "no speaker 7; it has Anna, Bo"),
            ({"model_id": 3}, "no model_id 3; it has 0"),
        ],
    )
    async def test_the_check_looks_the_speaker_up(self, wrong, why):
        async with talking("bert-vits2-http", **wrong) as (_, voice):
            with pytest.raises(VoiceError, match=why) as caught:
                await voice.check()
            assert not caught.value.retryable
            with pytest.raises(VoiceError, match=r"no speaker|not loaded"):
                await said(voice, ZH)

    async def test_the_old_server(self):
        async with talking("bert-vits2-flask") as (server, voice):
            await said(voice, EN)
            assert server.asked[0].path == "/"
            assert server.asked[0].query["speaker"] == "Anna"
            assert server.asked[0].query["model"] == "0"
            assert server.asked[0].query["format"] == "wav"
            assert heard(await said(voice, MIXED), RATE) == spelled(written(MIXED))
            assert [a.query["language"] for a in server.asked] == ["EN", "ZH", "EN", "ZH"]


class TestCosyVoice:
    async def test_what_it_is_asked(self):
        async with talking("cosyvoice", speaker="中文男", speed=1.5) as (server, voice):
            await said(voice, MIXED)
            assert server.asked[0].path == "/inference_sft"
            assert server.asked[0].fields == {
                "tts_text": "我喜欢用 Python 写代码。",
                "spk_id": "中文男",
                "speed": "1.5",
            }

    @pytest.mark.parametrize(
        ("mode", "fields"),
        [
            ("zero_shot", {"prompt_text": "你好呀"}),
            ("cross_lingual", {}),
            ("instruct", {"instruct_text": "开心地说", "spk_id": "中文女"}),
            ("instruct2", {"instruct_text": "开心地说"}),
        ],
    )
    async def test_every_mode(self, mode, fields, tmp_path):
        path = recording(tmp_path)
        given = {"prompt_wav": path, "prompt_text": "你好呀", "instruct_text": "开心地说"}
        async with talking("cosyvoice", mode=mode, **given) as (server, voice):
            await voice.check()
            assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            asked = server.asked[-1]
            assert asked.path == f"/inference_{mode}"
            sent = dict(asked.fields)
            assert sent.pop("prompt_wav", path.read_bytes()) == path.read_bytes()
            assert sent == {"tts_text": "今天天气很好。", **fields}

    async def test_a_rate_that_is_set(self):
        async with talking("cosyvoice", rate=44_100) as (_, voice):
            pcm = await said(voice, ZH)
            assert len(pcm) == pytest.approx(6 * 0.08 * 22_050 / 44_100 * RATE, rel=0.01)

    async def test_a_rate_that_the_server_says(self):
        async with talking("cosyvoice-fork", rate=44_100) as (server, voice):
            assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            assert server.asked[0].path == "/stream/inference_sft"

    @pytest.mark.parametrize(
        ("mode", "missing"),
        [
            ("sft", "speaker"),
            ("zero_shot", "prompt_wav"),
            ("instruct", "instruct_text"),
            ("instruct2", "prompt_wav"),
        ],
    )
    async def test_what_must_be_set(self, mode, missing):
        async with talking("cosyvoice", mode=mode, speaker="") as (server, voice):
            for attempt in (voice.check(), said(voice, ZH)):
                with pytest.raises(VoiceError, match=r"speaker|" + missing) as caught:
                    await attempt
                assert not caught.value.retryable
            assert not server.asked

    async def test_the_check_knows_a_server_without_the_mode(self):
        async with talking("cosyvoice", prefix="/stream") as (_, voice):
            with pytest.raises(VoiceError, match="no /stream/inference_sft"):
                await voice.check()


class TestFishSpeech:
    async def test_what_it_is_asked(self, tmp_path):
        path = recording(tmp_path)
        more = {"reference_id": "anna", "references": [{"audio": path, "text": "你好"}]}
        async with talking("fish-speech", speed=1.1, model="s2-pro", **more) as (server, voice):
            await said(voice, MIXED)
            assert server.asked[0].fields == {
                "text": "我喜欢用 Python 写代码。",
                "format": "wav",
                "reference_id": "anna",
                "references": [
                    {"audio": base64.b64encode(path.read_bytes()).decode(), "text": "你好"}
                ],
                "prosody": {"speed": 1.1},
                "streaming": True,
            }
            assert server.asked[0].headers["model"] == "s2-pro"

    @pytest.mark.parametrize("form", ["wav", "mp3", "pcm"])
    async def test_every_format(self, form):
        async with talking("fish-speech", format=form) as (server, voice):
            assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            assert server.asked[0].fields["streaming"] is (form == "wav")

    async def test_the_check_asks_for_its_health(self):
        async with talking("fish-speech") as (server, voice):
            await voice.check()
            assert [a.path for a in server.asked] == ["/v1/health"]

    async def test_a_reference_that_does_not_exist(self):
        async with talking("fish-speech", reference_id="nobody") as (_, voice):
            with pytest.raises(VoiceError, match="no such reference") as caught:
                await said(voice, ZH)
            assert not caught.value.retryable

    async def test_a_server_with_a_key(self, monkeypatch):
        async with VoiceServer(fish_speech) as server:
            for key, right in (("right", True), ("wrong", False)):
                monkeypatch.setenv("FISH_KEY", key)
                settings = FishSpeechSettings(url=server.url, api_key_env="FISH_KEY", **PATIENT)
                voice = FishSpeechVoice("f", settings)
                if right:
                    await voice.check()
                else:
                    with pytest.raises(VoiceError, match="Invalid token"):
                        await voice.check()
                await voice.aclose()

    async def test_the_service_needs_a_key(self, monkeypatch):
        monkeypatch.delenv("FISH_API_KEY", raising=False)
        monkeypatch.delenv("FISH_AUDIO_API_KEY", raising=False)
        voice = FishSpeechVoice("f", FishSpeechSettings(url="https://api.fish.audio"))
        for attempt in (voice.check(), said(voice, ZH)):
            with pytest.raises(VoiceError, match="FISH_API_KEY"):
                await attempt


class TestOpenAISpeech:
    async def test_what_it_is_asked(self):
        more = {"voice": "coral", "model": "tts-1", "instructions": "Whisper.", "speed": 1.5}
        async with talking("openai-speech", extra={"stream": True}, **more) as (server, voice):
            await said(voice, MIXED)
            assert server.asked[0].path == "/v1/audio/speech"
            assert server.asked[0].fields == {
                "model": "tts-1",
                "input": "我喜欢用 Python 写代码。",
                "voice": "coral",
                "response_format": "pcm",
                "instructions": "Whisper.",
                "speed": 1.5,
                "stream": True,
            }

    async def test_what_is_usual_is_not_sent(self):
        async with talking("openai-speech") as (server, voice):
            await said(voice, ZH)
            assert not {"speed", "instructions"} & server.asked[0].fields.keys()

    @pytest.mark.parametrize(
        ("voice_name", "asked"),
        [("wav-only", ["pcm", "wav", "wav"]), ("mp3-only", ["pcm", "wav", "mp3", "mp3"])],
    )
    async def test_a_format_that_is_refused_is_not_asked_for_again(self, voice_name, asked):
        async with talking("openai-speech", voice=voice_name) as (server, voice):
            for _ in range(2):
                assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            assert [a.fields["response_format"] for a in server.asked] == asked

    @pytest.mark.parametrize("voice_name", ["liar", "odd-rate"])
    async def test_what_the_answer_says_of_itself_counts(self, voice_name):
        """MP3 where samples were asked for; another rate than usual."""
        async with talking("openai-speech", voice=voice_name) as (server, voice):
            assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
            assert server.asked[0].fields["response_format"] == "pcm"

    async def test_every_format(self):
        for form in ("pcm", "wav", "mp3", "opus", "flac", "aac"):
            async with talking("openai-speech", response_format=form) as (server, voice):
                assert heard(await said(voice, ZH), RATE) == spelled(written(ZH))
                assert server.asked[0].fields["response_format"] == form

    async def test_the_service_needs_a_key(self, monkeypatch):
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        voice = OpenAISpeechVoice("o", OpenAISpeechSettings())
        for attempt in (voice.check(), said(voice, ZH)):
            with pytest.raises(VoiceError, match="OPENAI_API_KEY") as caught:
                await attempt
            assert not caught.value.retryable

    async def test_a_wrong_path_is_said(self):
        async with VoiceServer(openai_speech) as server:
            voice = OpenAISpeechVoice("o", OpenAISpeechSettings(url=server.url, **PATIENT))
            with pytest.raises(VoiceError, match="Check the url"):
                await said(voice, ZH)
            await voice.aclose()
