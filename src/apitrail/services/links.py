"""Where connected game servers are reached: who holds a connection of which process, and what is to be sent on it.

Nothing is kept beyond the connection; what must outlive it is a document. Used from the event loop only.
"""

import asyncio
from collections import deque
from typing import NamedTuple

WAITING_MAX = 256
"""Messages that wait to be sent on one connection; a peer that lets more gather does not read any more."""

PER_PROCESS_MAX = 2
"""Connections of one process: the newest, and the one before it, whose last answers are still under way."""


class ProcessKey(NamedTuple):
    """A server process, wherever it is connected."""

    account: str
    region: str
    process_id: str


class Link:
    """One connection. What is told before it begins waits, so that what was kept for the process goes first."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._begun = False
        self._ended = False
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more is taken for this connection."""
        return self._ended

    def tell(self, text: str) -> bool:
        """Take a message for the peer; return whether it was taken. A peer that does not read is given up."""
        if self._ended or len(self._waiting) >= WAITING_MAX:
            self.end()
            return False
        self._waiting.append(text)
        self._news.set()
        return True

    def begin(self, first: list[str]) -> None:
        """Let messages go out, these first."""
        self._waiting.extendleft(reversed(first))
        self._begun = True
        self._news.set()

    def end(self) -> None:
        """Take no more; what is waiting still goes out, then the connection is closed."""
        self._ended = True
        self._news.set()

    async def next(self) -> str | None:
        """Return the next message to send, waiting for one; None when the connection is to be closed."""
        while not (self._begun and self._waiting) and not self._ended:
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft() if self._begun and self._waiting else None


class Links:
    """All connections of this server."""

    def __init__(self) -> None:
        self._links: dict[ProcessKey, list[Link]] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many connections there are."""
        return self._count

    def open(self, key: ProcessKey, link: Link) -> None:
        """Add a connection, which is the process's newest one from now on; of older ones only the last is left."""
        links = self._links.setdefault(key, [])
        links.append(link)
        self._count += 1
        for old in links[:-PER_PROCESS_MAX]:
            old.end()

    def drop(self, key: ProcessKey, link: Link) -> bool:
        """Forget a connection that is closed; return whether it was the process's last one."""
        links = self._links.get(key, [])
        if link not in links:
            return False
        links.remove(link)
        self._count -= 1
        if links:
            return False
        del self._links[key]
        return True

    def find(self, key: ProcessKey) -> Link | None:
        """Return the newest connection of a process, or None."""
        links = self._links.get(key)
        return links[-1] if links else None

    def tell(self, key: ProcessKey, text: str) -> bool:
        """Take a message for a process; return whether it is connected and the message was taken."""
        link = self.find(key)
        return link is not None and link.tell(text)

    def end(self, key: ProcessKey) -> None:
        """Close the connections of a process, after what waits for it has been sent."""
        for link in list(self._links.get(key, ())):
            link.end()

    def end_all(self) -> None:
        """Close every connection, because the server stops."""
        for key in list(self._links):
            self.end(key)
