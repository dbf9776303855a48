"""The client against a real HTTP server that misbehaves in every way we know of."""

import asyncio
import time
from typing import Any

import pytest
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.tests.utils import SleepFrame, run_test

from fake_openai import KINDS, FakeOpenAI, Scenario
from mien.llm import LLMFailureFrame, LLMSettings, create_brain
from mien.llm.failure import FailureCode
from mien.llm.openai_compatible import OpenAICompatibleLLMService

ZH, EN = "今天天气怎么样？", "What is the weather like?"


def brain_for(fake: FakeOpenAI | str, name: str = "openai", **settings: Any) -> Any:
    url = fake if isinstance(fake, str) else fake.url
    defaults: dict[str, Any] = {"model": "fake", "api_key": "secret-key"}
    return create_brain(name, LLMSettings(base_url=url, **(defaults | settings)))


def asking(text: str = EN) -> LLMContextFrame:
    return LLMContextFrame(LLMContext([{"role": "user", "content": text}]))


async def run(brain: Any, *frames: Frame) -> tuple[list[Frame], list[Frame]]:
    down, up = await run_test(brain, frames_to_send=list(frames), start_timeout=30)
    kinds = (LLMTextFrame, LLMFullResponseStartFrame, LLMFullResponseEndFrame, InterruptionFrame)
    return [f for f in down if isinstance(f, kinds)], [f for f in up if isinstance(f, ErrorFrame)]


def text_of(frames: list[Frame]) -> str:
    return "".join(f.text for f in frames if isinstance(f, LLMTextFrame))


async def answer(scenario: Scenario, question: str = EN, **settings: Any) -> tuple[str, Any]:
    """The spoken text and the failure frame, if any, after one question."""
    async with FakeOpenAI(scenario) as fake:
        down, up = await run(brain_for(fake, **settings), asking(question))
        await fake.wait_idle()
    assert isinstance(down[0], LLMFullResponseStartFrame)
    assert isinstance(down[-1], LLMFullResponseEndFrame)
    assert all(isinstance(f, LLMTextFrame) for f in down[1:-1])
    assert len(up) <= 1
    return text_of(down), up[0] if up else None


@pytest.mark.parametrize(
    "kind",
    "text whole_body reasoning reasoning_vllm think noisy no_done no_finish malformed "
    "utf8_split".split(),
)
async def test_speaks_exactly_the_answer(kind: str) -> None:
    text = "早上好，a < b 也没关系。" if kind != "malformed" else "好的，没问题。"
    spoken, failure = await answer(Scenario(kind, text=text), ZH)
    assert (spoken, failure) == (text, None)


async def test_an_answer_that_ends_with_a_tag_is_no_broken_sentence() -> None:
    text = "See you tomorrow. [smile]"
    assert await answer(Scenario("no_finish", text=text)) == (text, None)
    spoken, failure = await answer(Scenario("no_finish", text="The answer is [nod]"))
    assert spoken.startswith("The answer is [nod]. Sorry") and failure.code is FailureCode.CUT_OFF


async def test_streams_in_pieces_as_they_come() -> None:
    async with FakeOpenAI(Scenario(text="one two three four.", token_delay_s=0.02)) as fake:
        down, _ = await run(brain_for(fake), asking())
    assert [f.text for f in down if isinstance(f, LLMTextFrame)] == [
        "one",
        " two",
        " three",
        " four.",
    ]


async def test_unopened_think_is_removed_from_the_second_answer_on() -> None:
    async with FakeOpenAI(Scenario("think_unopened", text="Hello.")) as fake:
        brain = brain_for(fake)
        down, _ = await run(brain, asking(), SleepFrame(), asking())
        assert text_of(down).endswith("Hello.Hello.")
        known = brain_for(fake, model="some-deepseek-r1-distill")
        down, _ = await run(known, asking())
    assert text_of(down) == "Hello."


