"""The tool by which a model searches the web."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from mien.language import detect_language
from mien.mind_settings import SearchSection
from mien.search.contract import Freshness, SearchError
from mien.search.excerpts import Excerpt, Reader, excerpts
from mien.search.web_search import TOTAL_SEC, WebSearch
from mien.tools.clock import WEEKDAYS_EN
from mien.tools.contract import Source, ToolContext, ToolError, ToolResult, ToolSpec

_SNIPPET_CHARS = 200
# Services cut what is longer, most of them; a heading is not counted as one of the tokens.
_TITLE_CHARS, _SITE_CHARS = 200, 80
_RANKING_SEC = 3.0


def spec(section: SearchSection) -> ToolSpec:
    """What a model and the page are told of the tool."""
    return ToolSpec(
        name="web_search",
        description=(
            "Search the web and read what is found. Use it for whatever may have changed or is not "
            "known for sure: news, weather, prices, opening hours, people in office, versions, "
            "results. Not for small talk, nor for what the conversation or the documents already "
            "say. Ask in the language in which most is written about it."
        ),
        parameters={
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "A few key words, complete in themselves: names instead of "
                    "pronouns, a place for what is local, the year for what changes.",
                },
                "freshness": {
                    "type": "string",
                    "enum": list(get_args(Freshness)),
                    "description": "Only pages not older than that; leave out unless asked for.",
                },
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        label={"en": "Searching the web", "zh": "正在搜索网页"},
        timeout_sec=TOTAL_SEC + section.deadline_sec + _RANKING_SEC,
        aside={
            "zh": ("让我查一下。", "稍等，我上网看看。", "我去网上找找。"),
            "en": ("Let me look that up.", "One moment, I'll check online.", "Let me see."),
        },
    )


class WebSearchTool:
    """See ``Tool``. Shared by all conversations, as ``search`` and ``reader`` are; owns neither."""

    def __init__(
        self,
        search: WebSearch,
        reader: Reader,
        section: SearchSection,
        *,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """now: the local time, for the date the model is told."""
        self.spec = spec(section)
        self._search = search
        self._reader = reader
        self._section = section
        self._now = now

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """See ``Tool``. Cites each page of which it shows something; all found may be opened."""
        query = arguments.get("query")
        if not isinstance(query, str) or not query.strip():
            raise ToolError('web_search needs a "query": the words to search for')
        asked = arguments.get("freshness")
        freshness = asked if asked in get_args(Freshness) else None
        language = detect_language(query, context.language)
        await self._reader.warm()  # ready by the time that pages are found
        try:
            found = await self._search.search(query, language, freshness)
        except SearchError as error:
            # What the services say of it is for the log, and not for a model to obey.
            raise ToolError(
                "The web search does not work at the moment. Say that you cannot look it up; what "
                "you know may be out of date."
            ) from error
        if not found.results:
            return ToolResult(
                "Nothing was found. Try once more with other words, or say that you found nothing."
            )
        context.openable.update(result.url for result in found.results)
        section = self._section
        chosen = await excerpts(
            found.results,
            self._reader,
            section.deadline_sec,
            section.tokens,
            f"{query}\n{context.question}",
        )
        now = self._now()
        note = (
            f"Found in the web today, {WEEKDAYS_EN[now.weekday()]}, {now:%Y-%m-%d}. "
            "Answer from this in a few spoken sentences, newest first where it changes. After each "
            "statement that rests on a source write its number as [1], never as a word of the "
            "sentence. Never write or read out addresses. If it is no answer, say so."
        )
        return ToolResult(told(chosen, context), untrusted=True, note=note)


def told(chosen: Sequence[Excerpt], context: ToolContext) -> str:
    """The excerpts under the numbers they are cited by."""
    parts = []
    for excerpt in chosen:
        result = excerpt.result
        title, site = result.title[:_TITLE_CHARS], result.site[:_SITE_CHARS]
        snippet = result.snippet or excerpt.passages[0]
        number = context.cite(
            Source(
                title,
                result.url,
                site,
                snippet[:_SNIPPET_CHARS],
                result.published,
            )
        )
        heading = ", ".join(filter(None, (title, site, result.published)))
        # The address is for the tool that reads a page whole.
        parts.append("\n".join((f"[{number}] {heading} <{result.url}>", *excerpt.passages)))
    return "\n\n".join(parts)
