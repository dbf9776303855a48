"""Encoders of a program, each at work only while somebody takes its packets."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import numpy as np
from av.packet import Packet
from loguru import logger

from mien.label.badge import Badge
from mien.media.alpha import side_by_side
from mien.media.fitting import fitted
from mien.media.picture_encoder import PictureEncoder, make_encoder
from mien.media.rendition import Rendition
from mien.media.subscription import EncodedPacket, Kind, Subscription
from mien.media.tick import Image, Pcm, Tick

# Pictures that may wait for the encoder: a hiccup of 100 ms then delays pictures, not drops them.
ENCODE_AHEAD = 3
# A lossy viewer asks again and again; all viewers pay for each key frame.
KEYFRAME_INTERVAL_SEC = 0.25


class SoundEncoder(Protocol):
    """Takes sound as it comes, int16[n] from sample ``position`` on; gives what is complete."""

    def encode(self, pcm: Pcm, position: int) -> Sequence[Packet[Any]]: ...


class SoundLane:
    """One encoder of sound, begun anew whenever somebody subscribes after a time without."""

    def __init__(self, kind: Kind, make: Callable[[], SoundEncoder]) -> None:
        self.subscriptions: set[Subscription] = set()
        self._kind = kind
        self._make = make
        self._encoder: SoundEncoder | None = None

    def send(self, pcm: Pcm, position: int, generation: int, index: int) -> None:
        if not self.subscriptions:
            self._encoder = None
            return
        self._encoder = self._encoder or self._make()
        for packet in self._encoder.encode(pcm, position):
            encoded = EncodedPacket(self._kind, packet, True, generation, index)
            for subscription in self.subscriptions:
                subscription.put(encoded)


class PictureLane:
    """One encoder of pictures, in a thread. Too slow, it leaves out the oldest: never sound.

    badge: says what is to be drawn into the next picture. encoded: pictures so far.
    """

    def __init__(
        self, rendition: Rendition, executor: Executor, badge: Callable[[], Badge | None]
    ) -> None:
        self.rendition = rendition
        self.subscriptions: set[Subscription] = set()
        self.encoded = 0
        self._executor = executor
        self._badge = badge
        self._waiting: deque[Tick] = deque(maxlen=ENCODE_AHEAD)
        self._arrived = asyncio.Event()
        self._keyframe_wanted = True
        self._last_keyframe = 0.0

    def request_keyframe(self, urgent: bool) -> None:
        """Make the next picture a key frame, unless one has just been made."""
        if urgent or time.monotonic() - self._last_keyframe > KEYFRAME_INTERVAL_SEC:
            self._keyframe_wanted = True

    def send(self, tick: Tick) -> None:
        # Until the first cut-out has been drawn there is nothing to see.
        if self.subscriptions and (tick.cutout is not None or not self.rendition.cutout):
            self._waiting.append(tick)
            self._arrived.set()

    async def run(self) -> None:
        """Run until cancelled. An encoder that fails ends its subscriptions, nobody else's."""
        try:
            await self._run()
        except Exception as error:
            logger.exception("pictures can no longer be encoded")
            for subscription in self.subscriptions:
                subscription.fail(error)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        encoder = await loop.run_in_executor(self._executor, make_encoder, self.rendition)
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            tick = self._waiting.popleft()
            keyframe, self._keyframe_wanted = self._keyframe_wanted, False
            badge = self._badge()
            packet = await loop.run_in_executor(
                self._executor, self._encode, encoder, tick, badge, keyframe
            )
            if packet is not None:
                # Whoever came meanwhile, and with whom pictures leave, begins with the next one.
                self._publish(packet, tick, bare=badge is None and self._badge() is not None)

    def _encode(
        self, encoder: PictureEncoder, tick: Tick, badge: Badge | None, keyframe: bool
    ) -> Packet[Any] | None:
        return encoder.encode(_image(tick, self.rendition, badge), tick.index, keyframe)

    def _publish(self, packet: Packet[Any], tick: Tick, bare: bool) -> None:
        self.encoded += 1
        if packet.is_keyframe:
            self._last_keyframe = time.monotonic()
        encoded = EncodedPacket("video", packet, packet.is_keyframe, tick.generation, tick.index)
        for subscription in self.subscriptions:
            if not (bare and subscription.waits):
                subscription.put(encoded)


def _image(tick: Tick, rendition: Rendition, badge: Badge | None) -> Image:
    """uint8[H, W, 3] RGB at the rendition's size, whose corners the badge is in."""
    width, height, fit = rendition.width, rendition.height, rendition.fit
    if not rendition.cutout or tick.cutout is None:
        image = fitted(tick.image, width, height, fit)
        return badge.on(image, fresh=image is not tick.image) if badge else image
    image = side_by_side(tick.cutout)
    if image.shape[:2] != (height, width):
        halves = [fitted(half, width // 2, height, fit) for half in np.hsplit(image, 2)]
        image = np.hstack(halves)
    return badge.on_halves(image) if badge else image
