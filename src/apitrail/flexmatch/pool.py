"""All tickets that wait with one rule set, and the passes that form matches of them.

A pass takes those who may be in a match that was not possible before: newcomers, whoever has come to another level, and all
who could play with one of these. Each of them is the anchor once, in order of age; who turns out to be part of no match is
left out until something near it changes. A search that is given up is tried again after all others, once for each time that the
pool has changed. So passes cost little while nothing changes. A pass ends with its time and the next one goes on
there. The same additions, removals and times give the same proposals, as long as no pass runs out of time.
"""

import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

from apitrail.flexmatch.finder import Finder, rule_counts
from apitrail.flexmatch.plan import INFINITE, Plans
from apitrail.flexmatch.ruleset import RuleSet
from apitrail.flexmatch.search import Effort
from apitrail.flexmatch.shelf import Shelf
from apitrail.flexmatch.tickets import Proposal, RuleCount, Ticket
from apitrail.flexmatch.waiting import Locations, Waiting

CHANCE_BYTES = 6
LOCATIONS_SPARE = 1_000
EVALUATIONS_MAX, EVALUATIONS_MIN = 2_000, 250
"""Placements that are tried for an anchor at first, and at least; half as many each time that they did not suffice."""

DUE_SHARE = 4
"""When more than one in so many tickets is new, all are looked at rather than the neighbours of each."""

BACKFILL_RANKS = {"high": 0, "normal": 1, "low": 2}

Partition = tuple[Any, ...]
Turn = tuple[tuple[int, float, str], int, Waiting]


