"""Rule sets and rosters for tests of matching: short ways to write them down."""

import json
from typing import Any

from apitrail.flexmatch import Backfill, Player, Pool, Proposal, RuleSet, Ticket, parse_rule_set

NOW = 1_000.0
SKILL = {"name": "skill", "type": "number"}
DUEL = [{"name": name, "minPlayers": 1, "maxPlayers": 1} for name in ("red", "blue")]


def teams(least: int, most: int, *names: str) -> list[dict[str, Any]]:
    """Return teams of one size."""
    return [{"name": name, "minPlayers": least, "maxPlayers": most} for name in names or ("red", "blue")]


def body(**more: Any) -> str:
    """Return a rule set's text: two teams of one and a number called skill, unless something else is said."""
    document = {"ruleLanguageVersion": "1.0", "playerAttributes": [SKILL], "teams": DUEL, **more}
    return json.dumps(document)


def rules(**more: Any) -> RuleSet:
    """Return a rule set."""
    return parse_rule_set(body(**more))


def player(id: str, latencies: dict[str, int] | None = None, team: str | None = None, **attributes: Any) -> Player:
    """Return a player."""
    return Player(id, attributes, latencies or {}, team)


def ticket(id: str, *players: Player, at: float = NOW - 1, backfill: str | None = None, **attributes: Any) -> Ticket:
    """Return a ticket; without players it has one with its own name and the attributes."""
    members = players or (player(id, **attributes),)
    return Ticket(id, at, tuple(members), None if backfill is None else Backfill(backfill))


def pool_of(rule_set: RuleSet, *tickets: Ticket, seed: int = 1, **more: Any) -> Pool:
    """Return a pool with tickets in it."""
    pool = Pool(rule_set, seed, **more)
    for one in tickets:
        pool.add(one)
    return pool


def matched(rule_set: RuleSet, *tickets: Ticket, now: float = NOW) -> list[Proposal]:
    """Return what the first pass proposes."""
    return pool_of(rule_set, *tickets).run(now)


def groups(proposals: list[Proposal]) -> list[set[str]]:
    """Return the tickets of each proposal."""
    return [set(proposal.tickets) for proposal in proposals]