ERRORS: list[tuple[Scenario, FailureCode, bool]] = [
    (Scenario("error", status=401), FailureCode.AUTH, False),
    (Scenario("error", status=402), FailureCode.QUOTA, False),
    (Scenario("error", status=403), FailureCode.FORBIDDEN, False),
    (Scenario("error", status=404), FailureCode.NOT_FOUND, False),
    (Scenario("error", status=400), FailureCode.BAD_REQUEST, False),
    (Scenario("error", status=429), FailureCode.RATE_LIMIT, True),
    (Scenario("error", status=500), FailureCode.SERVER, True),
    (Scenario("error_text", status=502), FailureCode.SERVER, True),
    (
        Scenario("error", status=429, body={"error": {"code": "1113", "message": "余额不足"}}),
        FailureCode.QUOTA,
        False,
    ),
    (
        Scenario("error", status=429, body={"error": {"type": "insufficient_quota"}}),
        FailureCode.QUOTA,
        False,
    ),
    (
        Scenario("error", status=400, body={"code": "InvalidApiKey", "message": "no"}),
        FailureCode.AUTH,
        False,
    ),
    (
        Scenario("error", status=404, body={"error": "model 'x' not found, try pulling it"}),
        FailureCode.NOT_FOUND,
        False,
    ),
    (Scenario("garbage"), FailureCode.MALFORMED, True),
    (Scenario("empty"), FailureCode.EMPTY, True),
    (Scenario("tool_call"), FailureCode.EMPTY, True),
    (Scenario("hang"), FailureCode.TIMEOUT, True),
    (Scenario("hang_headers"), FailureCode.TIMEOUT, True),
    (Scenario("close_unanswered"), FailureCode.CONNECTION, True),
    (Scenario("finish", text="", finish_reason="sensitive"), FailureCode.CONTENT_FILTER, False),
    (Scenario("error_midstream", text=""), FailureCode.RATE_LIMIT, True),
]


@pytest.mark.parametrize(
    ("scenario", "code", "retryable"), ERRORS, ids=lambda v: getattr(v, "kind", None)
)
async def test_a_failure_becomes_one_sentence_and_one_notice(
    scenario: Scenario, code: FailureCode, retryable: bool
) -> None:
    patience = 0.4 if scenario.kind.startswith("hang") else 30
    spoken, failure = await answer(scenario, ZH, first_token_timeout_secs=patience)
    assert isinstance(failure, LLMFailureFrame)
    assert (failure.code, failure.retryable) == (code, retryable)
    assert spoken == failure.message
    assert spoken.startswith("抱歉") and len(spoken) < 40
    assert "secret-key" not in failure.error


async def test_speaks_the_users_language() -> None:
    spoken, _ = await answer(Scenario("error", status=401), EN)
    assert spoken == "Sorry, I can't reach the language model. Please check the API key."


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario("cut", text="The answer is forty"), FailureCode.CUT_OFF),
        (Scenario("hang_midstream", text="The answer is forty"), FailureCode.TIMEOUT),
        (Scenario("error_midstream", text="The answer is forty"), FailureCode.RATE_LIMIT),
        (Scenario("no_finish", text="The answer is forty"), FailureCode.CUT_OFF),
        (
            Scenario("finish", text="The answer is forty", finish_reason="network_error"),
            FailureCode.CUT_OFF,
        ),
    ],
    ids=lambda v: getattr(v, "kind", None),
)
async def test_a_failure_midway_brings_a_brief_apology(
    scenario: Scenario, code: FailureCode
) -> None:
    spoken, failure = await answer(scenario, idle_timeout_secs=0.3)
    assert spoken == "The answer is forty. Sorry, I lost my connection just there."
    assert failure.code is code


@pytest.mark.parametrize("reason", ["length", "stop", "eos", "tool_calls", "surprise"])
async def test_other_finish_reasons_are_ends(reason: str) -> None:
    spoken, failure = await answer(Scenario("finish", text="Well.", finish_reason=reason))
    assert (spoken, failure) == ("Well.", None)


async def test_refused_connection() -> None:
    async with FakeOpenAI() as fake:
        url = fake.url
    _, up = await run(brain_for(url), asking())
    assert [f.code for f in up if isinstance(f, LLMFailureFrame)] == [FailureCode.CONNECTION]


async def test_the_session_lives_on_after_failures() -> None:
    async with FakeOpenAI(Scenario(text="Back again.")) as fake:
        fake.enqueue(Scenario("error", status=401), Scenario("cut", text="Half"))
        brain = brain_for(fake)
        down, up = await run(brain, asking(), asking(), asking())
    assert text_of(down).endswith("Back again.")
    assert len(up) == 2 and brain.is_usable


async def test_a_dropped_idle_connection_is_retried_once() -> None:
    async with FakeOpenAI(Scenario(text="Hello.")) as fake:
        fake.enqueue(Scenario("close_unanswered"))
        down, up = await run(brain_for(fake), asking())
        assert (text_of(down), up, len(fake.requests)) == ("Hello.", [], 2)


