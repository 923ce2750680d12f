"""The pools of the matching engine, and the jobs that they are given: plain values in, plain values out.

The same code runs in the engine's own process and, on a virtual clock, in the server's.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from apitrail.flexmatch.explain import explain
from apitrail.flexmatch.parse import parse_rule_set
from apitrail.flexmatch.pool import Pool
from apitrail.flexmatch.ruleset import RuleSet
from apitrail.flexmatch.tickets import Proposal, Ticket
from apitrail.services.gamelift.pool_feed import PoolKey, PoolRules

EXPLAINED_MAX = 2_000
"""Waiting tickets that an explanation looks at."""


class Job(msgspec.Struct, array_like=True):
    """Something for one pool to do, in this order: be made anew, forget tickets, take tickets, make a pass, explain.

    rules: None to go on with the pool that is there. budget_s: None for no pass. now: epoch seconds. explain: a ticket's id.
    """

    key: PoolKey
    now: float
    rules: PoolRules | None = None
    remove: list[str] = []
    add: list[Ticket] = []
    budget_s: float | None = None
    explain: str | None = None


class Answer(msgspec.Struct, array_like=True):
    """What came of a job. due: when a pass may find something without another change, epoch seconds. size: of the pool."""

    proposals: list[Proposal] = []
    due: float | None = None
    size: int = 0
    explanation: dict[str, Any] | None = None


class Pools:
    """Every configuration's pool. elapsed: seconds of a clock that never goes back."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._pools: dict[PoolKey, _Pool] = {}

    def do(self, job: Job) -> Answer:
        """Do a job. Raises: KeyError for a pool that was never made."""
        if job.rules is not None:
            self._pools[job.key] = _Pool(job.rules, self._elapsed)
        return self._pools[job.key].do(job)


class _Pool:
    def __init__(self, rules: PoolRules, elapsed: Callable[[], float]) -> None:
        self._rules: RuleSet = parse_rule_set(rules.body)
        self._engine = Pool(self._rules, rules.seed, elapsed, open_slots=rules.open_slots)
        self._tickets: dict[str, Ticket] = {}

    def do(self, job: Job) -> Answer:
        for ticket_id in job.remove:
            self._engine.remove(ticket_id)
            self._tickets.pop(ticket_id, None)
        for ticket in job.add:
            self._engine.add(ticket)
            self._tickets[ticket.id] = ticket
        proposals = [] if job.budget_s is None else self._engine.run(job.now, job.budget_s)
        for proposal in proposals:
            for ticket_id in proposal.tickets:
                self._tickets.pop(ticket_id, None)
        explanation = None if job.explain is None else self._explain(job.explain, job.now)
        return Answer(proposals, self._engine.next_change(job.now), len(self._tickets), explanation)

    def _explain(self, ticket_id: str, now: float) -> dict[str, Any] | None:
        """Return why a ticket waits, looking at it and at a bounded number of others, the oldest ones."""
        asked = self._tickets.get(ticket_id)
        if asked is None:
            return None
        others = sorted(self._tickets.values(), key=lambda one: (one.started_at, one.id))[:EXPLAINED_MAX]
        tickets = others if asked in others else [asked, *others]
        found: dict[str, Any] = msgspec.to_builtins(explain(self._rules, tickets, ticket_id, now))
        return found
