"""Which brain a configuration gives, and with which endpoint and key."""

import pytest

from mien.llm import (
    BRAIN_NAMES,
    PRESETS,
    LLMConfigurationError,
    LLMSettings,
    brain_info,
    create_brain,
)
from mien.llm.presets import resolve_endpoint


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if p.key_required])
def test_a_missing_key_names_the_variable_and_the_place(name: str) -> None:
    preset = PRESETS[name]
    with pytest.raises(LLMConfigurationError) as error:
        create_brain(name, environ={})
    assert preset.key_variables[0] in str(error.value)
    assert preset.key_url in str(error.value)


def test_ollama_needs_no_key() -> None:
    assert resolve_endpoint("ollama", LLMSettings(), {}).api_key is None


def test_the_first_variable_that_is_set_counts() -> None:
    environ = {"ZHIPUAI_API_KEY": " ", "ZAI_API_KEY": "b", "GLM_API_KEY": "c"}
    assert resolve_endpoint("glm", LLMSettings(), environ).api_key == "b"


def test_a_key_from_the_environment_goes_to_its_own_provider_only() -> None:
    environ = {"OPENAI_API_KEY": "secret", "ZHIPUAI_API_KEY": "secret"}
    elsewhere = LLMSettings(base_url="http://10.0.0.5:8000/v1")
    assert resolve_endpoint("openai", elsewhere, environ).api_key is None
    abroad = LLMSettings(base_url="https://api.z.ai/api/paas/v4/")
    assert resolve_endpoint("glm", abroad, environ).api_key == "secret"
    assert resolve_endpoint("glm", abroad, environ).base_url.endswith("/v4")


def test_settings_win() -> None:
    settings = LLMSettings(
        base_url="http://h/v1", api_key="k", model="m", first_token_timeout_secs=3
    )
    endpoint = resolve_endpoint("glm", settings, {})
    assert (endpoint.base_url, endpoint.api_key, endpoint.model) == ("http://h/v1", "k", "m")
    assert endpoint.first_token_timeout_secs == 3
    assert "k" not in repr(settings).replace("api_key", "").split("base_url")[0]
    assert "api_key" not in repr(settings)


@pytest.mark.parametrize("url", ["open.bigmodel.cn", "ftp://x/y", "", "http://"])
def test_a_wrong_url_is_named(url: str) -> None:
    settings = LLMSettings(base_url=url or "/v1", api_key="k")
    with pytest.raises(LLMConfigurationError, match="base URL"):
        resolve_endpoint("glm", settings, {})


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(LLMConfigurationError, match="deepseek"):
        create_brain("gtp")


def test_no_name_is_the_script_even_with_keys_around() -> None:
    assert not create_brain(None, environ={"OPENAI_API_KEY": "k"}).info.connected


def test_brain_info_needs_no_key() -> None:
    assert [brain_info(n).connected for n in BRAIN_NAMES] == [True] * len(PRESETS) + [False]
    assert brain_info("qwen", LLMSettings(model="m")).label_en == "Qwen · m"
    assert brain_info(None).name == "scripted"
