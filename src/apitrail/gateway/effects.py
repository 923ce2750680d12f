"""Effects: what must happen outside after a commit, run at once for the call that asked and repeated until done."""

import asyncio
import logging

from apitrail.errors import JournalUnavailable
from apitrail.services.operation import EFFECTS, Deed
from apitrail.services.runtime import Runtime
from apitrail.store import later

log = logging.getLogger("apitrail.effects")
PAUSE_S = 0.5
PAUSE_MAX_S = 60.0
BATCH = 100


class EffectRunner:
    """Runs effects; each at most once at a time, and again after a failure with a growing pause."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: dict[int, asyncio.Task[bool]] = {}
        self._dropping: dict[int, asyncio.Task[None]] = {}

    async def run(self, numbers: list[int]) -> None:
        """Run the effects of these numbers now, one after another; a failed one is left to be tried again.

        Never raises for a store that cannot be written: the call that asked has been committed.
        """
        for number in numbers:
            try:
                await self._once(number)
            except JournalUnavailable as error:
                log.warning("effect %d is left for later: %s", number, error.reason)

    async def tick(self) -> float | None:
        """Run what is due; return after how many seconds there may be more, None when nothing waits."""
        now = self._runtime.clock.now().timestamp()
        due = await self._runtime.database.read(lambda tx: later.due_effects(tx, now, BATCH))
        for effect in due:
            await self._once(effect.id)
        if len(due) == BATCH:
            return 0.0
        row = await self._runtime.database.read(lambda tx: tx.one("SELECT min(next_at) FROM effects"))
        return None if row is None or row[0] is None else max(0.01, row[0] - now)

    async def _once(self, number: int) -> bool:
        task = self._running.get(number)
        if task is None:
            task = self._running[number] = asyncio.ensure_future(self._try(number))
            task.add_done_callback(lambda done: self._settle(number, done))
        return await asyncio.shield(task)

    def _settle(self, number: int, done: asyncio.Future[bool]) -> None:
        """Forget an effect that has failed; remember one that has happened until its row is gone for good."""
        if done.cancelled() or done.exception() is not None or not done.result():
            self._running.pop(number, None)
        else:
            self._dropping[number] = asyncio.ensure_future(self._drop(number))

    async def _drop(self, number: int) -> None:
        try:
            await self._runtime.database.write(lambda tx: later.drop_effect(tx, number))
        except JournalUnavailable as error:
            log.warning("effect %d has happened and will be repeated: %s", number, error.reason)
        finally:
            self._running.pop(number, None)
            self._dropping.pop(number, None)

    async def _try(self, number: int) -> bool:
        runtime = self._runtime
        effect = await runtime.database.read(lambda tx: later.read_effect(tx, number))
        if effect is None:
            return True
        try:
            await EFFECTS[effect.kind](runtime, Deed(effect.kind, effect.account, effect.region, effect.doc))
        except Exception as error:
            log.warning("effect %s (%d) failed, attempt %d: %s", effect.kind, number, effect.attempts + 1, error)
            pause = min(PAUSE_MAX_S, PAUSE_S * 2 ** min(effect.attempts, 10))
            again = runtime.clock.now().timestamp() + pause
            reason = f"{type(error).__name__}: {error}"
            await runtime.database.write(lambda tx: later.put_off_effect(tx, number, again, reason))
            return False
        return True
