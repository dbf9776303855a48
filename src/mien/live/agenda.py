"""What comes next: pure data, no clock of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mien.live.order import Item, RunningOrder


@dataclass(frozen=True, slots=True)
class Cue:
    """An item whose turn it is, and what of it. text: "" for one that only asks the brain."""

    item: Item
    text: str
    round: int


class Agenda:
    """Goes through a running order; a new edition of it goes on where the old one was.

    Times are seconds of any clock that only goes forward.
    """

    def __init__(self, order: RunningOrder, seed: int = 0) -> None:
        self.round = 1
        self._random = random.Random(seed)
        self._said: dict[str, float] = {}  # when, by the item's key
        self._given: dict[str, int] = {}  # how many of an item's texts
        self._bags: dict[str, list[int]] = {}  # of a shuffled item, those still to come
        self._repeats = 0  # of this item, still to come
        self._repeated_item: Item | None = None
        self._newest: Item | None = None
        self._inserted = False  # whether the newest was put in between
        self._order = order
        self._place = 0  # in the round
        self._sequence = self._arranged()

    @property
    def order(self) -> RunningOrder:
        return self._order

    def replace(self, order: RunningOrder) -> None:
        """Go on with a new edition: behind the item said last if it is still there."""
        self._order = order
        before = [item.key for item in self._sequence]
        self._sequence = self._arranged()
        keys = [item.key for item in self._sequence]
        newest = before[self._place - 1] if self._place else None
        if newest in keys:
            self._place = keys.index(newest) + 1
        self._place = min(self._place, len(keys))
        self._repeats = 0
        for kept in (self._said, self._given, self._bags):
            for key in set(kept) - set(keys):
                del kept[key]

    def restart(self) -> None:
        """Begin with the first item and the first round."""
        self.round, self._place, self._repeats = 1, 0, 0
        self._said.clear()
        self._sequence = self._arranged()

    def next(self, now: float, local: datetime) -> Cue | None:
        """The next thing to say, which then counts as said; None when there is nothing now."""
        if self.over:
            return None
        # Not two in a row: items that take longer than they may wait would keep out all others.
        overdue = None if self._inserted else self._overdue(now, local)
        item = overdue or self._repeated(local) or self._following(local)
        self._inserted = item is not None and item is overdue
        if item is None:
            return None
        self._newest = item
        self._said[item.key] = now
        return Cue(item, self._text(item), self.round)

    @property
    def over(self) -> bool:
        """Whether an order that is not repeated has come to its end."""
        return not self._order.loop and self._place >= len(self._sequence) and not self._repeats

    def due_in(self, now: float) -> float | None:
        """Seconds until an item that comes every few minutes is due; None if there is none."""
        waits = (
            item.every_sec - (now - self._said[item.key])
            for item in self._order.items
            if item.every_sec is not None and item.key in self._said
        )
        return min(waits, default=None)

    def _overdue(self, now: float, local: datetime) -> Item | None:
        def late(item: Item) -> float:
            return now - self._said[item.key] - (item.every_sec or 0)

        candidates = [
            item
            for item in self._order.items
            if item.every_sec is not None
            and item.key in self._said
            and late(item) >= 0
            and item.hours.open(local)
        ]
        return max(candidates, key=late, default=None)

    def _repeated(self, local: datetime) -> Item | None:
        if not self._repeats or self._repeated_item is None:
            return None
        if not self._repeated_item.hours.open(local):
            self._repeats = 0
            return None
        self._repeats -= 1
        return self._repeated_item

    def _following(self, local: datetime) -> Item | None:
        rounds = max((item.every_rounds for item in self._order.items), default=1)
        place, round_ = self._place, self.round
        for _ in range(len(self._sequence) * rounds + 1):
            if self._place >= len(self._sequence):
                if not self._order.loop:
                    return None
                self.round, self._place = self.round + 1, 0
                self._sequence = self._arranged()
            item = self._sequence[self._place]
            self._place += 1
            if (self.round - 1) % item.every_rounds == 0 and item.hours.open(local):
                self._repeats, self._repeated_item = item.times - 1, item
                return item
        self._place, self.round = place, round_  # all of them have other hours
        return None

    def _arranged(self) -> Sequence[Item]:
        items = list(self._order.items)
        if self._order.shuffled and len(items) > 1:
            self._random.shuffle(items)
            if self._newest is not None and items[0].key == self._newest.key:
                items.append(items.pop(0))  # nothing is said twice in a row
        return items

    def _text(self, item: Item) -> str:
        if not item.texts:
            return ""
        if item.shuffled:
            return item.texts[self._drawn(item)]
        given = self._given.get(item.key, 0)
        self._given[item.key] = given + 1
        return item.texts[given % len(item.texts)]

    def _drawn(self, item: Item) -> int:
        """Each text once before any comes again, and none twice in a row."""
        bag = self._bags.get(item.key)
        if not bag:
            before = self._given.get(item.key)
            bag = list(range(len(item.texts)))
            self._random.shuffle(bag)
            if len(bag) > 1 and bag[-1] == before:
                bag.insert(0, bag.pop())
            self._bags[item.key] = bag
        number = min(bag.pop(), len(item.texts) - 1)
        self._given[item.key] = number
        return number
