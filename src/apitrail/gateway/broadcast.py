"""Tells everyone who follows the journal that it has grown."""

import asyncio
import contextlib


class Broadcast:
    """Followers wait for the next growth; a growth wakes all of them. Nothing is queued."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def grown(self) -> None:
        """Wake everyone who waits."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Wait for the next growth, at most that long; return whether there was one."""
        event = self._event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        return event.is_set()
