"""Which services pipecat has, and what is said of a table that does not fit one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pipecat.services.cartesia.tts import CartesiaTTSService, GenerationConfig
from pipecat.services.tts_service import TextAggregationMode, TTSService

from mien.tts.pipecat_catalog import Recipe, addresses, find_service, list_services
from mien.tts.pipecat_voice import PipecatSettings, PipecatVoice
from mien.tts.voice import Run, VoiceError

OWN = '''
import asyncio
from pipecat.frames.frames import TTSAudioRawFrame
from pipecat.services.tts_service import TTSService


class Hummer(TTSService):
    """Needs the event loop's thread, sets itself what mien would add, has no Settings."""

    def __init__(self, *, seconds: float = 0.2, **kwargs):
        asyncio.get_running_loop()
        super().__init__(
            push_start_frame=True, push_stop_frames=True, stop_frame_timeout_s=1.0, **kwargs
        )
        self._seconds = seconds

    async def run_tts(self, text, context_id):
        stereo = b"\\x00\\x10\\x00\\x10" * int(self._seconds * 16000)
        yield TTSAudioRawFrame(stereo, 16000, 2, context_id=context_id)


NotAService = dict
'''


def test_the_names() -> None:
    names = list_services()
    assert {"cartesia", "elevenlabs", "openai", "PiperHttpTTSService", "azure"} <= set(names)
    assert not any("Base" in name or name == "CartesiaTTSService" for name in names)
    # Nothing was imported to find that out.
    assert "pipecat.services.google.tts" not in sys.modules


@pytest.mark.parametrize(
    "kind", ["cartesia", "CartesiaTTSService", "pipecat.services.cartesia.tts.CartesiaTTSService"]
)
def test_ways_to_name_a_service(kind: str) -> None:
    assert find_service(kind) is CartesiaTTSService


def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VoiceError, match="cartesia") as told:
        find_service("cartesi")
    assert not told.value.retryable and "可选" in told.value.zh
    with pytest.raises(VoiceError, match="cannot be loaded"):
        find_service("no.such.Service")
    with pytest.raises(VoiceError, match="not a TTS service"):
        find_service("collections.OrderedDict")
    monkeypatch.setitem(sys.modules, "groq", None)
    monkeypatch.delitem(sys.modules, "pipecat.services.groq.tts", raising=False)
    with pytest.raises(VoiceError, match=r"pip install 'pipecat-ai\[groq\]'") as told:
        find_service("groq")
    assert "pip install" in told.value.zh


def refusal(**table: object) -> str:
    with pytest.raises(VoiceError) as told:
        Recipe(CartesiaTTSService, **({"params": {}, "settings": {}} | table))  # type: ignore[arg-type]
    assert not told.value.retryable and told.value.zh
    return str(told.value)


def test_a_table_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    said = refusal(params={"voice": "x", "settings": {}})
    assert "no settings, voice in its params (voice: write it in its settings)" in said
    assert said.endswith("text_aggregation_mode, url, voice_id")
    assert "no voyce in its settings; there are" in refusal(settings={"voyce": "x"})
    assert "'sentence' or 'token'" in refusal(params={"text_aggregation_mode": "words"})
    assert "no setting 'speed'" in refusal(params={"api_key": "k"}, speed=1.2)
    assert "CARTESIA_API_KEY" in refusal()
    assert "MY_KEY" in refusal(api_key_env="MY_KEY")


def test_plain_values_become_what_the_service_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "of the environment")
    recipe = Recipe(
        CartesiaTTSService,
        {"text_aggregation_mode": "token"},
        {"voice": "v", "generation_config": {"speed": 1.1}, "language": "zh"},
    )
    service = recipe.build(None)
    assert service._text_aggregation_mode is TextAggregationMode.TOKEN  # type: ignore[attr-defined]
    assert service.settings.generation_config == GenerationConfig(speed=1.1)  # type: ignore[attr-defined]
    assert service.settings.language == "zh"  # type: ignore[attr-defined]
    assert service._api_key == "of the environment"  # type: ignore[attr-defined]


def test_addresses() -> None:
    params = {"url": "wss://a/b", "base_url": "http://c", "voice": "x", "rate": 3}
    assert addresses(params) == ["wss://a/b", "http://c"]


async def test_a_service_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_voices.py").write_text(OWN, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert issubclass(find_service("my_voices.Hummer"), TTSService)
    with pytest.raises(VoiceError, match="not a TTS service"):
        find_service("my_voices.NotAService")
    voice = PipecatVoice("hum", PipecatSettings(type="my_voices.Hummer", params={"seconds": 0.5}))
    await voice.check()
    chunks = [chunk async for chunk in voice.speak([Run("en", "hello")])]
    assert sum(len(chunk.pcm) for chunk in chunks) == pytest.approx(0.5 * 48_000, abs=8)
    assert all((chunk.pcm > 4000).any() for chunk in chunks[:1])
    await voice.aclose()


async def test_a_service_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_voices.py").write_text(OWN.replace("asyncio.get_running_loop()", "1 / 0"))
    monkeypatch.syspath_prepend(tmp_path)
    voice = PipecatVoice("bad", PipecatSettings(type="bad_voices.Hummer"))
    with pytest.raises(VoiceError, match="division by zero"):
        await anext(voice.speak([Run("en", "hello")]))
    await voice.aclose()
