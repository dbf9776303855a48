"""What happens in a conversation, told to whoever listens (the page, a script)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

Message = dict[str, object]

# A listener this far behind has stopped reading; it is better told to start over.
QUEUE_MESSAGES = 1000


class EventHub:
    """Fans JSON-like messages out to listeners, each with its own bounded queue."""

    def __init__(self) -> None:
        self.closed = False
        self._queues: set[asyncio.Queue[Message | None]] = set()

    @property
    def listeners(self) -> int:
        return len(self._queues)

    def publish(self, message: Message) -> None:
        for queue in list(self._queues):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                self._queues.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def close(self) -> None:
        """End every listener's stream (a None in its queue)."""
        self.closed = True
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)
        self._queues.clear()

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Message | None]]:
        """A queue of messages from now on; None means the stream is over."""
        queue: asyncio.Queue[Message | None] = asyncio.Queue(QUEUE_MESSAGES)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)


def utf16_length(text: str) -> int:
    """Length as JavaScript counts it."""
    return len(text.encode("utf-16-le")) // 2
