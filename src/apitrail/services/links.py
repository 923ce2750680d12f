"""Where connected game servers and agents are reached: who holds a connection of which one, and what is to be sent on it.

Nothing is kept beyond the connection; what must outlive it is a document. Used from the event loop only.
"""

import asyncio
from collections import deque
from typing import NamedTuple

WAITING_MAX = 256
"""Messages that wait to be sent on one connection; a peer that lets more gather does not read any more."""

PER_PEER_MAX = 2
"""Connections of one peer: the newest, and the one before it, whose last answers are still under way."""


class PeerKey(NamedTuple):
    """A server process by its id, or the agent of a compute by its host's id; see `agent_key`."""

    account: str
    region: str
    peer_id: str


def agent_key(account: str, region: str, host_id: str) -> PeerKey:
    """Return the key of a compute's agent, which cannot be that of a process, as ids of processes have no blanks."""
    return PeerKey(account, region, f"agent {host_id}")


class Message(NamedTuple):
    """What is to be sent on a connection. is_push: it was not asked for, so it must reach the peer on another one if need be."""

    text: str
    is_push: bool


class Link:
    """One connection. What is told before it begins waits, so that what was kept for its peer goes first."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._begun = False
        self._ended = False
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more is taken for this connection."""
        return self._ended

    def tell(self, text: str) -> bool:
        """Take a push for the peer; return whether it was taken. A peer that does not read is given up."""
        return self._take(Message(text, is_push=True))

    def answer(self, text: str) -> bool:
        """Take the answer to a request of the peer's on this connection; it is of no use on another one."""
        return self._take(Message(text, is_push=False))

    def _take(self, message: Message) -> bool:
        if self._ended or len(self._waiting) >= WAITING_MAX:
            self.end()
            return False
        self._waiting.append(message)
        self._news.set()
        return True

    def begin(self, first: list[str]) -> None:
        """Let messages go out, these pushes first."""
        self._waiting.extendleft(Message(text, is_push=True) for text in reversed(first))
        self._begun = True
        self._news.set()

    def end(self) -> None:
        """Take no more; what is waiting still goes out, then the connection is closed."""
        self._ended = True
        self._news.set()

    async def next(self) -> str | None:
        """Return the next message to send, waiting for one; None when the connection is to be closed.

        It stays the next one until it is `written`.
        """
        while not (self._begun and self._waiting) and not self._ended:
            self._news.clear()
            await self._news.wait()
        return self._waiting[0].text if self._begun and self._waiting else None

    def written(self) -> None:
        """Note that the next message has been written to the connection; it is never sent again."""
        self._waiting.popleft()

    def take_unwritten(self) -> list[str]:
        """Return the pushes that were never written, oldest first, and forget everything that waits; for a closed connection."""
        unwritten = [message.text for message in self._waiting if message.is_push]
        self._waiting.clear()
        return unwritten


class Links:
    """All connections of this server."""

    def __init__(self) -> None:
        self._links: dict[PeerKey, list[Link]] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many connections there are."""
        return self._count

    def open(self, key: PeerKey, link: Link) -> None:
        """Add a connection, which is the peer's newest one from now on; of older ones only the last is left."""
        links = self._links.setdefault(key, [])
        links.append(link)
        self._count += 1
        for old in links[:-PER_PEER_MAX]:
            old.end()

    def drop(self, key: PeerKey, link: Link) -> bool:
        """Forget a connection that is closed; return whether it was the peer's last one."""
        links = self._links.get(key, [])
        if link not in links:
            return False
        links.remove(link)
        self._count -= 1
        if links:
            return False
        del self._links[key]
        return True

    def find(self, key: PeerKey) -> Link | None:
        """Return the newest connection of a peer, or None."""
        links = self._links.get(key)
        return links[-1] if links else None

    def tell(self, key: PeerKey, text: str) -> bool:
        """Take a push for a peer; return whether it is connected and the message was taken."""
        link = self.find(key)
        return link is not None and link.tell(text)

    def end(self, key: PeerKey) -> None:
        """Close the connections of a peer, after what waits for it has been sent."""
        for link in list(self._links.get(key, ())):
            link.end()

    def end_all(self) -> None:
        """Close every connection, because the server stops."""
        for key in list(self._links):
            self.end(key)
