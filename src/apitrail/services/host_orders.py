"""Orders on their way to the host of game servers; nothing is kept, since a new host is told everything anew.

Used from the event loop only.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from apitrail.host.messages import Kill, Prepare, RemoveFleet, RemoveInstance, SetUp, Start

WAITING_MAX = 10_000
"""Orders that wait for the host; one that lets more gather is not there any more."""


class Fetch(NamedTuple):
    """A build to be fetched from a bucket into the file that an order names, before the order is given."""

    order: Prepare
    bucket: str
    key: str
    version: str | None


HostOrder = Fetch | SetUp | Start | Kill | RemoveInstance | RemoveFleet


class HostOrders:
    """The line of orders of one server. epoch: changes with each host; an order that is meant for an earlier one is dropped."""

    def __init__(self) -> None:
        self.epoch = 0
        self._open = False
        self._waiting: deque[HostOrder] = deque()
        self._news = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether there is a host."""
        return self._open

    def begin(self) -> None:
        """Take orders for a new host, and forget those for the one before."""
        self.epoch += 1
        self._open = True
        self._waiting.clear()

    def end(self) -> None:
        """Take no orders, because there is no host."""
        self._open = False
        self._waiting.clear()

    def give(self, order: HostOrder, epoch: int | None = None) -> None:
        """Put an order in line, unless there is no host or it is not the one that it was meant for."""
        if self._open and epoch in (None, self.epoch) and len(self._waiting) < WAITING_MAX:
            self._waiting.append(order)
            self._news.set()

    def take(self) -> list[HostOrder]:
        """Return the orders in line, and forget them."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    async def next(self) -> HostOrder:
        """Return the next order, waiting for one."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
