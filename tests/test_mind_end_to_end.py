"""A question, a search of the web, pages, and a spoken answer with its sources: all of it real but
for the model, the search services and the web, which are servers on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import pytest_asyncio

from fake_openai import FakeOpenAI, RecordedRequest, Scenario
from fake_tool_calls import Call, Rounds, results_of
from live_stage import FastTicks
from local_web import LocalWeb, local_web
from mien.config import Settings
from mien.conversation import Conversation
from mien.fillers import Fillers
from mien.language import Language
from mien.llm.role import Role
from mien.retrieval.contract import Passage
from mien.search.tool import WebSearchTool
from mien.search.web_search import WebSearch
from mien.services import Services, open_services
from mien.tools.contract import Tool, ToolContext, ToolResult
from scripted_voice import ScriptedVoice
from search_servers import DIALECTS, KEY, Known, SearchServer
from small_tools import SmallTool, hanging, spec_of, telling

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = ("zhipu", "searxng", "bocha", "tavily")
ZH, EN = "望溪大桥有多长？", "When was the lighthouse on Gull Rock lit?"


@dataclass
class World:
    """Everything outside of the conversation."""

    services: Services
    model: FakeOpenAI
    web: LocalWeb
    search: dict[str, SearchServer]

    def knows(self, *pages: tuple[str, str]) -> None:
        """The search services find these (title, path) from now on; none of them is down."""
        for server in self.search.values():
            server.pages = [Known(title, self.web.url + path, title) for title, path in pages]
            server.fault = None

    @property
    def reader(self) -> Any:
        """What the services read pages with; its worker takes half a second to start."""
        tools = self.services.mind.tools
        return next(tool for tool in tools if isinstance(tool, WebSearchTool))._reader

    @property
    def asked(self) -> list[int]:
        return [len(server.requests) for server in self.search.values()]


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(web: LocalWeb, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with FakeOpenAI() as model:
        servers = {name: SearchServer(DIALECTS[name]) for name in ORDER}
        for server in servers.values():
            await server.__aenter__()
        services = {
            name: {"base_url": server.base_url, **({} if name == "searxng" else {"key": KEY})}
            for name, server in servers.items()
        }
        settings = Settings(
            video={"width": 64, "height": 64},
            llm={"name": "openai", "base_url": model.url, "api_key": "k", "model": "fake"},
            memory={"enabled": False},
            knowledge={"folder": tmp_path_factory.mktemp("knowledge")},
            search={"providers": list(ORDER), "services": services, "allow_hosts": [web.allow]},
        )
        async with open_services(settings) as opened:
            yield World(opened, model, web, servers)
        for server in servers.values():
            await server.__aexit__()


@dataclass
class Talk:
    """A conversation that is listened to. messages: all events so far."""

    conversation: Conversation
    voice: ScriptedVoice
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        wanted = {"type": kind, **fields}.items()
        return [m for m in self.messages if wanted <= {k: m.get(k) for k in dict(wanted)}.items()]

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(90):
            while not self.of(kind, **fields):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return self.of(kind, **fields)[0]

    async def ask(self, text: str) -> dict[str, Any]:
        """The event of its turn's end."""
        return await self.until("turn", turn=await self.conversation.chat(text))

    @property
    def spoken(self) -> list[str]:
        """What the voice was told to say, clause by clause."""
        return ["".join(run.text for run in runs) for runs in self.voice.heard]


@asynccontextmanager
async def talking(
    world: World, language: Language, *tools: Tool, knowledge: Any = None
) -> AsyncIterator[Talk]:
    """A conversation of the presenter, who may use these tools besides its own."""
    voice = ScriptedVoice("fast", pace=0.3)
    services = world.services
    cast = replace(services.cast(language), voice=voice, fillers=Fillers())
    if tools or knowledge:
        own = services.mind.role(services.persona, language)
        names = {tool.spec.name for tool in tools}
        others = (tool for tool in own.tools if tool.spec.name not in names)
        role = Role(own.persona, language, (*others, *tools), knowledge)
        cast.brain.become(role)  # type: ignore[attr-defined]
    talk = Talk(Conversation(cast, clock=FastTicks()), voice)

    async def note() -> None:
        with talk.conversation.events.listen() as events:
            while (message := await events.get()) is not None:
                talk.messages.append(message)

    world.model.requests.clear()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in (talk.conversation.run(), note())]
        await talk.conversation.ready()
        try:
            yield talk
        finally:
            for task in running:
                task.cancel()


def searching(query: str, dialect: str, answer: str) -> Rounds:
    """A model that searches, and answers so."""
    call = (Call("web_search", {"query": query}),)
    return Rounds(Scenario("calls", calls=call, dialect=dialect), Scenario(text=answer))