class Pool:
    """Waiting tickets of one matchmaking configuration.

    seed: decides about the order of candidates where the rule set asks for a random one. elapsed: seconds from a clock
    that never goes back; without it passes have no time limit. open_slots: players that every match leaves room for.
    """

    def __init__(
        self, rules: RuleSet, seed: int, elapsed: Callable[[], float] | None = None, *, open_slots: int = 0
    ) -> None:
        self._plans = Plans(rules)
        self._finder = Finder(self._plans, open_slots)
        self._seed = seed if rules.algorithm.batching == "random" else None
        self._elapsed = elapsed
        self._backfill_rank = BACKFILL_RANKS[rules.algorithm.backfill_priority]
        self._waiting: dict[str, Waiting] = {}
        self._backfills: dict[str, Waiting] = {}
        self._shelves: dict[Partition, Shelf] = {}
        self._touched: dict[Partition, None] = {}
        self._fresh: dict[str, Waiting] = {}
        self._changes: list[tuple[float, str]] = []
        self._queue: list[Turn] = []
        self._marks = 0
        self._given_up: deque[Waiting] = deque()
        self._retries = 0
        self._locations_max = LOCATIONS_SPARE

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, ticket_id: object) -> bool:
        return ticket_id in self._waiting

    def add(self, ticket: Ticket) -> None:
        """Let a ticket wait, in place of one with the same id."""
        self.remove(ticket.id)
        self._take_in(ticket)
        if len(self._plans.plans) > 1:
            heapq.heappush(self._changes, (ticket.started_at + self._plans.thresholds[1], ticket.id))
        self._retries = len(self._given_up)

    def remove(self, ticket_id: str) -> None:
        """Forget a ticket, if it waits."""
        waiting = self._waiting.get(ticket_id)
        if waiting is not None:
            self._let_go(waiting)
            self._retries = len(self._given_up)

    def run(self, now: float, budget_s: float = INFINITE) -> list[Proposal]:
        """Make one pass and return its proposals; the tickets in them have left the pool.

        Whoever cannot use a proposal adds those of its tickets again that still wait. now: epoch seconds. A pass that is
        out of time goes on next time; one anchor is tried in any case, for as long as the time lasts.
        """
        is_over = self._limit(budget_s)
        self._settle(now)
        proposals: list[Proposal] = []
        is_first = True
        while (anchor := self._next()) is not None:
            if not is_first and is_over():
                break
            effort = self._effort(anchor, is_over)
            proposal = self._finder.find(anchor, self._shelves.get(anchor.partition), effort)
            if effort.late and proposal is None and not is_first:
                break
            is_first = False
            self._take_off(anchor)
            if proposal is None:
                self._note_failure(anchor, effort)
            else:
                proposals.append(proposal)
                self._leave(proposal)
        if proposals:
            self._retries = len(self._given_up)
        return proposals

    def next_change(self, now: float) -> float | None:
        """Return when a pass can find something new if the pool stays as it is: now, or when rules expand for a ticket.

        None: never.
        """
        if self._fresh or self._next() is not None:
            return now
        while self._changes and self._changes[0][1] not in self._waiting:
            heapq.heappop(self._changes)
        return max(now, self._changes[0][0]) if self._changes else None

    def counts(self, ticket_id: str) -> tuple[RuleCount, ...]:
        """Return how often each rule passed and failed in trials with a ticket as the anchor, all rules, zeros included."""
        waiting = self._waiting.get(ticket_id)
        return rule_counts(self._plans, None if waiting is None else waiting.counts)

    def _take_in(self, ticket: Ticket) -> Waiting:
        waiting = Waiting(ticket, self._plans, self._finder.locations, self._chance(ticket.id))
        rank = self._backfill_rank if waiting.is_backfill else BACKFILL_RANKS["normal"]
        waiting.turn = (rank, *waiting.key)
        self._waiting[ticket.id] = self._fresh[ticket.id] = waiting
        if waiting.is_backfill:
            self._backfills[ticket.id] = waiting
        else:
            self._shelves.setdefault(waiting.partition, Shelf()).add(waiting)
            self._touched[waiting.partition] = None
        return waiting

    def _let_go(self, waiting: Waiting) -> None:
        ticket_id = waiting.ticket.id
        waiting.gone = True
        del self._waiting[ticket_id]
        self._fresh.pop(ticket_id, None)
        if self._backfills.pop(ticket_id, None) is None:
            self._shelves[waiting.partition].drop()
            self._touched[waiting.partition] = None

    def _leave(self, proposal: Proposal) -> None:
        for ticket_id in proposal.tickets:
            self._let_go(self._waiting[ticket_id])

    def _settle(self, now: float) -> None:
        """Bring levels and shelves up to the present, and mark who is due."""
        if len(self._finder.locations.names) > self._locations_max:
            self._renew()
        while self._changes and self._changes[0][0] <= now:
            self._to_level(heapq.heappop(self._changes)[1], now)
        for partition in self._touched:
            shelf = self._shelves[partition]
            shelf.merge()
            if not len(shelf):
                del self._shelves[partition]
        self._touched = {}
        self._mark_due(self._fresh)
        self._fresh = {}

    def _to_level(self, ticket_id: str, now: float) -> None:
        """Give a ticket the level of its age, and note when the next one comes."""
        waiting = self._waiting.get(ticket_id)
        if waiting is None:
            return
        started, thresholds = waiting.ticket.started_at, self._plans.thresholds
        level = self._plans.level_at(now - started)
        if level != waiting.level:
            waiting.level = level
            self._fresh[ticket_id] = waiting
            self._retries = len(self._given_up)
        if level + 1 < len(thresholds):
            heapq.heappush(self._changes, (started + thresholds[level + 1], ticket_id))

    def _mark_due(self, fresh: dict[str, Waiting]) -> None:
        """Mark tickets that are new, and everybody who could be in a match with one of them."""
        by_partition: dict[Partition, list[Waiting]] = {}
        for waiting in fresh.values():
            self._mark(waiting)
            if not waiting.is_backfill:
                by_partition.setdefault(waiting.partition, []).append(waiting)
        for partition, newcomers in by_partition.items():
            shelf = self._shelves[partition]
            shelf.look_anew()
            if self._plans.width_max == INFINITE or DUE_SHARE * len(newcomers) > len(shelf):
                for waiting in shelf.tickets():
                    self._mark(waiting)
            else:
                self._mark_neighbours(shelf, newcomers)
        for waiting in self._backfills.values():
            if waiting.partition in by_partition:
                self._mark(waiting)

    def _mark_neighbours(self, shelf: Shelf, newcomers: list[Waiting]) -> None:
        for newcomer in newcomers:
            for waiting in shelf.within(newcomer, self._plans.width_max, newcomer.wide):
                if waiting.wide & newcomer.wide and not waiting.gone:
                    self._mark(waiting)

    def _mark(self, waiting: Waiting) -> None:
        if not waiting.due:
            waiting.due = True
            self._marks += 1
            heapq.heappush(self._queue, (waiting.turn, self._marks, waiting))

    def _next(self) -> Waiting | None:
        """Return the anchor whose turn it is: the first who is due, then whoever was given up before the last change."""
        while self._queue and self._queue[0][2].gone:
            heapq.heappop(self._queue)
        if self._queue:
            return self._queue[0][2]
        while self._retries and self._given_up and self._given_up[0].gone:
            self._given_up.popleft()
            self._retries -= 1
        return self._given_up[0] if self._retries and self._given_up else None

    def _take_off(self, anchor: Waiting) -> None:
        """Take the anchor that `_next` returned out of its line."""
        if self._queue:
            heapq.heappop(self._queue)
        else:
            self._given_up.popleft()
            self._retries -= 1

    def _effort(self, anchor: Waiting, is_over: Callable[[], bool]) -> Effort:
        counts = anchor.counts or [[0, 0] for _ in self._plans.rules.levels[0].rules]
        anchor.counts = counts
        return Effort(counts, is_over, max(EVALUATIONS_MAX >> anchor.in_vain, EVALUATIONS_MIN))

    def _note_failure(self, anchor: Waiting, effort: Effort) -> None:
        """Note that there is no match of an anchor until something changes near it, or that a search was given up."""
        if effort.left > 0 and not effort.late:
            anchor.due = False
            return
        anchor.in_vain += 1
        self._given_up.append(anchor)

    def _chance(self, ticket_id: str) -> int | None:
        if self._seed is None:
            return None
        text = f"{self._seed}/{ticket_id}".encode(errors="surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, digest_size=CHANCE_BYTES).digest())

    def _limit(self, budget_s: float) -> Callable[[], bool]:
        elapsed = self._elapsed
        if elapsed is None or budget_s == INFINITE:
            return _never
        end = elapsed() + budget_s
        return lambda: elapsed() >= end

    def _renew(self) -> None:
        """Give bits to locations anew, so that those that nobody reports any more cost nothing."""
        known = list(self._waiting.values())
        for part in (self._waiting, self._backfills, self._shelves, self._touched, self._fresh):
            part.clear()
        self._queue, self._given_up, self._retries = [], deque(), 0
        self._finder.locations = Locations()
        for old in known:
            waiting = self._take_in(old.ticket)
            waiting.level, waiting.counts = old.level, old.counts
        self._locations_max = LOCATIONS_SPARE + 2 * len(self._finder.locations.names)


def _never() -> bool:
    return False
