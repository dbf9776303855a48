"""What was said in a conversation: as people see it, and as the brain is told it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from pipecat.processors.aggregators.llm_context import LLMContext

from mien.events import Message
from mien.llm.history import role_of

# Of the things said without a question in between, how many the brain is told of: a host may
# speak for days before one comes.
MONOLOGUE = 8
HISTORY = 200


class Transcript:
    """history: the newest messages, {role, text, turn, complete, …}: what was really heard.
    context: the same for the brain. on_remember: called with each message of the history.
    """

    def __init__(self) -> None:
        self.history: list[Message] = []
        self.context = LLMContext()
        self.on_remember: Callable[[Message], None] = lambda message: None

    def remember(self, message: Message) -> None:
        self.history.append(message)
        del self.history[:-HISTORY]
        self.on_remember(message)

    def ask(self, content: str) -> None:
        """Let the brain know of a question."""
        # Another context: an answer that was just interrupted may, until the brain learns of it,
        # add what its tools found to its own. Behind this question that would seem to be its.
        self.context = self.supposing(content)

    def supposing(self, content: str) -> LLMContext:
        """What the brain would know if this were asked."""
        asked = {"role": "user", "content": content}
        return LLMContext([*self.context.get_messages(), asked])  # type: ignore[list-item]

    def adopt(self, context: LLMContext, supposed: str, content: str) -> None:
        """What was supposed was asked, in these words."""
        self.context = context
        messages = context.get_messages()
        for at in range(len(messages) - 1, -1, -1):  # what tools found may be behind it by now
            if messages[at] == {"role": "user", "content": supposed}:
                messages[at] = {"role": "user", "content": content}
                break
        context.set_messages(messages)

    def answered(self, text: str) -> None:
        """Let the brain know what was said; of a long monologue, the last of it."""
        self.context.add_message({"role": "assistant", "content": text})
        messages = self.context.get_messages()
        run = list(takewhile(lambda message: role_of(message) == "assistant", reversed(messages)))
        if len(run) > MONOLOGUE:
            self.context.set_messages([*messages[: -len(run)], *messages[-MONOLOGUE:]])

    def begin_anew(self) -> None:
        """The brain forgets; people still see what was said."""
        self.context = LLMContext()
