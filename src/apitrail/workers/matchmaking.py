"""The worker of matchmaking: it hands the engine what has changed and has its proposals made matches.

What it knows of the pools is made again from the tickets whenever it begins, and whenever the engine has ended. A proposal is
checked in the transaction that makes the match, so an engine that lags behind does no harm. There is at most one pass per tick
and configuration, and a pool rests after a pass in proportion to how long it took.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apitrail.flexmatch.tickets import Proposal, Ticket
from apitrail.services.gamelift.collections import WAITING_TICKET
from apitrail.services.gamelift.pool_feed import (
    Change,
    PoolKey,
    configurations_of,
    find_ticket,
    form_matches,
    rules_of_pool,
    take_changes,
    waiting_tickets,
)
from apitrail.services.gamelift.ticket_steps import MATCHMAKING
from apitrail.services.runtime import Runtime
from apitrail.workers.match_engine import Engine, EngineGone
from apitrail.workers.match_pools import Answer, Job

log = logging.getLogger("apitrail.matchmaking")
TAKEN = 50
LOADED = 500
FORMED = 10
PASS_S = 0.25
REST_FACTOR, REST_MAX_S = 4.0, 1.0
RETRY_S = 1.0


@dataclass(slots=True)
class _Pool:
    """What is known of a pool. due: when it wants a pass, epoch seconds. rests_until: monotonic. add: ticket by id."""

    due: float = 0.0
    rests_until: float = 0.0
    versions: dict[str, int] = field(default_factory=dict)
    add: dict[str, Ticket] = field(default_factory=dict)
    remove: set[str] = field(default_factory=set)


class Matchmaking:
    """Forms matches."""

    name = MATCHMAKING

    def __init__(self, runtime: Runtime, engine: Engine) -> None:
        self._runtime = runtime
        self._engine = engine
        self._pools: dict[PoolKey, _Pool] | None = None

    async def tick(self) -> float | None:
        """Take what has changed and make the passes that are due; return when to come again."""
        try:
            if self._pools is None:
                self._pools = {}
                for key in await self._runtime.database.read(configurations_of):
                    await self._load(key)
            more = await self._take()
            formed = [await self._pass(key, pool) for key, pool in list(self._pools.items())]
            return 0.0 if more or any(formed) else self._pause()
        except EngineGone as error:
            log.warning("the matching engine has ended and begins anew in %g s: %s", RETRY_S, error)
            self._pools = None
            return RETRY_S
        except BaseException:
            self._pools = None
            raise

    async def close(self) -> None:
        """End the engine."""
        await self._engine.close()

    async def explain(self, account: str, region: str, ticket_id: str) -> dict[str, Any] | None:
        """Return a ticket's status and, while it waits, why it has no match; None for an unknown ticket.

        Raises: EngineGone.
        """
        ticket = await self._runtime.database.read(lambda tx: find_ticket(tx, account, region, ticket_id))
        if ticket is None:
            return None
        key = PoolKey(account, region, ticket["ConfigurationName"])
        answer = Answer()
        pool = None if self._pools is None else self._pools.get(key)
        if pool is not None and ticket_id in pool.versions and ticket["Status"] in WAITING_TICKET:
            answer = await self._engine.do(Job(key, self._now(), explain=ticket_id))
        return {
            "ticket_id": ticket_id,
            "configuration": ticket["ConfigurationName"],
            "status": ticket["Status"],
            "started_at": ticket["StartTime"].isoformat(),
            "pool_size": answer.size,
            "explanation": answer.explanation,
        }

    async def _load(self, key: PoolKey) -> None:
        """Make a pool from the tickets that wait for its configuration; without one there is none."""
        assert self._pools is not None
        rules = await self._runtime.database.read(lambda tx: rules_of_pool(tx, key))
        if rules is None:
            self._pools.pop(key, None)
            return
        pool = self._pools[key] = _Pool()
        await self._engine.do(Job(key, self._now(), rules=rules))
        after: int | None = 0
        while after is not None:
            found, after = await self._runtime.database.read(
                partial(waiting_tickets, key=key, after=after, limit=LOADED)
            )
            for change in found:
                _note(pool, change)
            await self._engine.do(_job(key, pool, self._now()))

    async def _take(self) -> bool:
        """Take the next changes; return whether there are more."""
        changes = await self._runtime.write("", "", lambda ctx: take_changes(ctx, TAKEN))
        assert self._pools is not None
        for key in changes.configurations:
            await self._load(key)
        for change in changes.tickets:
            if change.key not in self._pools:
                await self._load(change.key)
            pool = self._pools.get(change.key)
            if pool is not None:
                _note(pool, change)
        return changes.more

    async def _pass(self, key: PoolKey, pool: _Pool) -> bool:
        """Make a pass if one is due; return whether it has found anything."""
        clock = self._runtime.clock
        begun = clock.monotonic()
        if begun < pool.rests_until or not (pool.add or pool.remove or self._now() >= pool.due):
            return False
        answer = await self._engine.do(_job(key, pool, self._now(), PASS_S))
        pool.due = math.inf if answer.due is None else answer.due
        await self._form(key, pool, answer.proposals)
        ended = clock.monotonic()
        pool.rests_until = ended + min(REST_MAX_S, REST_FACTOR * (ended - begun))
        return bool(answer.proposals)

    async def _form(self, key: PoolKey, pool: _Pool, proposals: Sequence[Proposal]) -> None:
        """Have proposals made matches, a few in a transaction; the engine has let go of their tickets."""
        for start in range(0, len(proposals), FORMED):
            some = proposals[start : start + FORMED]
            versions = {ticket_id: pool.versions.pop(ticket_id) for one in some for ticket_id in one.tickets}
            work = partial(form_matches, key=key, proposals=some, versions=versions)
            await self._runtime.write(key.account, key.region, work)

    def _pause(self) -> float | None:
        """Return after how many seconds the next pass is due, if no change comes before."""
        assert self._pools is not None
        now, elapsed = self._now(), self._runtime.clock.monotonic()
        pauses = [
            max(0.0 if pool.add or pool.remove else pool.due - now, pool.rests_until - elapsed)
            for pool in self._pools.values()
            if pool.add or pool.remove or pool.due < math.inf
        ]
        return max(0.001, min(pauses)) if pauses else None

    def _now(self) -> float:
        return self._runtime.clock.now().timestamp()


def _note(pool: _Pool, change: Change) -> None:
    """Note a ticket as it is now, for the pool's next job."""
    pool.remove.add(change.ticket_id)
    pool.add.pop(change.ticket_id, None)
    pool.versions.pop(change.ticket_id, None)
    if change.ticket is not None:
        pool.add[change.ticket_id] = change.ticket
        pool.versions[change.ticket_id] = change.version


def _job(key: PoolKey, pool: _Pool, now: float, budget_s: float | None = None) -> Job:
    """Return the job that brings the engine's pool up to date, and note that nothing is left to be told."""
    job = Job(key, now, remove=sorted(pool.remove), add=list(pool.add.values()), budget_s=budget_s)
    pool.add, pool.remove = {}, set()
    return job
