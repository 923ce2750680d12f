"""Waiting for something to arrive: long polls wait here, outside any transaction, for the commit that brings it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator


class Arrivals:
    """Who waits for what, by name. Nothing is kept: what arrives while nobody waits is found by looking.

    To miss nothing: expect(), look, then wait for the future.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._closed = False

    def wake(self, name: str) -> None:
        """Say that one thing has arrived: whoever has waited longest for it goes on."""
        waiting = self._waiting.get(name)
        while waiting:
            future = waiting.popleft()
            if not future.done():
                future.set_result(None)
                return

    def close(self) -> None:
        """Let everybody go on, and nobody wait any more, because the server stops."""
        self._closed = True
        for name in list(self._waiting):
            while self._waiting.get(name):
                self.wake(name)

    @contextlib.contextmanager
    def expect(self, name: str) -> Iterator[asyncio.Future[None]]:
        """Stand in line until the end of the block; the future is done when it is one's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_result(None)
        waiting = self._waiting.setdefault(name, deque())
        waiting.append(future)
        try:
            yield future
        finally:
            if future in waiting:
                waiting.remove(future)
            if not waiting and self._waiting.get(name) is waiting:
                del self._waiting[name]

    @property
    def closed(self) -> bool:
        """Whether the server stops."""
        return self._closed
