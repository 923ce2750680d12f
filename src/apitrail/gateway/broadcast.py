"""Tells everyone who follows the journal that it has grown."""

import asyncio
import contextlib


class Broadcast:
    """Followers wait for the next growth; a growth wakes all of them. Nothing is queued.

    To miss nothing: take mark(), look at the journal, then wait for a growth after the mark.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def mark(self) -> asyncio.Event:
        """Return the present moment."""
        return self._event

    def grown(self) -> None:
        """Wake everyone who waits."""
        self._event.set()
        self._event = asyncio.Event()

    async def after(self, mark: asyncio.Event, seconds: float) -> bool:
        """Wait for a growth after the mark, at most that long; return whether there was one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await mark.wait()
        return mark.is_set()