@pytest.mark.parametrize(
    ("language", "question", "page", "fact", "dialect", "answer", "heard"),
    [
        (
            "zh", ZH, ("望溪大桥通车", "/zh/bridge.html"), "1286米", "glm",
            "望溪大桥全长1286米[1]，由林默言设计[1]。详情见 https://news.example/zh/bridge.html 。",
            "望溪大桥全长1286米，由林默言设计。",
        ),
        (
            "en", EN, ("Gull Rock lighthouse", "/en/lighthouse.html"), "1871", "openai",
            "It was lit in 1871 [1]. See https://travel.example/en/lighthouse.html for more.",
            "It was lit in 1871.",
        ),
    ],
)  # fmt: skip
async def test_search_read_and_a_cited_answer(
    world: World,
    language: Language,
    question: str,
    page: tuple[str, str],
    fact: str,
    dialect: str,
    answer: str,
    heard: str,
) -> None:
    world.knows(page)
    world.model.scenario = searching(question, dialect, answer)
    async with talking(world, language) as talk:
        closed = await talk.ask(question)
    aside, *said = talk.spoken
    first = talk.of("clause")[0]
    assert first["aside"] and first["text"] == aside
    tool = world.services.mind.tools[1].spec
    assert aside in tool.aside[language]
    assert closed["complete"] and closed["text"].startswith(heard) and aside not in closed["text"]
    for text in (*said, closed["text"], *(clause["text"] for clause in talk.of("clause"))):
        assert "[1]" not in text and "http" not in text and ".html" not in text
    states = [(m["tool"], m["state"]) for m in talk.of("tool")]
    assert states == [("web_search", "begun"), ("web_search", "done")]
    (source,) = talk.of("sources")[-1]["sources"]
    assert source["url"] == world.web.url + page[1] and source["number"] == 1
    assert talk.conversation.history[-1]["sources"] == [source]
    first_request, second_request = world.model.requests
    assert "web_search" in str(first_request.body["tools"])
    (result,) = results_of(second_request.messages)
    assert fact in result and "<<<outside" in result


@pytest.mark.parametrize("down", range(len(ORDER) + 1))
async def test_services_that_are_down_are_passed_over(world: World, down: int) -> None:
    world.knows(("望溪大桥通车", "/zh/bridge.html"))
    faults = ("http_500", "http_403", "close", "http_401")
    for server, fault in zip(world.search.values(), faults[:down], strict=False):
        server.fault = fault
    section, llm = world.services.settings.search, world.services.settings.llm
    before = world.asked
    search = WebSearch(section, llm)  # one that has not learnt yet who is down
    tool = WebSearchTool(search, world.reader, section)
    world.model.scenario = searching(ZH, "glm", "全长1286米[1]。")
    async with talking(world, "zh", tool) as talk:
        closed = await talk.ask(ZH)
    await search.aclose()
    assert closed["text"] == "全长1286米。" and closed["complete"]
    asked = [now - then for now, then in zip(world.asked, before, strict=True)]
    assert asked == [1] * min(down + 1, len(ORDER)) + [0] * (len(ORDER) - 1 - down)
    (result,) = results_of(world.model.requests[-1].messages)
    if down < len(ORDER):
        assert talk.of("tool")[-1]["state"] == "done" and "1286" in result
    else:
        assert talk.of("tool")[-1]["state"] == "failed" and not talk.of("sources")
        assert result.startswith("Error: The web search") and KEY not in result


async def test_barge_in_while_searching_leaves_nothing(world: World) -> None:
    tool = hanging("oracle", timeout_sec=300)
    calls = (Call("oracle", {"q": "x"}), Call("web_search", {"query": "lighthouse"}))
    for server in world.search.values():
        server.fault = "silent"
    world.model.scenario = Scenario("calls", calls=calls, dialect="deepseek")
    async with talking(world, "en", tool) as talk:
        before = len(asyncio.all_tasks())
        turn = await talk.conversation.chat(EN)
        async with asyncio.timeout(90):
            await tool.begun.wait()
        assert len(asyncio.all_tasks()) > before
        await talk.conversation.interrupt()
        await talk.until("turn", turn=turn)
        async with asyncio.timeout(90):
            while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("tool ")]
        assert tool.cancelled == 1 and len(world.model.requests) == 1
        world.model.scenario = Scenario(text="Still here.")
        assert (await talk.ask("Are you there?"))["text"] == "Still here."
        sent = world.model.requests[-1].messages
    assert [m["role"] for m in sent if m["role"] in ("assistant", "tool")] == []
    assert not talk.of("sources")