@pytest.mark.parametrize("kind", ["text", "hang", "hang_headers", "hang_midstream", "reasoning"])
async def test_interruption_closes_the_stream_and_says_no_more(kind: str) -> None:
    scenario = Scenario(kind, text="word " * 500, reasoning="hm " * 500, token_delay_s=0.02)
    async with FakeOpenAI(scenario) as fake:
        brain = brain_for(fake)
        tasks_before = len(asyncio.all_tasks())
        times: list[float] = []

        async def watch() -> None:
            while not fake.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await fake.requests[0].closed.wait()
            times.append(time.monotonic())

        watcher = asyncio.create_task(watch())
        down, _ = await run(brain, asking(), SleepFrame(0.4), InterruptionFrame(), SleepFrame(0.8))
        ended = time.monotonic()
        await watcher
        assert fake.requests[0].disconnected
        assert fake.open_connections == 0
        assert ended - times[0] > 0.3, "the connection outlived the interruption"
    after = down[[isinstance(f, InterruptionFrame) for f in down].index(True) + 1 :]
    assert after == [], "something of the interrupted answer came after the interruption"
    assert not any(isinstance(f, LLMFullResponseEndFrame) for f in down)
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) <= tasks_before


async def test_answers_again_after_an_interruption() -> None:
    async with FakeOpenAI(Scenario(text="Second.")) as fake:
        fake.enqueue(Scenario("hang_midstream", text="First"))
        down, up = await run(
            brain_for(fake), asking(), SleepFrame(0.4), InterruptionFrame(), SleepFrame(), asking()
        )
    assert text_of(down) == "FirstSecond." and up == []
    assert isinstance(down[-1], LLMFullResponseEndFrame)


async def body_sent(name: str, context: LLMContext | None = None, **settings: Any) -> Any:
    async with FakeOpenAI() as fake:
        frame = LLMContextFrame(context) if context else asking()
        await run(brain_for(fake, name, **settings), frame)
        request = fake.requests[0]
        assert request.path == "/v1/chat/completions"
        return request


async def test_each_provider_gets_its_own_dialect() -> None:
    glm = (await body_sent("glm", temperature=1.7, max_tokens=50)).body
    assert glm["thinking"] == {"type": "disabled"}
    assert "stream_options" not in glm and glm["temperature"] == 1.0 and glm["max_tokens"] == 50
    assert (await body_sent("qwen")).body["enable_thinking"] is False
    assert (await body_sent("deepseek")).body["thinking"] == {"type": "disabled"}
    assert (await body_sent("ollama")).body["reasoning_effort"] == "none"
    openai = (await body_sent("openai", max_tokens=50)).body
    assert openai["max_completion_tokens"] == 50 and openai["stream_options"]
    assert "thinking" not in (await body_sent("glm", thinking=True)).body


async def test_extra_body_wins_and_none_removes() -> None:
    body = (await body_sent("qwen", extra_body={"enable_thinking": True, "x": 1})).body
    assert body["enable_thinking"] is True and body["x"] == 1
    assert (
        "stream_options"
        not in (await body_sent("openai", extra_body={"stream_options": None})).body
    )


async def test_the_key_is_sent_as_bearer_token() -> None:
    assert (await body_sent("glm")).headers["authorization"] == "Bearer secret-key"
    assert "authorization" not in (await body_sent("openai", api_key=None)).headers


async def test_system_prompt_first_our_apologies_left_out_names_dropped() -> None:
    context = LLMContext(
        [
            {"role": "assistant", "content": "Hello, I'm Mei."},
            {"role": "user", "content": "one", "name": "ann"},
            {"role": "assistant", "content": "抱歉，我连不上语言模型，请检查密钥。"},
            {"role": "user", "content": "two"},
        ]
    )
    messages = (await body_sent("glm", context)).messages
    assert [m["role"] for m in messages] == ["system", "user"]
    assert messages[1] == {"role": "user", "content": "one\ntwo"}


async def test_a_context_without_a_user_still_has_a_user_message() -> None:
    messages = (
        await body_sent("glm", LLMContext([{"role": "assistant", "content": "Hi."}]))
    ).messages
    assert messages[-1]["role"] == "user"


async def test_run_inference() -> None:
    async with FakeOpenAI(Scenario(text="A summary.")) as fake:
        brain = brain_for(fake)
        context = LLMContext([{"role": "user", "content": "Summarise."}])
        assert await brain.run_inference(context, max_tokens=9) == "A summary."
        assert fake.requests[0].body["max_completion_tokens"] == 9
        await brain.cleanup()


async def test_brain_info_names_provider_and_model() -> None:
    brain = create_brain("glm", LLMSettings(api_key="k"))
    assert isinstance(brain, OpenAICompatibleLLMService)
    assert brain.info.label_en == "GLM · glm-4.7-flash" and brain.info.connected


def test_every_scenario_of_the_fake_is_known() -> None:
    with pytest.raises(ValueError):
        Scenario("nonsense")
    assert len(KINDS) > 20
