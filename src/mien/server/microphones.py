"""The microphones of one session, of which one is listened to."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from mien.media.microphone import Microphone, Sink
from mien.media.tick import Pcm
from mien.problems import Problem


class Microphones:
    """The newest one that is connected is listened to; the one before is closed then.

    on_sound: given what it hears. on_change: told the label of each microphone that begins to be
    listened to, and None when there is none any more.
    """

    def __init__(self) -> None:
        self.on_sound: Sink = lambda pcm: None
        self.on_change: Callable[[str | None], None] = lambda label: None
        self._all: dict[str, Microphone] = {}
        self._heard: Microphone | None = None

    def __len__(self) -> int:
        return len(self._all)

    def get(self, key: str) -> Microphone | None:
        return self._all.get(key)

    def close(self) -> None:
        """Ask all to end."""
        for microphone in self._all.values():
            microphone.close()

    async def run(self, key: str, microphone: Microphone) -> bool:
        """Listen to it as long as it lasts; what goes wrong with it harms nothing else.

        Returns whether it ended because another has taken its place.
        """
        for other in self._all.values():
            if other is not self._heard:
                other.close()  # it has not come so far, and need not any more
        self._all[key] = microphone
        microphone.on_connected = lambda: self._hear(key, microphone)
        try:
            await microphone.run(lambda pcm: self._take(microphone, pcm))
        except Exception:
            logger.exception("a microphone's connection failed")
        finally:
            is_replaced = self._all.get(key) is not microphone
            if not is_replaced:
                del self._all[key]
            if self._heard is microphone:
                self._heard = None
                self._tell(None)
        return is_replaced

    def _hear(self, key: str, microphone: Microphone) -> None:
        if self._all.get(key) is not microphone or self._heard is microphone:
            return
        for other, older in list(self._all.items()):
            if older is self._heard:
                del self._all[other]
                older.close()
        self._heard = microphone
        self._tell(microphone.label)

    def _take(self, microphone: Microphone, pcm: Pcm) -> None:
        if microphone is self._heard:
            self.on_sound(pcm)

    def _tell(self, label: str | None) -> None:
        try:
            self.on_change(label)
        except Exception:  # said in the midst of a connection's own doings
            logger.exception("a change of microphone could not be followed")


def another_microphone() -> Problem:
    return Problem(
        "another_microphone",
        "Another microphone of this session is listened to now.",
        "本会话已改用另一个麦克风。",
        status=409,
    )