async def test_a_tool_that_hangs_is_told_as_too_slow(world: World) -> None:
    world.model.scenario = Rounds(
        Scenario("calls", calls=(Call("oracle", {"q": "x"}),)),
        lambda results: Scenario(text="Too slow." if "took longer than" in results[0] else "?"),
    )
    async with talking(world, "en", hanging("oracle", timeout_sec=0.2)) as talk:
        assert (await talk.ask("What says the oracle?"))["text"] == "Too slow."
        assert [m["state"] for m in talk.of("tool")] == ["begun", "failed"]


async def test_a_page_that_gives_orders_gets_no_effects(world: World) -> None:
    world.knows(("Soup of the lighthouse keeper", "/en/soup.html"))
    send = telling("send_message", "sent", effects=True)
    world.model.scenario = Rounds(
        Scenario("calls", calls=(Call("web_search", {"query": "lighthouse soup"}),)),
        Scenario("calls", calls=(Call("send_message", {"q": "everything"}),)),
        lambda results: Scenario(text="Leek soup [1]." if "not available" in results[1] else "?"),
    )
    async with talking(world, "en", send) as talk:
        assert (await talk.ask("How is the soup made?"))["text"] == "Leek soup."
    offered = [
        [tool["function"]["name"] for tool in request.body["tools"]]
        for request in world.model.requests
    ]
    assert "send_message" in offered[0] and "web_search" in offered[1]
    assert "send_message" not in offered[1] + offered[2] and send.asked == []
    (result, _) = results_of(world.model.requests[-1].messages)
    assert "not instructions" in result.split("<<<outside")[0]


class Leaflet:
    """A retriever that answers at once, without giving anybody else a turn."""

    async def search(self, question: str, language: Language, limit: int = 4) -> list[Passage]:
        return [Passage("Open from ten to five.", "Leaflet", 0.9, "Open from ten to five.")]


async def test_documents_answer_with_their_source_and_without_a_search(world: World) -> None:
    world.model.scenario = Scenario(text="From ten to five [1].")
    async with talking(world, "en", knowledge=Leaflet()) as talk:
        for question in ("When is it open?", "When, please?"):
            closed = await talk.ask(question)
            assert closed["text"] == "From ten to five."
            (source,) = (await talk.until("sources", turn=closed["turn"]))["sources"]
            assert (source["title"], source["kind"]) == ("Leaflet", "document")
    assert not talk.of("tool") and len(world.model.requests) == 2
    assert len(talk.spoken) == 2, "no aside"


async def test_a_proposal_searches_unheard_and_is_told_when_it_was_asked(world: World) -> None:
    world.knows(("Gull Rock lighthouse", "/en/lighthouse.html"))
    world.model.scenario = searching("gull rock", "openai", "In 1871 [1].")
    async with talking(world, "en") as talk:
        await talk.conversation.propose(EN)
        async with asyncio.timeout(90):
            while len(world.model.requests) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not talk.of("tool") and not talk.of("clause")
        closed = await talk.ask(EN)
        assert closed["text"] == "In 1871." and len(world.model.requests) == 2
        assert [m["state"] for m in talk.of("tool")] == ["begun", "done"]
        world.model.scenario = Scenario(text="Yes.")
        await talk.ask("Sure?")
    roles = [m["role"] for m in world.model.requests[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_what_is_found_as_the_next_question_comes_is_not_put_behind_it(world: World) -> None:
    asking: list[asyncio.Task[int]] = []

    async def next_question(steps: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        return await talk.conversation.chat(f"Next, after {steps}?")

    async def do(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        asking.append(asyncio.create_task(next_question(len(asking))))
        return ToolResult("Found.")

    def answer(request: RecordedRequest) -> Scenario:
        if str(request.messages[-1]["content"]).splitlines()[-1].startswith("Next"):
            return Scenario(text="Fine.")
        return Scenario("calls", calls=(Call("oracle", {"q": "x"}),))

    world.model.scenario = answer
    async with talking(world, "en", SmallTool(spec_of("oracle"), do)) as talk:
        for steps in range(8):  # of the event loop, between what is found and what is asked
            await talk.conversation.chat(f"First, before {steps}?")
            async with asyncio.timeout(90):
                while len(asking) <= steps:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            await talk.until("turn", turn=await asking[steps])
    asked = ""
    for message in talk.conversation.transcript.context.get_messages():
        fields = cast(Mapping[str, Any], message)
        asked = str(fields["content"]) if fields["role"] == "user" else asked
        assert fields["role"] != "tool" or asked.startswith("First")
