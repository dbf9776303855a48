"""What a server does for its store: wake it up, and let go of users who do not come back."""

from __future__ import annotations

import asyncio

from loguru import logger

from mien.memory.errors import MemoryStoreError
from mien.memory.store import MemoryStore
from mien.memory.words import warm_up

DAY_SEC = 86_400.0


async def keep(store: MemoryStore, keep_days: float, every_sec: float = DAY_SEC) -> None:
    """At once and daily, until cancelled; what goes wrong is logged and tried the next day."""
    await asyncio.to_thread(warm_up)
    while True:
        try:
            if gone := await store.expire_soon(keep_days):
                logger.info(f"memory: {gone} users were not here for {keep_days:g} days")
        except MemoryStoreError as error:
            logger.warning(f"memory: {error}")
        await asyncio.sleep(every_sec)
