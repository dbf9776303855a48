"""What viewers write: taken in, judged, queued by priority, handed out one by one."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from mien.events import Message
from mien.live.clock import HostClock
from mien.live.limits import Buckets, TokenBucket
from mien.live.rules import CHATTER, HIGHEST, PAID, QUESTION, LiveRules
from mien.llm.viewers import clean_name, clean_text
from mien.moderation.contract import Moderator
from mien.moderation.word_list import plain

# Ids are remembered so that a reader that sends twice is answered once.
KEPT_IDS = 1000

_QUESTION = re.compile(
    r"[?？]|[吗呢么][。！!~～]*$|怎么|什么|为什么|多少|几[个点时元块]|哪|谁|能不能|可以.*[吗么]|是不是"
    r"|^\s*(?:what|who|why|when|where|which|how|is|are|do|does|did|can|could|will|would|should)\b",
    re.I,
)
_SAYABLE = re.compile(r"[^\W_]")

WHY: dict[str, dict[str, str]] = {
    "empty": {"en": "There is nothing to answer in it.", "zh": "没有可回答的内容。"},
    "blocked": {"en": "It holds words that are not allowed.", "zh": "含有不允许的词语。"},
    "too_often": {"en": "This viewer writes too often.", "zh": "该观众发言过于频繁。"},
    "busy": {"en": "More is written than can be answered.", "zh": "弹幕太多，来不及回答。"},
    "repeated": {"en": "The same was answered just now.", "zh": "刚刚回答过同样的内容。"},
    "off_air": {"en": "The host is not on the air.", "zh": "主持人不在直播时段。"},
    "too_old": {"en": "It had waited for too long.", "zh": "等待太久，已过时。"},
    "failed": {"en": "It could not be answered.", "zh": "未能回答。"},
}


@dataclass(slots=True)
class ViewerMessage:
    """author, text: cleaned, one line each. priority: 0…10. at: when it came, in the clock's
    seconds. times: how many viewers wrote it."""

    id: str
    author: str
    text: str
    priority: int
    at: float
    times: int = 1

    def as_event(self, state: str, **more: object) -> Message:
        """For the event stream, whose readers show it."""
        return {
            "type": "message",
            "id": self.id,
            "state": state,
            "from": self.author,
            "text": self.text,
            "priority": self.priority,
            **({"times": self.times} if self.times > 1 else {}),
            **more,
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whether a message was taken in. why: a key of :data:`WHY` when it was not."""

    id: str
    accepted: bool
    why: str = ""


