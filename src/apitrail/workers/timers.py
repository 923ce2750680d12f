"""The worker of timers: what services scheduled, each undone on its own when it fails, in the order of their times.

What is due together is handed to the database together and shares commits; the database keeps the order.
"""

import asyncio
import logging
import math
from collections.abc import Callable

from apitrail.clock import Clock
from apitrail.errors import JournalUnavailable
from apitrail.services.context import Context
from apitrail.services.operation import TIMERS
from apitrail.store import later
from apitrail.store.database import Database, Tx
from apitrail.store.later import Timer

log = logging.getLogger("apitrail.workers")
BATCH = 200
PAUSE_AFTER_FAILURE_S = 60.0
MakeContext = Callable[[Tx, str, str], Context]


class TimerWorker:
    """Runs timers that are due. committed: told of each transaction, as after a call."""

    name = "timers"

    def __init__(
        self, database: Database, clock: Clock, make_context: MakeContext, committed: Callable[[Context | None], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._make_context = make_context
        self._committed = committed
        self._next_due = math.inf

    def comes_first(self, due: float) -> bool:
        """Return whether a timer that was just asked for is due (epoch seconds) before all that the worker waits for.

        While a tick is under way, and before the first, it waits for none.
        """
        return due < self._next_due

    async def tick(self) -> float | None:
        """Run what is due; return when the next timer is due, in seconds. Raises: what a timer failed of, after the others."""
        self._next_due = math.inf
        now = self._clock.now().timestamp()
        due = await self._database.read(lambda tx: later.due_timers(tx, now, BATCH))
        failures = await asyncio.gather(*(self._try(timer) for timer in due))
        for failure in filter(None, failures):
            raise failure
        if due:
            return 0.0
        following = await self._database.read(later.next_timer)
        if following is None:
            return None
        self._next_due = following
        return max(0.0, following - self._clock.now().timestamp())

    async def _try(self, timer: Timer) -> Exception | None:
        """Run a timer; return why it failed. One that fails is undone and put off, so that it holds up no other."""
        try:
            await self._fire(timer)
        except JournalUnavailable:
            raise
        except Exception as failure:
            log.error("timer %s (%d) failed; it runs again in %g s", timer.kind, timer.id, PAUSE_AFTER_FAILURE_S)
            again = self._clock.now().timestamp() + PAUSE_AFTER_FAILURE_S
            await self._database.write(lambda tx: later.put_off_timer(tx, timer.id, again))
            return failure
        return None

    async def _fire(self, timer: Timer) -> None:
        def work(tx: Tx) -> Context | None:
            if not later.drop_timer(tx, timer.id):
                return None
            ctx = self._make_context(tx, timer.account, timer.region)
            TIMERS[timer.kind](ctx, timer.doc)
            return ctx

        ctx = await self._database.write(work)
        if ctx is not None:
            self._committed(ctx)