class Inbox:
    """The messages of one audience.

    publish: is told what becomes of each. A message that is not allowed is told without its words.
    """

    def __init__(
        self,
        rules: LiveRules,
        clock: HostClock,
        publish: Callable[[Message], None],
        moderator: Moderator | None = None,
    ) -> None:
        self.publish = publish
        self.open = True
        self._rules = rules
        self._clock = clock
        self._moderator = moderator
        self._waiting: list[ViewerMessage] = []
        self._arrived = asyncio.Event()
        self._ids: OrderedDict[str, Receipt] = OrderedDict()
        self._answered: OrderedDict[str, float] = OrderedDict()
        self._authors = Buckets(rules.per_author)
        self._everybody = TokenBucket(rules.per_minute, clock.seconds())

    def __len__(self) -> int:
        return len(self._waiting)

    async def submit(
        self, author: str, text: str, priority: int | None = None, id_: str | None = None
    ) -> Receipt:
        """Take a message in, or say why not. The same id again has the same receipt.

        priority: 0…10; without it a question stands above chatter.
        """
        if id_ and (known := self._ids.get(id_)):
            return known
        now = self._clock.seconds()
        text = clean_text(text, self._rules.max_chars)
        if priority is None:
            priority = QUESTION if _QUESTION.search(text) else CHATTER
        priority = min(max(priority, 0), HIGHEST)
        name = clean_name(author)
        message = ViewerMessage(id_ or secrets.token_urlsafe(9), name, text, priority, now)
        receipt = await self._receive(message, author, now)
        if id_:
            self._ids[id_] = receipt
            if len(self._ids) > KEPT_IDS:
                self._ids.popitem(last=False)
        return receipt

    async def _receive(self, message: ViewerMessage, author: str, now: float) -> Receipt:
        if not self.open:
            return self._refuse(message, "off_air")
        if not _SAYABLE.search(message.text):
            return self._refuse(message, "empty")
        paid = message.priority >= PAID
        if not paid and not self._authors.of(plain(author), now).take(now):
            return self._refuse(message, "too_often")
        if not await self._allowed(author, message):
            return self._refuse(message, "blocked")
        self._forget_old()
        if (same := self._same(message)) is not None:
            same.times += 1
            same.priority = max(same.priority, message.priority)
            self._arrived.set()
            self.publish(same.as_event("accepted"))
            return Receipt(same.id, True)
        if self._answered_lately(message, now):
            return self._refuse(message, "repeated")
        if not paid and not self._everybody.take(now):
            return self._refuse(message, "busy")
        if len(self._waiting) >= self._rules.queue:
            last = min(self._waiting, key=lambda other: (other.priority, other.at))
            if last.priority >= message.priority:
                return self._refuse(message, "busy")
            self._drop(last, "busy")
        self._waiting.append(message)
        self._arrived.set()
        self.publish(message.as_event("accepted"))
        return Receipt(message.id, True)

    async def _allowed(self, author: str, message: ViewerMessage) -> bool:
        if self._moderator is None:
            return True
        try:
            return (await self._moderator.judge_message(author, message.text)).allowed
        except Exception:  # who cannot judge has not allowed it
            logger.exception("the moderator failed; a message is not taken in")
            return False

    def _refuse(self, message: ViewerMessage, why: str) -> Receipt:
        if why == "blocked":
            message.author = message.text = ""
        self.publish(message.as_event("dropped", why=why))
        return Receipt(message.id, False, why)

    def _same(self, message: ViewerMessage) -> ViewerMessage | None:
        words = _words(message.text)
        return next((other for other in self._waiting if _words(other.text) == words), None)

    def _answered_lately(self, message: ViewerMessage, now: float) -> bool:
        while self._answered and now - next(iter(self._answered.values())) > self._rules.repeat_sec:
            self._answered.popitem(last=False)
        return message.priority < PAID and _words(message.text) in self._answered

    def best(self) -> ViewerMessage | None:
        """What would be handed out next."""
        self._forget_old()
        return min(self._waiting, key=lambda message: (-message.priority, message.at), default=None)

    def take(self) -> ViewerMessage | None:
        """The message of the highest priority, of those the oldest; None when none waits."""
        message = self.best()
        if message is not None:
            self._waiting.remove(message)
            words = _words(message.text)
            self._answered.pop(words, None)
            self._answered[words] = self._clock.seconds()
        return message

    def give_back(self, message: ViewerMessage) -> None:
        """It could not be answered yet."""
        self._answered.pop(_words(message.text), None)
        self._waiting.append(message)

    def close(self) -> None:
        """Take no more messages; those that wait are dropped."""
        self.open = False
        for message in list(self._waiting):
            self._drop(message, "off_air")

    async def wait_for(self, priority: int = 0) -> ViewerMessage:
        """Wait until a message of this priority or a higher one waits."""
        while (best := self.best()) is None or best.priority < priority:
            self._arrived.clear()
            await self._arrived.wait()
        return best

    def _forget_old(self) -> None:
        oldest = self._clock.seconds() - self._rules.max_age_sec
        for message in [message for message in self._waiting if message.at < oldest]:
            self._drop(message, "too_old")

    def _drop(self, message: ViewerMessage, why: str) -> None:
        self._waiting.remove(message)
        self.publish(message.as_event("dropped", why=why))


def _words(text: str) -> str:
    """What makes two messages the same: their letters, not how they are dressed."""
    return "".join(c for c in plain(text) if c.isalnum())
